"""`torchvision:NAME`: the networks of torchvision, without their weights."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib.util import find_spec
from typing import Any

from cspanalyze.errors import SourceError
from cspanalyze.sources.construction import construct, import_package
from cspanalyze.sources.input_specs import InputSpec
from cspanalyze.sources.near_misses import did_you_mean
from cspanalyze.sources.request import Built, Listing, Source

_OWN_ARGUMENTS = (
    "built with arguments of its own, so as torchvision builds it without weights: batch norms that its published "
    "weights freeze, and auxiliary heads that they add or drop, can make the parameter count differ from its tables"
)
_REGIONS = (
    "the weights are random, and how many regions and detections there are depends on them: a trained network spends "
    "the same up to the region proposals, and behind them the same for each region"
)
_QUANTISABLE = "counted before quantisation, as torchvision does; --arg quantize=true counts the quantised operators"


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
    """Build the network that torchvision publishes weights for, without their values.

    torchvision lets the weights decide some of the architecture (frozen batch norms, auxiliary heads, image size), so
    the plain call without weights gives another network than its tables show. `arguments` contradict the weights, so
    with any the network is the one of the plain call. The default input is that of torchvision's own count.
    """
    if not has(name):
        raise SourceError(f"torchvision has no network {name!r}{did_you_mean(name, names())}")
    builder = _models().get_model_builder(name)
    if any(value is not None for key, value in arguments.items() if key.startswith("weights")):
        raise SourceError("--arg weights: no weights are ever downloaded, leave it out")
    weights = _weights(name)
    what = f"torchvision:{name}"
    if weights is None or arguments:
        model, note = construct(builder, {**_without_weights(builder), **arguments}, what, real)
        own = _OWN_ARGUMENTS if weights is not None else ""
    else:
        with _architecture_only():
            model, note = construct(builder, {"weights": weights}, what, real)
        own = _QUANTISABLE if name.startswith("quantized_") else _REGIONS if "rcnn_" in name else ""
    notes = "; ".join(filter(None, (note, own)))
    return Built(model, _default_inputs(name, builder), as_list=_kind(builder) == "detection", note=notes)


def _weights(name: str) -> Any:
    """The published weights of a network, before quantisation; None if there are none."""
    weights = getattr(_models().get_model_weights(name), "DEFAULT", None)
    return None if weights is None else weights.meta.get("unquantized", weights)


def _without_weights(builder: Callable[..., Any]) -> dict[str, None]:
    # `weights_backbone` defaults to published weights in torchvision and would download them.
    return {name: None for name in inspect.signature(builder).parameters if name in ("weights", "weights_backbone")}


class _NoValues(dict[str, Any]):
    """Stands for the content of a weights file."""


@contextmanager
def _architecture_only() -> Iterator[None]:
    """Inside, torchvision's builders read what weights say of the architecture; none are fetched, none are loaded."""
    from torch import nn

    enumeration = _models().WeightsEnum
    fetch, load = enumeration.get_state_dict, nn.Module.load_state_dict

    def load_unless_empty(self: nn.Module, state: Any, *args: Any, **kwargs: Any) -> Any:
        return None if isinstance(state, _NoValues) else load(self, state, *args, **kwargs)

    enumeration.get_state_dict = lambda self, *args, **kwargs: _NoValues()
    nn.Module.load_state_dict = load_unless_empty  # type: ignore[method-assign, assignment]
    try:
        yield
    finally:
        enumeration.get_state_dict = fetch
        nn.Module.load_state_dict = load  # type: ignore[method-assign]


def _kind(builder: Callable[..., Any]) -> str:
    parts = builder.__module__.split(".")
    return parts[2] if len(parts) > 3 else ""


def _default_inputs(name: str, builder: Callable[..., Any]) -> tuple[InputSpec, ...]:
    kind = _kind(builder)
    if kind == "optical_flow":
        return (InputSpec((1, 3, 512, 512)), InputSpec((1, 3, 512, 512)))
    if kind == "detection":
        size = _detector_size(name)
        return (InputSpec((3, size, size)),)
    height, width = _published_size(name)
    if kind == "video":
        return (InputSpec((1, 3, 16, height, width)),)
    return (InputSpec((1, 3, height, width)),)


def _detector_size(name: str) -> int:
    """Side of the image for which torchvision counts; its detectors scale what they get to about this size."""
    return next((size for size in (320, 300) if str(size) in name), 800)


def _published_size(name: str) -> tuple[int, int]:
    """Height and width for which the published accuracy of the network was measured."""
    keywords = getattr(getattr(_weights(name), "transforms", None), "keywords", None) or {}
    size = keywords.get("crop_size", keywords.get("resize_size", 224))
    return (size, size) if isinstance(size, int) else (size[0], size[-1])


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
