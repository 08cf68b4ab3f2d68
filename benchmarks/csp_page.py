"""The page that benchmarks/csp_sweep.py writes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any


def page(outcomes: Sequence[Any]) -> str:
    return f"{len(outcomes)}\n"
