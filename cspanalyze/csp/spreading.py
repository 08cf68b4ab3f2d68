"""How labels of channels go from operation to operation: one rule an operator, over the graph of one block."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from cspanalyze.csp.channels import Extent, Labels, along, combined, placed, reshaped, varying, widened
from cspanalyze.graph import UPDATE, ModelGraph, OpNode, Ref

_OPAQUE = frozenset(
    {
        "index", "index_select", "gather", "scatter", "sort", "topk", "flip", "roll", "unfold", "im2col", "col2im",
        "scaled_dot_product_attention", "embedding", "cumsum", "as_strided", "pixel_shuffle", "pixel_unshuffle",
        "channel_shuffle", "native_channel_shuffle", "conv_transpose2d", "fft_rfft2", "_fft_r2c", "_fft_c2r",
    }
)  # fmt: skip
"""Operators through which labels are not followed: what goes in must stay."""
_REDUCED = {
    "mean": 1, "sum": 1, "amax": 1, "amin": 1, "max": 1, "min": 1, "var": 1, "std": 1, "logsumexp": 1,
    "linalg_vector_norm": 2, "norm": 2, "argmax": 1, "var_mean": 1,
}  # fmt: skip
"""Reductions, and where among their arguments the dimensions stand."""


class Spread:
    """The labels of every value of a block's graph; the block reads one (N, C, H, W) map and makes one."""

    def __init__(self, graph: ModelGraph) -> None:
        self.graph = graph
        self.labels = Labels()
        self._extents: dict[int, Extent] = {}
        self._rows: dict[int, dict[int, Tensor]] = {}  # of weights, by dimension
        (source,) = graph.inputs
        self._extents[source] = (placed(self.labels.fresh(self.shape(source)[1]), 1, len(self.shape(source))),)
        for op in graph.ops:
            self._follow(op)
        for value in graph.values:
            self.extent(value.index)  # every label is there before any is removed

    def shape(self, value: int) -> tuple[int, ...]:
        """Shape of a value in the block as it is."""
        return self.graph.spec(value).shape

    def extent(self, value: int) -> Extent:
        """The labels of a value; a weight has labels of its own in every dimension."""
        if value in self._extents or not self._is_weight(value):
            return self._extents.get(value, ())
        sizes = self.shape(value)
        return tuple(placed(self._row(value, dim), dim, len(sizes)) for dim, size in enumerate(sizes) if size > 1)

    def meet(self, row: Tensor | None, value: int, dim: int) -> None:
        """Join the labels of a width with those of a dimension of a value that is as wide."""
        size = self.shape(value)[dim]
        if self._is_weight(value) and size > 1 and row is not None and dim not in self._rows.setdefault(value, {}):
            self._rows[value][dim] = row  # as good as new labels joined with these, and at once
        elif size > 1 or row is not None:
            self.join(row, self.along(value, dim))

    def join(self, one: Tensor | None, other: Tensor | None) -> None:
        """Join the labels of two ends of one width; where one end can not shrink the other must stay."""
        if one is not None and other is not None:
            self.labels.unite(one, other)
        elif (labels := one if one is not None else other) is not None and len(labels) > 1:
            self.labels.fix(labels, "a tensor of fixed width meets it")

    def _is_weight(self, value: int) -> bool:
        return self.graph.values[value].kind in ("parameter", "buffer")

    def _row(self, value: int, dim: int) -> Tensor:
        rows = self._rows.setdefault(value, {})
        if dim not in rows:
            rows[dim] = self.labels.fresh(self.shape(value)[dim])
        return rows[dim]

    def along(self, value: int, dim: int) -> Tensor | None:
        """The labels of a value in one dimension; labels that vary in others with it must stay."""
        rank = len(self.shape(value))
        if self._is_weight(value) and value not in self._extents:
            return self._row(value, dim % rank) if self.shape(value)[dim] > 1 else None
        row = along(self.extent(value), dim)
        for factor in self.extent(value):
            if dim % rank in varying(factor) and len(varying(factor)) > 1:
                self.labels.fix(factor, "it reads channels in another arrangement")
        return row

    def set(self, value: int, extent: Extent) -> None:
        """Write down the labels of an output."""
        self._extents[value] = tuple(factor for factor in extent if varying(factor))

    def stay(self, op: OpNode, *values: int) -> None:
        """The labels of these values can not be removed because of `op`."""
        where = f" in {op.module}" if op.module else ""
        for value in values:
            for factor in self.extent(value):
                self.labels.fix(factor, f"its {op.name}{where} takes channels by position")

    def _follow(self, op: OpNode) -> None:
        if op.target == UPDATE:
            self.set(op.outputs[0], self.extent(op.inputs[0]))
        elif op.name in _OPAQUE:
            self.stay(op, *op.inputs)
        elif op.name in _REDUCED:
            _reduce(self, op)
        else:
            _RULES.get(op.name, _elementwise)(self, op)


_RULES: dict[str, Callable[[Spread, OpNode], None]] = {}


