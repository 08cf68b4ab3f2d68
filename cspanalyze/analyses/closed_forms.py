"""CIO by formula: computed from widths, depths and strides, never from tensors. The second route beside the trace.

CIO (convolutional input/output, HarDNet, ICCV 2019, eq. 1) is the sum over every convolution of the elements of its
input and of its output. Weights, norms, activations, poolings, additions and linear layers are left out; groups do not
matter; a tensor that two convolutions read counts twice. The functions of the first half are the formulas themselves,
in elements per position (H·W) of the map on which the part works.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import singledispatch

from cspanalyze.results import Result, Row
from cspanalyze.stage_plans import (
    Block,
    Chain,
    CrossStage,
    DenseLayers,
    EqualBlocks,
    NetworkPlan,
    OneShotAggregation,
    Part,
    Size,
    StagePlan,
    Transition,
    resize,
)

Shape = tuple[int, int, int, int]
"""Batch, channels, height and width of the network's input."""


def dense_layers(c: int, m: int, d: int, u: int = 0) -> int:
    """m dense layers of growth d on a base of c channels: D(c) = c·m + (m² + m)·d/2; DB(c) = D(c) + 2·u·m, 1x1s to u.

    Layer j = 0 .. m-1 reads c + j·d and writes d. CSPNet (arXiv 1911.11929, section 3.1) gives the sum without the 1x1s
    of DenseNet-B (arXiv 1608.06993, section 3: u = 4d) as (c·m) + ((m² + m)·d)/2.
    """
    return c * m + (m * m + m) * d // 2 + 2 * u * m


def dense_transition(c: int, m: int, d: int, o: int) -> int:
    """The 1x1 that reads a base of c and m layers of growth d, and writes o: c + m·d + o (arXiv 1608.06993, sec. 3)."""
    return c + m * d + o


def equal_blocks(c: int, u: int, m: int, layers: int) -> int:
    """m residual blocks of `layers` convolutions, c outside and u inside: m·(2c + 2·(layers - 1)·u).

    ResNet bottleneck m·(2c + 4u), 3·c·m for u = c/4; ResNeXt, u = c/2, any groups: 4·c·m; basic block, u = c: 4·c·m
    (arXiv 1512.03385, 1611.05431); Darknet m·(2c + 2u), 3·c·m for u = c/2 (arXiv 1804.02767); plain: 2·c·m.
    """
    return m * (2 * c + 2 * (layers - 1) * u)


def one_shot_aggregation(c: int, m: int, d: int, o: int) -> int:
    """m convolutions of width d in series and the 1x1 over all: 2c + o + 3·m·d - d (VoVNet, arXiv 1904.09730)."""
    return 2 * c + o + 3 * m * d - d


def split_convolutions(i: int, b: int, p: int, merged: bool) -> int:
    """The entry of a partial stage without a slice: two 1x1 i -> b and i -> p, or one i -> b + p that is then split.

    Two: (i + b) + (i + p). The figures of CSPNet (arXiv 1911.11929) draw a split; the authors' published ResNe(X)t and
    Darknet have these two convolutions, timm's versions the merged one.
    """
    return (i if merged else 2 * i) + b + p


def junction(b: int, t: int, o: int) -> int:
    """Transition 2, the 1x1 over the bypassed b and the t channels of part 2: b + t + o (CSPNet, section 3.1)."""
    return b + t + o


@dataclass(frozen=True, slots=True)
class Term:
    """`per_position` elements at each position of a map of `size`, by `formula`, which `filled` repeats in numbers."""

    formula: str
    filled: str
    per_position: int
    size: Size

    @property
    def elements(self) -> int:
        """Elements for batch 1."""
        return self.per_position * self.size[0] * self.size[1]

    def __str__(self) -> str:
        return f"{self.formula} = {self.filled} per H·W, {self.size[0]}x{self.size[1]}"


def _term(formula: str, size: Size, per_position: int, **letters: int) -> Term:
    def number(match: re.Match[str]) -> str:
        factor, letter = match.groups()
        return f"{factor}·{letters[letter]}" if factor else str(letters[letter])

    return Term(formula, re.sub(r"(\d*)([a-z])", number, formula), per_position, size)


