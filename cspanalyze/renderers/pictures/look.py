"""How a diagram is drawn: what the user chooses, and what follows from its size and layout."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from cspanalyze.diagrams.record import Metric
from cspanalyze.renderers.pictures.palette import Theme

Direction = Literal["vertical", "horizontal"]
LABEL_SPARE = 24  # points beside the label of a frame that are free, besides as much as the label is wide


@dataclass(frozen=True, slots=True)
class LabelPlace:
    """Where the label of a frame stands: to the left or `right`, and how many points are kept `free` beside it."""

    right: bool = False
    free: float = 0.0


@dataclass(frozen=True, slots=True)
class Look:
    """How a diagram is drawn.

    `quick` gives up curves and frames, for graphs that would take minutes otherwise. `labels` are the places of the
    labels of frames, by the id of the frame; the others stand to the left.
    """

    theme: Theme = "light"
    direction: Direction = "vertical"
    colour_by: Metric | None = None
    quick: bool = False
    labels: Mapping[str, LabelPlace] = field(default_factory=dict)

    def label(self, frame: str) -> LabelPlace:
        """The place of the label of a frame."""
        return self.labels.get(frame, LabelPlace())


DEFAULT = Look()
"""On light paper, downwards, coloured by kind."""
