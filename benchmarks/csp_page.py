"""docs/csp-coverage.md from what became of every network."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from importlib.metadata import version
from typing import TYPE_CHECKING

from measurement import markdown

if TYPE_CHECKING:
    from csp_sweep import Outcome

_INTRODUCTION = (
    "Every network that timm {version} can create ({count:,}), made Cross Stage Partial at gamma 0.5 with preset "
    "`auto` and fusion `csp`, on the meta device at its default input size. Every twin is proven by a trace: it runs, "
    "makes what the network makes in the same shapes, and both parts of every partial stage have the widths that the "
    "report states. This page is written by `python benchmarks/csp_sweep.py`; the outcome of each network is in "
    "`benchmarks/results/csp.csv`."
)
STATUSES = ("transformed", "no stage", "refused", "failed")
MEANINGS = {
    "transformed": "a twin was made and proven",
    "no stage": "the network has no chain of convolution blocks between which channels could be split",
    "refused": "it is cross stage partial already, or no chain of it can be made partial; the reason says why",
    "failed": "a twin was made that did not pass the proof, or something else went wrong",
}


def page(outcomes: Sequence[Outcome]) -> str:
    """The page: totals, a row for each family, every refusal and every stage that was left with its reason."""
    counts = Counter(each.status for each in outcomes)
    return "\n".join(
        [
            "# Which networks `--csp` works on",
            "",
            _INTRODUCTION.format(version=version("timm"), count=len(outcomes)),
            "",
            markdown(
                ["outcome", "networks", "meaning"],
                [[status, f"{counts[status]:,}", MEANINGS[status]] for status in STATUSES],
            ),
            "",
            "## By family",
            "",
            "MACs are the change of the median network of the family; partial stages cost two 1x1 convolutions each, "
            "so a twin can have more.",
            "",
            markdown(
                ["family (timm module)", "networks", *STATUSES, "presets", "MACs"],
                [_family(f) for f in _families(outcomes)],
            ),
            "",
            "## Refused",
            "",
            markdown(["networks", "reason"], _reasons([each for each in outcomes if each.status == "refused"])),
            "",
            "## Transformed, with some stages left as they are",
            "",
            markdown(
                ["networks", "reason"],
                _reasons([each for each in outcomes if each.status == "transformed" and each.left]),
            ),
            "",
            "## No stage",
            "",
            "The reason lists what was looked at; `cspanalyze stages MODEL` shows all of it.",
            "",
            markdown(["family", "networks", "for example"], _without(outcomes)),
            "",
        ]
    )


def _families(outcomes: Sequence[Outcome]) -> list[list[Outcome]]:
    names = sorted({each.family for each in outcomes})
    return [[each for each in outcomes if each.family == name] for name in names]


def _family(members: Sequence[Outcome]) -> list[str]:
    counts = Counter(each.status for each in members)
    changes = sorted(each.macs_percent for each in members if each.macs_percent is not None)
    presets = sorted({preset for each in members for preset in each.preset.split("+") if preset})
    median = f"{changes[len(changes) // 2]:+.1f} %" if changes else ""
    shown = [str(counts[status]) if counts[status] else "" for status in STATUSES]
    return [members[0].family, str(len(members)), *shown, ", ".join(presets), median]


def _reasons(outcomes: Sequence[Outcome]) -> list[list[str]]:
    """Networks with the same reason, numbers apart, in one row; of several reasons of one network the first."""
    found: dict[str, list[Outcome]] = {}
    for each in outcomes:
        reason = each.reason.removeprefix("no stage can be made partial: ").partition("; stage ")[0]
        reason = reason.partition("; register_csp_adapter")[0]
        found.setdefault(re.sub(r"\d+", "N", reason), []).append(each)
    rows = []
    for members in found.values():
        reason = members[0].reason.removeprefix("no stage can be made partial: ").partition("; stage ")[0]
        names = ", ".join(each.model for each in members[:6])
        more = f" and {len(members) - 6} more" if len(members) > 6 else ""
        rows.append([names + more, reason.replace("|", "\\|")])
    return rows


def _without(outcomes: Sequence[Outcome]) -> list[list[str]]:
    found: dict[str, list[Outcome]] = {}
    for each in outcomes:
        if each.status == "no stage":
            found.setdefault(each.family, []).append(each)
    return [
        [
            family,
            str(len(members)),
            members[0].reason.partition("equal shape: ")[2].replace("|", "\\|") or members[0].reason,
        ]
        for family, members in sorted(found.items())
    ]
