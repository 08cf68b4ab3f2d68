"""Sections -> `Plan`: every layer worked out, or an error that says where. Takes time in proportion to the file."""

from __future__ import annotations

from collections.abc import Sequence

from cspanalyze.darknet import reading_joins, reading_maps, reading_vectors  # noqa: F401  (each registers its readers)
from cspanalyze.darknet.counting import count
from cspanalyze.darknet.layers import ConvolutionalRecurrence, Layer, Plan, Recurrence, Shape
from cspanalyze.darknet.limits import (
    MAX_CHANNELS,
    MAX_INTEGER,
    MAX_LAYERS,
    MAX_MAP_ELEMENTS,
    MAX_PARAMETERS,
    MAX_READS,
    MAX_RECURRENT_STEPS,
    MAX_SIDE,
    MAX_STEPS,
    MAX_TOTAL_ELEMENTS,
)
from cspanalyze.darknet.options import Options, known
from cspanalyze.darknet.places import READERS, Place
from cspanalyze.darknet.sections import Section, quoted

_STRUCTURE = "batch subdivisions width height channels inputs time_steps"
_TRAINING = """
    momentum decay adam B1 B2 eps learning_rate learning_rate_min burn_in max_batches policy power step steps scale
    scales seq_scales gamma sgdr_cycle sgdr_mult
    angle aspect saturation exposure hue flip blur gaussian_noise mixup cutmix mosaic mosaic_bound letter_box
    max_crop min_crop max_ratio min_ratio center clip resize_step random
    track augment_speed sequential_subdivisions try_fix_nan weights_reject_freq equidistant_point
    badlabels_rejection_percentage num_sigmas_reject_badlabels ema_alpha use_cuda_graph loss_scale dynamic_minibatch
    optimized_memory workspace_size_limit_MB contrastive contrastive_jit_flip contrastive_color unsupervised
    label_smooth_eps attention adversarial_lr max_chart_loss show_receptive_field stopbackward hierarchy notruth
"""
NET_KEYS = frozenset(f"{_STRUCTURE} {_TRAINING}".split())
"""Keys of `[net]`. Only those of `_STRUCTURE` change the network."""


def plan_network(sections: Sequence[Section], name: str) -> Plan:
    """Work out every layer. `name` is what errors call the network: a file, usually.

    Raises:
        SourceError: a section or key is unknown, a number impossible, a layer does not fit, or the whole is too large.
    """
    first = Options(sections[0], name)
    if sections[0].name not in ("net", "network"):
        raise first.error(f"the first section is [{quoted(sections[0].name)[1:-1]}], expected [net]")
    if len(sections) < 2:
        raise first.error("there is no layer under [net]")
    if len(sections) - 1 > MAX_LAYERS:
        raise first.error(f"{len(sections) - 1:,} layers are too many, at most {MAX_LAYERS:,} are possible")
    shape, steps = _input(first)
    layers: list[Layer] = []
    budget = _Budget()
    before = shape
    for section in sections[1:]:
        options = Options(section, name)
        layer = _layer(Place(options, before, layers, steps))
        budget.spend(layer, options)
        layers.append(layer)
        before = layer.shape
    return Plan(name, tuple(sections), shape, steps, tuple(layers))


def _input(options: Options) -> tuple[Shape, int]:
    """Shape of one image, and time steps of a sequence."""
    options.check_keys(NET_KEYS)
    steps = options.integer("time_steps", 1, 1, MAX_STEPS)
    options.integer("batch", 1, 1, MAX_INTEGER)
    sides = ("channels", "height", "width")
    if not any(options.given(side) for side in sides):
        if not options.given("inputs"):
            raise options.error("[net] needs width=, height= and channels=, or inputs= for vectors")
        return Shape(options.integer("inputs", 1, 1, MAX_CHANNELS), 1, 1), steps
    missing = [side for side in sides if not options.given(side)]
    if missing:
        present = " and ".join(f"{side}=" for side in sides if side not in missing)
        raise options.error(f"[net] needs {missing[0]}= beside {present}")
    channels = options.integer("channels", 3, 1, MAX_CHANNELS)
    shape = Shape(channels, options.integer("height", 1, 1, MAX_SIDE), options.integer("width", 1, 1, MAX_SIDE))
    if shape.elements > MAX_MAP_ELEMENTS:
        raise options.error(f"an input of {shape} is too large, at most {MAX_MAP_ELEMENTS:,} elements are possible")
    return shape, steps


def _layer(place: Place) -> Layer:
    section = place.options.section
    found = READERS.get(section.name)
    if found is None:
        if section.name in ("net", "network"):
            raise place.options.error("a second [net]: a file holds one network")
        raise place.options.error(f"unknown section [{quoted(section.name)[1:-1]}]{known(section.name, READERS)}")
    place.options.check_keys(found.keys)
    read = found.read(place)
    reads = (*((place.index - 1,) if read.previous else ()), *read.sources)
    return Layer(place.index, section.name, read.kind, reads, place.before, read.shape)


class _Budget:
    """What the network may still ask for."""

    def __init__(self) -> None:
        self._elements = 0
        self._parameters = 0
        self._reads = 0
        self._recurrent_steps = 0

    def spend(self, layer: Layer, options: Options) -> None:
        """Refuse the layer with which the network becomes too large.

        Raises:
            SourceError: this is that layer.
        """
        self._elements += layer.shape.elements
        self._parameters += count(layer).parameters
        self._reads += len(layer.reads)
        if isinstance(layer.kind, Recurrence | ConvolutionalRecurrence):
            self._recurrent_steps += layer.kind.steps
        for amount, limit, what in (
            (self._elements, MAX_TOTAL_ELEMENTS, "elements in its maps"),
            (self._parameters, MAX_PARAMETERS, "parameters"),
            (self._reads, MAX_READS, "maps that layers read"),
            (self._recurrent_steps, MAX_RECURRENT_STEPS, "recurrent steps"),
        ):
            if amount > limit:
                raise options.error(f"with [{layer.title}] the network has over {limit:,} {what}, which is the limit")
