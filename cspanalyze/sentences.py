"""What a comparison means, in one plain sentence or two, computed from its records alone."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from cspanalyze.results import CONTROL, SELF, Alignment, Comparison, Number, Report, StageChange

_HEADLINES = (
    ("macs", "MACs"),
    ("backward_macs", "backward MACs"),
    ("params", "parameters"),
    ("cio", "CIO"),
    ("cio_pool", "CIO"),
    ("concat_elements", "concat copies"),
    ("residual_add_elements", "residual adds"),
    ("unfused_bytes", "unfused bytes"),
    ("fused_bytes", "fused bytes"),
    ("traffic_bytes", "cache-model bytes"),
    ("simulated_bytes", "simulated bytes"),
    ("counted_bytes", "counter bytes"),
    ("peak_bytes", "peak memory"),
    ("saved_bytes", "what is saved for the backward pass"),
    ("training_peak_bytes", "training peak memory"),
)
_TRAFFIC = (
    ("traffic_bytes", "the cache model"),
    ("simulated_bytes", "the simulation"),
    ("counted_bytes", "the hardware counter"),
)
_MOVED = ("cio", "fused_bytes", "peak_bytes")


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
    """For every variant a sentence with all savings and all increases, and one on the stages where CIO goes up.

    For a control, two sentences: what the transitions alone do, and what the split does beyond that.
    """
    sentences = []
    for variant in comparison.variants:
        if variant.subject.variant == CONTROL:
            sentences += _credits(comparison, variant)
            continue
        changes = _changes(comparison.base, variant)
        sentences.append(_summary(comparison, variant, changes))
        density = _density(comparison.base, variant)
        if density:
            sentences.append(density)
        disagreement = _disagreement(comparison.base, variant)
        if disagreement:
            sentences.append(disagreement)
        stages = _rising_stages(comparison, variant)
        if stages:
            sentences.append(stages)
    return tuple(sentences)


def contrasts(comparison: Comparison) -> tuple[str, ...]:
    """For every network a sentence on its totals, and one on its layers, beside the first."""
    sentences = []
    for variant, alignment in zip(comparison.variants, comparison.alignments, strict=True):
        changes = _changes(comparison.base, variant)
        less = [change for change in changes if change.after < change.before]
        more = [change for change in changes if change.after > change.before]
        said = [f"{word} {_listed(group)}" for word, group in (("lower", less), ("higher", more)) if group]
        name, base = variant.subject.name, comparison.base.subject.name
        totals = f"has {'; '.join(said)}" if said else "has the same totals"
        sentences.append(f"Beside {base}, {name} {totals}. {_layers(alignment)}")
    return tuple(sentences)


def _layers(alignment: Alignment) -> str:
    """How many layers differ, and which of the differences costs most."""
    if not alignment.differences:
        return f"All {alignment.same} layers do the same."
    shapes = [each for each in alignment.differences if each.kind != "other activation"]
    count = sum(each.count for each in shapes)
    told = f"{alignment.same} layers are of the same shape, {count} {'is' if count == 1 else 'are'} not"
    costly = max(shapes, key=lambda each: abs(each.macs), default=None)
    if costly is None or not costly.macs:
        return f"{told}; none of the differences changes MACs."
    ours, theirs = costly.base or "nothing", costly.variant or "nothing"
    where = costly.stage or SELF
    return f"{told}. The largest difference in MACs, {costly.macs:+,}: in {where} {theirs}, instead of {ours}."


def _summary(comparison: Comparison, variant: Report, changes: Sequence[_Change]) -> str:
    name = variant.subject.variant or variant.subject.name
    made = [change for change in comparison.changes if not change.skipped]
    gamma = f" at gamma {_gamma(made)}" if made else ""
    saved = [change for change in changes if change.after < change.before]
    raised = [change for change in changes if change.after > change.before]
    parts = []
    narrower = _readers(comparison, variant)
    if saved:
        parts.append(f"lowers {_listed(saved)}, because the blocks run on part of the channels only{narrower}")
    if raised:
        parts.append(f"raises {_listed(raised)}, {_reason(comparison, variant, raised)}")
    if not parts:
        return f"{name}{gamma} changes none of these figures."
    return f"{name}{gamma} {'; it '.join(parts)}."


def _credits(comparison: Comparison, control: Report) -> list[str]:
    """How much of the twin's change its control shows too, and how much only the split can have made."""
    alone = _moves(_changes(comparison.base, control))
    twins = [report for report in comparison.variants if report.subject.variant != CONTROL]
    split = [_moves(_changes(control, twin)) for twin in twins]
    sentences = [f"The control has the same transitions without a split: it {alone}."]
    return [
        *sentences,
        *(
            f"The split itself, {twin.subject.variant} against the control, {told}."
            for twin, told in zip(twins, split, strict=True)
        ),
    ]


