"""The weight updates of a stage in the notation of CSPNet (arXiv 1911.11929, equations 2 and 4), read off the graph.

`w_k' = f(w_k, g_0, g_1, .., g_{k-1})` lists the gradients that layer k makes: those of the outputs that it reads. g_0
belongs to what enters the stage, g_i to the output of layer i. Where its readers divide an output into slices they are
g_0', g_0'', .. by channel, as in the paper.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from cspanalyze.gradient_flow.flow import GradientFlow
from cspanalyze.gradient_flow.terms import Slice, slices
from cspanalyze.showing import Printed
from cspanalyze.stage_plans import Chain, CrossStage, Part, StagePlan, Transition

_SUBSCRIPTS = str.maketrans("0123456789", "₀₁₂₃₄₅₆₇₈₉")
_PRIMES = ("", "′", "″", "‴", "⁗")
_LONGEST = 6
"""More terms than this, if they are evenly numbered, are written with an ellipsis."""


@dataclass(frozen=True, slots=True)
class Symbol:
    """w or g, with an index (a number, or T and U for the transitions) and a number of primes."""

    letter: str
    index: str
    primes: int = 0

    def text(self) -> str:
        """In plain text, with Unicode subscripts and primes: g₀″, w_T."""
        index = self.index.translate(_SUBSCRIPTS) if self.index.isdecimal() else f"_{self.index}"
        many = f"⁽{self.primes}⁾" if self.primes >= len(_PRIMES) else _PRIMES[self.primes]
        return f"{self.letter}{index}{many}"

    def latex(self) -> str:
        """In LaTeX mathematics: `g_{0}''`."""
        many = f"^{{({self.primes})}}" if self.primes >= len(_PRIMES) else "'" * self.primes
        return f"{self.letter}_{{{self.index}}}{many}"


@dataclass(frozen=True, slots=True)
class WeightUpdate:
    """One equation: the weight of layer `name`, and the gradients in its update, with the channels of each."""

    name: str
    weight: Symbol
    gradients: tuple[Symbol, ...]
    channels: tuple[int, ...]

    def text(self) -> str:
        """As w₂′ = f(w₂, g₀, g₁)."""
        listed = [symbol.text() for symbol in (self.weight, *self.gradients)]
        new = Symbol("w", self.weight.index, 1).text()
        return f"{new} = f({', '.join(_abbreviated(listed, self.gradients, '…'))})"

    def latex(self) -> str:
        r"""As `w_{2}' &= f\left(w_{2}, g_{0}, g_{1}\right)`, for an `aligned` environment."""
        listed = [symbol.latex() for symbol in (self.weight, *self.gradients)]
        new = Symbol("w", self.weight.index, 1).latex()
        terms = ", ".join(_abbreviated(listed, self.gradients, r"\dots"))
        return rf"{new} &= f\left({terms}\right)"


@dataclass(frozen=True, slots=True)
class StageUpdates:
    """The equations of a stage, and which layers' channels the gradients of its input belong to."""

    updates: tuple[WeightUpdate, ...]
    inputs: tuple[tuple[Symbol, str], ...]

    def text(self) -> str:
        """One line an equation, the layer's name behind; then what the input's gradients are."""
        equations = [update.text() for update in self.updates]
        width = max(map(len, equations), default=0)
        lines = [f"{e:<{width}}   {u.name}" for e, u in zip(equations, self.updates, strict=True)]
        legend = [f"{symbol.text()}: {meaning}" for symbol, meaning in self.inputs]
        return "\n".join([*lines, *([""] if legend else []), *legend])

    def latex(self) -> str:
        """An `aligned` environment, to be set in display mathematics."""
        body = " \\\\\n".join(f"  {update.latex()}" for update in self.updates)
        return f"\\begin{{aligned}}\n{body}\n\\end{{aligned}}"