def _rule(*names: str) -> Callable[[Callable[[Spread, OpNode], None]], Callable[[Spread, OpNode], None]]:
    def register(rule: Callable[[Spread, OpNode], None]) -> Callable[[Spread, OpNode], None]:
        _RULES.update(dict.fromkeys(names, rule))
        return rule

    return register


def _argument(op: OpNode, position: int, name: str, default: Any) -> Any:
    return op.args[position] if position < len(op.args) else dict(op.kwargs).get(name, default)


def _operand(op: OpNode, position: int, name: str) -> int | None:
    found = _argument(op, position, name, None)
    return found.value if isinstance(found, Ref) else None


@_rule("conv1d", "conv2d", "conv3d")
def _convolve(spread: Spread, op: OpNode) -> None:
    source, weight, bias = op.inputs[0], op.inputs[1], _operand(op, 2, "bias")
    made = op.outputs[0]
    groups = int(_argument(op, 6, "groups", 1))
    labels, rank = spread.labels, len(spread.shape(source))
    channel = rank - len(spread.shape(weight)) + 1
    given = spread.along(source, channel)
    if groups > 1 and spread.shape(weight)[1] == 1:
        times = spread.shape(weight)[0] // groups
        spread.meet(None if given is None else given.repeat_interleave(times), weight, 0)
    elif groups == 1 or given is None:
        spread.meet(given, weight, 1)
    else:
        labels.tie(given.reshape(groups, -1), 0)
        spread.meet(given.reshape(groups, -1)[0], weight, 1)
    out = spread.along(weight, 0)
    if groups > 1 and spread.shape(weight)[1] > 1 and out is not None:
        labels.tie(out.reshape(groups, -1), 0)
    if bias is not None:
        spread.meet(out, bias, 0)
    extent = [] if out is None else [placed(out, channel, rank)]
    for factor in spread.extent(source):
        dims = varying(factor)
        if channel in dims:
            continue
        if all(spread.shape(source)[dim] == spread.shape(made)[dim] for dim in dims):
            extent.append(factor)  # along the channels that a 1-d convolution slides over
        else:
            spread.stay(op, source)
    spread.set(made, tuple(extent))


@_rule("linear")
def _project(spread: Spread, op: OpNode) -> None:
    source, weight, bias = op.inputs[0], op.inputs[1], _operand(op, 2, "bias")
    rank = len(spread.shape(source))
    spread.meet(spread.along(source, -1), weight, 1)
    out = spread.along(weight, 0)
    if bias is not None:
        spread.meet(out, bias, 0)
    rest = tuple(factor for factor in spread.extent(source) if rank - 1 not in varying(factor))
    spread.set(op.outputs[0], rest if out is None else (*rest, placed(out, -1, rank)))


@_rule("mm", "bmm", "baddbmm", "addmm")
def _multiply(spread: Spread, op: OpNode) -> None:
    one, other = op.inputs[-2:]
    rank = len(spread.shape(one))
    if len(op.inputs) > 2:
        spread.stay(op, *op.inputs)
        return
    spread.join(spread.along(one, -1), spread.along(other, -2))
    left = tuple(factor for factor in spread.extent(one) if rank - 1 not in varying(factor))
    right = tuple(factor for factor in spread.extent(other) if rank - 2 not in varying(factor))
    spread.set(op.outputs[0], combined([left, right], spread.labels))


@_rule("batch_norm", "instance_norm", "group_norm")
def _normalise(spread: Spread, op: OpNode) -> None:
    source = op.inputs[0]
    given = spread.along(source, 1)
    for value in op.inputs[1:]:
        spread.meet(given, value, 0)
    groups = int(_argument(op, 1, "num_groups", 1)) if op.name == "group_norm" else 1
    if given is not None and groups > 1:
        spread.labels.tie(given.reshape(groups, -1), 0)
    spread.set(op.outputs[0], spread.extent(source))


@_rule("view", "_unsafe_view", "reshape", "squeeze", "unsqueeze", "squeeze_", "unsqueeze_")
def _reshape(spread: Spread, op: OpNode) -> None:
    source, made = op.inputs[0], op.outputs[0]
    before, after = spread.shape(source), spread.shape(made)
    extent = tuple(reshaped(factor, before, after) for factor in spread.extent(source))
    for old, new in zip(spread.extent(source), extent, strict=True):
        if len(varying(new)) > len(varying(old)):  # [C] -> [g, C/g]: the same columns go in every row
            for dim in varying(new)[:-1]:
                spread.labels.tie(new, dim)
    spread.set(made, extent)


@_rule("permute", "transpose", "t", "transpose_")
def _permute(spread: Spread, op: OpNode) -> None:
    rank = len(spread.shape(op.inputs[0]))
    if op.name == "permute":
        order = [int(dim) % rank for dim in _argument(op, 1, "dims", ())]
    else:
        order = list(range(rank))
        one, other = (0, rank - 1) if op.name == "t" else (int(op.args[1]), int(op.args[2]))  # type: ignore[arg-type]
        order[one % rank], order[other % rank] = order[other % rank], order[one % rank]
    spread.set(op.outputs[0], tuple(factor.permute(order) for factor in spread.extent(op.inputs[0])))


