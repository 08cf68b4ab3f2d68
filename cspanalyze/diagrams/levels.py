"""Which boxes are seen: how far a level opens the network, and what it draws as one."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

from cspanalyze.diagrams.boxes import Box
from cspanalyze.diagrams.folding import runs
from cspanalyze.diagrams.naming import kind_of, kind_of_op
from cspanalyze.diagrams.record import Level
from cspanalyze.diagrams.wiring import Wiring


@dataclass(frozen=True, slots=True)
class Seen:
    """A box as it is drawn: `members` are the equal boxes that it stands for, itself first.

    With `parts` it is a frame around them, without it is a node.
    """

    members: tuple[Box, ...]
    parts: tuple[Seen, ...] = ()

    @property
    def box(self) -> Box:
        """The first of the members, which is drawn."""
        return self.members[0]

    def leaves(self, around: tuple[tuple[Box, ...], ...] = ()) -> Iterator[tuple[Seen, tuple[tuple[Box, ...], ...]]]:
        """The nodes inside, itself if it is one, each with the members of the frames around it, outermost first."""
        if not self.parts:
            yield self, around
        for part in self.parts:
            yield from part.leaves((*around, self.members))


def seen(root: Box, level: Level, wiring: Wiring) -> tuple[Seen, ...]:
    """What is seen of a network at a level, outermost boxes first.

    `network`: a node a stage. `stage`: a node a block, in a frame for each stage. `block`: a node a layer with its
    norm and activation, in a frame for each block. `layer`: a node a module without parts. `op`: a node an operation,
    none left out and none drawn as one.
    """
    return tuple(_opened(root, level, wiring, depth=0))


def _opened(box: Box, level: Level, wiring: Wiring, depth: int) -> Iterator[Seen]:
    shown = [child for child in box.children if wiring.shows(child)]
    if level in ("network", "stage", "block"):
        shown = list(_units(shown, wiring))
    groups = [(child,) for child in shown] if level == "op" else runs(shown, wiring)
    for members in groups:
        first = members[0]
        if not _opens(first, level, depth):
            yield Seen(members)
            continue
        inner = depth + (0 if first.role != "stage" and _holds_blocks(first) else 1)
        parts = tuple(_opened(first, level, wiring, inner))
        # A frame around a single thing says nothing that the thing does not.
        if len(parts) == 1 and len(members) == 1 and first.role != "stage":
            yield parts[0]
        elif len(parts) == 1 and not parts[0].parts and first.role != "stage":
            yield Seen(members)
        else:
            yield Seen(members, parts)


def _opens(box: Box, level: Level, depth: int) -> bool:
    if box.role in ("op", "unit"):
        return False
    if level == "op":
        return len(box.children) > 1 or not box.is_leaf
    if box.is_leaf or level == "network":
        return False
    if level == "layer":
        return True
    if box.weighted < 2 and box.type:
        return False
    if box.role == "stage" or _holds_blocks(box):
        return True
    return level == "block" and depth < 2 and box.weighted > 1


def _holds_blocks(box: Box) -> bool:
    """Whether the parts of a box are blocks: neighbours of one class that hold several layers each, or a plain
    sequence of such."""
    blocks = [child for child in box.children if not child.is_leaf and child.role == "module" and child.weighted > 1]
    types = [child.type for child in blocks]
    return any(a == b for a, b in pairwise(types)) or (box.type == "Sequential" and bool(blocks))


_FOLLOWERS = ("norm", "activation")
_LEADERS = ("conv", "linear", "norm", "add", "multiply", "pool", "embedding")


def _units(siblings: Sequence[Box], wiring: Wiring) -> Iterable[Box]:
    """Layers together with the norm and the activation behind them."""
    units: list[Box] = []
    for box in siblings:
        last = units[-1] if units else None
        if last is not None and _leads(last, box) and wiring.follows_alone(last, box):
            parts = (*(last.children if last.role == "unit" else (last,)), box)
            units[-1] = Box("unit", last.id, last.path, "", last.label, (*last.ops, *box.ops), parts)
        else:
            units.append(box)
    return units


def _leads(box: Box, follower: Box) -> bool:
    if follower.weighted or not follower.ops or any(kind_of_op(op) not in _FOLLOWERS for op in follower.ops):
        return False
    return (box.is_leaf or box.role == "unit" or box.weighted == 1) and kind_of(box) in _LEADERS
