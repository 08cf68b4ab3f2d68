"""Sections that take a map as a vector, repeat in time, or end a network."""

from __future__ import annotations

from typing import Literal

from cspanalyze.darknet.layers import (
    Activation,
    Connected,
    Convolution,
    ConvolutionalRecurrence,
    Dropout,
    Head,
    Normalisation,
    Recurrence,
    Softmax,
)
from cspanalyze.darknet.limits import MAX_CHANNELS, MAX_SIDE
from cspanalyze.darknet.places import Place, Read, reader
from cspanalyze.darknet.reading_maps import convolution, window

_LOSS = (
    "classes num mask anchors max jitter resize random map label_smooth_eps scale_x_y objectness_smooth "
    "iou_normalizer obj_normalizer cls_normalizer delta_normalizer max_delta counters_per_class iou_loss "
    "iou_thresh_kind iou_thresh beta_nms nms_kind ignore_thresh truth_thresh"
)


@reader("connected", "conn", keys="output activation batch_normalize")
def connected(place: Place) -> Read:
    """A fully connected layer on everything before."""
    outputs = place.options.integer("output", 1, 1, MAX_CHANNELS)
    spec = Connected(outputs, place.options.flag("batch_normalize"), place.options.activation())
    return Read(spec, place.map(outputs, 1, 1))


@reader("activation", keys="activation")
def activation(place: Place) -> Read:
    """An activation function alone."""
    return Read(Activation(place.options.activation("linear")), place.before)


@reader("batchnorm")
def batchnorm(place: Place) -> Read:
    """Batch norm alone."""
    return Read(Normalisation(), place.before)


@reader("normalization", "lrn", keys="alpha beta kappa size")
def normalization(place: Place) -> Read:
    """Normalisation across channels."""
    options = place.options
    size = options.integer("size", 5, 1, MAX_SIDE)
    alpha, beta = options.number("alpha", 0.0001), options.number("beta", 0.75)
    return Read(Normalisation(size, alpha, beta, options.number("kappa", 1.0)), place.before)


@reader("dropout", keys="probability dropblock dropblock_size_rel dropblock_size_abs")
def dropout(place: Place) -> Read:
    """Dropout. In training, blocks (`dropblock`) are dropped as single elements."""
    return Read(Dropout(place.options.number("probability", 0.2, 0.0, 1.0)), place.before)


@reader("empty", "silence")
def empty(place: Place) -> Read:
    """Nothing."""
    return Read(Head(output=False), place.before)


@reader("cost", keys="type scale ratio noobj thresh smooth")
def cost(place: Place) -> Read:
    """A loss, which has no part in a forward pass."""
    return Read(Head(output=False), place.before)


@reader("softmax", keys="groups temperature spatial noloss tree")
def softmax(place: Place) -> Read:
    """Softmax over the vector, or over the channels of each position."""
    options, elements = place.options, place.before.elements
    if options.given("tree"):
        raise options.error("[softmax] with a tree of classes is not possible: the tree is in another file")
    groups = options.integer("groups", 1, 1, MAX_CHANNELS)
    if elements % groups:
        raise options.error(f"groups={groups} must divide the {elements:,} inputs")
    temperature = options.number("temperature", 1.0)
    if temperature <= 0:
        raise options.error(f"temperature={temperature:g} is not possible, expected more than 0")
    return Read(Softmax(groups, temperature, options.number("spatial", 0.0) != 0), place.before)


def _head(place: Place, wanted: int, meaning: str) -> Read:
    if place.before.channels != wanted:
        given = f"the layer before makes {place.before.channels}"
        raise place.options.error(f"[{place.options.section.name}] needs {wanted} channels ({meaning}): {given}")
    return Read(Head(output=True), place.before)


def _anchored(place: Place, per_anchor: int) -> Read:
    """A head with `classes` and `per_anchor` numbers for each anchor that `mask` selects, or all of them."""
    options = place.options
    classes = options.integer("classes", 20, 0, MAX_CHANNELS)
    mask = options.integers("mask", 0, MAX_CHANNELS)
    anchors = len(mask) if mask else options.integer("num", 1, 1, MAX_CHANNELS)
    return _head(place, anchors * (classes + per_anchor), f"{anchors} anchors x ({classes} classes + {per_anchor})")


@reader(
    "yolo",
    keys=f"{_LOSS} show_details new_coords focal_loss track_history_size sim_thresh dets_for_track dets_for_show "
    "track_ciou_norm embedding_layer",
)
def yolo(place: Place) -> Read:
    """A head of YOLOv3 and later: four coordinates and an objectness beside the classes."""
    return _anchored(place, 5)


@reader("Gaussian_yolo", keys=f"{_LOSS} uc_normalizer yolo_point")
def gaussian_yolo(place: Place) -> Read:
    """A head that gives a variance with each coordinate (Choi et al. 2019, arXiv 1904.04620)."""
    return _anchored(place, 9)


