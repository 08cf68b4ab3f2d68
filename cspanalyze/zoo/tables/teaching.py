"""Small networks that show one idea: config and rows."""

from __future__ import annotations

from dataclasses import dataclass

from cspanalyze.zoo.entry import Entry


@dataclass(frozen=True, slots=True)
class CrossStageBlockConfig:
    """One partial dense block, as tutorials write it: two halves of the channels, dense layers on the second."""

    channels: int = 64
    depth: int = 4
    """Dense layers, each a 1x1 and a 3x3 convolution."""
    growth: int = 32
    """Channels that each dense layer adds."""

    def __post_init__(self) -> None:
        if self.channels < 2 or self.channels % 2:
            raise ValueError(f"channels must be even, so that they have two halves, not {self.channels}")
        if min(self.depth, self.growth) < 1:
            raise ValueError(f"depth and growth must be at least 1, not {self.depth} and {self.growth}")


ROWS = (
    Entry(
        "cspdenseblock",
        "teaching",
        CrossStageBlockConfig(),
        (64, 56, 56),
        "Wang et al. 2020, arXiv 1911.11929, figure 2b",
        "one block without transitions, as in tutorials: it maps features to features, and is no classifier",
    ),
)
"""The rows of this family."""
