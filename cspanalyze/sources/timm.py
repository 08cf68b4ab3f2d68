"""`timm:NAME`: the networks of timm, without their weights."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from typing import Any

from cspanalyze.errors import SourceError
from cspanalyze.sources.construction import construct, import_package
from cspanalyze.sources.input_specs import InputSpec
from cspanalyze.sources.near_misses import did_you_mean
from cspanalyze.sources.request import Built, Listing, Source


def _timm() -> Any:
    return import_package("timm", "timm")


def installed() -> bool:
    """Whether the package is there; does not import it."""
    return find_spec("timm") is not None


def names() -> Sequence[str]:
    """Every architecture that timm registers; imports timm."""
    listed: Sequence[str] = _timm().list_models()
    return listed


def has(name: str) -> bool:
    """Whether timm registers the architecture; a tag after it (`resnet50.a1_in1k`) names weights and is allowed."""
    # timm itself would take `hf-hub:...` and fetch a configuration from the network.
    return ":" not in name and bool(_timm().is_model(name))


def build(name: str, arguments: Mapping[str, Any], real: bool = False) -> Built:
    """Build the network; its default input is the size in timm's own configuration of it."""
    timm = _timm()
    if not has(name):
        raise SourceError(f"timm {timm.__version__} has no network {name!r}{did_you_mean(name, names())}")
    options = {"pretrained": False, **arguments}
    if options["pretrained"]:
        raise SourceError("--arg pretrained: no weights are ever downloaded, leave it out")
    model, note = construct(lambda **given: timm.create_model(name, **given), options, f"timm:{name}", real)
    config = getattr(model, "pretrained_cfg", None) or {}
    size = tuple(config.get("input_size") or (3, 224, 224))
    channels = arguments.get("in_chans", size[0])
    return Built(model, (InputSpec((1, channels, *_image_size(arguments, size[1:]))),), note=note)


def _image_size(arguments: Mapping[str, Any], default: tuple[int, ...]) -> tuple[int, ...]:
    size = arguments.get("img_size", default)
    return (size, size) if isinstance(size, int) else tuple(size)


def listing(name: str) -> Listing:
    """The default input size of a network, without building it."""
    config = _timm().get_pretrained_cfg(name)
    size = config.input_size if config is not None else ()
    return Listing(f"timm:{name}", "timm", "x".join(map(str, size)))


SOURCE = Source(
    prefix="timm",
    title="timm",
    claims=lambda text: text.startswith("timm:"),
    build=build,
    installed=installed,
    names=names,
    has=has,
    listing=listing,
)
