"""HarDNet: config and rows."""

from __future__ import annotations

from dataclasses import dataclass

from cspanalyze.zoo.entry import Entry


@dataclass(frozen=True, slots=True)
class HarDNetConfig:
    """Harmonic dense blocks, in which layer l reads the layers l - 2^i for every 2^i that divides l."""

    stem: tuple[int, int]
    """Widths of the 3x3/2 and the 3x3 before the 3x3/2 max pool."""
    outputs: tuple[int, ...]
    """Width after each block's 1x1."""
    growths: tuple[int, ...]
    """Width of the layers of a block that read only one other (k in the paper)."""
    depths: tuple[int, ...]
    pools: tuple[int, ...]
    """After which blocks, from 1, a 2x2/2 max pool halves the map."""
    multiplier: float = 1.7
    """By what a layer is wider for every further layer that it reads (m in the paper)."""
    dropout: float = 0.1
    num_classes: int = 1000

    def __post_init__(self) -> None:
        if self.num_classes < 1:
            raise ValueError(f"num_classes must be at least 1, not {self.num_classes}")
        if not len(self.outputs) == len(self.growths) == len(self.depths):
            raise ValueError("outputs, growths and depths must have as many numbers as there are blocks")


_CHAO = "Chao et al. 2019, arXiv 1909.00948, and the authors' code"

ROWS = (
    Entry(
        "hardnet68",
        "hardnet",
        HarDNetConfig(
            stem=(32, 64),
            outputs=(128, 256, 320, 640, 1024),
            growths=(14, 16, 20, 40, 160),
            depths=(8, 16, 16, 16, 4),
            pools=(1, 3, 4),
        ),
        (3, 224, 224),
        _CHAO,
    ),
    Entry(
        "hardnet85",
        "hardnet",
        HarDNetConfig(
            stem=(48, 96),
            outputs=(192, 256, 320, 480, 720, 1280),
            growths=(24, 24, 28, 36, 48, 256),
            depths=(8, 16, 16, 16, 16, 4),
            pools=(1, 3, 5),
            dropout=0.2,
        ),
        (3, 224, 224),
        _CHAO,
    ),
)
"""The rows of this family."""