def _moves(changes: Sequence[_Change]) -> str:
    saved = [change for change in changes if change.after < change.before]
    raised = [change for change in changes if change.after > change.before]
    parts = [f"{verb} {_listed(moved)}" for verb, moved in (("lowers", saved), ("raises", raised)) if moved]
    return " and ".join(parts) or "changes none of these figures"


def _gamma(made: Sequence[StageChange]) -> str:
    """The gamma asked for, and what rounding to whole groups of channels made of it where that is another one."""
    asked = made[0].gamma
    effective = sorted({change.gamma_effective for change in made if change.gamma_effective is not None})
    if not effective or max(abs(gamma - asked) for gamma in effective) < 0.005 * asked:
        return f"{asked:g}"
    low, high = f"{effective[0]:.3g}", f"{effective[-1]:.3g}"
    return f"{asked:g} (effectively {low if low == high else f'{low} to {high}'})"


def _readers(comparison: Comparison, variant: Report) -> str:
    """Whether the classifier got smaller too, because it reads a narrower map: no saving inside the stages."""
    base = comparison.base
    if "params" not in base.metrics or "params" not in variant.metrics or base.groups[-1] != "head":
        return ""
    before, after = base.result("params").of("head"), variant.result("params").of("head")
    return " and the head reads a narrower map" if before is not None and after is not None and after < before else ""


def _density(base: Report, variant: Report) -> str:
    """How the convolutions' MACs per element of traffic change: what falls is bound by memory sooner."""
    if "moc_median" not in base.metrics or "moc_median" not in variant.metrics:
        return ""
    before, after = base.result("moc_median").total, variant.result("moc_median").total
    if not before or not after or before == after:
        return ""
    verb, meaning = ("falls", "sooner") if after < before else ("rises", "later")
    return (
        f"The median MoC {verb} from {before:.1f} to {after:.1f} MACs per CIO element: a typical convolution is bound "
        f"by memory {meaning}."
    )


def _disagreement(base: Report, variant: Report) -> str:
    """Where CIO and another source of memory traffic move in opposite directions, in the network or in its stages."""
    metric = next((name for name in ("cio", "cio_pool") if name in base.metrics and name in variant.metrics), None)
    if metric is None:
        return ""
    said = []
    for other, title in _TRAFFIC:
        if other not in base.metrics or other not in variant.metrics:
            continue
        for group in (None, *(group for group in base.groups if group in variant.groups)):
            first, second = (_moved_by(base, variant, name, group) for name in (metric, other))
            if first is not None and second is not None and first * second < 0:
                where = "in the whole network" if group is None else f"in {group or SELF}"
                said.append(f"{where} CIO says {100 * first:+.1f} %, {title} {100 * second:+.1f} %")
    return f"The sources disagree: {'; '.join(said)}." if said else ""


def _moved_by(base: Report, variant: Report, metric: str, group: str | None) -> float | None:
    """Relative change of a metric in a group, or in the whole network."""
    ours, theirs = base.result(metric), variant.result(metric)
    before, after = (ours.total, theirs.total) if group is None else (ours.of(group), theirs.of(group))
    return None if not before or after is None else after / before - 1


def _reason(comparison: Comparison, variant: Report, raised: Sequence[_Change]) -> str:
    """Why figures go up: what the presets that were used add, and where most of the first figure's rise is."""
    copies = [change for change in raised if change.title == "concat copies"]
    others = [change for change in raised if change not in copies]
    reasons = []
    if others:
        where = _mostly(comparison.base, variant, others[0].title)
        reasons.append(f"because {_added(comparison.changes)} take more than the narrower blocks save{where}")
    if copies:
        reasons.append("because the two parts are joined again")
    return " and ".join(reasons)