@reader(
    "region",
    keys="coords classes num max log sqrt softmax focal_loss jitter resize rescore thresh classfix absolute random "
    "coord_scale object_scale noobject_scale mask_scale class_scale bias_match tree map anchors background",
)
def region(place: Place) -> Read:
    """The head of YOLOv2."""
    per_anchor = place.options.integer("coords", 4, 0, MAX_CHANNELS) + 1
    return _anchored(place, per_anchor)


@reader(
    "detection",
    keys="coords classes rescore num side softmax sqrt max coord_scale forced object_scale noobject_scale class_scale "
    "jitter resize random reorg",
)
def detection(place: Place) -> Read:
    """The head of YOLOv1: side x side cells."""
    options = place.options
    side, num = options.integer("side", 7, 1, MAX_SIDE), options.integer("num", 1, 1, MAX_CHANNELS)
    classes, coords = options.integer("classes", 1, 0, MAX_CHANNELS), options.integer("coords", 1, 0, MAX_CHANNELS)
    wanted = side * side * ((1 + coords) * num + classes)
    if place.before.elements != wanted:
        cells = f"{side}x{side} cells x (({coords} + 1) x {num} boxes + {classes} classes)"
        raise options.error(f"[detection] needs {wanted:,} inputs ({cells}), not {place.before.elements:,}")
    return Read(Head(output=True), place.before)


@reader("rnn", keys="output hidden activation batch_normalize logistic shortcut")
def rnn(place: Place) -> Read:
    """A plain recurrent layer: state = f(U x) + g(W state), output = f(V state)."""
    options = place.options
    hidden = options.integer("hidden", 1, 1, MAX_CHANNELS)
    name = options.activation()
    state = ("", "logistic", "loggy")[options.integer("logistic", 0, 0, 2)] or name
    outputs = options.integer("output", 1, 1, MAX_CHANNELS)
    normalised, skip = options.flag("batch_normalize"), options.flag("shortcut")
    spec = Recurrence("rnn", outputs, place.steps, normalised, hidden, name, state, skip)
    return Read(spec, place.map(outputs, 1, 1))


@reader("gru", keys="output batch_normalize tanh")
def gru(place: Place) -> Read:
    """A gated recurrent unit. Darknet's candidate state is logistic unless `tanh` is set."""
    return _gated(place, "gru")


@reader("lstm", keys="output batch_normalize")
def lstm(place: Place) -> Read:
    """A long short-term memory."""
    return _gated(place, "lstm")


def _gated(place: Place, cell: Literal["gru", "lstm"]) -> Read:
    outputs = place.options.integer("output", 1, 1, MAX_CHANNELS)
    normalised, hyperbolic = place.options.flag("batch_normalize"), place.options.flag("tanh")
    spec = Recurrence(cell, outputs, place.steps, normalised, hyperbolic=hyperbolic)
    return Read(spec, place.map(outputs, 1, 1))


_CONVOLUTIONAL = "size stride dilation pad padding output groups activation batch_normalize xnor shortcut"


def _inner(place: Place, filters: int, activation: str) -> Convolution:
    """The convolution of the input, which must keep the size of the map, for the state has that of the input."""
    options = place.options
    spec = convolution(place, filters, options.integer("size", 3, 1, MAX_SIDE), activation)
    kept = [window(place, side, spec.size, 1, 2 * spec.padding) for side in place.before.size]
    if spec.stride != (1, 1) or tuple(kept) != place.before.size:
        raise options.error(f"[{options.section.name}] needs stride=1, pad=1 and an odd size, so that the map is kept")
    place.map(filters, *place.before.size)
    return spec


@reader("crnn", keys=f"{_CONVOLUTIONAL} hidden")
def crnn(place: Place) -> Read:
    """The plain recurrent layer with convolutions instead of matrices."""
    options = place.options
    inner = _inner(place, options.integer("hidden", 1, 1, MAX_CHANNELS), "logistic")
    outputs = options.integer("output", 1, 1, MAX_CHANNELS)
    if outputs % inner.groups:
        raise options.error(f"groups={inner.groups} must divide output={outputs}")
    spec = ConvolutionalRecurrence("crnn", inner, outputs, place.steps, options.flag("shortcut"))
    return Read(spec, place.map(outputs, *place.before.size))


@reader("conv_lstm", keys=f"{_CONVOLUTIONAL} peephole bottleneck lstm_activation state_constrain time_normalizer")
def conv_lstm(place: Place) -> Read:
    """A convolutional LSTM (Shi et al. 2015, arXiv 1506.04214). `state_constrain` is a safeguard of training."""
    options = place.options
    for key in ("bottleneck", "shortcut"):
        if options.flag(key):
            raise options.error(f"[conv_lstm] with {key}=1 is not possible: only Darknet's graphics code defines it")
    # The convolutions inside are linear unless the section says otherwise, where [convolutional] is logistic.
    inner = _inner(place, options.integer("output", 1, 1, MAX_CHANNELS), "linear")
    peephole, cell = options.flag("peephole"), options.activation("tanh", "lstm_activation")
    spec = ConvolutionalRecurrence(
        "conv_lstm", inner, inner.filters, place.steps, peephole=peephole, cell_activation=cell
    )
    return Read(spec, place.map(inner.filters, *place.before.size))
