"""The CSPNet authors' CSPResNet-50, CSPResNeXt-50 and CSPDarknet-53 as timm writes them: configs and rows.

These are written out by hand, independent of `cspanalyze.csp`, so that its transform can be checked
against them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from cspanalyze.zoo.entry import Entry
from cspanalyze.zoo.tables.darknet import TIMM_SLOPE


@dataclass(frozen=True, slots=True)
class CrossStageConfig:
    """One cross stage: [3x3/2 to `down`], split into two parts of `part`, blocks on one, join, 1x1 to `out`."""

    depth: int
    """Blocks on the processed part."""
    down: int | None
    """Width of the strided 3x3 at the entry; None where the stage keeps the size of the map."""
    part: int
    """Width of each of the two parts: gamma is 1/2 in all three networks."""
    inner: int
    """Inner width of a block."""
    out: int


@dataclass(frozen=True, slots=True)
class CSPNetConfig:
    """A stem and cross stages. `block`, `groups` and `stem` are those of the network the CSP form came from."""

    stem: Literal["resnet", "darknet"]
    """`resnet`: 7x7/2 to 64 channels and a 3x3/2 max pool; `darknet`: 3x3 to 32 channels."""
    block: Literal["bottleneck", "dark"]
    stages: tuple[CrossStageConfig, ...]
    split_activation: bool
    """Whether the 1x1 that produces the two parts is followed by the activation (only in Darknet)."""
    groups: int = 1
    """Groups of the 3x3 convolutions, the strided ones included."""
    negative_slope: float = TIMM_SLOPE
    num_classes: int = 1000

    def __post_init__(self) -> None:
        if self.num_classes < 1:
            raise ValueError(f"num_classes must be at least 1, not {self.num_classes}")
        if self.stem not in ("resnet", "darknet"):
            raise ValueError(f"stem must be 'resnet' or 'darknet', not {self.stem!r}")
        if self.block not in ("bottleneck", "dark"):
            raise ValueError(f"block must be 'bottleneck' or 'dark', not {self.block!r}")
        if self.block == "dark" and self.groups != 1:
            raise ValueError("a dark block has no groups; use block='bottleneck'")


_WANG = "Wang et al. 2020, arXiv 1911.11929"
_SLOPE = "leaky ReLU slope 0.01 as in timm (Darknet: 0.1)"
_ONE_CONV = "one 1x1 makes both parts, where the cfg has two that each read the input"
# The cfg's stage 1 feeds 64 channels to the first block; its parts' 1x1 are linear in stages 2 and 3 only.
_ENTRY = "part 2 of stage 1 is 128 wide (cfg: 64), the split is linear in all stages, the stem pools 3x3/2 (cfg: 2x2/2)"

_CSPRESNET50 = CSPNetConfig(
    stem="resnet",
    block="bottleneck",
    split_activation=False,
    stages=(
        CrossStageConfig(depth=3, down=None, part=128, inner=64, out=128),
        CrossStageConfig(depth=3, down=128, part=256, inner=128, out=256),
        CrossStageConfig(depth=5, down=256, part=512, inner=256, out=512),
        CrossStageConfig(depth=2, down=512, part=1024, inner=512, out=1024),
    ),
)
_CSPRESNEXT50 = CSPNetConfig(
    stem="resnet",
    block="bottleneck",
    split_activation=False,
    groups=32,
    stages=(
        CrossStageConfig(depth=3, down=None, part=128, inner=128, out=256),
        CrossStageConfig(depth=3, down=256, part=256, inner=256, out=512),
        CrossStageConfig(depth=5, down=512, part=512, inner=512, out=1024),
        CrossStageConfig(depth=2, down=1024, part=1024, inner=1024, out=2048),
    ),
)
_CSPDARKNET53 = CSPNetConfig(
    stem="darknet",
    block="dark",
    split_activation=True,
    stages=(
        # The authors do not halve the first stage: 64 channels enter, and each part has 64.
        CrossStageConfig(depth=1, down=64, part=64, inner=32, out=64),
        CrossStageConfig(depth=2, down=128, part=64, inner=64, out=128),
        CrossStageConfig(depth=8, down=256, part=128, inner=128, out=256),
        CrossStageConfig(depth=8, down=512, part=256, inner=256, out=512),
        CrossStageConfig(depth=4, down=1024, part=512, inner=512, out=1024),
    ),
)


def _row(name: str, config: CSPNetConfig, cfg: str, note: str) -> Entry:
    return Entry(name, "cspnet", config, (3, 256, 256), f"{_WANG}, {cfg}; as timm", note)


ROWS = (
    _row("cspresnet50", _CSPRESNET50, "the authors' csresnet50.cfg", f"{_ENTRY}; {_ONE_CONV}; {_SLOPE}"),
    _row("cspresnext50", _CSPRESNEXT50, "the authors' csresnext50.cfg", f"{_ENTRY}; {_ONE_CONV}; {_SLOPE}"),
    _row("cspdarknet53", _CSPDARKNET53, "the authors' csdarknet53.cfg", f"{_ONE_CONV}; {_SLOPE}"),
)
"""The rows of this family."""
