"""What a comparison means, in one plain sentence or two, computed from its records alone."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from cspanalyze.results import Comparison, Number, Report

_HEADLINES = (
    ("macs", "MACs"),
    ("params", "parameters"),
    ("cio", "CIO"),
    ("cio_pool", "CIO"),
    ("concat_elements", "concat copies"),
    ("residual_add_elements", "residual adds"),
    ("unfused_bytes", "unfused bytes"),
    ("fused_bytes", "fused bytes"),
    ("peak_bytes", "peak memory"),
)


@dataclass(frozen=True, slots=True)
class _Change:
    """A metric in words, before and after; `before` is above 0 unless the metric is new."""

    title: str
    unit: str
    before: float
    after: float

    @property
    def share(self) -> float:
        """Relative change."""
        return self.after / self.before - 1

    def __str__(self) -> str:
        if self.before == 0:
            return f"{self.title} from 0 to {self.after:,} {self.unit}"
        return f"{self.title} by {_share(self.share)}"


def conclusions(comparison: Comparison) -> tuple[str, ...]:
    """For every variant a sentence with all savings and all increases, and one on the stages where CIO goes up."""
    sentences = []
    for variant in comparison.variants:
        changes = _changes(comparison.base, variant)
        sentences.append(_summary(comparison, variant, changes))
        stages = _rising_stages(comparison.base, variant)
        if stages:
            sentences.append(stages)
    return tuple(sentences)


def _summary(comparison: Comparison, variant: Report, changes: Sequence[_Change]) -> str:
    name = variant.subject.variant or variant.subject.name
    made = [change for change in comparison.changes if not change.skipped]
    gamma = f" at gamma {made[0].gamma:g}" if made else ""
    saved = [change for change in changes if change.after < change.before]
    raised = [change for change in changes if change.after > change.before]
    parts = []
    if saved:
        parts.append(f"lowers {_listed(saved)}, because the blocks run on part of the channels only")
    if raised:
        parts.append(f"raises {_listed(raised)}, {_reason(raised)}")
    if not parts:
        return f"{name}{gamma} changes none of these figures."
    return f"{name}{gamma} {'; it '.join(parts)}."


def _reason(raised: Sequence[_Change]) -> str:
    """Why figures go up; what a partial stage adds to a network is the same for all of them."""
    if {change.title for change in raised} == {"concat copies"}:
        return "because the two parts are joined again"
    return "because splitting and joining the two parts takes convolutions and copies that the base does not have"


def _changes(base: Report, variant: Report) -> list[_Change]:
    found = []
    for metric, title in _HEADLINES:
        if metric in base.metrics and metric in variant.metrics:
            before, after = base.result(metric).total, variant.result(metric).total
            if before is not None and after is not None and before != after:
                found.append(_Change(title, base.result(metric).unit, before, after))
    return found


def _rising_stages(base: Report, variant: Report) -> str:
    """The stages in which CIO goes up although it goes down in others, or the other way round."""
    metric = next((name for name in ("cio", "cio_pool") if name in base.metrics and name in variant.metrics), None)
    if metric is None:
        return ""
    before, after = base.result(metric), variant.result(metric)
    shared = [group for group in base.groups if group in variant.groups]
    rising = _moved(shared, before.of, after.of, up=True)
    falling = _moved(shared, before.of, after.of, up=False)
    if not rising:
        return ""
    others = f"; it falls in {_listed(falling)}" if falling else ""
    return (
        f"By stage, CIO rises in {_listed(rising)}, where the split and the transitions read and write more than the "
        f"narrower blocks save{others}."
    )


def _moved(
    groups: Sequence[str], before: Callable[[str], Number], after: Callable[[str], Number], *, up: bool
) -> list[str]:
    moved = []
    for group in groups:
        old, new = before(group), after(group)
        if old and new is not None and (new > old if up else new < old):
            moved.append(f"{group or '(root)'} ({100 * (new / old - 1):+.1f} %)")
    return moved


def _share(share: float) -> str:
    text = f"{100 * abs(share):.1f} %"
    return text if text != "0.0 %" else "under 0.1 %"


def _listed(items: Sequence[object]) -> str:
    *head, last = map(str, items)
    return f"{', '.join(head)} and {last}" if head else last