def _added(changes: Sequence[StageChange]) -> str:
    """What partial stages have that the base has not: only in preset paper convolutions make the parts."""
    made = [change for change in changes if not change.skipped]
    parts = ["the transitions"]
    if any(change.preset == "paper" for change in made):
        parts.insert(0, "the convolutions that enter and split the stages (preset paper)")
    wide = [each.stage for each in made if (each.bypass_channels or 0) + (each.block_channels or 0) > each.channels]
    return _listed([*parts, *(f"two parts of full width in {stage}" for stage in wide)])


def _mostly(base: Report, variant: Report, title: str) -> str:
    """The row in which most of a rise is, unless it is spread over several."""
    metric = next(name for name, said in _HEADLINES if said == title and name in base.metrics)
    before, after = base.result(metric), variant.result(metric)
    rises = {
        group: new - old
        for group in base.groups
        if group in variant.groups and (old := before.of(group)) is not None and (new := after.of(group)) is not None
    }
    grown = {group: rise for group, rise in rises.items() if rise > 0}
    if not before.additive or len(grown) < 2:
        return ""
    group = max(grown, key=lambda name: grown[name])
    return f", most of it in {group or '(root)'}" if 2 * grown[group] > sum(grown.values()) else ""


def _changes(base: Report, variant: Report) -> list[_Change]:
    found = []
    for metric, title in _HEADLINES:
        if metric in base.metrics and metric in variant.metrics:
            before, after = base.result(metric).total, variant.result(metric).total
            if before is not None and after is not None and before != after:
                found.append(_Change(title, base.result(metric).unit, before, after))
    return found


def _rising_stages(comparison: Comparison, variant: Report) -> str:
    """The stages in which CIO goes up although it goes down in others, or the other way round."""
    base = comparison.base
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
        f"By stage, CIO rises in {_listed(rising)}, where {_added(comparison.changes)} read and write more than the "
        f"narrower blocks save{others}."
    )


def _moved(
    groups: Sequence[str], before: Callable[[str], Number], after: Callable[[str], Number], *, up: bool
) -> list[str]:
    moved = []
    for group in groups:
        old, new = before(group), after(group)
        if old and new is not None and (new > old if up else new < old):
            moved.append(f"{group or SELF} ({100 * (new / old - 1):+.1f} %)")
    return moved


def _share(share: float) -> str:
    text = f"{100 * abs(share):.1f} %"
    return text if text != "0.0 %" else "under 0.1 %"


def _listed(items: Sequence[object]) -> str:
    *head, last = map(str, items)
    return f"{', '.join(head)} and {last}" if head else last


def overview(report: Report) -> tuple[str, ...]:
    """What a network takes altogether, and which of its rows take most of that."""
    named = {metric: title for metric, title in _HEADLINES if metric in report.metrics and report.result(metric).total}
    taken = [
        f"{result.total:,} {f'{result.unit} of ' if metric in _MOVED and result.unit not in title else ''}{title}"
        for metric, title in named.items()
        if metric in ("macs", "params", *_MOVED)
        for result in [report.result(metric)]
    ]
    said = []
    if taken:
        inputs = f" for input {', '.join(report.subject.inputs)}" if report.subject.inputs else ""
        said.append(f"{report.subject.name} takes {_listed(taken)}{inputs}.")
    heaviest = [
        f"{named[metric]} in {group or SELF} ({100 * share:.1f} %)"
        for metric in ("macs", "params", "cio")
        if metric in named and (found := _heaviest(report, metric)) is not None
        for group, share in [found]
    ]
    if heaviest and len(report.groups) > 1:
        said.append(f"The largest shares are {_listed(heaviest)}.")
    return tuple(said)


def _heaviest(report: Report, metric: str) -> tuple[str, float] | None:
    """The group with the largest figure, and its share of the total; None where several are the largest."""
    result = report.result(metric)
    amounts = {group: result.of(group) or 0 for group in report.groups}
    most = max(amounts.values(), default=0)
    largest = [group for group, amount in amounts.items() if amount == most]
    return (largest[0], most / result.total) if len(largest) == 1 and result.additive and result.total else None
