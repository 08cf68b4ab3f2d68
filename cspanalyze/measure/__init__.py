"""Other counting programs run on a copy of the same network, and why their figures differ from ours."""

from __future__ import annotations

from cspanalyze.measure.counts import EngineCount, Reason
from cspanalyze.measure.engines import ENGINES, count_with_engines, engine_results

__all__ = ["ENGINES", "EngineCount", "Reason", "count_with_engines", "engine_results"]