@singledispatch
def cio_terms(part: Part, size: Size) -> list[Term]:
    """The terms of one part of a stage, given the size of the map that enters it."""
    raise NotImplementedError(f"no closed form is written for {type(part).__name__}")


@cio_terms.register
def _(part: Chain, size: Size) -> list[Term]:
    widths: dict[Size, list[int]] = {}
    for step in part.steps:
        after = step.window(size)
        if step.out_channels:
            widths.setdefault(size, []).append(step.in_channels)
            widths.setdefault(after, []).append(step.out_channels)
        size = after
    return [Term("Σ widths", " + ".join(map(str, at)), sum(at), size) for size, at in widths.items()]


@cio_terms.register
def _(part: Block, size: Size) -> list[Term]:
    after = resize(size, part.windows)
    early, late = 2 * part.stride_at, 2 * (part.layers - 1 - part.stride_at)
    # What is read and written before the stride, and after it; the projection reads i where it stands, and writes o.
    reads = 2 if part.shortcut == "projection" else 1
    writes = 1 if part.shortcut in ("identity", "none") else 2
    before, behind = ["i", "2i"][reads - 1], ["o", "2o"][writes - 1]
    at_entry, at_exit = reads * part.i + early * part.u, late * part.u + writes * part.o
    before += f" + {early}u" if early else ""
    behind = (f"{late}u + " if late else "") + behind
    if part.shortcut == "pooled projection":
        behind, at_exit = f"i + {behind}", at_exit + part.i
    letters = {"i": part.i, "u": part.u, "o": part.o}
    terms = [_term(before, size, at_entry, **letters), _term(behind, after, at_exit, **letters)]
    if size == after:
        terms = [_term(f"{before} + {behind}", size, at_entry + at_exit, **letters)]
    return terms + _gate_terms(part, 1)


@cio_terms.register
def _(part: EqualBlocks, size: Size) -> list[Term]:
    c, u, m, layers = part.c, part.u, part.m, part.block.layers
    per_position = equal_blocks(c, u, m, layers)
    if layers == 1 or (layers == 2 and u == c):
        body = _term(f"{2 * layers}·c·m", size, per_position, c=c, m=m)
    else:
        body = _term(f"m·(2c + {2 * (layers - 1)}u)", size, per_position, m=m, c=c, u=u)
    return [body, *_gate_terms(part.block, m)]


def _gate_terms(block: Block, m: int) -> list[Term]:
    """The two 1x1 of a squeeze-and-excitation, w -> r -> w, on the one position that is left after the mean."""
    if block.gate is None:
        return []
    w, r = block.gate
    return [_term("m·(2w + 2r)", (1, 1), m * (2 * w + 2 * r), m=m, w=w, r=r)]


@cio_terms.register
def _(part: DenseLayers, size: Size) -> list[Term]:
    c, m, d, u = part.c, part.m, part.d, part.u
    formula = "c·m + (m² + m)·d/2" + (" + 2·u·m" if u else "")
    return [_term(formula, size, dense_layers(c, m, d, u), c=c, m=m, d=d, u=u)]


@cio_terms.register
def _(part: Transition, size: Size) -> list[Term]:
    c, m, d, o = part.c, part.m, part.d, part.o
    return [_term("c + m·d + o", size, dense_transition(c, m, d, o), c=c, m=m, d=d, o=o)]


@cio_terms.register
def _(part: OneShotAggregation, size: Size) -> list[Term]:
    c, m, d, o = part.c, part.m, part.d, part.o
    return [_term("2c + o + 3·m·d - d", size, one_shot_aggregation(c, m, d, o), c=c, m=m, d=d, o=o)]


