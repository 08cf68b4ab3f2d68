"""Two lists of layers -> which layer of one is which of the other, and how they differ. Pure; no names are compared."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from math import inf

from cspanalyze.analyses.layers import Layer
from cspanalyze.results import Alignment, LayerDifference

Pair = tuple[tuple[Layer, ...], tuple[Layer, ...]]
"""Layers of the one and of the other network that stand for each other: one and one, one and none, one and two."""

_TO = " .. "
_SKIP = 1.0
_OTHER_STAGE, _OTHER_SIZE = 0.5, 0.25


def align(name: str, base: Sequence[Layer], variant: Sequence[Layer]) -> Alignment:
    """How the layers of `variant` differ from those of `base`, in the order in which they run.

    The alignment is the cheapest way to turn one list into the other by leaving out, adding, changing, splitting one
    convolution in two or joining two that read one map. Differences that read the same are one, with their count.
    """
    pairs = list(_pairs(base, variant))
    found = [difference for pair in pairs if (difference := _difference(pair)) is not None]
    return Alignment(name, sum(_same(pair) for pair in pairs), tuple(_folded(found)))


def _pairs(base: Sequence[Layer], variant: Sequence[Layer]) -> Iterator[Pair]:
    """Stage by stage where both have the same stages, else as a whole."""
    stages = list(dict.fromkeys(layer.stage for layer in base))
    if stages != list(dict.fromkeys(layer.stage for layer in variant)):
        yield from _aligned(base, variant)
        return
    for stage in stages:
        ours, theirs = ([layer for layer in layers if layer.stage == stage] for layers in (base, variant))
        yield from _aligned(ours, theirs)


def _aligned(base: Sequence[Layer], variant: Sequence[Layer]) -> Iterator[Pair]:
    start = 0
    while start < min(len(base), len(variant)) and base[start].geometry == variant[start].geometry:
        start += 1
    yield from (((one,), (other,)) for one, other in zip(base[:start], variant[:start], strict=True))
    yield from _cheapest(base[start:], variant[start:])


def _cheapest(base: Sequence[Layer], variant: Sequence[Layer]) -> list[Pair]:
    """Dynamic programming over both lists (Needleman and Wunsch 1970), with moves of one against two."""
    rows, columns = len(base), len(variant)
    cost = [[inf] * (columns + 1) for _ in range(rows + 1)]
    step: list[list[tuple[int, int]]] = [[(0, 0)] * (columns + 1) for _ in range(rows + 1)]
    cost[0][0] = 0.0
    for i in range(rows + 1):
        for j in range(columns + 1):
            for down, right in ((1, 1), (1, 0), (0, 1), (1, 2), (2, 1)):
                if down > i or right > j:
                    continue
                before = cost[i - down][j - right]
                if before >= cost[i][j]:
                    continue
                total = before + _price(base[i - down : i], variant[j - right : j])
                if total < cost[i][j]:
                    cost[i][j], step[i][j] = total, (down, right)
    pairs: list[Pair] = []
    while rows or columns:
        down, right = step[rows][columns]
        pairs.append((tuple(base[rows - down : rows]), tuple(variant[columns - right : columns])))
        rows, columns = rows - down, columns - right
    return pairs[::-1]


def _price(ours: Sequence[Layer], theirs: Sequence[Layer]) -> float:
    if not ours or not theirs:
        return _SKIP
    if len(ours) == len(theirs):
        return _change(ours[0], theirs[0])
    one, two = (ours[0], theirs) if len(ours) == 1 else (theirs[0], ours)
    return _split(one, two)


def _change(one: Layer, other: Layer) -> float:
    if one.geometry == other.geometry:
        price = 0.0
    elif one.kind == other.kind:
        price = 0.4 if one.window == other.window else 0.8
    elif {one.kind, other.kind} == {"conv", "linear"} and one.inputs == other.inputs:
        price = 0.3
    else:
        return inf
    size = 0.0 if one.size == other.size or not (one.size and other.size) else _OTHER_SIZE
    return price + size + (0.0 if one.stage == other.stage else _OTHER_STAGE)


def _split(one: Layer, two: Sequence[Layer]) -> float:
    """Two convolutions of one kind on one map, against one."""
    first, second = two
    alike = first.reads == second.reads and first.kind == second.kind == one.kind == "conv"
    if not alike or not first.window == second.window == one.window or first.inputs != one.inputs:
        return inf
    return 0.2 if first.channels + second.channels == one.channels else 0.5


def _same(pair: Pair) -> bool:
    ours, theirs = pair
    return len(ours) == len(theirs) == 1 and ours[0].geometry == theirs[0].geometry


def _difference(pair: Pair) -> LayerDifference | None:
    ours, theirs = pair
    if _same(pair):
        one, other = ours[0].activation or "linear", theirs[0].activation or "linear"
        kind, texts = "other activation", (one, other)
        if one == other:
            return None
    else:
        acts = [[layer.activation or "linear" for layer in layers] for layers in pair]
        told = bool(ours and theirs and set(acts[0]) != set(acts[1]))
        kind, texts = _named(ours, theirs), (_text(ours, acts[0] * told), _text(theirs, acts[1] * told))
    return LayerDifference(
        kind=kind,
        stage=(ours or theirs)[0].stage,
        base=texts[0],
        variant=texts[1],
        base_layers=tuple(layer.path for layer in ours),
        variant_layers=tuple(layer.path for layer in theirs),
        macs=sum(layer.macs for layer in theirs) - sum(layer.macs for layer in ours),
        params=sum(layer.params for layer in theirs) - sum(layer.params for layer in ours),
    )


def _named(ours: Sequence[Layer], theirs: Sequence[Layer]) -> str:
    if not ours or not theirs:
        return "removed" if ours else "added"
    if len(ours) != len(theirs):
        return "two for one" if len(ours) == 1 else "one for two"
    return "other shape" if ours[0].kind == theirs[0].kind else "other kind"


def _text(layers: Sequence[Layer], activations: Sequence[str]) -> str:
    """Two equal layers are written once; the activations are written where they differ, too."""
    texts = list(map(str, layers))
    if len(texts) == 2 and texts[0] == texts[1]:
        texts = [f"2 x {texts[0]}"]
    return " and ".join(texts) + (f", {' and '.join(dict.fromkeys(activations))}" if activations else "")


def _folded(differences: Sequence[LayerDifference]) -> list[LayerDifference]:
    """Differences that read the same are one, at the place of the first."""
    folded: dict[tuple[str, ...], LayerDifference] = {}
    for each in differences:
        key = (each.kind, each.base, each.variant)
        known = folded.get(key)
        if known is None:
            folded[key] = each
            continue
        folded[key] = replace(
            known,
            stage=known.stage
            if known.stage.endswith(each.stage)
            else f"{known.stage.partition(_TO)[0]}{_TO}{each.stage}",
            base_layers=known.base_layers + each.base_layers,
            variant_layers=known.variant_layers + each.variant_layers,
            macs=known.macs + each.macs,
            params=known.params + each.params,
            count=known.count + 1,
        )
    return list(folded.values())
