"""Write docs/gradient-duplication.md from the results of `gradient_evidence.py` and `gradient_cost.py`.

python benchmarks/gradient_evidence_page.py
"""

from __future__ import annotations

import csv
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import floor, log10
from pathlib import Path

from measurement import RESULTS, markdown

PAGE = Path(__file__).parent.parent / "docs" / "gradient-duplication.md"
ORDER = ("dense", "CSP", "control", "CSP first", "CSP last", "residual", "PRN", "plain", "VoVNet")
FIGURES = (
    ("realised_duplication", "D_emp"), ("realised_share", "D_emp/D"), ("consumer_cosine", "consumer cosine"),
    ("layer_similarity", "layer similarity"), ("term_contrast", "term contrast"),
)  # fmt: skip
DIFFERENCES = (
    ("realised_duplication", "D_emp"), ("consumer_cosine", "consumer cosine"), ("layer_similarity", "layer similarity"),
)  # fmt: skip


@dataclass(frozen=True)
class Value:
    """A mean, and half of its 95 % interval."""

    mean: float
    half: float

    def __str__(self) -> str:
        return self.told()

    def told(self, sign: str = "") -> str:
        """With as many decimals as the interval has a use for, at least three."""
        decimals = min(5, max(3, 1 - floor(log10(self.half)))) if self.half else 3
        return f"{self.mean:{sign}.{decimals}f} ± {self.half:.{decimals}f}"

    @property
    def clear(self) -> bool:
        return abs(self.mean) > self.half


@dataclass(frozen=True)
class Evidence:
    """The rows of the results file by state, network, compared network and figure."""

    rows: dict[tuple[str, str, str, str], dict[str, str]]

    def value(self, state: str, network: str, figure: str, less: str = "") -> Value | None:
        row = self.rows.get((state, network, less, figure))
        if row is None or not row["mean"]:
            return None
        return Value(float(row["mean"]), float(row["half_width"] or 0))

    def number(self, network: str, figure: str) -> float:
        return float(self.rows["structure", network, "", figure]["mean"])

    @property
    def states(self) -> list[str]:
        """Numbers of training steps, as they are written."""
        return sorted({key[0] for key in self.rows if key[0].isdecimal()}, key=int)

    @property
    def run(self) -> dict[str, str]:
        """A measured row, for the date and the hardware."""
        return self.rows[self.last, "dense", "", "training_loss"]

    @property
    def last(self) -> str:
        """The longest training."""
        return self.states[-1]


def evidence() -> Evidence:
    rows = read("gradient_evidence.csv")
    return Evidence({(row["steps"], row["network"], row["less"], row["figure"]): row for row in rows})


def read(name: str) -> list[dict[str, str]]:
    with (RESULTS / name).open(newline="") as file:
        return list(csv.DictReader(file))


def structure_table(found: Evidence) -> str:
    names = ("layers", "terms", "distinct", "term_channels", "distinct_channels")
    header = ["network", "L", "T", "U", "T_c", "U_c", "D", "D_c", *(f"loss, {after(s)}" for s in found.states[1:])]
    rows = []
    for name in ORDER:
        counts = [f"{found.number(name, figure):.0f}" for figure in names]
        ratios = [f"{found.number(name, figure):.4f}" for figure in ("D", "D_c")]
        rows.append([name, *counts, *ratios, *(told(found.value(s, name, "training_loss")) for s in found.states[1:])])
    return markdown(header, rows)


def networks_table(found: Evidence) -> str:
    header = ["network", "weights", *(title for _, title in FIGURES)]
    return markdown(
        header,
        [
            [name, after(state), *(told(found.value(state, name, figure)) for figure, _ in FIGURES)]
            for name in ORDER
            for state in found.states
        ],
    )


def differences_table(found: Evidence) -> str:
    header = ["compared", "weights", *(title for _, title in DIFFERENCES)]
    pairs = [(network, less) for _, network, less, figure in found.rows if less and figure == "coherence"]
    rows = []
    for network, less in dict.fromkeys(pairs):
        for state in found.states:
            values = [found.value(state, network, figure, less) for figure, _ in DIFFERENCES]
            rows.append([f"{network} - {less}", after(state), *(marked(value) for value in values)])
    return markdown(header, rows)


def after(steps: str) -> str:
    return "untrained" if steps == "0" else f"{steps} steps"


def told(value: Value | None) -> str:
    return "-" if value is None else str(value)


def marked(value: Value | None) -> str:
    if value is None:
        return "-"
    return f"**{value.told('+')}**" if value.clear else value.told("+")


