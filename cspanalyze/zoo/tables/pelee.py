"""PeleeNet and what the CSPNet paper makes of it: config and rows."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

from cspanalyze.zoo.entry import Entry
from cspanalyze.zoo.tables.darknet_configs import NetworkConfig

_QUARTERS = (0.0, 0.25, 0.5, 0.75)


@dataclass(frozen=True, slots=True, kw_only=True)
class PeleeConfig(NetworkConfig):
    """A stem and four stages of dense layers, each with a 1x1 transition and, but for the last, a 2x2/2 max pool.

    With `gamma` above 0, stages 2 to 4 are partial: that share of their channels bypasses the dense layers.
    """

    depths: tuple[int, int, int, int] = (3, 4, 8, 6)
    bottlenecks: tuple[int, int, int, int] = (1, 2, 4, 4)
    """Width of the 1x1 of a dense layer in each stage, in halves of the growth."""
    growth: int = 32
    layer: Literal["two-way", "one-way"] = "two-way"
    """`two-way`: 1x1, 3x3 beside 1x1, 3x3, 3x3, half of the growth each; `one-way`: 1x1, 3x3 to the whole growth."""
    stem: Literal["pelee", "darknet"] = "pelee"
    """`pelee`: 3x3/2 and the stem block; `darknet`: 3x3 to 16 and to 32 channels, a 2x2/2 max pool behind each."""
    last_width: int = 0
    """Width of a 1x1 before the classifier; 0 for none."""
    gamma: float = 0.0
    fusion: Literal["csp", "first", "last"] = "csp"
    sparse: bool = False
    """Whether layer k reads the maps k - 1, k - 2, k - 4, .. only."""
    groups: int = 1
    """Of the 3x3 convolutions of dense layers."""
    squeeze: int = 0
    """Factor by which squeeze and excitation, at the end of each dense layer, narrows its channels; 0 for none."""

    def __post_init__(self) -> None:
        super(PeleeConfig, self).__post_init__()  # not super(): slots make another class of this one
        if self.gamma not in _QUARTERS:
            raise ValueError(f"gamma must be 0.25, 0.5 or 0.75, or 0 for no partial stages, not {self.gamma}")
        if self.fusion not in ("csp", "first", "last"):
            raise ValueError(f"fusion must be csp, first or last, not {self.fusion!r}")


_WANG = "Wang et al. 2020, arXiv 1911.11929"
_PELEE = "Wang et al. 2018, arXiv 1804.06882"
_PLAIN = PeleeConfig(side=224)
_PARTIAL = replace(_PLAIN, gamma=0.5)
_REFERENCE = replace(_PARTIAL, stem="darknet", last_width=1024)
_REFERENCE_B = replace(_REFERENCE, last_width=0, fusion="last")
_DENSE, _DENSE_B = (replace(config, layer="one-way") for config in (_REFERENCE, _REFERENCE_B))
_SLICE = "stages 2 to 4 are partial by a channel slice, transition 2 comes behind the pool"
_REF = "the stem of Darknet Ref., partial stages of PeleeNet's depths, a 1x1 to 1,024"
_REF_B = "the stem of Darknet Ref., partial stages of PeleeNet's depths, fusion last"


_ONE_WAY = "dense layers of one way"


def _row(name: str, config: PeleeConfig, source: str, note: str = "", *, known: bool = False) -> Entry:
    side = config.side
    return Entry(name, "darknet_cfgs", config, (3, side, side), source, note, reconstruction=not known)


ROWS = (
    _row(
        "peleenet",
        _PLAIN,
        f"{_PELEE}, as {_WANG}, table 1",
        "transitions take the maximum, activations are leaky ReLU",
        known=True,
    ),
    _row(
        "sepeleenet",
        replace(_PLAIN, activation="swish", squeeze=16),
        f"{_WANG}, table 3",
        "each dense layer squeezed by 16",
    ),
    _row(
        "speleenet", replace(_PLAIN, sparse=True), f"{_WANG}, table 1", "layer k reads the maps k - 1, k - 2, k - 4 .."
    ),
    _row("peleenext", replace(_PLAIN, groups=4), f"{_WANG}, table 1", "every 3x3 of a dense layer in 4 groups"),
    _row("csppeleenet", _PARTIAL, f"{_WANG}, table 1", _SLICE),
    _row("csppeleenet-fusion-first", replace(_PARTIAL, fusion="first"), f"{_WANG}, table 1", _SLICE),
    _row("csppeleenet-fusion-last", replace(_PARTIAL, fusion="last"), f"{_WANG}, table 1", _SLICE),
    _row(
        "secsppeleenet",
        replace(_PARTIAL, activation="swish", squeeze=16),
        f"{_WANG}, table 3",
        f"{_SLICE}; each dense layer squeezed by 16",
    ),
    _row("csppeleenet-ref", _REFERENCE, f"{_WANG}, table 3", _REF),
    _row("csppeleenetb-ref", _REFERENCE_B, f"{_WANG}, table 3", _REF_B),
    _row("cspdensenet-ref", _DENSE, f"{_WANG}, table 3", f"{_REF}; {_ONE_WAY}"),
    _row("cspdensenetb-ref", _DENSE_B, f"{_WANG}, table 3", f"{_REF_B}; {_ONE_WAY}"),
)
"""The rows of this family."""
