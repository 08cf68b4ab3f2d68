"""How the consumers of a slice agree on its gradient: in the network, and among the layers of one stage."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from cspanalyze.gradient_flow import Slice
from cspanalyze.measure.gradients.similarity import effective_number, mean_off_diagonal

Values = dict[str, float | None]


@dataclass(frozen=True, slots=True)
class SliceProducts:
    """What arrived at one slice: scalar products (n x n) of the contributions of `consumers`, of `elements` each."""

    piece: Slice
    consumers: tuple[int, ...]
    products: Tensor
    elements: int


@dataclass(frozen=True, slots=True)
class SliceFigures:
    """One slice of channels: `terms` contributions arrived that are not zero, worth `effective` different ones.

    `cosine` is the mean over pairs of contributions, `coherence` |sum|^2 / sum of |.|^2; None for fewer than two.
    """

    channels: int
    terms: int
    effective: float
    elements: int
    cosine: float | None
    coherence: float | None


def slice_figures(found: Iterable[SliceProducts], scope: Collection[int] | None = None) -> list[SliceFigures]:
    """The figures of every slice as the layers in `scope` (all by default) divide the channels.

    Slices that differ only in readers outside of the scope are one: scalar products over their channels add up.
    """
    inside = None if scope is None else set(scope)
    merged: dict[tuple[int, tuple[int, ...]], list[SliceProducts]] = {}
    for each in found:
        readers = each.piece.consumers
        own = readers if inside is None else tuple(reader for reader in readers if reader in inside)
        if own:
            merged.setdefault((each.piece.producer, own), []).append(each)
    return [_figures(parts, readers) for (_, readers), parts in merged.items()]


def _figures(parts: Sequence[SliceProducts], readers: tuple[int, ...]) -> SliceFigures:
    products = torch.zeros(len(readers), len(readers), dtype=torch.float64)
    for part in parts:
        arrived = [n for n, consumer in enumerate(part.consumers) if consumer in readers]
        places = torch.tensor([readers.index(part.consumers[n]) for n in arrived], dtype=torch.long)
        products[places[:, None], places] += part.products[arrived][:, arrived]
    live = products.diagonal() > 0
    products = products[live][:, live]
    channels, elements = sum(part.piece.channels for part in parts), sum(part.elements for part in parts)
    terms = len(products)
    if terms < 2:
        return SliceFigures(channels, terms, float(terms), elements, None, None)
    scale = products.diagonal().sqrt()
    cosines = products / scale / scale[:, None]
    coherence = float(products.sum() / products.diagonal().sum())
    return SliceFigures(channels, terms, effective_number(cosines), elements, mean_off_diagonal(cosines), coherence)


def agreement(pieces: Sequence[SliceFigures]) -> tuple[float | None, float | None]:
    """Cosine and coherence of slices with several consumers, by channels."""
    shared = [piece for piece in pieces if piece.cosine is not None and piece.coherence is not None]
    channels = sum(piece.channels for piece in shared)
    if not channels:
        return None, None
    cosine = sum(piece.channels * (piece.cosine or 0.0) for piece in shared) / channels
    return cosine, sum(piece.channels * (piece.coherence or 0.0) for piece in shared) / channels


def realised(pieces: Sequence[SliceFigures], generator: torch.Generator) -> tuple[Values, Values]:
    """Realised duplication and how consumers agree, and the same of noise: contributions in random directions."""
    terms, alive = sum(piece.terms for piece in pieces), sum(piece.terms > 0 for piece in pieces)
    if not terms:
        return {}, {}
    possible = 1 - alive / terms
    found = 1 - sum(piece.effective for piece in pieces) / terms
    noise = 1 - sum(_effective_noise(piece, generator) for piece in pieces) / terms
    cosine, coherence = agreement(pieces)
    figures = {
        "realised_duplication": found,
        "realised_share": found / possible if possible else None,
        "consumer_cosine": cosine,
        "coherence": coherence,
    }
    nulls = {
        "realised_duplication": noise,
        "realised_share": noise / possible if possible else None,
        "consumer_cosine": None if cosine is None else 0.0,
        "coherence": None if coherence is None else 1.0,
    }
    return figures, nulls


def _effective_noise(piece: SliceFigures, generator: torch.Generator) -> float:
    """The effective number of as many random directions: cosines of standard deviation 1/sqrt(elements)."""
    if piece.terms < 2:
        return piece.effective
    drawn = torch.randn(piece.terms, piece.terms, dtype=torch.float64, generator=generator).triu(1)
    drawn /= max(1, piece.elements) ** 0.5
    return effective_number(torch.eye(piece.terms, dtype=torch.float64) + drawn + drawn.T)
