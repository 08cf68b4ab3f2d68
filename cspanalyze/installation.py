"""What is installed beside this program, as records: every part, what it gives, and how to get it."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Literal

State = Literal["ok", "found", "missing", "broken"]
"""`ok` was tried and works; `found` is installed, and was not tried."""


@dataclass(frozen=True, slots=True)
class Part:
    """A package, a program or a device.

    `said` is what was found out, or why it does not work; `get` is empty if it is there.
    """

    name: str
    kind: Literal["core", "package", "program", "device"]
    state: State
    version: str
    gives: str
    said: str = ""
    get: str = ""


@dataclass(frozen=True, slots=True)
class Installation:
    """All parts, in the order in which they are shown."""

    parts: tuple[Part, ...]

    def to_json(self) -> dict[str, Any]:
        """As JSON-ready data."""
        return {"schema": 1, "kind": "installation", "parts": [asdict(part) for part in self.parts]}
