"""Sections that work on maps: convolutions, pooling, and layers that move positions about."""

from __future__ import annotations

from cspanalyze.darknet.layers import (
    ChannelMaximum,
    Convolution,
    Crop,
    GlobalMean,
    Local,
    Pooling,
    Reorganise,
    Upsample,
)
from cspanalyze.darknet.limits import MAX_CHANNELS, MAX_SIDE
from cspanalyze.darknet.places import Place, Read, reader

BLUR_SIZES = {0: 0, 1: 3, 2: 2}
"""Side of the blur by the value of `antialiasing` (Zhang 2019, arXiv 1904.11486)."""


def window(place: Place, length: int, size: int, stride: int, padding: int) -> int:
    """Positions of a window along one side; `padding` is that of both ends together. Darknet's own formula.

    Raises:
        SourceError: the window is larger than the padded side.
    """
    if length + padding < size:
        name = place.options.section.name
        raise place.options.error(f"a map of {place.before} is too small for [{name}] with size={size}")
    return (length + padding - size) // stride + 1


def convolution(place: Place, filters: int, size: int, activation: str = "logistic") -> Convolution:
    """The convolution that the common options of a section describe.

    Raises:
        SourceError: its options contradict each other.
    """
    options = place.options
    dilation = options.integer("dilation", 1, 1, MAX_SIDE) if size > 1 else 1
    padding = size // 2 if options.flag("pad") else options.integer("padding", 0, 0, MAX_SIDE)
    groups = options.integer("groups", 1, 1, MAX_CHANNELS)
    if place.before.channels % groups or filters % groups:
        parts = f"{place.before.channels} channels and filters={filters}"
        raise options.error(f"groups={groups} is not possible: it must divide both {parts}")
    if dilation * (size + 2 * padding) > MAX_SIDE:
        raise options.error(f"a dilated kernel or its padding would reach over {MAX_SIDE:,} positions")
    normalised = options.flag("batch_normalize")
    stride = place.pair("stride", 1)
    return Convolution(filters, size, stride, padding, dilation, groups, normalised, options.activation(activation))


def _check_dilated(place: Place, spec: Convolution) -> None:
    """Darknet works out the size of the output without dilation and the convolution with it.

    Where the two differ it would write past its buffer, so such a network does not exist.
    """
    reach = spec.dilation * (spec.size - 1) + 1
    for length, stride in zip(place.before.size, spec.stride, strict=True):
        plain = (length + 2 * spec.padding - spec.size) // stride
        if plain != (length + 2 * spec.padding * spec.dilation - reach) // stride:
            raise place.options.error(f"dilation={spec.dilation} needs pad=1 and an odd size, so that the map is kept")


def _shared(place: Place, spec: Convolution) -> int | None:
    if not place.options.given("share_index"):
        return None
    layer = place.source("share_index")
    other = layer.kind
    if (
        not isinstance(other, Convolution)
        or (other.filters, other.size, other.groups, other.normalised)
        != (spec.filters, spec.size, spec.groups, spec.normalised)
        or layer.before.channels != place.before.channels
    ):
        raise place.options.error(f"share_index: layer {layer.index} has no weights that fit this convolution")
    return layer.index


@reader(
    "convolutional",
    "conv",
    keys="filters groups size stride stride_x stride_y dilation antialiasing pad padding activation share_index "
    "batch_normalize cbn binary xnor bin_output sway rotate stretch stretch_sway assisted_excitation flipped dot angle "
    "grad_centr reverse coordconv stream wait_stream",
)
def convolutional(place: Place) -> Read:
    """A convolution. Binary weights and deformed kernels (`xnor`, `sway` ...) change values, not shapes: ignored."""
    options = place.options
    size = options.integer("size", 1, 1, MAX_SIDE)
    spec = convolution(place, options.integer("filters", 1, 1, MAX_CHANNELS), size)
    blur = BLUR_SIZES[options.integer("antialiasing", 0, 0, 2)]
    spec = Convolution(
        spec.filters, size, spec.stride, spec.padding, spec.dilation, spec.groups,
        spec.normalised or options.flag("cbn"), spec.activation, blur, _shared(place, spec),
    )  # fmt: skip
    if spec.dilation > 1:
        _check_dilated(place, spec)
    steps = (1, 1) if blur else spec.stride
    height, width = (
        window(place, length, size, step, 2 * spec.padding)
        for length, step in zip(place.before.size, steps, strict=True)
    )
    place.map(spec.filters, height, width)
    if blur:
        height, width = _blurred(place, (height, width), blur, spec.stride)
    return Read(spec, place.map(spec.filters, height, width))


def _blurred(place: Place, size: tuple[int, int], blur: int, stride: tuple[int, int]) -> tuple[int, int]:
    """The map after the blur, which is padded by one where it has three positions and not where it has two."""
    padding = 2 if blur == 3 else 0
    return window(place, size[0], blur, stride[0], padding), window(place, size[1], blur, stride[1], padding)


