"""Duplicated gradient on a picture: in how many weight updates the gradient of a node, or along an arrow, enters."""

from __future__ import annotations

from collections.abc import Iterable

from cspanalyze.gradient_flow import gradient_flow, slices
from cspanalyze.graph import ModelGraph, OpNode


class Reuse:
    """M of `cspanalyze.gradient_flow` (how many layers read a slice of channels), averaged over channels.

    Of an arrow only those channels count that some layer behind it reads. Where channels are picked out behind the
    arrow's tensor, all of the slices that its readers share with it count.
    """

    def __init__(self, graph: ModelGraph) -> None:
        flow = gradient_flow(graph)
        self._layer_at = {layer.op: number for number, layer in enumerate(flow.layers)}
        self._slices: dict[int, list[tuple[int, int, int]]] = {}
        for piece in slices(flow):
            readers = sum(1 << layer for layer in piece.consumers)
            self._slices.setdefault(piece.producer, []).append((piece.channels, piece.multiplicity, readers))
        self._graph = graph
        self._carried = [0] * len(graph.values)
        self._wanted = [0] * len(graph.values)
        for op in graph.ops:
            layer = self._layer_at.get(op.index)
            bits = 1 << layer if layer is not None else self._united(self._carried, op.inputs)
            for value in op.outputs:
                self._carried[value] = bits
        for op in reversed(graph.ops):
            bits = self._readers_behind(op)
            for value in op.inputs:
                self._wanted[value] |= bits

    @staticmethod
    def _united(sets: list[int], values: Iterable[int]) -> int:
        bits = 0
        for value in values:
            bits |= sets[value]
        return bits

    def _readers_behind(self, op: OpNode) -> int:
        layer = self._layer_at.get(op.index)
        return 1 << layer if layer is not None else self._united(self._wanted, op.outputs)

    def of_ops(self, ops: Iterable[OpNode]) -> float | None:
        """The mean of the layers among `ops`; None without any whose gradient a layer uses."""
        layers = [self._layer_at[op.index] for op in ops if op.index in self._layer_at]
        return self._mean(layers, -1)

    def of_arrow(self, ends: Iterable[tuple[int, int]]) -> float | None:
        """The mean along (value, operation that reads it); None if no layer's gradient goes there."""
        carried = readers = 0
        for value, consumer in ends:
            carried |= self._carried[value]
            readers |= self._readers_behind(self._graph.ops[consumer])
        return self._mean([layer for layer in self._slices if carried >> layer & 1], readers)

    def _mean(self, producers: Iterable[int], readers: int) -> float | None:
        terms = channels = 0
        for producer in producers:
            for width, multiplicity, consumers in self._slices.get(producer, ()):
                if consumers & readers:
                    terms += width * multiplicity
                    channels += width
        return terms / channels if channels else None
