"""fvcore's FlopCountAnalysis."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from importlib.metadata import version as version_of
from typing import Any

from cspanalyze.measure.copies import Flat, Run, flat_copy
from cspanalyze.measure.counts import Entry

_FAMILIES = {
    "conv": "convolution",
    "linear": "linear",
    "matmul": "matmul",
    "mm": "matmul",
    "addmm": "matmul",
    "bmm": "matmul",
    "einsum": "matmul",
}


def version() -> str:
    """Version of fvcore."""
    return version_of("fvcore")


def count(run: Run) -> tuple[list[Entry], str]:
    """What it calls FLOPs and counts once per multiply-add, and on what it ran.

    It traces with torch.jit, which cannot run on meta tensors: where there is no data, some is made up.
    """
    analysis_class = import_module("fvcore.nn").FlopCountAnalysis
    with flat_copy(run, with_data=True) as flat:
        analysis: Any = analysis_class(flat, flat.tensors)
        analysis.unsupported_ops_warnings(False).uncalled_modules_warnings(False).tracer_warnings("none")
        counts: Mapping[str, Mapping[str, float]] = analysis.by_module_and_operator()
    note = "on made-up data" if run.on_meta else "on real tensors"
    return [entry for path in counts for entry in _own(path, counts)], note


def _own(path: str, counts: Mapping[str, Mapping[str, float]]) -> list[Entry]:
    """What was counted directly in a module: its figure minus those of the modules in it."""
    own = dict(counts[path])
    for child in counts:
        if child and child.rpartition(".")[0] == path:
            for operator, macs in counts[child].items():
                own[operator] -= macs
    return [
        Entry(Flat.path(path), operator, _FAMILIES.get(operator, operator), int(macs))
        for operator, macs in own.items()
        if macs
    ]
