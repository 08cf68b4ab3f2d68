"""Narrows a block of any make: its traced graph says which channels can go, and a trace of the copy proves it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor, nn

from cspanalyze.csp.channels import along, kept_sizes
from cspanalyze.csp.slicing import follow_width, sliced_copy
from cspanalyze.csp.split import scale_width
from cspanalyze.csp.spreading import Spread
from cspanalyze.errors import CspError, TraceError
from cspanalyze.graph import ModelGraph, OpNode
from cspanalyze.tracing import trace


class NarrowingError(CspError):
    """A block cannot be narrowed; the message says which operation stands in the way."""


@dataclass(frozen=True, slots=True)
class Narrowed:
    """A narrower copy of a block, and the indices of the output channels that it no longer makes."""

    module: nn.Module
    gone: tuple[int, ...]


@dataclass(frozen=True)
class ChannelBlock:
    """A block of any make, narrowed by its channels: `module`, at `path`, maps `shape` (N, C, H, W) to the same.

    Where it has `grown` it makes that many channels beside the C that it hands on.
    """

    module: nn.Module
    shape: tuple[int, ...]
    path: str
    grown: int = 0

    @cached_property
    def spread(self) -> Spread:
        """The labels of its channels.

        Raises:
            NarrowingError: it does not run by itself.
        """
        return Spread(_graph(self.module, self.shape))

    @property
    def step(self) -> int:
        """How many channels of its input or output only go together: the groups of what reads or makes them."""
        spread = self.spread
        sizes = [1]
        ends = (spread.graph.inputs[0],) if self.grown else (spread.graph.inputs[0], spread.graph.outputs[0])
        for value in ends:
            if (labels := spread.along(value, 1)) is not None:
                sizes.append(max(Counter(spread.labels.roots(labels).tolist()).values()))
        return max(sizes)


def narrow_by_channels(
    block: ChannelBlock, width: int, gamma: float | None = None, gone: Sequence[int] = ()
) -> Narrowed:
    """A copy of `block` for `width` instead of C channels.

    Input channels `gone` go first if that is possible, else the first ones, else evenly spaced ones; with them all that
    depends on them, such as the other side of a residual addition. If the output is still C wide then, channels of it
    go too: the first ones, or evenly spaced ones where several layers make it; never new ones of a block that grows.
    With `gamma` inner widths shrink as well wherever they can.

    The copy is traced: every operation must be there again and make what the labels say.

    Raises:
        NarrowingError: no choice of channels gives a copy that runs and has the shapes that it should have.
    """
    channels = block.shape[1]
    problems: list[str] = []
    for order in _orders(channels, channels - width, gone):
        try:
            return _attempt(block, width, gamma, order)
        except NarrowingError as error:
            problems.append(str(error))
    raise NarrowingError(problems[0])


def _graph(block: nn.Module, shape: tuple[int, ...]) -> ModelGraph:
    dtype = next((p.dtype for p in block.parameters() if p.is_floating_point()), torch.float32)
    try:
        graph = trace(block, torch.empty(shape, dtype=dtype, device="meta"))
    except TraceError as error:
        raise NarrowingError(str(error)) from error
    if len(graph.outputs) != 1:
        raise NarrowingError("it makes several tensors")
    return graph


def _orders(channels: int, count: int, gone: Sequence[int]) -> Iterable[list[int]]:
    """In which order input channels are offered for removal."""
    orders = [list(range(channels)), spaced(channels, count)]
    if len(gone) == count:
        orders.insert(0, [*gone, *sorted(set(range(channels)) - set(gone))])
    return {tuple(order): order for order in orders}.values()


def spaced(channels: int, count: int) -> list[int]:
    """All indices, `count` evenly spaced ones first."""
    first = [(2 * at + 1) * channels // (2 * count) for at in range(count)]
    return [*first, *sorted(set(range(channels)) - set(first))]


def _attempt(block: ChannelBlock, width: int, gamma: float | None, order: Sequence[int]) -> Narrowed:
    plan = _Plan(block.spread, block.shape[1], width, block.grown)
    plan.cut_stream(order)
    shape = (block.shape[0], width, *block.shape[2:])
    narrow = plan.carry_out(block.module, shape)
    if gamma is not None:
        narrow = plan.scale(block.module, shape, gamma, narrow)
    return Narrowed(narrow, plan.outputs_gone())


class _Plan:
    """Which sets of labels go."""

    def __init__(self, spread: Spread, channels: int, width: int, grown: int) -> None:
        self._spread, self._labels, self._channels, self._width = spread, spread.labels, channels, width
        self._grown = grown
        self._gone: set[int] = set()
        source, made = spread.graph.inputs[0], spread.graph.outputs[0]
        self._source = self._roots(spread.along(source, 1))
        self._made = self._roots(spread.along(made, 1))

    def cut_stream(self, order: Sequence[int]) -> None:
        """Choose what goes of the input, and of the output as far as it does not go with that.

        Raises:
            NarrowingError: not as many can go as should.
        """
        count = self._channels - self._width
        self._take(self._source, count, order, frozenset())
        dragged = sum(root in self._gone for root in self._made)
        if len(self._made) != self._channels + self._grown:
            raise NarrowingError("its output channels cannot be told apart")
        if dragged < count and not self._grown:
            ends = list(range(self._channels)) if self._one_layer() else spaced(self._channels, count)
            self._take(self._made, count - dragged, ends, frozenset(self._source))
        if (dragged := sum(root in self._gone for root in self._made)) != count:
            raise NarrowingError(f"{dragged} of its output channels would go, not {count}")

    def scale(self, block: nn.Module, shape: tuple[int, ...], gamma: float, narrow: nn.Module) -> nn.Module:
        """Shrink inner widths by gamma: all of them if that works, else those that can; the narrower copy.

        Widths that are concatenated shrink together or not at all.
        """
        sets = self._inner_widths()
        before = set(self._gone)
        try:
            return self._carry_out_scaled([width for joined in sets for width in joined], gamma, block, shape) or narrow
        except NarrowingError:
            self._gone = before
        for joined in sets:
            kept = set(self._gone)
            try:
                narrow = self._carry_out_scaled(joined, gamma, block, shape) or narrow
            except NarrowingError:
                self._gone = kept
        return narrow

    def _carry_out_scaled(
        self, widths: Sequence[list[int]], gamma: float, block: nn.Module, shape: tuple[int, ...]
    ) -> nn.Module | None:
        """The copy with these widths scaled; None if nothing of them goes.

        Raises:
            NarrowingError: one of them cannot be scaled.
        """
        before = len(self._gone)
        for roots in widths:
            groups = max(roots.count(root) for root in set(roots))
            count = len(roots) - scale_width(len(roots), gamma, groups)
            self._take(roots, count, range(len(roots)), frozenset([*self._source, *self._made]))
        return self.carry_out(block, shape) if len(self._gone) > before else None

    def _inner_widths(self) -> list[list[list[int]]]:
        """The sets of labels of every inner width, in the order in which layers make them; those that are concatenated
        with each other are listed together."""
        seen, widths = {*self._source, *self._made}, []
        for op in self._spread.graph.ops:
            if op.name in ("conv2d", "linear"):
                roots = self._roots(self._spread.along(op.inputs[1], 0))
                if roots and not seen.intersection(roots):
                    widths.append(roots)
                seen.update(roots)
        joined = [[width] for width in widths]
        for op in self._spread.graph.ops:
            if op.name == "cat":
                ends = {
                    root
                    for value in op.inputs
                    for row in self._spread.extent(value)
                    for root in self._roots(row.flatten())
                }
                together = [group for group in joined if any(ends.intersection(width) for width in group)]
                rest = [group for group in joined if group not in together]
                joined = [*rest, *([[width for group in together for width in group]] if together else [])]
        return joined

    def carry_out(self, block: nn.Module, shape: tuple[int, ...]) -> nn.Module:
        """The copy without what goes, proven by a trace.

        Raises:
            NarrowingError: it does not run, or not as it should.
        """
        graph, there = self._spread.graph, self._labels.there(self._gone)
        expected = {}
        for op in graph.ops:
            for value in op.outputs:
                sizes = kept_sizes(self._spread.extent(value), self._spread.shape(value), there)
                if sizes is not None and 0 in sizes and 0 not in self._spread.shape(value):
                    raise NarrowingError(f"nothing would be left of what {_where(op)} makes")
                if sizes is None:
                    raise NarrowingError(f"{_where(op)} arranges channels so that only some of a row would go")
                expected[value] = tuple(sizes)
        kept: dict[str, dict[int, Tensor]] = {}
        for weight in graph.values:
            if weight.kind in ("parameter", "buffer"):
                extent = self._spread.extent(weight.index)
                rows = {dim: along(extent, dim) for dim in range(len(weight.spec.shape))}
                left = {dim: there[row] for dim, row in rows.items() if row is not None}
                if any(not row.all() for row in left.values()):
                    kept[weight.name] = {dim: row.nonzero().flatten() for dim, row in left.items() if not row.all()}
        narrow = sliced_copy(block, kept)
        try:
            _compare(graph, _graph(narrow, shape), expected)
        except NarrowingError:
            narrow = sliced_copy(block, kept)
            if not follow_width(narrow, self._channels, self._width):
                raise
            _compare(graph, _graph(narrow, shape), expected)
        return narrow

    def outputs_gone(self) -> tuple[int, ...]:
        """Indices of the output channels that go."""
        return tuple(index for index, root in enumerate(self._made) if root in self._gone)

    def _roots(self, labels: Tensor | None) -> list[int]:
        return [] if labels is None else self._labels.roots(labels).tolist()

    def _take(self, ends: list[int], count: int, order: Sequence[int], barred: frozenset[int]) -> None:
        sizes: dict[int, int] = {}
        for root in ends:
            sizes[root] = sizes.get(root, 0) + 1
        left, reason = count, ""
        for index in order:
            root = ends[index] if index < len(ends) else -1
            if root < 0 or root in self._gone or root in barred or sizes[root] > left:
                continue
            if self._labels.reason(root):
                reason = reason or self._labels.reason(root)
                continue
            self._gone.add(root)
            left -= sizes[root]
            if not left:
                return
        if left:
            raise NarrowingError(reason or f"{left} channels too many would stay")

    def _one_layer(self) -> bool:
        """Whether one layer makes the whole output, so that any of its channels is like the others."""
        layers = [op for op in self._spread.graph.ops if op.name in ("conv2d", "linear")]
        return any(self._roots(self._spread.along(op.inputs[1], 0)) == self._made for op in layers)


def _compare(before: ModelGraph, after: ModelGraph, expected: dict[int, tuple[int, ...]]) -> None:
    for old, new in zip(before.ops, after.ops, strict=False):
        if old.target != new.target:
            raise NarrowingError(f"it runs {_where(new)} in place of {_where(old)}")
        for one, other in zip(old.outputs, new.outputs, strict=True):
            if expected[one] != after.spec(other).shape:
                made = list(after.spec(other).shape)
                raise NarrowingError(f"{_where(old)} makes {made} of narrower channels, not {list(expected[one])}")
    if len(before.ops) != len(after.ops):
        raise NarrowingError("it runs other operations on narrower channels")


def _where(op: OpNode) -> str:
    return f"{op.name} in {op.module}" if op.module else op.name