@dataclass(frozen=True, slots=True, repr=False)
class StageEquations(Printed):
    """The weight updates of a stage for every network, by what it is called; a notebook sets them as mathematics."""

    model: str
    stage: str
    networks: tuple[tuple[str, StageUpdates], ...]

    def latex(self) -> str:
        """All equations in one `aligned` environment for each network, one below the other."""
        return "\n\n".join(rf"$$\textsf{{{name}}}\quad {updates.latex()}$$" for name, updates in self.networks)

    def _repr_latex_(self) -> str:
        return self.latex()

    def _repr_markdown_(self) -> str:
        parts = [f"**{name}**\n\n$$\n{updates.latex()}\n$$" for name, updates in self.networks]
        return "\n\n".join(parts)


def weight_updates(flow: GradientFlow, scope: Sequence[int], letters: Sequence[str] = ()) -> StageUpdates:
    """The equations of the layers in `scope`, which are numbered from 1 in the order in which they run.

    The last of them are named by `letters` (`transition_letters`) instead. Channels from outside of the scope that the
    same layers read are one g_0: in a residual network the summands of the stage's input, which get one gradient.
    """
    order = sorted(scope)
    numbered = len(order) - len(letters)
    index = {layer: letters[n - numbered] if n >= numbered else str(n + 1) for n, layer in enumerate(order)}
    pieces = slices(flow, order)
    outside: dict[tuple[int, ...], list[Slice]] = {}
    inside: dict[int, list[Slice]] = {}
    for piece in pieces:
        if piece.producer in index:
            inside.setdefault(piece.producer, []).append(piece)
        else:
            outside.setdefault(piece.consumers, []).append(piece)
    terms: dict[int, list[tuple[Symbol, int]]] = {layer: [] for layer in order}
    inputs = []
    for number, (readers, parts) in enumerate(outside.items(), start=1):
        symbol = Symbol("g", "0", number if len(outside) > 1 else 0)
        inputs.append((symbol, ", ".join(_described(flow, part) for part in parts)))
        for reader in readers:
            terms[reader].append((symbol, sum(part.channels for part in parts)))
    for layer in order:
        own = inside.get(layer, [])
        for number, part in enumerate(own, start=1):
            symbol = Symbol("g", index[layer], number if len(own) > 1 else 0)
            for reader in part.consumers:
                terms[reader].append((symbol, part.channels))
    updates = tuple(
        WeightUpdate(flow.layers[layer].name, Symbol("w", index[layer]), *_unzipped(terms[layer])) for layer in order
    )
    return StageUpdates(updates, tuple(inputs))


def transition_letters(stage: StagePlan | None) -> tuple[str, ...]:
    """What the paper calls the last layers of a stage: T the transition over the block, U the one over both parts.

    () where the plan of the stage does not end with any.
    """
    parts = [part for part in (stage.parts or () if stage is not None else ()) if not _only_pools(part)]
    last = parts[-1] if parts else None
    if isinstance(last, CrossStage):
        return (*["T"] * (last.t is not None), *["U"] * (last.o is not None))
    return ("T",) if isinstance(last, Transition) else ()


def _only_pools(part: Part) -> bool:
    return isinstance(part, Chain) and not any(step.out_channels for step in part.steps)


def _unzipped(terms: Sequence[tuple[Symbol, int]]) -> tuple[tuple[Symbol, ...], tuple[int, ...]]:
    return tuple(symbol for symbol, _ in terms), tuple(channels for _, channels in terms)


def _described(flow: GradientFlow, piece: Slice) -> str:
    layer = flow.layers[piece.producer]
    if piece.channels == layer.channels:
        return f"{layer.name} ({layer.channels} channels)"
    where = ", ".join(f"{low}..{high - 1}" for low, high in piece.where)
    return f"{layer.name} (channels {where} of {layer.channels})"


def _abbreviated(listed: list[str], gradients: Sequence[Symbol], dots: str) -> list[str]:
    """The texts of a weight and its gradients, with an ellipsis where many gradients are evenly numbered."""
    first = next((n for n, symbol in enumerate(gradients) if symbol.index != "0"), len(gradients))
    numbers = [int(s.index) if s.index.isdecimal() and not s.primes else None for s in gradients[first:]]
    known = [number for number in numbers if number is not None]
    even = len(known) == len(numbers) and len({b - a for a, b in pairwise(known)}) == 1
    if len(listed) - 1 <= _LONGEST or not even or len(known) < 4:
        return listed
    head = 1 + first + 2
    return [*listed[:head], dots, listed[-1]]
