"""Operation -> MACs and FLOPs: integer functions of shapes and attributes, in one registry.

The modules imported here register their formulas; adding one is a function with `@formula(...)` in the file it fits.
"""

from __future__ import annotations

from cspanalyze.costs import (  # noqa: F401  (each import registers its formulas)
    attention,
    convolution,
    elementwise,
    gradients,
    matmul,
    movement,
    normalization,
    pooling,
    recurrent,
)
from cspanalyze.costs.registry import Call, Cost, Formula, Kind, cost_of, covered, formula

__all__ = ["Call", "Cost", "Formula", "Kind", "cost_of", "covered", "formula"]
