"""Gradient paths: on how many ways, and after how many layers, gradient from the loss reaches a layer."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass

from cspanalyze.gradient_flow.flow import GradientFlow


@dataclass(frozen=True, slots=True)
class PathSpectrum:
    """The gradient paths of one layer by length: `counts[t]` of them pass t layers, this one included.

    The polynomial P(z) = sum of counts[t] z^t obeys P_i = [i feeds the loss] z + z · sum of P_k over the layers k that
    read layer i; the lengths that occur are the gradient *timestamps* of CSPNet's and PRN's authors, as a set.
    """

    counts: tuple[int, ...]

    @property
    def timestamps(self) -> tuple[int, ...]:
        """The lengths that occur: in how many layers the gradient arrives."""
        return tuple(length for length, count in enumerate(self.counts) if count)

    @property
    def paths(self) -> int:
        """P(1), the number of paths; 2^n for n residual blocks (Veit et al., arXiv 1605.06431)."""
        return sum(self.counts)


@dataclass(frozen=True, slots=True)
class PathExtent:
    """The gradient paths of one layer in brief: how many there are, and their lengths as a bit set.

    Bit t of `timestamps` is on if a path passes t layers, this one included.
    """

    paths: int
    timestamps: int

    @property
    def shortest(self) -> int | None:
        """Length of the shortest gradient path; None where none arrives."""
        return (self.timestamps & -self.timestamps).bit_length() - 1 if self.timestamps else None

    @property
    def longest(self) -> int | None:
        """Length of the longest gradient path; None where none arrives."""
        return self.timestamps.bit_length() - 1 if self.timestamps else None


def path_extents(flow: GradientFlow, scope: Collection[int] | None = None) -> dict[int, PathExtent]:
    """The gradient paths of every layer of `scope` (all by default), and of every layer outside that feeds it.

    A path begins where gradient enters the scope from behind: at a layer that the network's output or a layer outside
    reads. For the layers outside that feed it, one way is past the whole scope if anything behind it reads them too.
    """
    extents: dict[int, PathExtent] = {}
    for layer, begins, readers in _backwards(flow, scope):
        paths, lengths = int(begins), int(begins)
        for reader in readers:
            paths += extents[reader].paths
            lengths |= extents[reader].timestamps
        extents[layer] = PathExtent(paths, lengths << 1)
    return extents


def path_spectra(flow: GradientFlow, scope: Collection[int] | None = None) -> dict[int, PathSpectrum]:
    """As `path_extents`, with the number of paths of every length."""
    # A polynomial is one big integer, its value at z = 2^width: adding and shifting integers adds and shifts it.
    width = max((extent.paths for extent in path_extents(flow, scope).values()), default=0).bit_length() + 1
    packed: dict[int, int] = {}
    for layer, begins, readers in _backwards(flow, scope):
        packed[layer] = (begins + sum(packed[reader] for reader in readers)) << width
    return {layer: PathSpectrum(_unpacked(value, width)) for layer, value in packed.items()}


def _backwards(flow: GradientFlow, scope: Collection[int] | None) -> Iterator[tuple[int, bool, list[int]]]:
    """From the last layer to the first: whether paths begin at it, and its readers in the scope."""
    inside = set(range(len(flow.layers))) if scope is None else set(scope)
    end = max(inside, default=0)
    feeding = {producer for layer in inside for producer in flow.intakes[layer]} - inside
    for layer in sorted(inside | feeding, reverse=True):
        readers = flow.consumers[layer]
        outside = [reader for reader in readers if reader not in inside]
        begins = layer in flow.feeding_loss or any(reader > end or layer in inside for reader in outside)
        yield layer, begins, [reader for reader in readers if reader in inside]


def _unpacked(packed: int, width: int) -> tuple[int, ...]:
    mask = (1 << width) - 1
    counts = []
    while packed:
        counts.append(packed & mask)
        packed >>= width
    return tuple(counts)
