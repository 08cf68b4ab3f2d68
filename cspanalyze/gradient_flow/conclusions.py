"""What the figures of a network and its variants mean, in plain sentences, computed from the records alone."""

from __future__ import annotations

from collections.abc import Sequence

from cspanalyze.gradient_flow.flow import GradientFlow
from cspanalyze.gradient_flow.measured import Difference, Estimate, GradientMeasurement, MeasuredNetwork
from cspanalyze.results import CONTROL, Comparison, Number, Report

CAUTION = (
    "This is opportunity, read off the structure: which weight updates could use the same gradient. How much of it is "
    "realised is what --measured tells; neither says anything of accuracy, nor of computation saved."
)
_HEADLINE = "gradient_duplication_channels"


def gradient_conclusions(comparison: Comparison) -> tuple[str, ...]:
    """How D_c changes from the base to each variant, what of that a control shows too, and what none of it means."""
    base = _figure(comparison.base)
    variants = [report for report in comparison.variants if report.subject.variant != CONTROL]
    controls = [report for report in comparison.variants if report.subject.variant == CONTROL]
    sentences = []
    for variant in variants:
        found = _figure(variant)
        if base is None or found is None:
            continue
        name = variant.subject.variant or variant.subject.name
        verb = "keeps" if found == base else "lowers" if found < base else "raises"
        change = f"at {base:.4f}" if found == base else f"from {base:.4f} to {found:.4f}"
        sentences.append(f"{name} {verb} the channel-weighted gradient duplication ratio D_c {change}.")
        sentences += [_credit(name, base, found, control) for control in controls]
        if not controls:
            sentences.append(
                f"{name} has layers that the base lacks: without a depth-matched control (gamma 0, the same "
                "transitions, no split: --control) the change cannot be credited to the split."
            )
    return (*sentences, CAUTION) if sentences else ()


def flow_notes(flow: GradientFlow) -> tuple[str, ...]:
    """What a reader of the figures must know of how gradient flows in this network."""
    notes = []
    mixed = [f"{flag.count}x {flag.op}" for flag in flow.flags if flag.kind == "mix"]
    if mixed:
        notes.append(
            f"products of two activations ({', '.join(mixed)}) pass gradient from every channel to every channel"
        )
    if flow.heads > 1:
        notes.append(
            f"{flow.heads} outputs count as one loss, a sum over all of them: it is one gradient source of each layer "
            "that they end in"
        )
    cut = [layer.name for layer in flow.layers if not layer.reached]
    if cut:
        notes.append(
            f"no gradient reaches {_some(cut, len(flow.layers))}: no output depends on them, but through detach() or "
            "torch.no_grad(); they are in no gradient term"
        )
    frozen = [layer.name for layer in flow.layers if not layer.trainable]
    if frozen:
        notes.append(
            f"frozen (requires_grad False): {_some(frozen, len(flow.layers))}; they count as layers whose weights "
            "are updated, as gradient passes through them all the same"
        )
    return tuple(notes)


def _some(names: Sequence[str], of: int) -> str:
    """`2 of 5 layers (a, b)`."""
    more = ", ..." if len(names) > 3 else ""
    return f"{len(names)} of {of} layers ({', '.join(names[:3])}{more})"


def _credit(name: str, base: Number, found: Number, control: Report) -> str:
    middle = _figure(control)
    if base is None or found is None or middle is None:
        return "The control has no gradient terms."
    return (
        f"The depth-matched control (gamma 0, the same transitions, no split) has D_c {middle:.4f}: of the "
        f"change of {found - base:+.4f}, {middle - base:+.4f} comes from the transitions and {found - middle:+.4f} "
        "from the split."
    )


def _figure(report: Report) -> Number:
    return report.result(_HEADLINE).total if _HEADLINE in report.metrics else None


MEASURED_CAUTION = "None of this says anything of accuracy, and realised duplication is no computation that is saved."
_HARDLY = 0.001
_COMPARED = (("realised_duplication", "realised duplication D_emp"), ("layer_similarity", "layer similarity"))


def measured_conclusions(record: GradientMeasurement) -> tuple[str, ...]:
    """How much of the opportunity is realised, which differences are clear, and what the measurement cannot tell."""
    sentences = [_realised(network) for network in record.networks if network.figure(_COMPARED[0][0]).estimate.mean]
    sentences += [_difference(each) for each in record.differences]
    names = {network.variant for network in record.networks}
    if len(names) > 1 and CONTROL not in names:
        sentences.append("Without the depth-matched control (--control) no difference can be credited to the split.")
    if not record.training:
        sentences.append(
            "These are gradients of untrained weights; trained ones may rank networks otherwise: see --after-training."
        )
    sentences += [_asleep(network) for network in record.networks if network.dead]
    return (*sentences, MEASURED_CAUTION)


def _realised(network: MeasuredNetwork) -> str:
    found, share = (network.figure(metric).estimate for metric in ("realised_duplication", "realised_share"))
    possible = network.structure.duplication or 0
    told = f"Of the opportunity D = {possible:.4f} that the structure of {network.variant} gives,"
    if share.mean is not None and share.mean < _HARDLY:
        return f"{told} under {100 * _HARDLY:.1f} % is realised."
    part = "" if share.mean is None else f": {100 * share.mean:.1f} % of it"
    vague = found.half_width is not None and not found.clear
    doubt = ", but the interval reaches 0: more draws (--draws) would tell more" if vague else ""
    return f"{told} {_plus_minus(found)} is realised{part}{doubt}."


def _difference(found: Difference) -> str:
    figures = dict(found.figures)
    said = []
    for metric, words in _COMPARED:
        value = figures[metric]
        if value.mean is None:
            continue
        if value.half_width is None:
            said.append(f"{words} differs by {value.mean:+.4f} in the one draw there is")
        elif value.clear:
            said.append(f"{words} is {'higher' if value.mean > 0 else 'lower'} by {_plus_minus(value, unsigned=True)}")
        else:
            said.append(f"{words} does not differ clearly ({_plus_minus(value)})")
    what = "split alone" if found.less == CONTROL else "whole change"
    return f"{found.of} against {found.less} ({what}), paired: {'; '.join(said) or 'nothing to compare'}."


def _asleep(network: MeasuredNetwork) -> str:
    names = ", ".join(network.dead[:3])
    more = f" and {len(network.dead) - 3} more" if len(network.dead) > 3 else ""
    return (
        f"{len(network.dead)} of {len(network.layers)} layers of {network.variant} get no gradient ({names}{more}): "
        "where the last norms of residual branches start at 0, --wake sets them to 1."
    )


def _plus_minus(value: Estimate, *, unsigned: bool = False) -> str:
    mean = abs(value.mean or 0.0) if unsigned else value.mean or 0.0
    return f"{mean:.4f}" if value.half_width is None else f"{mean:.4f} ± {value.half_width:.4f}"
