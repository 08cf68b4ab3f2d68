"""A picture of a network before it has a place on paper: boxes, arrows and frames, each with what is written on it.

Frozen and plain like every record: the renderers of pictures read these and nothing else.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from cspanalyze.json_form import plain, structured
from cspanalyze.results import Number
from cspanalyze.showing import Shown

Level = Literal["network", "stage", "block", "layer", "op"]
Kind = Literal[
    "input", "output", "block", "conv", "linear", "attention", "recurrent", "embedding", "norm", "activation", "pool",
    "resample", "concat", "add", "multiply", "slice", "other",
]  # fmt: skip
State = Literal["", "same", "changed", "added", "removed"]
Metric = Literal["macs", "params", "cio", "bytes", "traffic", "gradients"]
METRICS: tuple[Metric, ...] = ("macs", "params", "cio", "bytes", "traffic", "gradients")


@dataclass(frozen=True, slots=True)
class Figure:
    """A metric of a node: of all that it stands for. `before` is that of the node it is compared with, if any."""

    metric: Metric
    value: Number
    before: Number = None


@dataclass(frozen=True, slots=True)
class Node:
    """A box. `title` says what it is (`Conv 3×3 /2`), `name` where in the network, `details` what else it holds.

    `shapes` are the tensors that come in and go out, written without the batch (`64×56×56`). `count` equal neighbours
    are drawn as this one, and the figures are those of all of them; `growing` says that their widths differ, and that
    a shape gives the first and the last. `frame` is the id of the frame around it, "" for none.
    """

    id: str
    title: str
    name: str
    kind: Kind
    frame: str = ""
    details: tuple[str, ...] = ()
    shapes: tuple[str, ...] = ()
    count: int = 1
    growing: bool = False
    figures: tuple[Figure, ...] = ()
    state: State = ""
    highlighted: bool = False

    def figure(self, metric: Metric) -> Number:
        """The value of a metric, None if unknown."""
        return next((figure.value for figure in self.figures if figure.metric == metric), None)


@dataclass(frozen=True, slots=True)
class Edge:
    """An arrow along which a tensor of `shape` goes.

    `bypass` marks a way round: at most one layer with weights, where the other way between the same two places has
    more. `reuse` is in how many weight updates the gradient of what goes along it enters, on average over its channels;
    None if not asked for, or if no trainable layer made any of it.
    """

    source: str
    target: str
    shape: str = ""
    bypass: bool = False
    reuse: float | None = None
    state: State = ""


@dataclass(frozen=True, slots=True)
class Frame:
    """A frame around nodes and other frames: a stage, a block, a network beside another."""

    id: str
    title: str
    name: str
    frame: str = ""
    details: tuple[str, ...] = ()
    count: int = 1
    growing: bool = False
    figures: tuple[Figure, ...] = ()
    highlighted: bool = False


@dataclass(frozen=True, slots=True, repr=False)
class Diagram(Shown):
    """A whole picture. `rows` are node ids that should stand beside each other: the same stage of two networks."""

    title: str
    subtitle: str
    level: Level
    nodes: tuple[Node, ...]
    edges: tuple[Edge, ...]
    frames: tuple[Frame, ...] = ()
    rows: tuple[tuple[str, ...], ...] = ()
    totals: tuple[Figure, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def parts(self) -> tuple[Node | Frame, ...]:
        """All nodes, then all frames."""
        return (*self.nodes, *self.frames)


def diagram_to_json(diagram: Diagram) -> dict[str, Any]:
    """The record as JSON-ready data, with `"kind": "diagram"`."""
    return {"schema": 1, "kind": "diagram", **plain(diagram)}


def diagram_from_json(data: Mapping[str, Any]) -> Diagram:
    """Inverse of `diagram_to_json`.

    Raises:
        UsageError: the data is no diagram, or a field is missing, unknown or of the wrong type.
    """
    body = {key: value for key, value in data.items() if key not in ("schema", "kind")}
    return structured(body, Diagram, "this is no diagram")