def readings(found: Evidence) -> Iterable[str]:
    """What the tables say, in words that follow from the numbers."""
    first, last = found.states[0], found.last
    lower = [n for n in ("CSP", "CSP first", "CSP last") if found.number(n, "D_c") < found.number("dense", "D_c")]
    yield (
        f"**Structure.** D_c is {found.number('dense', 'D_c'):.3f} for the dense network, "
        f"{found.number('CSP', 'D_c'):.3f} for its CSP twin and {found.number('control', 'D_c'):.3f} for the control "
        f"that has the twin's transitions and no split. It is lower than the dense network's in {', '.join(lower)}."
    )
    untrained = [v for n in ORDER if (v := found.value(first, n, "realised_duplication"))]
    shares = {n: share for n in ORDER if (share := found.value(last, n, "realised_share"))}
    least, most = (pick(shares, key=lambda n: shares[n].mean) for pick in (min, max))
    yield (
        f"**Realised.** With untrained weights D_emp is at most {max(v.mean for v in untrained):.4f}: what different "
        f"consumers send to one slice is orthogonal. After {last} steps {100 * shares[least].mean:.1f} % ({least}) to "
        f"{100 * shares[most].mean:.1f} % ({most}) of the opportunity D is realised, "
        f"{100 * shares['dense'].mean:.1f} % in the dense network."
    )
    contrasts = [v for n in ORDER for s in found.states if (v := found.value(s, n, "term_contrast"))]
    clear = sum(v.clear and v.mean > 0 for v in contrasts)
    yield (
        "**What gradients share.** Terms of one consumer are more alike than terms with nothing in common: the term "
        f"contrast is clearly above 0 in {clear} of {len(contrasts)} cases."
    )
    yield "**CSP as a whole**, against the dense network. " + compared(found, "CSP", "dense")
    yield "**The split alone**, CSP against its control. " + compared(found, "CSP", "control")
    yield (
        "**The paper's claim**, that a partial stage keeps duplicate gradient out, holds for the structure (1). "
        + claim(found)
    )


def compared(found: Evidence, network: str, less: str) -> str:
    said = []
    for state in found.states:
        parts = [f"{title} {direction(found.value(state, network, f, less))}" for f, title in DIFFERENCES]
        said.append(f"{after(state).capitalize()}: {'; '.join(parts)}.")
    return " ".join(said)


def claim(found: Evidence) -> str:
    """What the realised duplication of the split says of it, after the longest training."""
    value = found.value(found.last, "CSP", "realised_duplication", "control")
    if value is None:
        return "Of what is realised nothing is known here."
    where = f"after {found.last} steps CSP differs from its control by {value.told('+')} in D_emp"
    if not value.clear:
        return f"What is realised does not show it here: {where}, which is no clear difference."
    return f"What is realised {'agrees' if value.mean < 0 else 'contradicts it'} here: {where}."


def direction(value: Value | None) -> str:
    if value is None:
        return "unknown"
    if not value.clear:
        return f"not clearly different ({value.told('+')})"
    return f"{'higher' if value.mean > 0 else 'lower'} ({value.told('+')})"


def cost_tables() -> str:
    parts = []
    for name in ("gradient_structure.csv", "gradient_measured.csv"):
        rows = read(name)
        header = [key for key in rows[0] if key not in ("date", "hardware")]
        parts.append(markdown(header, [[row[key] for key in header] for row in rows]))
    return "\n\n".join(parts)


