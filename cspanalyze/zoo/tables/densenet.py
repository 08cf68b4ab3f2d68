"""DenseNet with bottlenecks and compression (DenseNet-BC): config and rows."""

from __future__ import annotations

from dataclasses import dataclass

from cspanalyze.zoo.entry import Entry


@dataclass(frozen=True, slots=True)
class DenseNetConfig:
    """Dense blocks joined by transitions that halve the channels and the map, behind a 7x7/2 stem."""

    depths: tuple[int, ...]
    """Dense layers in each block; each layer is a 1x1 and a 3x3 convolution."""
    growth: int = 32
    """Channels that each dense layer adds (k in the paper)."""
    stem_width: int = 64
    bottleneck: int = 4
    """The 1x1 of a dense layer is bottleneck * growth wide."""
    elastic: bool = False
    """Whether each dense layer is two of half the bottleneck, one of them on a map of half the size, and their sum."""
    gamma: float = 0.0
    """Share of the channels that enter a block and bypass its layers (CSP); 0 for none."""
    num_classes: int = 1000

    def __post_init__(self) -> None:
        if self.num_classes < 1:
            raise ValueError(f"num_classes must be at least 1, not {self.num_classes}")
        if not 0 <= self.gamma < 1:
            raise ValueError(f"gamma is the share of channels that bypasses, from 0 to below 1, not {self.gamma}")


_HUANG = "Huang et al. 2017, arXiv 1608.06993, table 1 (growth 32)"


_ELASTIC = "Wang et al. 2019, arXiv 1812.05262 (ELASTIC), and the authors' code"
_PARTIAL = "the partial dense stage of arXiv 1911.11929, section 3.2, on a channel slice; no definition is published"


def _row(name: str, depths: tuple[int, ...], source: str, note: str = "") -> Entry:
    return Entry(name, "densenet", DenseNetConfig(depths), (3, 224, 224), source, note)


ROWS = (
    _row("densenet121", (6, 12, 24, 16), f"{_HUANG}; as torchvision"),
    _row("densenet169", (6, 12, 32, 32), f"{_HUANG}; as torchvision"),
    _row("densenet201", (6, 12, 48, 32), f"{_HUANG}; as torchvision"),
    # Not the DenseNet-264-32 of the CSPNet paper's table 3 (27.21 M): that is Darknet's definition, and no
    # cfg of it was published. torchvision has no 264 to compare with.
    _row("densenet264", (6, 12, 64, 48), f"{_HUANG}; the code of densenet121 with other depths"),
    Entry(
        "densenet201-elastic",
        "densenet",
        DenseNetConfig((10, 20, 40, 30), elastic=True),
        (3, 224, 224),
        _ELASTIC,
        "other depths than DenseNet-201; up-sampling is bilinear",
    ),
    Entry(
        "cspdensenet201-elastic",
        "densenet",
        DenseNetConfig((10, 20, 40, 30), elastic=True, gamma=0.5),
        (3, 224, 224),
        _ELASTIC,
        _PARTIAL,
        reconstruction=True,
    ),
)
"""The rows of this family."""
