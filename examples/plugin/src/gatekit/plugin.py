"""What this package adds. Nothing here imports torch before a network is built, so that commands start fast."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import cspanalyze
from cspanalyze.analyses import View
from cspanalyze.results import Comparison, Report, Result
from cspanalyze.sources import Source, parse_inputs
from cspanalyze.sources.construction import construct
from cspanalyze.sources.request import Built, Listing


@cspanalyze.register_analysis("convolutions")
def convolutions(view: View) -> Result:
    """How many convolutions run."""
    return view.sum_operations("convolutions", "convolutions", lambda op: int(op.target == "aten.conv2d"))


def _pair(width: int = 16) -> Any:
    from torch import nn

    return nn.Sequential(nn.Conv2d(3, width, 3), nn.ReLU(), nn.Conv2d(width, width, 3), nn.ReLU())


def _build(name: str, arguments: Mapping[str, Any], real: bool) -> Built:
    """Shapes without memory, or `real` weights: `construct` knows how."""
    model, note = construct(_pair, arguments, f"gatekit's {name}", real)
    return Built(model, parse_inputs(("1x3x32x32",)), note=note)


cspanalyze.register_source(
    Source(
        prefix="gatekit",
        title="gatekit",
        claims=lambda text: text.startswith("gatekit:"),
        build=_build,
        names=lambda: ("pair",),
        has=lambda name: name == "pair",
        listing=lambda name: Listing(f"gatekit:{name}", "gatekit", "32x32", brief="two convolutions"),
    )
)


@cspanalyze.register_renderer(".totals")
def totals(record: Any) -> str:
    """`metric total` line by line, of a network and of its variants."""
    reports: tuple[Report, ...] = (record.base, *record.variants) if isinstance(record, Comparison) else (record,)
    return "".join(
        f"{' '.join(filter(None, (report.subject.name, report.subject.variant)))} {result.metric} {result.total}\n"
        for report in reports
        for result in report.results
    )