@_rule("expand", "repeat")
def _repeat(spread: Spread, op: OpNode) -> None:
    source, made = op.inputs[0], op.outputs[0]
    before, after = spread.shape(source), spread.shape(made)
    lead = len(after) - len(before)
    extent = []
    for factor in spread.extent(source):
        times = [after[lead + dim] // before[dim] if factor.shape[dim] > 1 else 1 for dim in range(len(before))]
        extent.append(widened(factor.repeat(times), len(after)))
    spread.set(made, tuple(extent))


@_rule("slice", "select", "narrow", "split", "split_with_sizes", "unbind", "chunk")
def _take(spread: Spread, op: OpNode) -> None:
    """Parts of one dimension, in order."""
    source = op.inputs[0]
    shape = spread.shape(source)
    cutting = op.name in ("split", "split_with_sizes", "chunk")
    dim = int(_argument(op, 2 if cutting else 1, "dim", 0)) % len(shape)
    start = 0
    for made in op.outputs:
        gone = op.name in ("select", "unbind")
        size = 1 if gone else spread.shape(made)[dim]
        step = 1
        if op.name == "slice":
            start, step = int(_argument(op, 2, "start", 0) or 0), int(_argument(op, 4, "step", 1))
        elif op.name in ("select", "narrow"):
            start = int(_argument(op, 2, "index", 0))
        at = torch.arange(size) * step + (start % shape[dim] if start < 0 else start)
        extent = []
        for factor in spread.extent(source):
            part = factor.index_select(dim, at) if factor.shape[dim] > 1 else factor
            extent.append(part.select(dim, 0) if gone else part)
        spread.set(made, tuple(extent))
        start += size


@_rule("cat", "stack")
def _join(spread: Spread, op: OpNode) -> None:
    made = op.outputs[0]
    rank = len(spread.shape(made))
    dim = int(_argument(op, 1, "dim", 0)) % rank
    pieces, rest = [], []
    for value in op.inputs:
        extent, shape = spread.extent(value), spread.shape(value)
        if op.name == "stack":
            extent, shape = tuple(factor.unsqueeze(dim) for factor in extent), (*shape[:dim], 1, *shape[dim:])
        row = along(extent, dim)
        if row is None:
            row = spread.labels.fresh(shape[dim])
            spread.labels.fix(row, "it is joined with channels that can not go")
        if op.name == "cat":
            pieces.append(row)
        rest.append(tuple(factor for factor in extent if dim not in varying(factor)))
        if any(dim in varying(factor) and len(varying(factor)) > 1 for factor in extent):
            spread.stay(op, value)
    joined = combined(rest, spread.labels)
    spread.set(made, (*joined, placed(torch.cat(pieces), dim, rank)) if pieces else joined)


def _reduce(spread: Spread, op: OpNode) -> None:
    source, made = op.inputs[0], op.outputs[0]
    rank = len(spread.shape(source))
    given = _argument(op, _REDUCED[op.name], "dim", None)
    listed = given if isinstance(given, tuple) else () if given is None else (given,)
    dims = [int(dim) % rank for dim in listed] or list(range(rank))
    kept = len(spread.shape(made)) == rank
    extent = []
    for factor in spread.extent(source):
        if not set(varying(factor)) - set(dims):
            continue
        for dim in dims:
            spread.labels.tie(factor, dim)
            factor = factor.narrow(dim, 0, 1)
        extent.append(factor if kept else factor.reshape([n for at, n in enumerate(factor.shape) if at not in dims]))
    for value in op.outputs:
        spread.set(value, tuple(extent))


def _elementwise(spread: Spread, op: OpNode) -> None:
    """Any operator that makes an element from those in its place: what varies with a label goes with it."""
    for made in op.outputs:
        shape = spread.shape(made)
        extents: list[Extent] = []
        for value in op.inputs:
            extent = spread.extent(value)
            before = spread.shape(value)
            if len(before) > len(shape):
                spread.stay(op, value)
                continue
            fits = [
                all(widened(factor, len(shape)).shape[dim] in (1, shape[dim]) for dim in range(len(shape)))
                for factor in extent
            ]
            if not all(fits):
                spread.stay(op, value)
            extents.append(tuple(widened(f, len(shape)) for f, fit in zip(extent, fits, strict=True) if fit))
        found = combined(extents, spread.labels)
        for value in op.inputs:
            _hold(spread, op, value, found, shape)
        spread.set(made, found)


def _hold(spread: Spread, op: OpNode, value: int, found: Extent, shape: tuple[int, ...]) -> None:
    """Fix the labels of a result where an operand is as wide and has none."""
    lead = len(shape) - len(spread.shape(value))
    if lead < 0:
        return
    labelled = {lead + dim for factor in spread.extent(value) for dim in varying(factor)}
    for factor in found:
        if any(dim >= lead and spread.shape(value)[dim - lead] > 1 and dim not in labelled for dim in varying(factor)):
            spread.labels.fix(factor, f"its {op.name} meets a tensor of fixed width")
