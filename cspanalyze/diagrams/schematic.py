"""A stage as the CSPNet paper draws it (arXiv 1911.11929, figures 2 and 3): maps as bars of channels, layers as boxes.

Computed from the plan of the stage, so from what the architecture declares, and its weight updates from the trace.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cache
from typing import TYPE_CHECKING, Any, Literal

from cspanalyze.diagrams.boxes import boxes
from cspanalyze.diagrams.levels import seen
from cspanalyze.diagrams.wiring import Wiring
from cspanalyze.errors import UsageError
from cspanalyze.gradient_flow import gradient_flow, transition_letters, weight_updates
from cspanalyze.graph import ModelGraph
from cspanalyze.showing import Shown
from cspanalyze.stage_plans import (
    Block,
    Chain,
    CrossStage,
    DenseLayers,
    EqualBlocks,
    OneShotAggregation,
    Part,
    StagePlan,
    Step,
    Transition,
    Window,
)

if TYPE_CHECKING:
    from cattrs.preconf.json import JsonConverter

Role = Literal["base", "bypass", "part", "made", "out"]
_SUBSCRIPTS = str.maketrans("0123456789", "₀₁₂₃₄₅₆₇₈₉")
_ALL_SHOWN = 5  # layers that are drawn one by one; of more the first two and the last
_EQUATIONS_SHOWN = 8


@dataclass(frozen=True, slots=True)
class Segment:
    """Channels of one origin in a map: `x₂`, how many, and what they are to the stage."""

    label: str
    channels: int
    role: Role


@dataclass(frozen=True, slots=True)
class Stack:
    """A feature map: its channels by origin, from top to bottom."""

    segments: tuple[Segment, ...]

    @property
    def channels(self) -> int:
        """All of them."""
        return sum(segment.channels for segment in self.segments)


@dataclass(frozen=True, slots=True)
class Layer:
    """A layer or block between two maps; `residual` if its input is added to its output."""

    title: str
    detail: str = ""
    residual: bool = False
    transition: bool = False


@dataclass(frozen=True, slots=True)
class Gap:
    """Layers that are left out of the drawing."""

    text: str


Item = Stack | Layer | Gap


@dataclass(frozen=True, slots=True)
class Detour:
    """A way round from the item at `start` to the one at `stop`, through `layers`; `channels` go along it."""

    start: int
    stop: int
    channels: int
    layers: tuple[Layer, ...] = ()


@dataclass(frozen=True, slots=True)
class Panel:
    """One stage of one network: its items from left to right, the way round if it is partial, its weight updates."""

    title: str
    stage: str
    subtitle: str
    items: tuple[Item, ...]
    detour: Detour | None = None
    updates: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, repr=False)
class Schematic(Shown):
    """Panels to be drawn under each other, with bars of one scale."""

    title: str
    panels: tuple[Panel, ...]


def stage_panel(graph: ModelGraph, stage: str, title: str) -> Panel:
    """The panel of the stage that is called `stage`: a name (`stage1`) or its number.

    Raises:
        UsageError: the network declares no stages, there is none of that name, or nothing is known of its parts.
    """
    plan = graph.plan
    if plan is None:
        raise UsageError(f"{graph.name} declares no stages that a schematic could show: use `cspanalyze graph`")
    wanted = f"stage{stage}" if stage.isdecimal() else stage
    found = next((each for each in plan.stages if each.name == wanted), None)
    if found is None:
        known = ", ".join(each.name for each in plan.stages)
        raise UsageError(f"{graph.name} has no stage {stage!r}: it has {known}")
    if found.parts is None:
        raise UsageError(f"{wanted} of {graph.name} is of no kind that a schematic can show: use `cspanalyze graph`")
    letters = transition_letters(found)
    drawing = _Drawing(_width_before(found.parts), letters)
    for part in found.parts:
        drawing.add(part)
    shape = graph.spec(graph.inputs[0]).shape if graph.inputs else ()
    sizes = dict(plan.input_sizes((shape[2], shape[3]))) if len(shape) == 4 else {}
    size = sizes.get(found)
    entering = f"{drawing.entering} × {size[0]} × {size[1]}" if size else f"{drawing.entering} channels"
    updates = _updates(graph, found, letters)
    if len(updates) != drawing.layers + len(letters):  # blocks drawn layer by layer: the numbers are not those of x
        updates = ()
    items = tuple(drawing.items)
    return Panel(title, found.name, f"input {entering}", items, drawing.detour, _abridged(updates))


def _width_before(parts: Sequence[Part]) -> int:
    match parts[0]:
        case Chain(steps):
            return next((step.in_channels for step in steps if step.in_channels), 0) or _width_before(parts[1:])
        case Block() | CrossStage():
            return parts[0].i
        case _:
            return parts[0].c


class _Drawing:
    """The items of a stage, part by part; `segments` are those of the map that the next layer reads.

    Maps are called as their gradients are in the weight updates: x_0 enters the stage, x_k leaves its layer k.
    """

    def __init__(self, entering: int, letters: Sequence[str]) -> None:
        self.entering, self.letters = entering, letters
        self.layers = 0  # with weights and a number, so far
        self.items: list[Item] = []
        self.detour: Detour | None = None
        self.segments: tuple[Segment, ...] = (Segment("x₀", entering, "base"),)
        self._map()

    def _map(self, *segments: Segment) -> None:
        self.segments = segments or self.segments
        self.items.append(Stack(self.segments))

    def _numbered(self, count: int = 1) -> str:
        """What the output of the next layer is called, or, of the next `count`, that of the last."""
        self.layers += count
        return f"x{_lowered(self.layers)}"

    def add(self, part: Part) -> None:
        """Draw a part behind what is there."""
        match part:
            case Chain(steps):
                for step in steps:
                    self._step(step)
            case Block():
                self._blocks(part, 1, entry=True)
            case EqualBlocks(block, m):
                self._blocks(block, m)
            case DenseLayers():
                self._dense(part)
            case Transition(o=o):
                self.items.append(Layer("Transition", f"1×1, {o}", transition=True))
                self._map(Segment("x_T" if "T" in self.letters else self._numbered(), o, "out"))
            case OneShotAggregation():
                self._aggregation(part)
            case CrossStage():
                self._cross(part)

    def _step(self, step: Step) -> None:
        window = step.window
        kernel = "×".join(map(str, window.kernel)) if isinstance(window, Window) else "global"
        stride = f" /{max(window.stride)}" if isinstance(window, Window) and max(window.stride) > 1 else ""
        if not step.out_channels:
            self.items.append(Layer("Pool", f"{kernel}{stride}"))
            self._map()
            return
        leaving = (
            self.segments[-1].role != "base"
        )  # behind the blocks, as in a control: what the paper calls a transition
        title, detail = "Transition" if leaving else "Conv", f"{kernel}{stride}, {step.out_channels}"
        self.items.append(Layer(title, detail, transition=leaving))
        self._map(Segment(self._numbered(), step.out_channels, "out" if leaving else "base"))

    def _blocks(self, block: Block, count: int, *, entry: bool = False) -> None:
        done = sum(isinstance(item, Layer) and item.title.startswith("Block") for item in self.items)
        before = self.layers
        for number in _chosen(count):
            if number is None:
                self.items.append(Gap("…"))
                continue
            label = self._numbered(before + number - self.layers)
            title = f"Block {done + number}"
            self.items.append(Layer(title, f"{block.template}, {block.u}", residual=block.shortcut != "none"))
            role: Role = "part" if any(s.role == "part" for s in self.segments) and not entry else "made"
            self._map(Segment(label, block.o, role))

    def _dense(self, part: DenseLayers) -> None:
        held = self.segments
        detail = f"1×1, {part.u} · 3×3, {part.d}" if part.u else f"3×3, {part.d}"
        grown: list[Segment] = []
        before = self.layers
        for number in _chosen(part.m):
            if number is None:
                self.items.append(Gap("…"))
                continue
            left_out = number - 1 - len(grown)
            if left_out > 0:
                grown.append(Segment(f"{left_out} more", left_out * part.d, "made"))
            grown.append(Segment(self._numbered(before + number - self.layers), part.d, "made"))
            self.items.append(Layer(f"Dense layer {number}", detail))
            self._map(*held, *grown)

    def _aggregation(self, part: OneShotAggregation) -> None:
        held = self.segments
        made: list[Segment] = []
        for number in range(1, part.m + 1):
            self.items.append(Layer(f"Conv {number}", f"3×3, {part.d}"))
            made.append(Segment(self._numbered(), part.d, "made"))
            self._map(made[-1])
        self.items.append(Gap("all"))
        self._map(*held, *made)
        self.items.append(Layer("Aggregation", f"1×1, {part.o}", transition=True))
        self._map(Segment(self._numbered(), part.o, "out"))

    def _cross(self, part: CrossStage) -> None:
        """The two parts, the blocks on the second, and where they meet (equations 3 and 4 of the paper)."""
        layers: tuple[Layer, ...] = ()
        if part.entry == "two":
            start = len(self.items) - 1
            layers = (Layer("Part 1", f"1×1, {part.b}"),)
            self.items.append(Layer("Part 2", f"1×1, {part.p}"))
            bypass, inner = Segment(self._numbered(), part.b, "bypass"), Segment(self._numbered(), part.p, "part")
            self._map(inner)
        else:
            if part.entry == "slice":
                self.items.pop()
                whole = self.segments[-1].label
            else:
                self.items.append(Layer("Split", f"1×1, {part.b + part.p}"))
                whole = self._numbered()
            bypass, inner = Segment(f"{whole}′", part.b, "bypass"), Segment(f"{whole}″", part.p, "part")
            self._map(bypass, inner)
            start = len(self.items) - 1
        self.segments = (inner,)
        self.add(part.body)
        if part.t is not None:
            self.items.append(Layer("Transition", f"1×1, {part.t}", transition=True))
            self._map(Segment("x_T", part.t, "part"))
        # The paper's concatenation is a map of its own, with both parts.
        self.items.append(Gap("concat"))
        self._map(bypass, *self.segments)
        self.detour = Detour(start, len(self.items) - 1, part.b, layers)
        if part.o is not None:
            self.items.append(Layer("Transition", f"1×1, {part.o}", transition=True))
            self._map(Segment("x_U", part.o, "out"))


def _chosen(count: int) -> Iterator[int | None]:
    """Numbers from 1; of many the first two, None, and the last."""
    if count <= _ALL_SHOWN:
        yield from range(1, count + 1)
    else:
        yield from (1, 2, None, count)


def _lowered(number: int) -> str:
    return str(number).translate(_SUBSCRIPTS)


def _updates(graph: ModelGraph, stage: StagePlan, letters: Sequence[str]) -> tuple[str, ...]:
    """The weight updates of the stage, a block a unit; none where its blocks do not run one after the other."""
    parts = seen(boxes(graph), "stage", Wiring(graph))
    unit_at = {
        op.index: member.id
        for part in parts
        for leaf, _ in part.leaves()
        for member in leaf.members
        for op in member.ops
    }
    flow = gradient_flow(graph)
    try:
        flow = flow.by_unit(lambda layer: unit_at.get(layer.op, layer.name))
    except UsageError:
        return ()
    ops = {layer.name: layer.op for layer in flow.layers}
    scope = [n for n, layer in enumerate(flow.layers) if stage.holds(graph.ops[ops[layer.name]].module)]
    if not scope:
        return ()
    return tuple(update.text() for update in weight_updates(flow, scope, letters).updates)


def _abridged(lines: tuple[str, ...]) -> tuple[str, ...]:
    return lines if len(lines) <= _EQUATIONS_SHOWN else (*lines[:3], "⋮", *lines[-3:])


def schematic_from_json(data: Mapping[str, Any]) -> Schematic:
    """Inverse of `schematic_to_json`.

    Raises:
        UsageError: the data is no schematic, or a field is missing, unknown or of the wrong type.
    """
    body = {key: value for key, value in data.items() if key not in ("schema", "kind")}
    try:
        return _converter().structure(body, Schematic)
    except Exception as error:  # cattrs raises groups of whatever each field raised
        raise UsageError("this is no schematic") from error


@cache
def _converter() -> JsonConverter:
    from cattrs.preconf.json import make_converter
    from cattrs.strategies import configure_tagged_union

    converter = make_converter(forbid_extra_keys=True)
    configure_tagged_union(Item, converter, tag_name="item", tag_generator=lambda kind: kind.__name__.lower())
    return converter


def schematic_to_json(schematic: Schematic) -> dict[str, Any]:
    """The record as JSON-ready data, with `"kind": "schematic"`; every item says what it is in `item`."""
    data = asdict(schematic)
    for panel, drawn in zip(data["panels"], schematic.panels, strict=True):
        for item, each in zip(panel["items"], drawn.items, strict=True):
            item["item"] = type(each).__name__.lower()
    return {"schema": 1, "kind": "schematic", **data}
