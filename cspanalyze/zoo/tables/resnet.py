"""ResNet, ResNeXt and SE-ResNet: configs and rows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from cspanalyze.zoo.entry import Entry


@dataclass(frozen=True, slots=True)
class ResNetConfig:
    """Four stages of residual blocks of 64, 128, 256 and 512 base channels behind a 7x7/2 stem."""

    block: Literal["basic", "bottleneck"]
    depths: tuple[int, ...]
    """Blocks in each of the four stages."""
    groups: int = 1
    """Groups of the 3x3 convolution of a bottleneck: the cardinality of ResNeXt."""
    group_width: int = 64
    """Channels of one group in the first stage; a bottleneck is groups * group_width * base / 64 wide inside."""
    se_reduction: int = 0
    """Squeeze-and-excitation at the end of each bottleneck narrows its channels by this factor; 0 for none."""
    num_classes: int = 1000

    def __post_init__(self) -> None:
        if self.num_classes < 1:
            raise ValueError(f"num_classes must be at least 1, not {self.num_classes}")
        if len(self.depths) != 4:
            raise ValueError(f"depths must have four numbers, one a stage, not {self.depths}")
        if self.block not in ("basic", "bottleneck"):
            raise ValueError(f"block must be 'basic' or 'bottleneck', not {self.block!r}")
        if self.block == "basic" and (self.groups, self.group_width, self.se_reduction) != (1, 64, 0):
            raise ValueError("a basic block has no groups, group_width or se_reduction; use block='bottleneck'")


_HE = "He et al. 2016, arXiv 1512.03385, table 1"
_XIE = "Xie et al. 2017, arXiv 1611.05431, table 1"
_V1 = "as torchvision"
# The paper strides the first 1x1; the common PyTorch definition strides the 3x3 ("ResNet v1.5"). Same
# parameters, more computation: resnet50 has 4.089 G MACs, the paper's order 3.858 G.
_V15 = "as torchvision: the stride is on the 3x3 of a bottleneck, where the paper has it on the first 1x1"


def _row(name: str, config: ResNetConfig, source: str, note: str = "") -> Entry:
    return Entry(name, "resnet", config, (3, 224, 224), source, note)


ROWS = (
    _row("resnet18", ResNetConfig("basic", (2, 2, 2, 2)), f"{_HE}; {_V1}"),
    _row("resnet34", ResNetConfig("basic", (3, 4, 6, 3)), f"{_HE}; {_V1}"),
    _row("resnet50", ResNetConfig("bottleneck", (3, 4, 6, 3)), _HE, _V15),
    _row("resnet101", ResNetConfig("bottleneck", (3, 4, 23, 3)), _HE, _V15),
    _row("resnet152", ResNetConfig("bottleneck", (3, 8, 36, 3)), _HE, _V15),
    _row("resnext50_32x4d", ResNetConfig("bottleneck", (3, 4, 6, 3), groups=32, group_width=4), f"{_XIE}; {_V1}"),
    _row("resnext101_32x8d", ResNetConfig("bottleneck", (3, 4, 23, 3), groups=32, group_width=8), f"{_XIE}; {_V1}"),
    _row(
        "seresnet50",
        ResNetConfig("bottleneck", (3, 4, 6, 3), se_reduction=16),
        "Hu et al. 2018, arXiv 1709.01507, table 1",
        "as timm: the stride is on the 3x3, and the two layers of the excitation have biases",
    ),
)
"""The rows of this family."""
