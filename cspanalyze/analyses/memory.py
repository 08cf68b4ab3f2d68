"""Peak activation memory, from the lives of the storages in the trace."""

from __future__ import annotations

from cspanalyze.analyses.registry import analysis
from cspanalyze.analyses.view import View
from cspanalyze.results import Number, Result


@analysis("peak_bytes")
def peak_bytes(view: View) -> Result:
    """Largest number of bytes of live activations and inputs while any operation runs; weights are not in it.

    A storage lives from the operation that allocates it up to the first one for which it is gone, as in the run that
    was traced. Temporary buffers of the convolution library are not counted. A group's figure is the peak while its
    own operations run, so the total is the largest of them, not their sum.
    """
    graph = view.graph
    count = len(graph.ops)
    change = [0] * (count + 1)
    for storage in graph.storages:
        if storage.kind in ("activation", "input"):
            change[max(storage.alloc, 0)] += storage.nbytes
            if storage.free is not None:
                change[min(max(storage.free, 0), count)] -= storage.nbytes
    groups: dict[str, Number] = {}
    live = peak = 0
    for index, group in enumerate(view.grouping.of_op):
        live += change[index]
        groups[group] = max(groups.get(group) or 0, live)
        peak = max(peak, live)
    return view.one_per_group("peak_bytes", "bytes", groups, peak, note="excluding library workspace")
