"""The figures on a picture: the results of the analyses, operation by operation."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from cspanalyze.analyses import Grouping, run
from cspanalyze.diagrams.record import Figure, Metric
from cspanalyze.diagrams.reuse import Reuse
from cspanalyze.graph import ModelGraph, OpNode
from cspanalyze.hardware import DEFAULT, find_profile
from cspanalyze.results import Number

_ANALYSES: dict[Metric, str] = {"macs": "macs", "params": "params", "cio": "cio", "bytes": "fused_bytes"}


class Costing:
    """Figures of any set of operations of a graph.

    `bytes` is fused bytes; `traffic` what the cache model reads from memory, on the chip of the default profile. A
    parameter counts where it is first read, one that nothing reads where its module runs last. What has no formula
    makes the figure of its node unknown.
    """

    def __init__(self, graph: ModelGraph, metrics: Sequence[Metric]) -> None:
        self.metrics = tuple(metrics)
        self._amounts: dict[Metric, list[Number]] = {}
        self.totals: tuple[Figure, ...] = ()
        self.reuse = Reuse(graph) if "gradients" in metrics else None
        grouping = _by_operation(graph)
        asked = [metric for metric in metrics if metric in _ANALYSES]
        results = run(graph, [_ANALYSES[metric] for metric in asked], grouping)
        for metric, result in zip(asked, results, strict=True):
            amounts: list[Number] = [0] * len(graph.ops)
            for row in result.rows:
                at = int(row.module)
                before = amounts[at] if at >= 0 else None
                if at >= 0:
                    amounts[at] = None if before is None or row.value is None else before + row.value
            missing = {gap.op for gap in result.uncovered}
            for op in graph.ops:
                if op.target in missing:
                    amounts[op.index] = None
            self._amounts[metric] = amounts
            self.totals += (Figure(metric, result.total),)
        self.notes: tuple[str, ...] = ()
        if "traffic" in metrics:
            self._add_traffic(graph)
        if self.reuse is not None:
            self.totals += (Figure("gradients", self.reuse.of_ops(graph.ops)),)

    def _add_traffic(self, graph: ModelGraph) -> None:
        from cspanalyze.cache import cache_traffic  # numpy is loaded only here

        profile = find_profile(DEFAULT)
        capacity = profile.onchip_bytes
        fills: list[Number] = [row[0] for row in cache_traffic(graph, (capacity,), kernels=profile.kernels).fills]
        self._amounts["traffic"] = fills
        self.totals += (Figure("traffic", sum(fill or 0 for fill in fills)),)
        chip = f"{capacity >> 10} KiB on chip ({profile.name})"
        self.notes = (f"cache-model bytes: read from memory into {chip}, LRU, cold start",)

    def move(self, homes: Mapping[int, int]) -> None:
        """Count what operations cost with others: those that no node holds with one that reads what they make."""
        for amounts in self._amounts.values():
            for op, home in homes.items():
                moved, there = amounts[op], amounts[home]
                amounts[home] = None if moved is None or there is None else there + moved
                amounts[op] = 0

    def of(self, ops: Iterable[OpNode]) -> tuple[Figure, ...]:
        """The figures of these operations together."""
        chosen = list(ops)
        figures = []
        for metric in self.metrics:
            if metric == "gradients" and self.reuse is not None:
                figures.append(Figure(metric, self.reuse.of_ops(chosen)))
                continue
            amounts = [self._amounts[metric][op.index] for op in chosen]
            known = [amount for amount in amounts if amount is not None]
            figures.append(Figure(metric, sum(known) if len(known) == len(amounts) else None))
        return tuple(figures)


def _by_operation(graph: ModelGraph) -> Grouping:
    """Every operation a row; parameters where they are read first, or with the last operation of their module."""
    last = {op.module: op.index for op in graph.ops}
    homes = []
    for parameter in graph.parameters:
        readers = graph.consumers[parameter.value] if parameter.value is not None else ()
        module = parameter.names[0].rpartition(".")[0]
        homes.append(str(readers[0] if readers else last.get(module, -1)))
    of_op = tuple(str(op.index) for op in graph.ops)
    return Grouping("op", tuple(dict.fromkeys([*of_op, *homes])), of_op, tuple(homes))