@reader(
    "maxpool",
    "max",
    keys="stride stride_x stride_y size padding maxpool_depth out_channels antialiasing maxpool_zero_nonmax",
)
def maxpool(place: Place) -> Read:
    """The maximum over windows, or over channels with `maxpool_depth`."""
    options = place.options
    if options.flag("maxpool_depth"):
        filters = options.integer("out_channels", 1, 1, MAX_CHANNELS)
        if place.before.channels % filters:
            raise options.error(f"out_channels={filters} must divide the {place.before.channels} channels of the map")
        return Read(ChannelMaximum(filters), place.map(filters, *place.before.size))
    return _pooling(place, "max", BLUR_SIZES[options.integer("antialiasing", 0, 0, 2)])


@reader("local_avgpool", "local_avg", keys="stride stride_x stride_y size padding")
def local_avgpool(place: Place) -> Read:
    """The mean over windows; what lies in the padding does not count."""
    return _pooling(place, "mean", 0)


def _pooling(place: Place, reduction: str, blur: int) -> Read:
    options = place.options
    stride = place.pair("stride", 1)
    size = options.integer("size", options.integer("stride", 1, 1, MAX_SIDE), 1, MAX_SIDE)
    padding = options.integer("padding", size - 1, 0, MAX_SIDE)
    if padding > 2 * (size - 1):
        raise options.error(f"padding={padding} is not possible: a window of size={size} would see nothing but padding")
    place.map(place.before.channels, place.before.height + padding, place.before.width + padding)
    steps = (1, 1) if blur else stride
    height, width = (
        window(place, length, size, step, padding) for length, step in zip(place.before.size, steps, strict=True)
    )
    if blur:
        height, width = _blurred(place, (height, width), blur, stride)
    spec = Pooling("max" if reduction == "max" else "mean", size, stride, padding, blur)
    return Read(spec, place.map(place.before.channels, height, width))


@reader("avgpool", "avg")
def avgpool(place: Place) -> Read:
    """The mean over the whole map."""
    return Read(GlobalMean(), place.map(place.before.channels, 1, 1))


@reader("upsample", keys="stride scale")
def upsample(place: Place) -> Read:
    """Nearest-neighbour up-sampling."""
    stride = place.options.integer("stride", 2, 1, MAX_SIDE)
    spec = Upsample(stride, place.options.number("scale", 1.0))
    return Read(spec, place.map(place.before.channels, place.before.height * stride, place.before.width * stride))


@reader("reorg3d", keys="stride reverse")
def reorg3d(place: Place) -> Read:
    """Space to depth."""
    return _reorganise(place, scrambled=False)


@reader("reorg", "reorg_old", keys="stride reverse")
def reorg(place: Place) -> Read:
    """Space to depth, in the order of YOLOv2."""
    return _reorganise(place, scrambled=True)


def _reorganise(place: Place, *, scrambled: bool) -> Read:
    options, before = place.options, place.before
    stride = options.integer("stride", 1, 1, MAX_SIDE)
    reverse = options.flag("reverse")
    square = stride * stride
    if (reverse or scrambled) and before.channels % square:
        raise options.error(f"stride={stride} is not possible: {square} must divide the {before.channels} channels")
    if not reverse and (before.height % stride or before.width % stride):
        raise options.error(f"stride={stride} must divide both sides of the map, which is {before}")
    if reverse:
        shape = place.map(before.channels // square, before.height * stride, before.width * stride)
    else:
        shape = place.map(before.channels * square, before.height // stride, before.width // stride)
    return Read(Reorganise(stride, reverse, scrambled), shape)


@reader("crop", keys="crop_height crop_width flip angle saturation exposure noadjust shift")
def crop(place: Place) -> Read:
    """The middle of the map, as in evaluation."""
    height = place.options.integer("crop_height", 1, 1, MAX_SIDE)
    width = place.options.integer("crop_width", 1, 1, MAX_SIDE)
    if height > place.before.height or width > place.before.width:
        raise place.options.error(f"a crop of {height}x{width} is larger than the map, which is {place.before}")
    spec = Crop(height, width, place.options.flag("noadjust"))
    return Read(spec, place.map(place.before.channels, height, width))


@reader("local", keys="filters size stride pad activation")
def local(place: Place) -> Read:
    """A convolution without weight sharing. `pad` is a number of positions here, as Darknet uses it."""
    options = place.options
    filters = options.integer("filters", 1, 1, MAX_CHANNELS)
    size = options.integer("size", 1, 1, MAX_SIDE)
    stride = options.integer("stride", 1, 1, MAX_SIDE)
    padding = options.integer("pad", 0, 0, 1)
    if padding and size != 3:
        # Darknet takes the map as kept by any size, but pads by one position only.
        raise options.error(f"[local] with pad=1 needs size=3, not size={size}")
    height, width = (window(place, length, size, stride, 2 * padding) for length in place.before.size)
    # The gathered windows are one large map.
    place.map(place.before.channels * size * size, height, width)
    return Read(Local(filters, size, stride, padding, options.activation()), place.map(filters, height, width))
