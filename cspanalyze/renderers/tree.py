"""Module paths as a tree: every row holds the sum of its children and of what the module does itself."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from cspanalyze.renderers.columns import heading
from cspanalyze.results import EVERYTHING, SELF, Number, Report, Result, within

Figures = tuple[Number, ...]


@dataclass(frozen=True, slots=True)
class Branch:
    """A module with everything below it. `figures` stand in the order of the results; `count` modules are drawn as one,
    and the figures are those of all of them together."""

    name: str
    figures: Figures
    children: tuple[Branch, ...] = ()
    count: int = 1

    def walk(self, depth: int = 0) -> Iterator[tuple[int, Branch]]:
        """This branch and all below it, each with its depth."""
        yield depth, self
        for child in self.children:
            yield from child.walk(depth + 1)


def branches(report: Report, results: Sequence[Result], *, fold: bool) -> list[Branch]:
    """The outermost modules of a report whose groups are module paths, in order.

    Raises:
        AssertionError: a sum of rows is not the total of its metric.
    """
    if not report.groups:
        return []
    root = _Node("")
    columns = [_by_group(result) for result in results]
    # Modules whose figures are no sums of their parts' cannot be added up to one row.
    fold = fold and not any(name.endswith(EVERYTHING) for column in columns for name in column)
    for group in report.groups:
        figures = tuple(
            column.get(group, 0 if r.additive else None) for column, r in zip(columns, results, strict=True)
        )
        node = root
        for part in group.split(".") if group else ():
            node = node.children.setdefault(part, _Node(part))
        node.own = figures
    adders = tuple(adder(result) for result in results)
    grown = _grown(root, adders, columns)
    for result, figure in zip(results, grown.figures, strict=True):
        assert not result.additive or None in (figure, result.total) or figure == result.total, result.metric
    # What the network does outside of every module stands beside them.
    outermost = [replace(part, name="") if part.name == SELF else part for part in grown.children or (grown,)]
    return _folded(outermost, adders) if fold else outermost


def _by_group(result: Result) -> dict[str, Number]:
    """Every group's figure, unknown where one of its rows is."""
    sums: dict[str, Number] = {}
    for row in result.rows:
        before = sums.get(row.module, 0)
        sums[row.module] = None if before is None or row.value is None else before + row.value
    return sums


@dataclass(slots=True)
class _Node:
    name: str
    own: Figures | None = None
    children: dict[str, _Node] = field(default_factory=dict)


Adder = Callable[[Sequence[Number]], Number]


def adder(result: Result) -> Adder:
    """How figures of the parts make that of the whole: sums, the larger peak, the smaller minimum, or unknown."""
    whole = sum if result.additive else heading(result.metric).whole

    def add(figures: Sequence[Number]) -> Number:
        known = [figure for figure in figures if figure is not None]
        if whole is None or not known or (result.additive and len(known) < len(figures)):
            return None
        return whole(known)

    return add


def _together(parts: Sequence[Figures], adders: Sequence[Adder]) -> Figures:
    if len(parts) == 1:
        return parts[0]
    return tuple(adder(column) for adder, column in zip(adders, zip(*parts, strict=True), strict=True))


def _grown(node: _Node, adders: Sequence[Adder], columns: Sequence[Mapping[str, Number]], path: str = "") -> Branch:
    """The node with the sums of its children, or the figures given for all of it; what it does itself is a child of its
    own where it shows in a figure."""
    inside = f"{path}." if path else ""
    children = [_grown(child, adders, columns, inside + name) for name, child in node.children.items()]
    parts = [child.figures for child in children]
    if node.own is not None:
        parts.append(node.own)
        if children and any(node.own):
            children.append(Branch(SELF, node.own))
    sums = _together(parts, adders)
    figures = tuple([column.get(within(path), figure) for column, figure in zip(columns, sums, strict=True)])
    return Branch(node.name, figures, tuple(children))


def _folded(siblings: Sequence[Branch], adders: Sequence[Adder]) -> list[Branch]:
    """Equal neighbours as one branch, on every level; equal means the same figures and parts all the way down."""
    runs: list[list[Branch]] = []
    for sibling in siblings:
        if runs and _repeats(runs[-1][-1], sibling) and _alike(runs[-1][0], sibling):
            runs[-1].append(sibling)
        else:
            runs.append([sibling])
    return [_one(run, adders) for run in runs]


def _repeats(one: Branch, other: Branch) -> bool:
    """Whether two neighbours can be one thing repeated: blocks, or layers of a list; not a norm and a dropout."""
    numbered = one.name.isdecimal() and other.name.isdecimal()
    return numbered or bool(one.children and other.children)


def _alike(one: Branch, other: Branch) -> bool:
    """Whether two branches differ in nothing but their own name."""
    if one.figures != other.figures or len(one.children) != len(other.children):
        return False
    pairs = zip(one.children, other.children, strict=True)
    return all(mine.name == theirs.name and _alike(mine, theirs) for mine, theirs in pairs)


def _one(run: Sequence[Branch], adders: Sequence[Adder]) -> Branch:
    """Alike branches as one, with the figures of all of them in every row."""
    first, count = run[0], len(run)
    children = _folded([_times(child, count, adders) for child in first.children], adders)
    if count == 1:
        return replace(first, children=tuple(children))
    name = f"{first.name}-{run[-1].name}" if first.name.isdecimal() else f"{first.name} ... {run[-1].name}"
    return Branch(name, _together([first.figures] * count, adders), tuple(children), count)


def _times(branch: Branch, count: int, adders: Sequence[Adder]) -> Branch:
    children = tuple(_times(child, count, adders) for child in branch.children)
    return replace(branch, figures=_together([branch.figures] * count, adders), children=children)
