"""How often gradients are used again: the figures of a network, a stage, a block or a layer.

No paper defines these; the names follow CSPNet (arXiv 1911.11929, section 3), whose equations 2 and 4 list which
gradients g_i enter which weight update: w_k' = f(w_k, g_0, .., g_{k-1}). They count the *opportunity* for duplicate
gradient, from structure alone; how much of it comes true is a matter of measurement.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import combinations
from math import comb

from cspanalyze.gradient_flow.flow import GradientFlow
from cspanalyze.gradient_flow.paths import path_extents
from cspanalyze.gradient_flow.terms import slices


@dataclass(frozen=True, slots=True)
class Duplication:
    """The figures of one set of layers.

    layers: how many there are (L).
    terms: pairs of a layer and a slice of channels that it reads (T = sum of M over slices). A slice is a largest set
        of channels of one layer with the same readers; only readers in the set count.
    distinct: slices that are read (U).
    term_channels, distinct_channels: the same, each slice with the number of its channels (T_c, U_c).
    read_channels: input channels that a trainable source reaches (G); the input part of CIO but for the network input.
    source_overlap: mean Jaccard index |R_i and R_j| / |R_i or R_j| over pairs of layers of the set; R are the layers,
        of the whole network, that send gradient to one, and the loss. None for fewer than two layers that get any.
    copies: source channels, beyond one for each input channel, that get one gradient tensor through an addition.
    most_readers: the largest M.
    paths: the most gradient paths that any layer of the set, or feeding it, has through the set.
    longest_shortest_path: over the same layers the largest length of a shortest gradient path (what ELAN and YOLOv7
        control); longest_path the length of the longest. None where no gradient arrives.
    """

    layers: int
    terms: int
    distinct: int
    term_channels: int
    distinct_channels: int
    read_channels: int
    copies: int
    most_readers: int
    paths: int
    longest_shortest_path: int | None
    longest_path: int | None
    source_overlap: float | None

    @property
    def ratio(self) -> Fraction | None:
        """D = 1 - U/T, the share of gradient terms that repeat another; None without any term."""
        return 1 - Fraction(self.distinct, self.terms) if self.terms else None

    @property
    def channel_ratio(self) -> Fraction | None:
        """D_c = 1 - U_c/T_c: as D, by channels, and so independent of how channels fall into slices."""
        return 1 - Fraction(self.distinct_channels, self.term_channels) if self.terms else None

    @property
    def mean_readers(self) -> Fraction | None:
        """T_c/U_c: in how many weight updates the gradient of a channel appears, on average."""
        return Fraction(self.term_channels, self.distinct_channels) if self.terms else None

    @property
    def copy_factor(self) -> Fraction | None:
        """(G + copies)/G: gradients handed on for each channel read. 1 where channels are only concatenated; above 1
        where an addition hands one tensor to several layers (T_c/G in a residual network)."""
        return 1 + Fraction(self.copies, self.read_channels) if self.read_channels else None


def duplication(flow: GradientFlow, scope: Collection[int] | None = None) -> Duplication:
    """The figures of the layers in `scope`, by index; of the whole network without it."""
    chosen = range(len(flow.layers)) if scope is None else sorted(scope)
    pieces = slices(flow, chosen)
    extents = path_extents(flow, scope).values()
    shortest = [extent.shortest for extent in extents if extent.shortest is not None]
    longest = [extent.longest for extent in extents if extent.longest is not None]
    return Duplication(
        layers=len(chosen),
        terms=sum(piece.multiplicity for piece in pieces),
        distinct=len(pieces),
        term_channels=sum(piece.channels * piece.multiplicity for piece in pieces),
        distinct_channels=sum(piece.channels for piece in pieces),
        read_channels=sum(flow.layers[layer].read_channels for layer in chosen),
        copies=sum(flow.layers[layer].copies for layer in chosen),
        most_readers=max((piece.multiplicity for piece in pieces), default=0),
        paths=max((extent.paths for extent in extents), default=0),
        longest_shortest_path=max(shortest, default=None),
        longest_path=max(longest, default=None),
        source_overlap=mean_overlap([flow.source_sets[layer] for layer in chosen]),
    )


def mean_overlap(sets: Sequence[int]) -> float | None:
    """Mean Jaccard index over all pairs of sets that are not empty, each given as bits; None without a pair."""
    sizes = [(own, own.bit_count()) for own in sets if own]
    total = 0.0
    for (one, count), (other, others) in combinations(sizes, 2):
        shared = (one & other).bit_count()
        if shared:
            total += shared / (count + others - shared)
    return total / comb(len(sizes), 2) if len(sizes) > 1 else None
