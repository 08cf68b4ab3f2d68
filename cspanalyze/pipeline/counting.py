"""`count()`: figures of whatever code runs inside a `with` block."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Literal

from cspanalyze.errors import UsageError
from cspanalyze.pipeline.analysis import OVERVIEW
from cspanalyze.pipeline.networks import versions
from cspanalyze.results import Report, Result, Subject, Uncovered

if TYPE_CHECKING:
    from cspanalyze.analyses import By
    from cspanalyze.graph import ModelGraph

    Part = Literal["all", "forward", "backward"]


class Counted:
    """What ran in a `count()` block; to be asked when the block is over, or inside it for what has run so far."""

    def __init__(self, graph: Callable[[], ModelGraph]) -> None:
        self._graph = graph

    def __repr__(self) -> str:
        missing = sum(gap.count for gap in self.uncovered)
        return f"<{self.forward_macs:,} MACs forward, {self.backward_macs:,} backward, {missing} operations uncovered>"

    @property
    def graph(self) -> ModelGraph:
        """Every operation in the order in which it ran, each with its `phase`; module paths begin with class names."""
        return self._graph()

    @property
    def macs(self) -> int:
        """Multiply-adds of everything that ran, forward and backward."""
        return self._macs("all")

    @property
    def forward_macs(self) -> int:
        """Multiply-adds outside backward passes."""
        return self._macs("forward")

    @property
    def backward_macs(self) -> int:
        """Multiply-adds that autograd ran to compute gradients."""
        return self._macs("backward")

    @property
    def uncovered(self) -> tuple[Uncovered, ...]:
        """Operators that ran and have no formula: they are in no figure."""
        return self._result("macs", "all").uncovered

    def report(
        self, metrics: Sequence[str] = OVERVIEW, by: By = "stage", depth: int | None = None, phase: Part = "all"
    ) -> Report:
        """The named metrics, as `analyze` gives them.

        Args:
            metrics: names of analyses. Those of a training step need what only `trace(..., backward=True)` records,
                and are unknown here: ask for `phase="backward"` instead.
            by: what makes a row; an operation that no module ran, such as a loss or an optimiser's step, is in the row
                "(self)", and one of a backward pass in the row of the forward operation that it differentiates.
            depth: how many names of a module path `by="module"` keeps.
            phase: count everything that ran (default), or only what ran outside or inside backward passes.

        Raises:
            UsageError: an unknown metric or phase.
        """
        from cspanalyze.analyses import Grouping, run
        from cspanalyze.tracing.live import of_phase

        if phase not in ("all", "forward", "backward"):
            raise UsageError(f"phase is all, forward or backward, got {phase!r}")
        whole = self.graph
        graph = of_phase(whole, phase)
        grouping = Grouping.of(graph, by, depth)
        notes = (*graph.notes, *_said_of_phases(whole, phase))
        subject = Subject(
            graph.name, "count()", _inputs(graph), graph.mode, graph.method, notes=notes, versions=versions()
        )
        return Report(subject, grouping.names, run(graph, metrics, grouping))

    def _result(self, metric: str, phase: Part) -> Result:
        return self.report([metric], by="op", phase=phase).results[0]

    def _macs(self, phase: Part) -> int:
        return int(self._result("macs", phase).total or 0)


def _said_of_phases(graph: ModelGraph, phase: Part) -> tuple[str, ...]:
    backward = sum(op.phase == "backward" for op in graph.ops)
    if not backward:
        return ()
    if phase == "all":
        return (f"forward and backward passes together: {backward} of {len(graph.ops)} operations compute gradients",)
    return (f"only operations {'inside' if phase == 'backward' else 'outside'} backward passes",)


def _inputs(graph: ModelGraph) -> tuple[str, ...]:
    """Tensors that came into an outermost module, in the notation of `--input`, those of one layout once."""
    specs = [graph.spec(value) for value in graph.inputs]
    return tuple(dict.fromkeys(f"{'x'.join(map(str, spec.shape)) or '()'}:{spec.dtype}" for spec in specs))


@contextmanager
def count() -> Iterator[Counted]:
    """Count what really runs inside the block: any code, any number of models, forward and backward.

    ```
    with cspanalyze.count() as counted:
        loss = model(x).sum()
        loss.backward()
    counted.macs, counted.report()
    ```

    The code computes what it would compute without this, on its own tensors, and nothing is kept alive longer. Only
    what this thread runs is seen, and what autograd runs for it.

    >>> import torch
    >>> net = torch.nn.Linear(16, 4)
    >>> with count() as counted:
    ...     loss = net(torch.rand(2, 16)).sum()
    ...     loss.backward()
    >>> counted.forward_macs, counted.backward_macs
    (128, 128)
    """
    from cspanalyze.tracing.live import recording

    with recording() as graph:
        yield Counted(graph)
