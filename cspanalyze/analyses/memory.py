"""Peak activation memory, from the lives of the storages in the trace."""

from __future__ import annotations

from collections.abc import Container
from itertools import accumulate

from cspanalyze.analyses.registry import analysis
from cspanalyze.analyses.view import View
from cspanalyze.graph import ModelGraph
from cspanalyze.results import Number, Result


@analysis("peak_bytes")
def peak_bytes(view: View) -> Result:
    """Largest number of bytes of live activations and inputs while any operation runs; weights are not in it.

    A storage lives from the operation that allocates it up to the first one for which it is gone, as in the run that
    was traced. Temporary buffers of the convolution library are not counted. A group's figure is the peak while its
    own operations run, so the total is the largest of them, not their sum.
    """
    return peak_of(view, "peak_bytes", live_bytes(view.graph))


def live_bytes(graph: ModelGraph, left_out: Container[int] = ()) -> list[int]:
    """Bytes of live activations and inputs while each operation runs, without the storages that are `left_out`."""
    count = len(graph.ops)
    change = [0] * (count + 1)
    for storage in graph.storages:
        if storage.kind in ("activation", "input") and storage.alloc < count and storage.index not in left_out:
            change[max(storage.alloc, 0)] += storage.nbytes
            if storage.free is not None:
                change[min(max(storage.free, 0), count)] -= storage.nbytes
    return list(accumulate(change[:count]))


def peak_of(view: View, metric: str, live: list[int]) -> Result:
    """The largest figure of every group and of all, of one figure for each operation."""
    groups: dict[str, Number] = {}
    for amount, group in zip(live, view.grouping.of_op, strict=True):
        groups[group] = max(groups.get(group) or 0, amount)
    return view.one_per_group(metric, "bytes", groups, max(live, default=0), note="excluding library workspace")
