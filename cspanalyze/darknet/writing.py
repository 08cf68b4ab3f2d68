"""Sections and networks -> the text of a network file."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from cspanalyze.darknet.sections import BACKBONE, Section
from cspanalyze.errors import UsageError

if TYPE_CHECKING:
    from torch import nn


def write_sections(sections: Iterable[Section]) -> str:
    """The text of a network file: one blank line between sections, none at the end. `read_text` undoes it."""
    blocks = []
    part = ""
    for section in sections:
        named = [f"# part: {section.part or BACKBONE}"] if section.part != part else []
        part = section.part
        lines = [*named, f"[{section.name}]", *(f"{option.key}={option.value}" for option in section.options)]
        blocks.append("\n".join(lines) + "\n")
    return "\n".join(blocks)


def cfg_text(model: nn.Module) -> str:
    """The network file of a network that was built from Darknet layers. Weights are not part of such a file.

    Raises:
        UsageError: it was not, or its modules have been changed since.
    """
    from cspanalyze.darknet.network import DarknetNet

    if not isinstance(model, DarknetNet):
        given = type(model).__name__
        raise UsageError(f"{given} is not made of Darknet layers: a .cfg file or a darknet/ network can be written")
    changed = model.changed_modules()
    if changed:
        raise UsageError(f"{changed[0]} is no longer as the network was built, so it cannot be written as a .cfg file")
    return write_sections(model.plan.sections)
