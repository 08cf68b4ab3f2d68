"""The record of one network of the zoo."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Entry:
    """One network: its name, the config it is built from, and where its definition comes from.

    `family` names the builder: `cspanalyze.zoo.<family>` has `build(config) -> nn.Module`.
    """

    name: str
    family: str
    config: Any
    """A frozen dataclass of the family's table file; its fields are what `create` lets a caller override."""
    input_size: tuple[int, int, int]
    """Channels, height and width of the default input: the size at which the definition is usually reported."""
    source: str
    """One line: the definition followed, with the paper."""
    note: str = ""
    """Where the network departs from its paper; empty where it does not."""
    reconstruction: bool = False
    """Whether it is read from a paper's words and numbers, because no definition of it was published."""
