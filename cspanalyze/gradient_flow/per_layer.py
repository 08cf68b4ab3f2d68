"""Figures of single layers within the whole network: who sends gradient to each, how often, when, on how many ways."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from fractions import Fraction

from cspanalyze.gradient_flow.flow import GradientFlow
from cspanalyze.gradient_flow.paths import path_extents
from cspanalyze.gradient_flow.terms import slices
from cspanalyze.results import Number, Result, Row


def layer_groups(flow: GradientFlow) -> tuple[str, ...]:
    """The names of the layers, in the order in which they run."""
    return tuple(layer.name for layer in flow.layers)


def layer_results(flow: GradientFlow) -> tuple[Result, ...]:
    """One row a layer; the total is the most that any layer has, and of means the mean over the network.

    `gradient_reuse` and `_max` say in how many weight updates the gradients of the layer's output channels appear (M);
    `gradient_sources` counts the layers that send them, the loss among them (R); `gradient_source_overlap` is the mean
    Jaccard index |R_i and R_j| / |R_i or R_j| over all other layers j; `gradient_timestamps` the number of different
    path lengths from the loss, `gradient_source_timestamps` that of pairs of a source and a length that it has.
    """
    extents = path_extents(flow)
    read: dict[int, list[tuple[int, int]]] = {}
    for piece in slices(flow):
        read.setdefault(piece.producer, []).append((piece.channels, piece.multiplicity))
    own = [read.get(layer, []) for layer in range(len(flow.layers))]
    sources = flow.source_sets
    overlaps = _overlaps(sources)
    stamps = [extents[i].timestamps for i in range(len(flow.layers))]
    pairs = [
        sum(stamps[k].bit_count() for k in flow.consumers[i]) + (i in flow.feeding_loss)
        for i in range(len(flow.layers))
    ]
    channels = [layer.channels for layer in flow.layers]
    everything = [pair for pairs in own for pair in pairs]
    paths = [extents[i] for i in range(len(flow.layers))]
    columns: list[tuple[str, str, Sequence[Number], Number, bool]] = [
        ("gradient_channels", "channels", channels, sum(channels), False),
        ("gradient_reuse", "layers", [_mean(pairs) for pairs in own], _mean(everything), False),
        ("gradient_reuse_max", "layers", *_and_most([max((m for _, m in pairs), default=0) for pairs in own])),
        ("gradient_sources", "layers", *_and_most([bits.bit_count() for bits in sources])),
        ("gradient_source_overlap", "ratio", overlaps, _average(overlaps), False),
        ("gradient_timestamps", "lengths", *_and_most([bits.bit_count() for bits in stamps])),
        ("gradient_source_timestamps", "pairs", *_and_most(pairs)),
        ("gradient_paths", "paths", *_and_most([extent.paths for extent in paths])),
        ("shortest_gradient_path", "layers", *_and_most([extent.shortest for extent in paths])),
        ("longest_gradient_path", "layers", *_and_most([extent.longest for extent in paths])),
    ]
    names = layer_groups(flow)
    return tuple(
        Result(metric, unit, "trace", _rows(names, values), total, additive=additive)
        for metric, unit, values, total, additive in columns
    )


def _rows(names: Sequence[str], values: Iterable[Number]) -> tuple[Row, ...]:
    return tuple(Row(name, "", value) for name, value in zip(names, values, strict=True))


def _and_most(values: Sequence[Number]) -> tuple[Sequence[Number], Number, bool]:
    return values, max((value for value in values if value is not None), default=None), False


def _overlaps(sources: Sequence[int]) -> list[Number]:
    """For every layer the mean Jaccard index with the others that get gradient; None where it or they get none."""
    found: list[Number] = []
    getting = sum(map(bool, sources))
    for own in sources:
        pairs = [(own & other).bit_count() / (own | other).bit_count() for other in sources if other] if own else []
        found.append((sum(pairs) - 1) / (getting - 1) if own and getting > 1 else None)
    return found


def _average(values: Sequence[Number]) -> Number:
    known = [value for value in values if value is not None]
    return sum(known) / len(known) if known else None


def _mean(pairs: Sequence[tuple[int, int]]) -> Number:
    total = sum(channels for channels, _ in pairs)
    return float(Fraction(sum(n * m for n, m in pairs), total)) if total else None
