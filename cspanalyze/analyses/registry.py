"""Analyses by name."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from cspanalyze.results import Result

if TYPE_CHECKING:
    from cspanalyze.analyses.view import View

Analysis = Callable[["View"], Result]
ANALYSES: dict[str, Analysis] = {}


def analysis(metric: str) -> Callable[[Analysis], Analysis]:
    """Register a pure function `View -> Result` under the name of its metric.

    It sees the forward pass only, also where the graph holds a whole training step.

    >>> @register_analysis("convolutions")
    ... def convolutions(view):
    ...     return view.sum_operations("convolutions", "convolutions", lambda op: int(op.target == "aten.conv2d"))
    >>> analyze("resnet18", metrics=("convolutions",)).result("convolutions").total
    20
    """

    def register(function: Analysis) -> Analysis:
        ANALYSES[metric] = lambda view: function(view.forward)
        return function

    return register


def training_analysis(metric: str, unit: str) -> Callable[[Analysis], Analysis]:
    """As `analysis`, for a function of the whole training step.

    Where the trace has no backward pass the figure is unknown, not zero, and the result says so.
    """

    def register(function: Analysis) -> Analysis:
        def known_or_not(view: View) -> Result:
            if view.forward is not view:
                return function(view)
            return view.one_per_group(metric, unit, {}, None, note="the trace has no backward pass")

        ANALYSES[metric] = known_or_not
        return function

    return register
