"""Two diagrams as one: beside each other, stage by stage, or as one with what differs marked."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from difflib import SequenceMatcher
from typing import TypeVar

from cspanalyze.diagrams.record import Diagram, Edge, Figure, Frame, Node, State
from cspanalyze.errors import UsageError

P = TypeVar("P", Node, "Node | Frame")


_NETWORK = "/:"  # ends the id of the frame around a whole network that stands beside others


def side_by_side(base: Diagram, *others: Diagram) -> Diagram:
    """All of them, each in a frame of its own; stages of the same name as one of the base begin where that begins.

    The frames say what each has more or less than the base; the totals are those of the first of the others.
    """
    drawn = (base, *others)
    renamed = [_renamed(each, f"{number}/") for number, each in enumerate(drawn)]
    frames = tuple(
        Frame(f"{n}{_NETWORK}", each.title, each.subtitle, figures=_compared(each.totals, base.totals if n else ()))
        for n, each in enumerate(drawn)
    )
    return Diagram(
        title=" | ".join(each.title for each in drawn),
        subtitle="",
        level=base.level,
        nodes=tuple(node for each in renamed for node in each.nodes),
        edges=tuple(edge for each in renamed for edge in each.edges),
        frames=(*frames, *(frame for each in renamed for frame in each.frames)),
        rows=tuple(_rows(*renamed)),
        totals=_compared(others[0].totals, base.totals),
        notes=tuple(dict.fromkeys(note for each in drawn for note in each.notes)),
    )


def difference(base: Diagram, other: Diagram) -> Diagram:
    """`other`, with what it changes of `base`, what it adds to it and what it lacks.

    Stages are compared with the stages of the same name, or in the same place of the sequence. In a stage the longest
    common sequence of nodes of one title is kept; a kept node is `same` if it has the same shapes, count and figures,
    otherwise `changed`, and its figures say what they were. An arrow that only one network has is `added` or
    `removed`.

    Raises:
        UsageError: the levels differ.
    """
    if base.level != other.level:
        raise UsageError(f"a diagram of level {base.level} cannot be compared with one of level {other.level}")
    old, new = _renamed(base, "-", outer=False), other
    partner: dict[str, str] = {}
    stage_pairs = list(_stage_pairs(old, new))
    nodes: list[Node] = []
    removed: dict[str, list[Node]] = {}
    for ours, theirs in stage_pairs:
        before, after = _nodes_of(old, ours), _nodes_of(new, theirs)
        for was, now in _aligned(before, after):
            if was is not None and now is not None:
                partner[was.id] = now.id
                nodes.append(_marked(was, now))
            elif now is not None:
                nodes.append(replace(now, state="added"))
            elif was is not None:
                home = theirs.id if isinstance(theirs, Frame) else (ours.id if isinstance(ours, Frame) else "")
                removed.setdefault(home, []).append(replace(was, state="removed", frame=home))
    nodes = _in_place(nodes, removed, partner, old)
    stage_of = {theirs.id: ours for ours, theirs in stage_pairs if ours is not None and theirs is not None}
    frames = [_frame_with_before(frame, stage_of.get(frame.id)) for frame in new.frames]
    frames += [
        ours
        for ours, theirs in stage_pairs
        if isinstance(ours, Frame) and not isinstance(theirs, Frame) and ours.id in removed
    ]
    ids = {node.id for node in nodes}
    edges = _edges(old, new, partner, ids)
    counts = {state: sum(node.state == state for node in nodes) for state in ("same", "changed", "added", "removed")}
    said = ", ".join(f"{count} {state}" for state, count in counts.items())
    return Diagram(
        title=f"{base.title} → {other.title}",
        subtitle=other.subtitle,
        level=new.level,
        nodes=tuple(nodes),
        edges=tuple(edges),
        frames=tuple(frames),
        totals=_compared(new.totals, old.totals),
        notes=(f"nodes: {said}", *new.notes),
    )


def _renamed(diagram: Diagram, prefix: str, *, outer: bool = True) -> Diagram:
    """The diagram with `prefix` before every id, inside a frame of its own if `outer`."""
    top = f"{prefix.removesuffix('/')}{_NETWORK}" if outer else ""

    def home(frame: str) -> str:
        return f"{prefix}{frame}" if frame else top

    return replace(
        diagram,
        nodes=tuple(replace(node, id=f"{prefix}{node.id}", frame=home(node.frame)) for node in diagram.nodes),
        edges=tuple(replace(e, source=f"{prefix}{e.source}", target=f"{prefix}{e.target}") for e in diagram.edges),
        frames=tuple(replace(f, id=f"{prefix}{f.id}", frame=home(f.frame)) for f in diagram.frames),
    )


def _stages(diagram: Diagram) -> list[Node | Frame]:
    """The outermost parts, in order of the first node of each."""
    tops = {part.frame for part in diagram.parts if not part.frame or part.frame.endswith(_NETWORK)}
    first = {node.id: number for number, node in enumerate(diagram.nodes)}
    parts: list[Node | Frame] = [part for part in diagram.parts if part.frame in tops]
    return sorted(parts, key=lambda part: min((first[node.id] for node in _nodes_of(diagram, part)), default=0))


def _nodes_of(diagram: Diagram, stage: Node | Frame | None) -> list[Node]:
    if stage is None:
        return []
    if isinstance(stage, Node):
        return [stage]
    inside = {stage.id}
    for frame in diagram.frames:  # outer frames stand before inner ones
        if frame.frame in inside:
            inside.add(frame.id)
    return [node for node in diagram.nodes if node.frame in inside]


def _stage_pairs(old: Diagram, new: Diagram) -> Iterable[tuple[Node | Frame | None, Node | Frame | None]]:
    return _matched(_stages(old), _stages(new), lambda stage: stage.title, by_place=True)


def _rows(base: Diagram, *others: Diagram) -> Iterable[tuple[str, ...]]:
    beside: dict[str, list[str]] = {}
    for other in others:
        for ours, theirs in _stage_pairs(base, other):
            if ours is not None and theirs is not None:
                beside.setdefault(_entrance(base, ours), []).append(_entrance(other, theirs))
    return ((first, *rest) for first, rest in beside.items())


def _entrance(diagram: Diagram, stage: Node | Frame) -> str:
    """The first node of a stage that something outside leads to, ways round aside."""
    inside = [node.id for node in _nodes_of(diagram, stage)]
    entered = {e.target for e in diagram.edges if not e.bypass and e.source not in inside}
    return next((node for node in inside if node in entered), inside[0])


def _aligned(before: Sequence[Node], after: Sequence[Node]) -> Iterable[tuple[Node | None, Node | None]]:
    return _matched(before, after, lambda node: (node.title, node.kind, node.count > 1), by_place=False)


def _matched(
    before: Sequence[P], after: Sequence[P], key: Callable[[P], object], *, by_place: bool
) -> Iterable[tuple[P | None, P | None]]:
    """Pairs by the longest common sequence of keys; what lies between is paired in order if `by_place`, or alone."""
    matcher = SequenceMatcher(None, [key(p) for p in before], [key(p) for p in after], autojunk=False)
    for what, low, high, start, stop in matcher.get_opcodes():
        ours, theirs = list(before[low:high]), list(after[start:stop])
        if what == "equal" or by_place:
            shared = min(len(ours), len(theirs))
            yield from zip(ours[:shared], theirs[:shared], strict=True)
            ours, theirs = ours[shared:], theirs[shared:]
        yield from ((part, None) for part in ours)
        yield from ((None, part) for part in theirs)


def _marked(was: Node, now: Node) -> Node:
    equal = (was.shapes, was.count, was.details, was.figures) == (now.shapes, now.count, now.details, now.figures)
    if equal or (now.kind in ("input", "output") and was.shapes == now.shapes):
        return replace(now, state="same")
    return replace(now, state="changed", figures=_compared(now.figures, was.figures))


def _compared(now: Iterable[Figure], was: Iterable[Figure]) -> tuple[Figure, ...]:
    before = {figure.metric: figure.value for figure in was}
    return tuple(replace(figure, before=before.get(figure.metric)) for figure in now)


def _frame_with_before(frame: Frame, was: Node | Frame | None) -> Frame:
    return replace(frame, figures=_compared(frame.figures, was.figures)) if was is not None else frame


def _in_place(
    nodes: list[Node], removed: Mapping[str, list[Node]], partner: Mapping[str, str], old: Diagram
) -> list[Node]:
    """The nodes with those that are gone behind the last kept one that stood before them."""
    order = {node.id: number for number, node in enumerate(old.nodes)}
    kept = {partner[node.id]: order[node.id] for node in old.nodes if node.id in partner}
    gone = sorted((node for group in removed.values() for node in group), key=lambda node: order[node.id])
    found: list[Node] = []
    for node in nodes:
        while gone and node.id in kept and order[gone[0].id] < kept[node.id]:
            found.append(gone.pop(0))
        found.append(node)
    return [*found, *gone]


def _edges(old: Diagram, new: Diagram, partner: Mapping[str, str], ids: Iterable[str]) -> list[Edge]:
    mapped = {(partner.get(e.source, e.source), partner.get(e.target, e.target)): e for e in old.edges}
    made: list[Edge] = []
    for edge in new.edges:
        state: State = "" if mapped.pop((edge.source, edge.target), None) is not None else "added"
        made.append(replace(edge, state=state))
    known = set(ids)
    gone = [
        replace(edge, source=source, target=target, state="removed")
        for (source, target), edge in mapped.items()
        if source in known and target in known
    ]
    return made + gone
