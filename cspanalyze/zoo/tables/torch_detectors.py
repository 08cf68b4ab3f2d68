"""CenterNet and ThunderNet, the detectors of other authors that the CSPNet paper compares with: configs and rows."""

from __future__ import annotations

from dataclasses import dataclass

from cspanalyze.zoo.entry import Entry


@dataclass(frozen=True, slots=True)
class CenterNetConfig:
    """ResNet-18, three transposed convolutions, and heads for heat map, size and offset."""

    width: int = 256
    """Of each transposed convolution, 4x4/2."""
    head_width: int = 64
    num_classes: int = 80

    def __post_init__(self) -> None:
        if self.num_classes < 1:
            raise ValueError(f"num_classes must be at least 1, not {self.num_classes}")


@dataclass(frozen=True, slots=True)
class ThunderNetConfig:
    """SNet, context enhancement, region proposals, spatial attention, and a head for every proposal."""

    widths: tuple[int, int, int] = (60, 120, 240)
    last_width: int = 512
    """Of a 1x1 behind the last stage."""
    context: int = 245
    """Channels of the context map: 5 for each of the 7x7 cells of a proposal."""
    region: int = 256
    proposals: int = 200
    num_classes: int = 80

    def __post_init__(self) -> None:
        if self.num_classes < 1:
            raise ValueError(f"num_classes must be at least 1, not {self.num_classes}")
        if self.context % 49:
            raise ValueError(f"context must be a multiple of 49, the cells of a proposal, not {self.context}")
        if self.proposals < 1:
            raise ValueError(f"proposals must be at least 1, not {self.proposals}")


ROWS = (
    Entry(
        "centernet-resnet18",
        "centernet",
        CenterNetConfig(),
        (3, 512, 512),
        "Zhou et al. 2019, arXiv 1904.07850, section 5 and figure 6a",
        "plain transposed convolutions, no deformable ones; the maps of the heads, peaks are not decoded",
    ),
    Entry(
        "snet49-thundernet",
        "thundernet",
        ThunderNetConfig(),
        (3, 320, 320),
        "Qin et al. 2019, arXiv 1903.11752, tables 2 and figures 2 to 5",
        "proposals are the best by score, without suppression; one sample for each cell of a proposal",
        reconstruction=True,
    ),
)
"""The rows of these families."""
