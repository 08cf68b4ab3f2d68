"""What an analysis sees: a graph, how its operations are grouped into rows, and their costs, computed once."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cached_property

from cspanalyze.analyses.grouping import Grouping
from cspanalyze.costs import Cost, cost_of
from cspanalyze.graph import ModelGraph, OpNode, Phase
from cspanalyze.results import Method, Number, Result, Row, Uncovered


@dataclass(frozen=True)
class View:
    """A graph and a grouping; the pure input of every analysis."""

    graph: ModelGraph
    grouping: Grouping

    @property
    def forward(self) -> View:
        """The same without the backward pass: itself where the graph has none."""
        return self if self.graph.forward_part is self.graph else self._forward

    @cached_property
    def _forward(self) -> View:  # never itself: that would be a cycle, which only the garbage collector frees
        part = self.graph.forward_part
        names, of_op = self.grouping.names, self.grouping.of_op[: len(part.ops)]
        return View(part, Grouping(self.grouping.by, names, of_op, self.grouping.of_parameter))

    @cached_property
    def costs(self) -> tuple[Cost | None, ...]:
        """Cost of every operation of the graph, None where there is no formula."""
        return tuple([cost_of(op, self.graph) for op in self.graph.ops])

    @property
    def uncovered(self) -> tuple[Uncovered, ...]:
        """Forward operators without a formula, by name: they are in no total."""
        return self._uncovered("forward")

    def _uncovered(self, phase: Phase) -> tuple[Uncovered, ...]:
        modules: dict[str, list[str]] = {}
        for op, cost in zip(self.graph.ops, self.costs, strict=True):
            if cost is None and op.phase == phase:
                modules.setdefault(op.target, []).append(op.module)
        return tuple(
            Uncovered(target, len(where), tuple(dict.fromkeys(where))) for target, where in sorted(modules.items())
        )

    def sum_costs(
        self, metric: str, unit: str, value: Callable[[OpNode, Cost], int], note: str = "", phase: Phase = "forward"
    ) -> Result:
        """An additive result from the cost formulas: operations without one are in no row, and listed as uncovered."""
        amounts = (0 if cost is None else value(op, cost) for op, cost in zip(self.graph.ops, self.costs, strict=True))
        return self._summed(metric, unit, amounts, self._uncovered(phase), note, phase)

    def sum_operations(self, metric: str, unit: str, value: Callable[[OpNode], int], note: str = "") -> Result:
        """An additive result from shapes alone, which every forward operation has."""
        return self._summed(metric, unit, (value(op) for op in self.graph.ops), (), note, "forward")

    def _summed(
        self,
        metric: str,
        unit: str,
        amounts: Iterable[int],
        uncovered: tuple[Uncovered, ...],
        note: str,
        phase: Phase,
    ) -> Result:
        sums: dict[tuple[str, str], int] = {}
        for op, amount, group in zip(self.graph.ops, amounts, self.grouping.of_op, strict=True):
            if amount and op.phase == phase:
                key = (group, op.name)
                sums[key] = sums.get(key, 0) + amount
        return self.total_of(metric, unit, sums, uncovered, note)

    def total_of(
        self,
        metric: str,
        unit: str,
        sums: dict[tuple[str, str], int],
        uncovered: tuple[Uncovered, ...] = (),
        note: str = "",
    ) -> Result:
        """An additive result of sums by group and operator."""
        rows = self.ordered((group, Row(group, name, amount)) for (group, name), amount in sums.items())
        return Result(metric, unit, "trace", rows, sum(sums.values()), uncovered, note=note)

    def ordered(self, rows: Iterable[tuple[str, Row]]) -> tuple[Row, ...]:
        """Rows in the order of their groups; a group without any gets one of value 0."""
        by_group: dict[str, list[Row]] = {name: [] for name in self.grouping.names}
        for group, row in rows:
            by_group[group].append(row)
        return tuple(row for name, own in by_group.items() for row in (own or [Row(name, "", 0)]))

    def one_per_group(
        self, metric: str, unit: str, values: dict[str, Number], total: Number, method: Method = "trace", note: str = ""
    ) -> Result:
        """A result that is no sum (a peak, a median): one row a group, None where the group has no such figure."""
        rows = tuple(Row(name, "", values.get(name)) for name in self.grouping.names)
        return Result(metric, unit, method, rows, total, additive=False, note=note)
