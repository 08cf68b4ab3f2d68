"""The text of one class for all modules of one make, with what differs between them as arguments."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field

MARK = "\x00"
PART = f"{MARK}part{MARK}"
"""In place of a value that may differ, and of a module of another class to be."""
_WIDTH = 100


@dataclass
class Made:
    """A class to be: `lines` with marks in place of `values`, and a made object for every child class in `parts`."""

    name: str
    parent: str
    init: list[str]
    forward: list[str]
    values: list[str]
    labels: list[str]
    parts: list[Made] = field(default_factory=list)

    @property
    def is_its_parent(self) -> bool:
        """Whether the class does nothing that its parent, one of torch's layers, does not do."""
        forward = ["def forward(self, x):", "x = super().forward(x)", "return x"]
        return self.forward == forward and len(self.init) == 1 and not self.parts

    @property
    def flat(self) -> tuple[str, ...]:
        """All values, those of the parts included."""
        return (*self.values, *(value for part in self.parts for value in part.flat))

    @property
    def key(self) -> tuple[object, ...]:
        return (self.name, self.parent, *self.init, "", *self.forward, *(part.key for part in self.parts))


class ClassText:
    """A class for all modules that differ only in numbers; those that differ are arguments."""

    def __init__(self, name: str, instances: list[Made], written: dict[tuple[object, ...], ClassText]) -> None:
        self.name, self._made, self._written = name, instances[0], written
        columns = list(zip(*(self._values(made) for made in instances), strict=True))
        labels = self._labels(instances[0])
        self._columns: list[tuple[str, ...]] = []
        self._names: list[str] = []
        self._at: dict[int, int] = {}
        for position, column in enumerate(columns):
            if len(set(column)) == 1:
                continue
            if column not in self._columns:
                self._columns.append(column)
                self._names.append(_unique(_parameter(labels[position]), self._names))
            self._at[position] = self._columns.index(column)
        self._constants = [column[0] for column in columns]
        self._rows = {id(made): index for index, made in enumerate(instances)}

    def arguments(self, made: Made) -> list[str]:
        """What an instance is built with."""
        return [column[self._rows[id(made)]] for column in self._columns]

    def text(self) -> str:
        counter = iter(range(len(self._made.values), len(self._constants)))
        parts = iter(self._made.parts)

        def filled(line: str) -> str:
            def put(found: re.Match[str]) -> str:
                if found.group(1) != "part":
                    return self._shown(int(found.group(1)))
                inner = self._written[next(parts).key]
                return f"{inner.name}({', '.join(self._shown(next(counter)) for _ in inner._columns)})"

            return re.sub(f"{MARK}(\\w+){MARK}", put, line)

        init = [filled(line) for line in self._made.init]
        forward = [filled(line) for line in self._made.forward]
        for name in self._names:  # what the forward reads is kept
            kept = [re.sub(rf"(?<![\w.=]){name}(?![\w(=])", f"self.{name}", line) for line in forward]
            init += [f"self.{name} = {name}"] if kept != forward else []
            forward = kept
        arguments = ", ".join(["self", *self._names])
        lines = [f"class {self.name}({self._made.parent}):", f"    def __init__({arguments}):"]
        if not init or not init[0].startswith("super()"):
            lines.append("        super().__init__()")
        if len(forward) > 2 and forward[-2].startswith(f"{forward[-1].removeprefix('return ')} = "):
            forward[-2:] = [f"return {forward[-2].partition(' = ')[2]}"]
        lines += wrapped(init, 8)
        lines += ["", f"    {forward[0]}", *wrapped(forward[1:], 8)]
        return "\n".join(lines)

    def _shown(self, position: int) -> str:
        return self._names[self._at[position]] if position in self._at else self._constants[position]

    def _values(self, made: Made) -> list[str]:
        return [*made.values, *(value for part in made.parts for value in self._written[part.key].arguments(part))]

    def _labels(self, made: Made) -> list[str]:
        return [*made.labels, *(name for part in made.parts for name in self._written[part.key]._names)]


def wrapped(lines: Sequence[str], indent: int, end: str = "") -> list[str]:
    """Indented lines, each with `end`, the long ones broken at the commas of their outermost brackets."""
    found = []
    for line in lines:
        pieces = _pieces(line) if indent + len(line) + len(end) > _WIDTH else None
        if pieces is None:
            found.append(" " * indent + line + end)
        else:
            head, items, tail = pieces
            comma = "," if len(items) > 1 else ""
            found += [" " * indent + head, *wrapped(items, indent + 4, comma), " " * indent + tail + end]
    return found


def _pieces(line: str) -> tuple[str, list[str], str] | None:
    """What stands before, in and behind the first brackets of a line, what is in them apart; None if it has none."""
    start = next((at for at, sign in enumerate(line) if sign in "([{"), None)
    if start is None:
        return None
    items, depth = [""], 0
    for at in range(start + 1, len(line)):
        sign = line[at]
        if sign in ")]}" and not depth:
            return (line[: start + 1], [item.strip() for item in items], line[at:]) if any(items) else None
        depth += (sign in "([{") - (sign in ")]}")
        if sign == "," and not depth:
            items.append("")
        else:
            items[-1] += sign
    return None


def identifier(name: str) -> str:
    """The name with an underscore for every sign that no name can have."""
    return re.sub(r"\W", "_", name)


def _parameter(label: str) -> str:
    short = {"in_channels": "in", "out_channels": "out", "in_features": "in", "out_features": "out"}
    for long, brief in short.items():
        label = label.replace(long, brief)
    name = identifier(label.removeprefix("self_"))
    return f"arg_{name}" if not name.isidentifier() or name in ("in", "out") else name


def _unique(name: str, taken: list[str]) -> str:
    number = 2
    unique = name
    while unique in taken:
        unique = f"{name}{number}"
        number += 1
    return unique
