"""thop (pytorch-OpCounter)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from importlib import import_module
from importlib.metadata import version as version_of
from typing import Any

from torch import nn

from cspanalyze.measure.copies import Flat, Run, flat_copy
from cspanalyze.measure.counts import Entry, Macs

_PREFIXES = {"Conv": "convolution", "Linear": "linear", "LSTM": "recurrent", "GRU": "recurrent", "RNN": "recurrent"}


def version() -> str:
    """Version of thop."""
    return version_of("thop")


def count(run: Run) -> tuple[list[Entry], str]:
    """Its operations, which are multiply-adds, by module class, and on what it ran.

    It looks at modules only, so functional calls count nothing. It leaves buffers and hooks behind: on the copy.
    """
    thop = import_module("thop")
    with flat_copy(run) as flat:
        _, _, tree = thop.profile(flat, flat.tensors, verbose=False, ret_layer_info=True)
        # It reports a module that hangs in two places at both; we book it where it hangs first.
        first = {id(module): path for path, module in flat.named_modules()}
        entries = []
        for path, macs in _own(tree):
            module = flat.get_submodule(path)
            name = type(module).__name__
            entries.append(Entry(Flat.path(first[id(module)]), name, _family(module), macs))
    return entries, "on meta tensors" if run.on_meta else "on real tensors"


def _own(tree: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Macs]]:
    """(path, operations) of every module by itself; thop adds those of the modules in it."""
    for name, (total, _, children) in tree.items():
        path = f"{prefix}{name}"
        own = total - sum(child[0] for child in children.values())
        if own:
            yield path, int(own) if float(own).is_integer() else float(own)
        yield from _own(children, f"{path}.")


def _family(module: nn.Module) -> str:
    name = type(module).__name__
    return next((family for prefix, family in _PREFIXES.items() if name.startswith(prefix)), name)
