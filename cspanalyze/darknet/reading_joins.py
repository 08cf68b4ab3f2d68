"""Sections that read earlier layers: routes, shortcuts, gates and learned constants."""

from __future__ import annotations

from typing import Literal

from cspanalyze.darknet.layers import Combination, Implicit, Route, Shape, Shortcut
from cspanalyze.darknet.limits import MAX_CHANNELS, MAX_SIDE
from cspanalyze.darknet.places import Place, Read, reader

WEIGHTS: dict[str, Literal["none", "per map", "per channel"]] = {
    "none": "none",
    "per_feature": "per map",
    "per_layer": "per map",
    "per_channel": "per channel",
}
"""What Darknet's words for the weights of a shortcut mean."""

NORMALISATIONS: dict[str, Literal["none", "relu", "softmax"]] = {
    "none": "none",
    "relu": "relu",
    "avg_relu": "relu",
    "softmax": "softmax",
}
"""How the weights of a shortcut are made to sum to one."""


@reader("route", keys="layers groups group_id stream wait_stream")
def route(place: Place) -> Read:
    """The concatenation of earlier maps, or of the same part of each."""
    sources = place.sources("layers")
    parts = place.options.integer("groups", 1, 1, MAX_CHANNELS)
    part = place.options.integer("group_id", 0, 0, parts - 1)
    maps = [place.layers[source].shape for source in sources]
    for source, shape in zip(sources, maps, strict=True):
        if shape.size != maps[0].size:
            both = f"layer {sources[0]} makes {maps[0]} and layer {source} {shape}"
            raise place.options.error(f"[route] joins maps of different size: {both}")
        if shape.channels % parts:
            raise place.options.error(f"groups={parts} must divide the {shape.channels} channels of layer {source}")
    channels = sum(shape.channels for shape in maps) // parts
    return Read(Route(parts, part), place.map(channels, *maps[0].size), sources, previous=False)


def sampling(target: tuple[int, int], source: tuple[int, int]) -> tuple[int, int] | None:
    """How a map of size `source` is fitted to one of size `target` when the two are added.

    Returns (every n-th position of the source, every n-th of the target), one of which is 1; None if height and width
    differ by different factors, in which case Darknet stops.
    """
    stride, spread = source[1] // target[1], target[1] // source[1]
    if (stride, spread) != (source[0] // target[0], target[0] // source[0]):
        return None
    return max(stride, 1), max(spread, 1)


@reader("shortcut", keys="from activation weights_type weights_normalization")
def shortcut(place: Place) -> Read:
    """The sum of maps, on the channels that they have in common; of a larger map, every n-th position."""
    options, before = place.options, place.before
    sources = place.sources("from")
    for source in sources:
        shape = place.layers[source].shape
        if sampling(before.size, shape.size) is None:
            raise options.error(f"[shortcut] cannot add layer {source}, which makes {shape}, to a map of {before}")
    weights = WEIGHTS[options.choice("weights_type", "none", tuple(WEIGHTS))]
    normalisation = NORMALISATIONS[options.choice("weights_normalization", "none", tuple(NORMALISATIONS))]
    spec = Shortcut(len(sources), options.activation("linear"), weights, normalisation)
    return Read(spec, place.map(before.channels, *before.size), sources)


@reader("scale_channels", keys="from scale_wh activation")
def scale_channels(place: Place) -> Read:
    """An earlier map, each channel times one number, or each position times one with `scale_wh`."""
    other = place.source().shape
    wanted = Shape(1, *other.size) if place.options.flag("scale_wh") else Shape(other.channels, 1, 1)
    return _combined(place, "multiply", wanted)


@reader("sam", keys="from activation")
def sam(place: Place) -> Read:
    """An earlier map times the map before, element by element."""
    return _combined(place, "multiply", place.source().shape)


def _combined(place: Place, operation: Literal["multiply", "add"], wanted: Shape) -> Read:
    other = place.source()
    if place.before != wanted:
        name = place.options.section.name
        given = f"the layer before makes {place.before}, layer {other.index} {other.shape}"
        raise place.options.error(f"[{name}] needs a map of {wanted} before it: {given}")
    spec = Combination(operation, place.options.activation("linear"))
    return Read(spec, place.map(other.shape.channels, *other.shape.size), (other.index,))


@reader("shift_channels", keys="from")
def shift_channels(place: Place) -> Read:
    """The map before plus a vector."""
    return _with_vector(place, "add")


@reader("control_channels", keys="from")
def control_channels(place: Place) -> Read:
    """The map before times a vector."""
    return _with_vector(place, "multiply")


@reader("select_channels", keys="from")
def select_channels(place: Place) -> Read:
    """The map before times the logistic function of a vector."""
    return _with_vector(place, "gate")


@reader("alternate_channels", keys="from")
def alternate_channels(place: Place) -> Read:
    """A vector, stretched to the size of the map before, and that map, one after the other."""
    return _with_vector(place, "concatenate")


def _with_vector(place: Place, operation: Literal["multiply", "add", "concatenate", "gate"]) -> Read:
    vector = place.source()
    before = place.before
    if vector.shape.size != (1, 1) or (operation != "concatenate" and vector.shape.channels != before.channels):
        given = f"layer {vector.index} makes {vector.shape}"
        name = place.options.section.name
        raise place.options.error(f"[{name}] needs a vector of {before.channels} channels: {given}")
    channels = before.channels + (vector.shape.channels if operation == "concatenate" else 0)
    return Read(Combination(operation), place.map(channels, *before.size), (vector.index,))


@reader("implicit", "implicit_add", keys="filters atoms mean std")
def implicit_add(place: Place) -> Read:
    """Learned constants that begin about 0."""
    return _implicit(place, mean=0.0)


@reader("implicit_mul", keys="filters atoms mean std")
def implicit_mul(place: Place) -> Read:
    """Learned constants that begin about 1."""
    return _implicit(place, mean=1.0)


def _implicit(place: Place, mean: float) -> Read:
    options = place.options
    filters = options.integer("filters", 128, 1, MAX_CHANNELS)
    atoms = options.integer("atoms", 1, 1, MAX_SIDE)
    spec = Implicit(filters, atoms, options.number("mean", mean), options.number("std", 0.02, low=0.0))
    return Read(spec, place.map(filters, atoms, 1))