def words(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table of words, to the left."""
    return markdown(header, rows).replace("---:", "---")


def page() -> str:
    found = evidence()
    run = found.run
    return TEXT.format(
        structure=structure_table(found),
        networks=networks_table(found),
        differences=differences_table(found),
        readings="\n".join(f"{number}. {text}" for number, text in enumerate(readings(found), start=1)),
        cost=cost_tables(),
        draws=run["draws"],
        date=run["date"],
        hardware=run["hardware"],
        definitions=words(("name", "formula"), DEFINITIONS),
        closed=words(("structure", "T", "U", "T_c", "U_c", "paths"), CLOSED_FORMS),
        measured=words(("name", "formula", "null"), MEASURED),
    )


DEFINITIONS: Sequence[Sequence[str]] = (
    ("gradient terms", "T = sum of M(s) over slices s"),
    ("distinct terms", "U = slices with M(s) >= 1"),
    ("gradient duplication ratio", "D = 1 - U/T"),
    ("channel-weighted, the headline", "D_c = 1 - U_c/T_c, with T_c = sum of c(s) M(s) and U_c = sum of c(s)"),
    ("gradient reuse", "M(s); mean T_c/U_c, largest max M"),
    ("copy factor", "(G + copies)/G; G = input channels with a trainable source, the input part of CIO by channels"),
    ("gradient sources", "R(i) = layers that read any channel of layer i, and the loss"),
    ("source overlap", "Jaccard index of R(i) and R(j); of a stage or network the mean over pairs of its layers"),
    ("gradient timestamps", "TS(i) = lengths of paths from the loss to layer i, in layers"),
    ("gradient path polynomial", "P_i(z) = [i feeds the loss] z + z sum of P_k(z) over the layers k that read i"),
    ("longest shortest gradient path", "max over i of min TS(i)"),
)
CLOSED_FORMS: Sequence[Sequence[str]] = (
    ("dense (c, m, d)", "m(m+1)/2", "m", "cm + d m(m-1)/2", "c + (m-1)d", "2^m"),
    ("dense with a transition", "(m+1)(m+2)/2", "m+1", "c(m+1) + d m(m+1)/2", "c + md", "2^m"),
    ("with bottlenecks of width b", "+ m", "+ m", "+ mb", "+ mb", ""),
    ("CSP, c' past and c'' through, T of width t", "(m+1)(m+2)/2 + 2", "m+3", "c''(m+1) + d m(m+1)/2 + c' + t",
     "c + md + t", "2^m + 1"),
    ("CSP, fusion first", "(m+1)(m+2)/2 + 1", "m+2", "c''(m+1) + d m(m+1)/2 + c'", "c + md", "2^m"),
    ("CSP, fusion last, the stage alone", "(m+1)(m+2)/2", "m+1", "c''(m+1) + d m(m+1)/2", "c'' + md", "2^m + 1"),
    ("residual, n blocks of q layers, head", "(n+1)(n+2)/2 + n(q-1)", "nq+1", "C T", "C(nq+1)", "2^n"),
    ("PRN, share r of the channels", "(n+1)(n+2)/2 + nq", "n(q+1)+1",
     "rC(n+1)(n+2)/2 + (1-r)C(n+1) + n(q-1)C", "C(nq+1)", "2^n"),
    ("one-shot, m convolutions", "2m+1", "m+1", "2c + (2m-1)d", "c + md", "m+1"),
    ("ELAN, two heads, 2x2 of width h", "10", "7", "2c + 8h", "c + 6h", "4"),
    ("chain of L", "L", "L", "", "", "1"),
)  # fmt: skip
MEASURED: Sequence[Sequence[str]] = (
    ("realised duplication D_emp", "1 - sum of V(s) / sum of M(s); V(s) = exp entropy of the eigenvalues of C(s)/M, "
     "C(s) = cosines of the M contributions to s; 0 <= D_emp <= D", "simulated, near 0"),
    ("consumer cosine", "mean of C(s) off the diagonal, by channels", "0"),
    ("gradient coherence", "\\|sum of contributions\\|^2 / sum of \\|contribution\\|^2, by channels", "1"),
    ("layer similarity", "mean debiased linear CKA of per-sample gradients, each sample scaled to length 1",
     "simulated, near 0"),
    ("layer duplication", "(L - V)/(L - 1), V = Vendi score of that matrix", "simulated, for L and the batch size"),
    ("term contrast", "mean CKA of two terms of one consumer less that of terms with nothing in common", "0"),
    ("signal-to-noise ratio", "(\\|mean\\|^2 - s^2/n)/s^2 of weight gradients over n parts of the batch", "0"),
)  # fmt: skip

TEXT = """# Gradient duplication

<!-- Written by benchmarks/gradient_evidence_page.py from benchmarks/results/: change it there. -->

CSPNet (arXiv 1911.11929) claims that splitting a stage keeps "duplicate gradient information" out of weight updates.
`cspanalyze gradients` makes that checkable: it counts, exactly, which gradients *could* enter several weight updates,
and with `--measured` how much of that comes true.

```
cspanalyze gradients densenet121 --csp --control                    # the structure, beside twin and control
cspanalyze gradients resnet50 --by layer                            # sources, timestamps, paths of every layer
cspanalyze gradients densenet121 --csp --equations --stage 1 --unit 'denselayer\\d+'
cspanalyze gradients resnet50 --csp --control --measured --input 32x3x64x64
cspanalyze gradients my.py:Net --input 32x3x32x32 --measured --data digits --after-training
```

The words are those of CSPNet, PRN and ELAN; none of these papers defines a formula, and no published measure of
duplication across layers was found. The formulas are this project's own.

## Structure: the opportunity

A *layer* is one call of an operation with a learnable mixing weight. Its output channels are followed, element by
element, through everything else (norms, activations, additions, concatenations, slices, pools) to the layers that read
them. A *slice* s is a largest set of c(s) channels of one layer that the same M(s) layers read; each of these readers
makes one *gradient term*: the gradient of s is in its weight update (equations 2 and 4 of the paper).

{definitions}

Only readers in scope count: a stage is measured by itself. Dense and residual networks repeat terms alike, by another
mechanism: dense ones read channels again (CIO pays for it, copy factor 1), residual ones hand one gradient tensor to
every summand (free in CIO, copy factor above 1). T, U and D depend on how channels fall into slices and on what counts
as a layer (a bottleneck dilutes D; `--unit` joins layers); T_c, U_c and D_c depend on the latter alone.

Gradient stops at `detach()`, at `torch.no_grad()` and its like, at integers, comparisons and rounding. A layer that no
output depends on otherwise has no weight update: it makes no terms, and a note names it. The loss is one, and depends
on every element of all floating-point outputs, however many heads there are: to measure one head, wrap the network in
a module that returns that one. Frozen layers (`requires_grad` False) pass gradient on and count like others, which a
note says too: the figures are of the architecture, not of one way to fine-tune it; `--after-training` leaves them as
they are.

### Closed forms

One convolution a unit, the block's input made by one layer, readers in the block. The tests compare every form with the
graph over a grid of its letters.

{closed}

So D of a dense block with its transition is m/(m+2), whatever the widths.

## Measured: what is realised

In an ordinary backward pass, each layer k that has computed what it sends to its input hands that on, alone, through
the operations between layers, to the layers that it reads: g_(k<-i), its contribution to the gradient of layer i. The
pass itself goes on undisturbed, so weights get the gradients of `backward()` to the last bit (tested), and the
contributions add up to every layer's gradient (tested). Functional convolutions are layers like others, because layers
are found in autograd's own graph.

{measured}

Stages are measured by themselves as well: D_emp, cosine and coherence of the gradient that a stage's own layers send,
and the mean similarity of its layers, beside those of the twin and the control, with paired differences.

Every figure is a mean over seeded draws of weights and batch with its 95 % t-interval; networks of one draw share the
seed and the batch, and differences are paired. A norm whose scale starts at 0 lets no gradient into its branch: such
layers are reported as dead, and `--wake` sets these scales to 1. Norms use the batch's statistics unless `--mode eval`.

## Evidence

{draws} draws; handwritten digits of scikit-learn, batches of 64, enlarged to 32x32; two stages on 8x8 and 4x4 maps;
gradients are measured with the weights as initialised and after some steps of SGD, all networks alike. CSP is the
tool's own twin of the dense network at gamma 0.5; *control* has the same transitions and gamma 0, so that no channel
bypasses the blocks, and is trained too. L counts layers; "plain" is the residual network without its shortcuts.
Measured {date} on {hardware} with `python benchmarks/gradient_evidence.py`.

{structure}

{networks}

Paired differences, in bold where the interval leaves out 0:

{differences}

### Readings

{readings}

## Limits

* D and D_c count opportunities in a structure. D_emp is how much of it shows in one batch's gradients. Neither is
  computation that could be saved, and neither says anything of accuracy.
* A CSP twin has other transitions and another depth than its base. Only against the control (gamma 0) is a difference
  the split's.
* These are small networks on small images, trained briefly, and measured on batches of the set that they are trained
  on. Untrained and trained weights can rank networks differently, as here: do not quote untrained weights alone, nor
  one training as if it were all.
* Several intervals are looked at here; one in twenty leaves out 0 by chance.
* Networks of different depth: compare D, D_c, D_emp and mean similarities, not Vendi scores.
* Operations without an exact rule unite what they read, and are listed below the table. A product of two activations
  (attention) passes gradient from every channel to every channel, which is an upper bound.
* Several heads count as one loss. Where a training weighs or detaches them, contributions differ from those here.
* A recurrent layer is one layer in the structure, all of its time steps and directions together; autograd
  differentiates them one by one, so networks with one are not measured.
* The samples are taken to be the first dimension. Layers that hold something else there have no similarity.
* Reentrant activation checkpointing hides layers from autograd's graph, and is refused.

## Cost

Processor time of one thread; the structure's cost is linear in the number of edges (pairs of a layer and one that reads
it); only source overlap compares layers in pairs, as bit sets. "Measured" is a forward pass, the observed backward
pass, and four small ones for the signal-to-noise ratio.

{cost}
"""

if __name__ == "__main__":
    PAGE.write_text(page())
    print(f"wrote {PAGE.name}")
