"""`resnet50`, `darknet53`: the project's own networks."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

from cspanalyze import zoo
from cspanalyze.errors import SourceError
from cspanalyze.sources.construction import construct
from cspanalyze.sources.input_specs import InputSpec
from cspanalyze.sources.near_misses import did_you_mean
from cspanalyze.sources.request import Built, Listing, Source


def build(name: str, arguments: Mapping[str, Any], real: bool = False) -> Built:
    """Build a network of the zoo; `arguments` replace fields of its config."""
    if name not in zoo.NETWORKS:
        raise SourceError(f"there is no built-in network {name!r}{did_you_mean(name, zoo.names())}")
    model, note = construct(partial(zoo.create, name), arguments, f"the built-in network {name}", real)
    return Built(model, (InputSpec((1, *zoo.NETWORKS[name].input_size)),), note=note)


def listing(name: str) -> Listing:
    """The zoo's own words about one of its networks."""
    entry = zoo.NETWORKS[name]
    note = f"{entry.source}; {entry.note}" if entry.note else entry.source
    size = "x".join(map(str, entry.input_size))
    return Listing(name, "built in", size, note, entry.source.partition(",")[0], entry.reconstruction)


def count(name: str) -> int | None:
    """Parameters of a network of Darknet layers, from its plan; None for others, which must be built to be counted."""
    from cspanalyze.darknet import count_plan, plan_network
    from cspanalyze.zoo.darknet_programs import sections

    entry = zoo.NETWORKS[name]
    if entry.family != "darknet_cfgs":
        return None
    return count_plan(plan_network(sections(entry.config), name)).parameters


SOURCE = Source(
    prefix="builtin",
    title="built in",
    claims=lambda text: text.startswith("builtin:") or text in zoo.NETWORKS,
    build=build,
    names=zoo.names,
    has=lambda name: name in zoo.NETWORKS,
    listing=listing,
    count=count,
)