@cio_terms.register
def _(part: CrossStage, size: Size) -> list[Term]:
    """A partial stage of width c = b + p (CSPNet, arXiv 1911.11929, section 3.1 and figure 3).

    Dense, with a slice, on top of DB(p) - csp: (p + m·d + t) + (b + t + o); first: c + m·d + o; last: p + m·d + t.
    Residual bodies are the case d = 0; with i = t + b = o = c their entry 1x1s and transitions cost (7 - 2·gamma)·c,
    or (6 - 2·gamma)·c with a merged entry.
    """
    i, b, p, t, o = part.i, part.b, part.p, part.t, part.o
    terms = []
    if part.entry != "slice":
        merged = part.entry == "merged"
        formula = "i + b + p" if merged else "(i + b) + (i + p)"
        terms.append(_term(formula, size, split_convolutions(i, b, p, merged), i=i, b=b, p=p))
    terms += cio_terms(part.body, size)
    dense = part.body if isinstance(part.body, DenseLayers) else None
    m, d = (dense.m, dense.d) if dense else (0, 0)
    grown = " + m·d" if dense else ""
    if t is not None:
        terms.append(_term(f"p{grown} + t", size, dense_transition(p, m, d, t), p=p, m=m, d=d, t=t))
    if o is not None and t is not None:
        terms.append(_term("b + t + o", size, junction(b, t, o), b=b, t=t, o=o))
    elif o is not None:
        terms.append(_term(f"c{grown} + o", size, dense_transition(b + p, m, d, o), c=b + p, m=m, d=d, o=o))
    return terms


def cio_closed_form(plan: NetworkPlan, input_shape: Shape) -> Result:
    """CIO of every stage by its closed form, in elements for the batch of `input_shape` (N, C, H, W).

    A row per stage, whose note is the formula with its numbers. The value is None, and the note says "no closed form",
    where a stage matches no template; so is then the total.
    """
    return _per_stage("cio_closed_form", plan, input_shape, cio_terms)


def concat_closed_form(plan: NetworkPlan, input_shape: Shape) -> Result:
    """What explicit concatenation moves (elements read and written), which CIO leaves out.

    After every dense layer: 2·D(c) = 2·(c·m + (m² + m)·d/2). Where the two parts of a partial stage meet: 2·(b + t).
    Once before the 1x1 of a one-shot aggregation: 2·(c + m·d).
    """
    return _per_stage("concat_elements_closed_form", plan, input_shape, _concat_terms)


def residual_add_closed_form(plan: NetworkPlan, input_shape: Shape) -> Result:
    """What unfused residual additions move, which CIO leaves out: 3c elements a block (two read, one written)."""
    return _per_stage("residual_add_elements_closed_form", plan, input_shape, _residual_terms)


def _concat_terms(part: Part, size: Size) -> list[Term]:
    match part:
        case DenseLayers(c, m, d):
            return [_term("2·(c·m + (m² + m)·d/2)", size, 2 * dense_layers(c, m, d), c=c, m=m, d=d)]
        case OneShotAggregation(c, m, d):
            return [_term("2·(c + m·d)", size, 2 * (c + m * d), c=c, m=m, d=d)]
        case CrossStage(body=body, b=b, joined=w):
            return [*_concat_terms(body, size), _term("2·(b + t)", size, 2 * w, b=b, t=w - b)]
    return []


def _residual_terms(part: Part, size: Size) -> list[Term]:
    match part:
        case Block(o=o, shortcut=shortcut) if shortcut != "none":
            return [_term("3o", resize(size, part.windows), 3 * o, o=o)]
        case EqualBlocks(block, m) if block.shortcut != "none":
            return [_term("m·3c", size, 3 * m * part.c, m=m, c=part.c)]
        case CrossStage(body=body):
            return _residual_terms(body, size)
    return []


def _per_stage(metric: str, plan: NetworkPlan, input_shape: Shape, terms: Callable[[Part, Size], list[Term]]) -> Result:
    batch, _, height, width = input_shape
    rows = []
    for stage, size in plan.input_sizes((height, width)):
        if stage.parts is None or size is None:
            reason = "" if stage.parts is None else ": the size of its input is unknown"
            rows.append(Row(stage.name, "", None, f"no closed form{reason}"))
            continue
        found = list(_stage_terms(stage, size, terms))
        elements = batch * sum(term.elements for term in found)
        rows.append(Row(stage.name, "", elements, "; ".join(map(str, found))))
    values = [row.value for row in rows]
    total = None if any(value is None for value in values) else sum(value or 0 for value in values)
    return Result(metric, "elements", "closed form", tuple(rows), total)


def _stage_terms(stage: StagePlan, size: Size, terms: Callable[[Part, Size], list[Term]]) -> Iterator[Term]:
    for part in stage.parts or ():
        yield from terms(part, size)
        size = resize(size, part.windows)
