"""docs/accuracy.md from the counts of every network and the published figures."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version

from measurement import markdown

Row = Mapping[str, str]

QUANTITIES = {
    "params": ("parameters, M", "published_params_M", 1e6),
    "fvcore": ("GMACs, fvcore's convention", "published_gmacs_fvcore_convention", 1e9),
    "activations": ("activations, M", "published_macts_M", 1e6),
}

# (network, quantity) -> (ours minus published, what it consists of), where no operator of the trace shows it: the code
# of the network has changed. An entry counts as a cause only if subtracting the amount gives the printed digits.
CHANGED_NETWORKS = {
    ("vit_base_patch16_rope_mixed_224", "activations"): (
        -12 * 2 * 196 * 12 * 32,
        "an older timm made the angles of the rotary embedding with a matrix product (12 blocks x 2 axes x 196 "
        "positions x 12 heads x 32 frequencies = 1,806,336 outputs); this one multiplies element by element",
    )
}


@dataclass(frozen=True)
class Compared:
    """One published figure beside ours. `verdict`: "equal", "equal when merged" or "unequal", the last with a cause."""

    model: str
    quantity: str
    published: str
    ours: float
    verdict: str
    cause: str = ""

    @property
    def deviation(self) -> str:
        return f"{100 * (self.ours / float(self.published) - 1):+.3f} %"


def compared(counted: Row, published: Row, quantity: str) -> Compared:
    """Equal means: the same digits as printed, which are two decimals."""
    _, column, scale = QUANTITIES[quantity]
    printed = f"{float(published[column]):.2f}"
    amount, merged = int(counted[quantity]), int(counted[f"merged_{quantity}"])

    def equal(value: int) -> bool:
        return f"{value / scale:.2f}" == printed

    verdict, cause = "unequal", ""
    if equal(amount):
        verdict = "equal"
    elif equal(merged):
        verdict = "equal when merged"
    else:
        cause = _cause(counted, quantity, equal)
    return Compared(counted["model"], quantity, printed, amount / scale, verdict, cause)


def _cause(counted: Row, quantity: str, equal: Callable[[int], bool]) -> str:
    amount = int(counted[quantity])
    for entry in counted["extras"].split() if quantity == "fvcore" else ():
        operator, _, extra = entry.partition("=")
        if equal(amount - int(extra)):
            return f"fvcore counts nothing for `{operator}`, we one per output element: {int(extra):,}"
    known = CHANGED_NETWORKS.get((counted["model"], quantity))
    return known[1] if known and equal(amount - known[0]) else "unexplained"


def page(counts: Sequence[Row], published: Sequence[Row]) -> str:
    """The whole page."""
    by_model = {row["model"]: row for row in counts}
    pairs = [(by_model[row["model"]], row) for row in published]
    found = [compared(*pair, quantity) for quantity in QUANTITIES for pair in pairs]
    return "\n\n".join(
        [
            "# Accuracy",
            f"Every network that timm {version('timm')} can create ({len(counts):,}), built without memory for its "
            "weights, traced once at its default input size with batch 1 in evaluation mode, on torch "
            f"{version('torch').partition('+')[0]}. This page is written by `python benchmarks/accuracy.py`; the "
            "counts of each network are in `benchmarks/results/timm.csv`.",
            "## All networks",
            _everything(counts),
            "## Against timm's published tables",
            _agreement(found),
            "## Exceptions and their causes",
            _exceptions(found),
            "## What the figures are",
            _meaning(),
        ]
    ) + "\n"  # fmt: skip


def _everything(counts: Sequence[Row]) -> str:
    good = [row for row in counts if not row["failure"]]
    complete = [row for row in good if not row["uncovered"]]
    with_torch = [row for row in good if row["torch_macs"]]
    agreeing = [row for row in with_torch if row["torch_macs"] == row["macs"]]
    operations = sum(int(row["operations"]) for row in good)
    lines = [
        ["traced and counted", f"{len(good):,} of {len(counts):,}"],
        ["operations recorded", f"{operations:,}"],
        ["networks in which every operation has a formula", f"{len(complete):,} of {len(good):,}"],
        ["MACs equal to those of torch's FlopCounterMode, to the unit", f"{len(agreeing):,} of {len(with_torch):,}"],
        ["networks in which FlopCounterMode failed", f"{len(good) - len(with_torch):,}"],
    ]
    parts = [markdown(["", "networks"], lines)]
    parts.append(
        "FlopCounterMode shares no formula with this package: it takes attention and recurrent layers apart into "
        "matrix products, here on meta tensors. (On the processor it counts nothing for either.)"
    )
    missing: Counter[str] = Counter()
    for row in good:
        for entry in row["uncovered"].split():
            operator, _, number = entry.partition("=")
            missing[operator] += int(number)
    named = ", ".join(f"`{operator}` ({number:,})" for operator, number in missing.most_common())
    parts.append(f"Operators without a formula: {named or 'none'}.")
    parts += [f"- {row['model']} failed: {row['failure']}" for row in counts if row["failure"]]
    parts += [
        f"- {row['model']}: FlopCounterMode {row['torch_reasons']}"
        for row in good
        if row["torch_macs"] != row["macs"]
    ]  # fmt: skip
    return "\n\n".join(parts)


def _agreement(found: Sequence[Compared]) -> str:
    lines = []
    for quantity, (title, _, _) in QUANTITIES.items():
        own = [entry for entry in found if entry.quantity == quantity]
        verdicts = Counter(entry.verdict for entry in own)
        same = verdicts["equal"] + verdicts["equal when merged"]
        lines.append(
            [title, str(len(own)), str(verdicts["equal"]), str(verdicts["equal when merged"]), f"{same / len(own):.1%}"]
        )
    merged = sorted({entry.model for entry in found if entry.verdict == "equal when merged"})
    header = ["", "networks", "equal as created", "equal when merged", "together"]
    return "\n\n".join(
        [
            "A sample of networks from timm's own tables of parameters, GMACs and activations. Equal means the same "
            "printed digits, which are two decimals.",
            markdown(header, lines),
            "Equal when merged: the table's row is of the network for inference, with parallel branches or norms "
            f"merged into convolutions and linear layers, as timm's benchmark makes it: {', '.join(merged) or 'none'}.",
        ]
    )


def _exceptions(found: Sequence[Compared]) -> str:
    unequal = [entry for entry in found if entry.verdict == "unequal"]
    if not unequal:
        return "None."
    lines = [
        [
            entry.model,
            QUANTITIES[entry.quantity][0],
            entry.published,
            f"{entry.ours:.4f}",
            entry.deviation,
            entry.cause,
        ]
        for entry in unequal
    ]
    table = markdown(["network", "quantity", "published", "ours", "deviation", "cause"], lines)
    return (
        f"{table}\n\nA cause is measured: taking that amount out of our count gives the printed digits. Where none "
        "does, the table says unexplained."
    )


def _meaning() -> str:
    return (
        "MACs are the multiply-adds of convolutions, linear layers, matrix products, attention and recurrent layers. "
        "Published tables add to them what fvcore's handlers count: 2 per element of a batch norm in evaluation, 5 per "
        "element of an affine layer or group norm, adaptive average pools by their input, up-sampled elements. "
        "Activations are the output elements of the operations that have MACs, both products of an attention included."
    )
