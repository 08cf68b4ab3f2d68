"""How many operations there are, and which of them no formula covers."""

from __future__ import annotations

from dataclasses import replace

from cspanalyze.analyses.registry import analysis
from cspanalyze.analyses.view import View
from cspanalyze.graph import UPDATE
from cspanalyze.results import Result


@analysis("operations")
def operations(view: View) -> Result:
    """Operations that ran; those without a formula are in the total and listed as uncovered.

    What only renames memory (a view) counts as one, the trace's own bookkeeping does not.
    """
    counted = view.sum_operations("operations", "operations", lambda op: int(op.target != UPDATE))
    return replace(counted, uncovered=view.uncovered)
