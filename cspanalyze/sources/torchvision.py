"""`torchvision:NAME`: the networks of torchvision, without their weights."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from importlib.util import find_spec
from typing import Any

from cspanalyze.errors import SourceError
from cspanalyze.sources.construction import construct, import_package
from cspanalyze.sources.input_specs import InputSpec
from cspanalyze.sources.near_misses import did_you_mean
from cspanalyze.sources.request import Built, Listing, Source


def _models() -> Any:
    return import_package("torchvision.models", "torchvision")


def installed() -> bool:
    """Whether the package is there; does not import it."""
    return find_spec("torchvision") is not None


def names() -> Sequence[str]:
    """Every network that torchvision registers; imports torchvision."""
    listed: Sequence[str] = _models().list_models()
    return listed


def has(name: str) -> bool:
    """Whether torchvision registers the network."""
    return name in names()


def build(name: str, arguments: Mapping[str, Any], real: bool = False) -> Built:
    """Build the network; its default input follows the kind of network and the size its published weights use."""
    if not has(name):
        raise SourceError(f"torchvision has no network {name!r}{did_you_mean(name, names())}")
    builder = _models().get_model_builder(name)
    options = {**_without_weights(builder), **arguments}
    if any(value is not None for key, value in options.items() if key.startswith("weights")):
        raise SourceError("--arg weights: no weights are ever downloaded, leave it out")
    model, note = construct(builder, options, f"torchvision:{name}", real)
    return Built(model, _default_inputs(name, builder), as_list=_kind(builder) == "detection", note=note)


def _without_weights(builder: Callable[..., Any]) -> dict[str, None]:
    # `weights_backbone` defaults to published weights in torchvision and would download them.
    return {name: None for name in inspect.signature(builder).parameters if name in ("weights", "weights_backbone")}


def _kind(builder: Callable[..., Any]) -> str:
    parts = builder.__module__.split(".")
    return parts[2] if len(parts) > 3 else ""


def _default_inputs(name: str, builder: Callable[..., Any]) -> tuple[InputSpec, ...]:
    kind = _kind(builder)
    if kind == "optical_flow":
        return (InputSpec((1, 3, 520, 960)), InputSpec((1, 3, 520, 960)))
    height, width = _published_size(name)
    if kind == "detection":
        return (InputSpec((3, height, width)),)
    if kind == "video":
        return (InputSpec((1, 3, 16, height, width)),)
    return (InputSpec((1, 3, height, width)),)


def _published_size(name: str) -> tuple[int, int]:
    """Height and width for which the published accuracy of the network was measured."""
    if name.startswith("ssd"):
        return (320, 320) if "320" in name else (300, 300)
    weights = next(iter(_models().get_model_weights(name)), None)
    keywords = getattr(getattr(weights, "transforms", None), "keywords", None) or {}
    if not keywords:
        return 800, 800  # the detectors: their transform scales the shorter side to 800
    size = keywords.get("crop_size", keywords.get("resize_size", 224))
    if isinstance(size, int):
        return size, size
    return (size[0], size[-1])


def listing(name: str) -> Listing:
    """The default input of a network, without building it."""
    inputs = _default_inputs(name, _models().get_model_builder(name))
    batched = _kind(_models().get_model_builder(name)) != "detection"
    size = "x".join(map(str, inputs[0].shape[1:] if batched else inputs[0].shape))
    return Listing(f"torchvision:{name}", "torchvision", size)


SOURCE = Source(
    prefix="torchvision",
    title="torchvision",
    claims=lambda text: text.startswith("torchvision:"),
    build=build,
    installed=installed,
    names=names,
    has=has,
    listing=listing,
)
