"""VoVNet and its partial form: config and rows."""

from __future__ import annotations

from dataclasses import dataclass

from cspanalyze.zoo.entry import Entry


@dataclass(frozen=True, slots=True)
class VoVNetConfig:
    """Stages of one-shot aggregation: convolutions in series, whose outputs are concatenated once and then compressed.

    With `gamma` above 0, that share of the channels that enter a block bypasses its convolutions (CSP).
    """

    blocks: tuple[int, ...]
    """One-shot aggregations in each stage."""
    widths: tuple[int, ...] = (128, 160, 192, 224)
    """Of the convolutions in series."""
    outputs: tuple[int, ...] = (256, 512, 768, 1024)
    stem: tuple[int, ...] = (64, 64, 128)
    depth: int = 5
    """Convolutions in series in one aggregation."""
    gamma: float = 0.0
    num_classes: int = 1000

    def __post_init__(self) -> None:
        if self.num_classes < 1:
            raise ValueError(f"num_classes must be at least 1, not {self.num_classes}")
        if not len(self.blocks) == len(self.widths) == len(self.outputs):
            raise ValueError("blocks, widths and outputs must have as many numbers as there are stages")
        if not 0 <= self.gamma < 1:
            raise ValueError(f"gamma is the share of channels that bypasses, from 0 to below 1, not {self.gamma}")


_LEE = "Lee et al. 2019, arXiv 1904.09730, table 1"
_PARTIAL = "the partial stage of arXiv 1911.11929, section 3.2, on a channel slice; no definition is published"


def _row(name: str, config: VoVNetConfig, source: str, note: str = "") -> Entry:
    return Entry(name, "vovnet", config, (3, 224, 224), source, note, reconstruction=config.gamma > 0)


ROWS = (
    _row("vovnet39", VoVNetConfig((1, 1, 2, 2)), f"{_LEE}; as timm's vovnet39a"),
    _row("vovnet57", VoVNetConfig((1, 1, 4, 3)), f"{_LEE}; as timm's vovnet57a"),
    _row("cspvovnet39", VoVNetConfig((1, 1, 2, 2), gamma=0.5), _LEE, _PARTIAL),
    _row("cspvovnet57", VoVNetConfig((1, 1, 4, 3), gamma=0.5), _LEE, _PARTIAL),
)
"""The rows of this family."""
