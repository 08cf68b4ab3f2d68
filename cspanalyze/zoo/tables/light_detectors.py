"""Detectors on PeleeNet and its partial forms, with the necks that the CSPNet paper compares: config and rows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

from cspanalyze.zoo.entry import Entry
from cspanalyze.zoo.tables import pelee
from cspanalyze.zoo.tables.darknet_configs import NetworkConfig
from cspanalyze.zoo.tables.pelee import PeleeConfig

Neck = Literal["fpn", "prn", "pan", "gfm", "efm"]


@dataclass(frozen=True, slots=True, kw_only=True)
class LightDetectorConfig(NetworkConfig):
    """A backbone, a neck over its maps an 8th, a 16th and a 32nd as large as the image, and three heads."""

    backbone: PeleeConfig
    neck: Neck
    """`fpn`: top down, concatenations; `prn`: top down, partial residual sums; `pan`: top down and bottom up; `gfm`:
    the sum of all maps at one size, given back to all; `efm`: each map with its neighbours, maxout, then as `pan`."""
    width: int = 128
    """Channels of every map in the neck."""
    pyramid_pooling: bool = False
    """Whether the smallest map goes beside its maxima over 5x5, 9x9 and 13x13 (SPP)."""
    attention: bool = False
    """Whether each map is weighted by a 1x1 of itself before its head (SAM)."""

    def __post_init__(self) -> None:
        super(LightDetectorConfig, self).__post_init__()  # not super(): slots make another class of this one
        if self.neck not in get_args(Neck):
            raise ValueError(f"neck must be one of {', '.join(get_args(Neck))}, not {self.neck!r}")
        if self.width < 1:
            raise ValueError(f"width must be at least 1, not {self.width}")


_WANG = "Wang et al. 2020, arXiv 1911.11929, section 3.3 and figure 6"
_READ = "every map 128 wide in the neck, heads of a 3x3 and a 1x1"
_BACKBONES: dict[str, PeleeConfig] = {row.name: row.config for row in pelee.ROWS}


def _row(name: str, backbone: str, neck: Neck, note: str, *, spp: bool = False, sam: bool = False) -> Entry:
    config = LightDetectorConfig(
        backbone=_BACKBONES[backbone], neck=neck, pyramid_pooling=spp, attention=sam, side=416, num_classes=80
    )
    return Entry(name, "darknet_cfgs", config, (3, 416, 416), _WANG, f"{note}; {_READ}", reconstruction=True)


_EFM = "neighbours resized by max pool and repetition, maxout over thirds, then PANet"
_PRN = "partial residual sums instead of concatenations (ICCVW 2019)"

ROWS = (
    _row("csppeleenet-fpn", "csppeleenet", "fpn", "as in YOLOv3: 1x1, up-sampling, concatenation, 3x3"),
    _row("csppeleenet-prn", "csppeleenet", "prn", _PRN),
    _row("csppeleenet-panet-spp", "csppeleenet", "pan", "with spatial pyramid pooling", spp=True),
    _row("csppeleenet-gfm", "csppeleenet", "gfm", "all maps summed at the middle size"),
    _row("csppeleenet-efm", "csppeleenet", "efm", _EFM),
    _row("csppeleenet-efm-sam", "csppeleenet", "efm", _EFM, sam=True),
    _row("csppeleenet-efm-spp", "csppeleenet", "efm", _EFM, spp=True),
    _row("csppeleenet-ref-efm-sam", "csppeleenet-ref", "efm", _EFM, sam=True),
    _row("cspdensenetb-ref-prn", "cspdensenetb-ref", "prn", _PRN),
)
"""The rows of this family."""
