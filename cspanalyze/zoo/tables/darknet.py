"""Darknet-53: config and row."""

from __future__ import annotations

from dataclasses import dataclass

from cspanalyze.zoo.entry import Entry

TIMM_SLOPE = 0.01
"""Slope of the leaky ReLU below zero in timm's definitions, which the rows follow; Darknet's own is 0.1."""


@dataclass(frozen=True, slots=True)
class DarknetConfig:
    """A 3x3 stem, then stages of one 3x3/2 convolution and `depths[i]` residual blocks at `widths[i]` channels."""

    depths: tuple[int, ...]
    widths: tuple[int, ...]
    stem_width: int = 32
    negative_slope: float = TIMM_SLOPE
    num_classes: int = 1000

    def __post_init__(self) -> None:
        if self.num_classes < 1:
            raise ValueError(f"num_classes must be at least 1, not {self.num_classes}")
        if len(self.depths) != len(self.widths):
            raise ValueError(f"{len(self.depths)} depths but {len(self.widths)} widths: one of each a stage")


ROWS = (
    Entry(
        "darknet53",
        "darknet",
        DarknetConfig((1, 2, 8, 8, 4), (64, 128, 256, 512, 1024)),
        (3, 256, 256),
        "Redmon and Farhadi 2018, arXiv 1804.02767, table 1; as timm",
        "leaky ReLU slope 0.01 as in timm (Darknet: 0.1); the classifier is a linear layer after the pooling, "
        "the same arithmetic as Darknet's 1x1 convolution",
    ),
)
"""The rows of this family."""
