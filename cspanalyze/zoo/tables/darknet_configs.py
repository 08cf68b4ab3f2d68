"""Configs of the networks that `zoo.darknet_programs` writes layer by layer; the rows are in `darknet_cfgs.py`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

ACTIVATIONS = ("leaky", "mish", "swish", "relu")
"""The activation functions with which the authors published their networks."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NetworkConfig:
    """What every network of this family has."""

    side: int
    """Height and width of the images that it is for."""
    num_classes: int = 1000
    activation: str = "leaky"
    """Of every convolution that does not have one for a reason of its own."""

    def __post_init__(self) -> None:
        if self.side < 1:
            raise ValueError(f"side must be at least 1, not {self.side}")
        if self.num_classes < 1:
            raise ValueError(f"num_classes must be at least 1, not {self.num_classes}")
        if self.activation not in ACTIVATIONS:
            raise ValueError(f"activation must be one of {', '.join(ACTIVATIONS)}, not {self.activation!r}")


@dataclass(frozen=True, slots=True)
class StageConfig:
    """Blocks of one width. `down` is the width of a 3x3/2 before them; without it, the first block has the stride."""

    depth: int
    width: int
    inner: int
    down: int | None = None


@dataclass(frozen=True, slots=True)
class CrossStageConfig:
    """[3x3/2 to `down`], 1x1 to `part1` beside 1x1 to `part2`, blocks on the latter, 1x1, concatenation, 1x1 to `out`.

    `width` is that of the blocks, `inner` that inside one; where `part2` is less, the first block widens it.
    """

    depth: int
    down: int | None
    part1: int
    part2: int
    width: int
    inner: int
    out: int
    linear_entry: bool = False
    """Whether the two 1x1 have no activation."""


@dataclass(frozen=True, slots=True)
class BackboneConfig:
    """A stem and stages of residual blocks."""

    stem: Literal["resnet", "darknet"]
    """`resnet`: 7x7/2 to 64 channels and a 2x2/2 max pool; `darknet`: 3x3 to 32 channels."""
    block: Literal["basic", "bottleneck", "dark"]
    """Two 3x3; 1x1, 3x3, 1x1; or 1x1, 3x3 with an activation before the sum."""
    stages: tuple[StageConfig | CrossStageConfig, ...]
    groups: int = 1
    """Groups of the 3x3 convolutions of blocks, and of those that halve the map in a cross stage."""
    elastic: bool = False
    """Whether each block is two: one on half of the channels, one on the other half at half the size."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ClassifierConfig(NetworkConfig):
    """A backbone, global mean, and a 1x1 convolution as classifier."""

    backbone: BackboneConfig


@dataclass(frozen=True, slots=True, kw_only=True)
class ReferenceConfig(NetworkConfig):
    """3x3 convolutions with a 2x2/2 max pool between."""

    widths: tuple[int, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class DenseConfig(NetworkConfig):
    """Dense blocks of 1x1 to 4 growth and 3x3 to growth; between two, a 1x1 to `transitions[i]` and a max pool.

    The classifier comes before the global mean.
    """

    depths: tuple[int, ...]
    transitions: tuple[int, ...]
    growth: int = 32


@dataclass(frozen=True, slots=True)
class InvertedConfig:
    """Inverted residual blocks of one width: 1x1 to `inner[i]`, depthwise, 1x1 to `width`; the first has the stride."""

    width: int
    inner: tuple[int, ...]
    kernel: int
    stride: int
    squeeze: tuple[int, ...] = ()
    """Width of the squeezed vector in each block, where there is squeeze and excitation."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MobileConfig(NetworkConfig):
    """A 3x3/2 to 32 channels, inverted residual blocks, a 1x1 to 1,280."""

    stages: tuple[InvertedConfig, ...]
    dropout: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class CrossMobileConfig(NetworkConfig):
    """The authors' CSPMobileNetV2, whose blocks bypass half of the expanded channels."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Res2NetConfig(NetworkConfig):
    """Stages of one bottleneck, which halves the map, and `depths[i]` Res2 blocks of 4 x `widths[i]` channels."""

    depths: tuple[int, ...]
    widths: tuple[int, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class DetectorConfig(NetworkConfig):
    """A backbone, spatial pyramid pooling, and the neck and three heads of YOLOv3 (`fpn`) or PANet (`pan`)."""

    backbone: BackboneConfig
    neck: Literal["fpn", "pan"]
    pyramid_pooling: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class TinyConfig(NetworkConfig):
    """YOLOv3-tiny; with `residual` its partial residual form (PRN), which adds where the other concatenates."""

    residual: bool


CfgConfig: TypeAlias = (
    ClassifierConfig | ReferenceConfig | DenseConfig | MobileConfig | CrossMobileConfig | Res2NetConfig | DetectorConfig
    | TinyConfig
)  # fmt: skip
"""The config of any network of this family."""
