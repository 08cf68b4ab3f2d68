"""Darknet's network files: text -> sections -> plan (every shape worked out) -> `nn.Module`, and back to text.

Importing this package does not import torch; `load_cfg` and `build` do. Sections, plans and counts never need it.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from cspanalyze.darknet.counting import Count, count, count_plan
from cspanalyze.darknet.layers import Layer, Plan, Shape
from cspanalyze.darknet.planning import plan_network
from cspanalyze.darknet.sections import Option, Section, read_bytes, read_file, read_text
from cspanalyze.darknet.writing import cfg_text, write_sections

if TYPE_CHECKING:
    from cspanalyze.darknet.network import DarknetNet

__all__ = [
    "Count",
    "Layer",
    "Option",
    "Plan",
    "Section",
    "Shape",
    "build",
    "cfg_text",
    "count",
    "count_plan",
    "load_cfg",
    "plan_cfg",
    "plan_network",
    "read_bytes",
    "read_file",
    "read_text",
    "write_sections",
]


def plan_cfg(path: str | Path) -> Plan:
    """The plan of a file: shapes and counts, without torch.

    Raises:
        SourceError: there is no such file, or it holds no network that can be built.
    """
    return plan_network(read_file(path), str(path))


def load_cfg(path: str | Path) -> DarknetNet:
    """The network of a file, with random weights on the current default device.

    Its `input_shape` is the input that the file names, the batch as long as one sequence (1 without recurrent layers).

    Raises:
        SourceError: there is no such file, or it holds no network that can be built.
    """
    return build(plan_cfg(path))


def build(plan: Plan) -> DarknetNet:
    """The network of a plan, with random weights on the current default device."""
    from cspanalyze.darknet.network import DarknetNet

    return DarknetNet(plan)
