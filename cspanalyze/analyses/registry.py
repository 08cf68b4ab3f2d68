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
    """Register a pure function `View -> Result` under the name of its metric."""

    def register(function: Analysis) -> Analysis:
        ANALYSES[metric] = function
        return function

    return register
