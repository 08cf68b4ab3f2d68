"""How many channels bypass a stage: the rounding rule of gamma. Pure arithmetic, no torch."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from math import floor, lcm
from numbers import Real

from cspanalyze.errors import CspError

ALIGNMENT = 8
"""Part widths are multiples of this, as the channel counts that hardware kernels are fast at."""
NARROW = 32
"""Below this width alignment to 8 would leave almost no choice of gamma, so only the groups count."""


class Indivisible(CspError):
    """A stage cannot be split by any gamma."""


@dataclass(frozen=True, slots=True)
class Split:
    """Channels of the two parts: `bypass` (part 1, c1) skips the blocks, `block` (part 2, c2) goes through them."""

    bypass: int
    block: int

    @property
    def gamma(self) -> float:
        """The effective gamma: the share of part 1, after rounding."""
        return self.bypass / (self.bypass + self.block)


def check_gamma(gamma: float) -> Fraction:
    """gamma as the exact decimal that it is written as, so that 0.9 leaves exactly one tenth.

    Raises:
        CspError: it is no number strictly between 0 and 1.
    """
    if not isinstance(gamma, Real) or not 0 < float(gamma) < 1:  # nan is not either
        raise CspError(f"gamma is the share of channels that bypasses the blocks; need 0 < gamma < 1, got {gamma!r}")
    return Fraction(repr(float(gamma)))


def step(channels: int, groups: int = 1) -> int:
    """The width that part widths are multiples of: lcm(8, groups), without the 8 where there are under 32 channels."""
    return lcm(ALIGNMENT, groups) if channels >= NARROW else groups


def split_channels(channels: int, gamma: float, groups: int = 1) -> Split:
    """Split a stage of `channels` so that about gamma of them bypass.

    c2 = clip(round_half_up(C (1 - gamma) / d) d, d, C - d) and c1 = C - c2, with d = `step(C, groups)`; `groups` is
    the least common multiple of the groups of the convolutions that read or write the stage's stream.

    Raises:
        CspError: gamma is outside (0, 1), or no part width near it is a multiple of the groups (Indivisible: none is).
    """
    share = check_gamma(gamma)
    width = step(channels, groups)
    wanted = floor(channels * (1 - share) / width + Fraction(1, 2)) * width
    block = min(max(wanted, width), channels - width)
    if block < width or block % groups:
        admissible = admissible_gammas(channels, groups)
        if not admissible:
            raise Indivisible(f"C = {channels} with groups = {groups} admits no gamma at all")
        listed = ", ".join(f"{value:.4g}" for value in admissible)
        raise CspError(f"C = {channels} with groups = {groups} admits gamma in {{{listed}}}, got {gamma}")
    return Split(channels - block, block)


def admissible_gammas(channels: int, groups: int) -> tuple[float, ...]:
    """Every effective gamma that a stage can have, ascending; empty where it cannot be split at all."""
    width = step(channels, groups)
    blocks = range(channels - channels % width, 0, -width)
    return tuple((channels - block) / channels for block in blocks if block < channels)


def scale_width(width: int, gamma: float, groups: int = 1) -> int:
    """An inner width times (1 - gamma), rounded half up to a multiple of `step`, at least one step, never wider."""
    unit = step(width, groups)
    scaled = floor(width * (1 - check_gamma(gamma)) / unit + Fraction(1, 2)) * unit
    return min(max(scaled, unit), width)
