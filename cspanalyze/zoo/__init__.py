"""The project's own networks: frozen configs in `tables/`, one small builder file a family.

Importing this package does not import torch; `create` does, and only then. A new network is one
row in its family's table.
"""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from dataclasses import fields, replace
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, cast

from cspanalyze.zoo.entry import Entry
from cspanalyze.zoo.tables import ROWS

if TYPE_CHECKING:
    from torch import nn

__all__ = ["NETWORKS", "Entry", "create", "names"]

NETWORKS: Mapping[str, Entry] = MappingProxyType({row.name: row for row in sorted(ROWS, key=lambda row: row.name)})
"""Every network of the zoo by name, sorted."""


def names() -> tuple[str, ...]:
    """The names `create` accepts, sorted."""
    return tuple(NETWORKS)


def create(name: str, **overrides: Any) -> nn.Module:
    """Build the network `name` with random weights, on the current default device.

    `overrides` replace fields of its config, for example `num_classes=10`. The module maps
    (N, *input_size) to (N, num_classes) logits.

    Raises KeyError for an unknown name, and ValueError for an override that is no field of the
    config or that the config refuses.
    """
    entry = NETWORKS[name]
    known = [field.name for field in fields(entry.config)]
    unknown = sorted(set(overrides) - set(known))
    if unknown:
        raise ValueError(f"{name} has no option {', '.join(unknown)}; its options are {', '.join(known)}")
    # By name, not by import: a top-level import of a builder would import torch.
    builder = importlib.import_module(f"{__name__}.{entry.family}")
    return cast("nn.Module", builder.build(replace(entry.config, **overrides)))
