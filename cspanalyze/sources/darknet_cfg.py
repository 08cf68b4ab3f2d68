"""`path/net.cfg`: a network file of Darknet, read as data."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from cspanalyze.darknet import build as network_of
from cspanalyze.darknet import plan_cfg
from cspanalyze.errors import SourceError
from cspanalyze.sources.construction import construct
from cspanalyze.sources.input_specs import InputSpec
from cspanalyze.sources.near_misses import did_you_mean
from cspanalyze.sources.request import Built, Source


def build(text: str, arguments: Mapping[str, Any], real: bool = False) -> Built:
    """Build the network of a file; its default input is the one that its `[net]` names.

    What is wrong with the file is found, and told with its line, before torch is imported.
    """
    file = Path(text)
    if arguments:
        raise SourceError(f"{text} is read as it is: leave out --arg, which is for what builds a network")
    if not file.exists():
        beside = [other.name for other in file.parent.glob("*.cfg")] if file.parent.is_dir() else []
        raise SourceError(f"there is no file {file}{did_you_mean(file.name, beside)}")
    plan = plan_cfg(file)
    model, note = construct(lambda: network_of(plan), {}, text, real)
    shape = plan.input
    sides = () if shape.size == (1, 1) else shape.size
    return Built(model, (InputSpec((plan.steps, shape.channels, *sides)),), note=note)


SOURCE = Source(
    prefix="",
    title="Darknet file",
    claims=lambda text: text.endswith(".cfg") and "://" not in text,
    build=build,
)
