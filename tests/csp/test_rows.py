"""A changed stage is one row beside its twin, however much of the network it holds."""

from __future__ import annotations

from types import ModuleType

from cspanalyze.pipeline import compare


def test_a_heavy_stage_is_not_taken_apart(timm: ModuleType) -> None:
    # Its third stage holds 65 % of the MACs; alone it would be cut at its blocks, of which the twin has others.
    comparison = compare("timm:regnety_032", metrics=["macs"])
    rows = ("stem", "s1", "s2", "s3", "s4", "head")
    assert [report.groups for report in (comparison.base, *comparison.variants)] == [rows, rows]
