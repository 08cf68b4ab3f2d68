"""The whole picture as one plain record, for bars, heat maps, rasters and graphs; the same through JSON and back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import log10
from typing import Any

from cspanalyze.gradient_flow.duplication import Duplication, duplication
from cspanalyze.gradient_flow.flow import Flag, GradientFlow
from cspanalyze.gradient_flow.paths import path_spectra
from cspanalyze.gradient_flow.terms import slices
from cspanalyze.json_form import plain, structured
from cspanalyze.results import SCHEMA_VERSION
from cspanalyze.showing import Shown


@dataclass(frozen=True, slots=True)
class LayerRecord:
    """One layer as gradient sees it.

    `most_readers` is the largest M of its slices and `mean_readers` their mean by channels; `sources` are the layers
    that send it gradient (R, by index), `from_loss` whether the loss does too. `path_counts[t]` gradient paths pass t
    layers; `source_timestamps` counts pairs of a source and a timestamp at which that source has its gradient.
    """

    name: str
    module: str
    group: str
    channels: int
    read_channels: int
    trainable: bool
    most_readers: int
    mean_readers: float
    sources: tuple[int, ...]
    from_loss: bool
    path_counts: tuple[int, ...]
    source_timestamps: int


@dataclass(frozen=True, slots=True)
class Edge:
    """A gradient term: `channels` of `producer` that `consumer` reads, as `multiplicity` layers do.

    `copied` says that an addition gives some of them the same gradient as another layer's.
    """

    producer: int
    consumer: int
    channels: int
    multiplicity: int
    copied: bool


@dataclass(frozen=True, slots=True, repr=False)
class GradientRecord(Shown):
    """A network's gradient structure: `layers` by index, `edges`, and the figures of every group and of the whole."""

    network: str
    layers: tuple[LayerRecord, ...]
    edges: tuple[Edge, ...]
    groups: tuple[tuple[str, Duplication], ...]
    whole: Duplication
    flags: tuple[Flag, ...]


@dataclass(frozen=True, slots=True)
class NetworkRecord:
    """A network's record with the matrices that pictures show; `variant` is what it is called beside the others.

    `source_overlap` is the Jaccard matrix of the layers' gradient sources; `timestamp_raster` has for every layer and
    path length the decimal logarithm of the number of paths, None for none.
    """

    variant: str
    record: GradientRecord
    source_overlap: tuple[tuple[float, ...], ...]
    timestamp_raster: tuple[tuple[float | None, ...], ...]

    @classmethod
    def of(cls, variant: str, record: GradientRecord) -> NetworkRecord:
        """The record with its matrices."""
        return cls(variant, record, source_overlap(record), timestamp_raster(record))


@dataclass(frozen=True, slots=True, repr=False)
class GradientRecords(Shown):
    """The gradient structure of a network and its variants."""

    networks: tuple[NetworkRecord, ...]

    def to_json(self) -> dict[str, Any]:
        """JSON-ready data. Path counts are integers of any size: a reader must not make them floats."""
        return {"schema": SCHEMA_VERSION, "kind": "gradients", **plain(self)}


def gradient_record(flow: GradientFlow, groups: Mapping[str, Sequence[int]]) -> GradientRecord:
    """The record of a network; `groups` are layer indices by stage or module, as `scopes` gives them."""
    spectra = path_spectra(flow)
    group_of = {layer: name for name, layers in groups.items() for layer in layers}
    pieces = slices(flow)
    own: dict[int, list[tuple[int, int]]] = {}
    for piece in pieces:
        own.setdefault(piece.producer, []).append((piece.channels, piece.multiplicity))
    layers = []
    for index, layer in enumerate(flow.layers):
        sources, read = flow.consumers[index], own.get(index, [])
        stamps = sum(len(spectra[source].timestamps) for source in sources) + (index in flow.feeding_loss)
        mean = sum(n * m for n, m in read) / max(1, sum(n for n, _ in read))
        layers.append(
            LayerRecord(
                layer.name, layer.module, group_of.get(index, ""), layer.channels, layer.read_channels, layer.trainable,
                max((m for _, m in read), default=0), mean, sources, index in flow.feeding_loss,
                spectra[index].counts, stamps,
            )
        )  # fmt: skip
    copied = [layer.copied for layer in flow.layers]
    edges = tuple(
        Edge(piece.producer, consumer, piece.channels, piece.multiplicity, piece.producer in copied[consumer])
        for piece in pieces
        for consumer in piece.consumers
    )
    figures = tuple((name, duplication(flow, layers)) for name, layers in groups.items())
    return GradientRecord(flow.network, tuple(layers), edges, figures, duplication(flow), flow.flags)


def source_overlap(record: GradientRecord) -> tuple[tuple[float, ...], ...]:
    """Jaccard matrix |R_i and R_j| / |R_i or R_j| of the layers' gradient sources, the loss among them.

    1 where two layers get gradient from the same sources, also on the diagonal; 0 where either gets none.
    """
    loss = len(record.layers)
    sets = [sum(1 << source for source in layer.sources) | layer.from_loss << loss for layer in record.layers]
    return tuple(tuple((a & b).bit_count() / max(1, (a | b).bit_count()) for b in sets) for a in sets)


def timestamp_raster(record: GradientRecord) -> tuple[tuple[float | None, ...], ...]:
    """For every layer and length t = 0, 1, .. the decimal logarithm of its number of gradient paths; None for none."""
    width = max((len(layer.path_counts) for layer in record.layers), default=0)
    return tuple(
        tuple(log10(count) if count else None for count in (*row, *[0] * (width - len(row))))
        for row in (layer.path_counts for layer in record.layers)
    )


def record_to_json(record: GradientRecord) -> dict[str, Any]:
    """JSON-ready data. Path counts are integers of any size: a reader must not make them floats."""
    data: dict[str, Any] = plain(record)
    return data


def record_from_json(data: Mapping[str, Any]) -> GradientRecord:
    """Inverse of `record_to_json`.

    Raises:
        UsageError: the data is no such record.
    """
    return structured(data, GradientRecord, "this is no gradient record")
