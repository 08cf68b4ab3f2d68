"""Gradient terms by formula: from the letters of a structure alone, never from a graph. The second route beside it.

One convolution per unit; the block's input is the output of one layer in front; readers inside the block count only.
Letters as in CSPNet (arXiv 1911.11929): c channels enter, m layers of growth d.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class TermCount:
    """T, U, T_c, U_c of a block, and the number of gradient paths to the layer in front of it."""

    terms: int
    distinct: int
    term_channels: int
    distinct_channels: int
    paths: int


def _triangle(n: int) -> int:
    return n * (n + 1) // 2


def dense(c: int, m: int, d: int, *, transition: bool = False, bottleneck: int = 0) -> TermCount:
    """m dense layers, each reading the input and all layers before it (arXiv 1608.06993).

    T = m(m+1)/2, U = m, T_c = c m + d m(m-1)/2, U_c = c + (m-1)d; 2^m paths. A transition that reads everything is one
    more reader: m+1 for m. A 1x1 of width b in front of every layer adds m terms, all distinct, of m b channels.
    """
    n = m + 1 if transition else m
    terms, channels = _triangle(n), c * n + d * _triangle(n - 1)
    return TermCount(
        terms + (m if bottleneck else 0),
        n + (m if bottleneck else 0),
        channels + m * bottleneck,
        c + (n - 1) * d + m * bottleneck,
        2**m,
    )


def dense_csp(
    c: int, m: int, d: int, bypass: int, fusion: Literal["csp", "first", "last"], t: int = 0, *, bottleneck: int = 0
) -> TermCount:
    """A partial dense block: `bypass` of the c channels go past it, c'' = c - bypass through.

    csp: transition T of width t over the block, transition U over [bypass, T]; first: one transition over everything;
    last: T over the block, and no transition behind. 0 < bypass < c; `last` leaves the bypass to what follows.
    T = (m+1)(m+2)/2 + 2, 1 or 0; U = m + 3, 2 or 1; 2^m paths, and the bypass as one more but in `first`, where it is
    read together with the block's input.
    """
    inner = dense(c - bypass, m, d, transition=True, bottleneck=bottleneck)
    terms, channels = {"csp": (2, bypass + t), "first": (1, bypass), "last": (0, 0)}[fusion]
    return TermCount(
        inner.terms + terms,
        inner.distinct + terms,
        inner.term_channels + channels,
        inner.distinct_channels + channels,
        inner.paths + (0 if fusion == "first" else 1),
    )


def residual(n: int, q: int, width: int) -> TermCount:
    """n residual blocks of q layers of one width under a head (arXiv 1512.03385).

    Every block's first layer and the head read the sum of all before: T = (n+1)(n+2)/2 + n(q-1), U = n q + 1, each of
    `width` channels; 2^n paths.
    """
    terms, distinct = _triangle(n + 1) + n * (q - 1), n * q + 1
    return TermCount(terms, distinct, width * terms, width * distinct, 2**n)


def partial_residual(n: int, q: int, width: int, shortcut: int) -> TermCount:
    """As `residual`, but only `shortcut` of the channels are added (PRN, ICCV workshops 2019); 0 < shortcut < width.

    T = (n+1)(n+2)/2 + n q, U = n(q+1) + 1: the other channels of a block are read by the next block alone.
    T_c = s(n+1)(n+2)/2 + (C-s)(n+1) + n(q-1)C, U_c = C(n q + 1). Paths are those of `residual`.
    """
    rest = width - shortcut
    return TermCount(
        _triangle(n + 1) + n * q,
        n * (q + 1) + 1,
        shortcut * _triangle(n + 1) + rest * (n + 1) + n * (q - 1) * width,
        width * (n * q + 1),
        2**n,
    )


def one_shot(c: int, m: int, d: int) -> TermCount:
    """m convolutions of width d in series, the input and all of them read once more at the end (arXiv 1904.09730).

    T = 2m + 1, U = m + 1, T_c = 2c + (2m-1)d, U_c = c + m d; m + 1 paths.
    """
    return TermCount(2 * m + 1, m + 1, 2 * c + (2 * m - 1) * d, c + m * d, m + 1)


def elan(c: int, h: int, depth: int = 2, branches: int = 2) -> TermCount:
    """Two 1x1 heads of width h, `branches` chains of `depth` convolutions in series behind the second, all of the
    branch ends and both heads read by one 1x1 (arXiv 2211.04800, YOLOv7's block).

    T = 2 + depth·branches + (2 + branches), U = 3 + depth·branches, all but the two readers of the input of h channels;
    2 + branches paths. For 2 x 2: T = 10, U = 7, T_c = 2c + 8h, U_c = c + 6h.
    """
    inner = depth * branches
    reads = inner + 2 + branches  # each inner layer reads h channels, the last 1x1 two heads and the branch ends
    return TermCount(2 + reads, 1 + 2 + inner, 2 * c + reads * h, c + (2 + inner) * h, 2 + branches)


def chain(length: int, width: int) -> TermCount:
    """Layers of one width in series: nothing repeats."""
    return TermCount(length, length, length * width, length * width, 1)
