"""Count every network that timm can create, compare with published figures, and write docs/accuracy.md.

    python benchmarks/accuracy.py [--processes 2] [--limit N]

Takes a few minutes. Every network is built and traced without memory for weights. Beside the published table, each
network is counted a second time by torch's FlopCounterMode, which shares no code with ours.
"""

from __future__ import annotations

import argparse
import csv
import multiprocessing
import sys
from collections.abc import Iterator
from dataclasses import asdict, dataclass, fields
from pathlib import Path

from accuracy_page import page
from measurement import RESULTS

ROOT = Path(__file__).parents[1]
SAMPLE = ROOT / "tests" / "reference" / "timm_sample.csv"
PAGE = ROOT / "docs" / "accuracy.md"


@dataclass(frozen=True)
class Counted:
    """One network at its default input size, as created and with its branches and norms merged where it has such.

    `fvcore` is MACs in fvcore's convention; `merged_*` equal the others where nothing can be merged. `extras` are what
    fvcore's convention adds to the MACs, by operator; `torch_reasons` why FlopCounterMode differs, "" if it does not.
    """

    model: str
    input: str = ""
    params: int = 0
    macs: int = 0
    fvcore: int = 0
    activations: int = 0
    merged_params: int = 0
    merged_fvcore: int = 0
    merged_activations: int = 0
    extras: str = ""
    operations: int = 0
    uncovered: str = ""
    coverage_percent: float = 0.0
    method: str = ""
    torch_macs: int | None = None
    torch_reasons: str = ""
    failure: str = ""


def count(name: str) -> Counted:
    import torch

    torch.set_num_threads(1)
    from cspanalyze.errors import CspanalyzeError

    try:
        return _count(name)
    except CspanalyzeError as error:
        return Counted(name, failure=str(error).partition("\n")[0])


def _count(name: str) -> Counted:
    from cspanalyze.analyses import Grouping, run
    from cspanalyze.costs import cost_of
    from cspanalyze.measure import count_with_engines
    from cspanalyze.sources import load
    from cspanalyze.tracing import trace

    loaded = load(f"timm:{name}")
    graph = trace(loaded.model, *loaded.args, kwargs=loaded.kwargs)
    wanted = ("params", "macs", "flops_fvcore", "activations")
    results = run(graph, wanted, Grouping.of(graph, "op"))
    params, macs, fvcore, activations = (int(result.total or 0) for result in results)
    uncovered = results[1].uncovered
    missing = sum(entry.count for entry in uncovered)
    extras: dict[str, int] = {}
    for op in graph.ops:
        cost = cost_of(op, graph)
        if cost is not None and cost.fvcore_extra:
            extras[op.name] = extras.get(op.name, 0) + cost.fvcore_extra
    other = count_with_engines(loaded.model, loaded.args, loaded.kwargs, graph=graph, engines=["torch"])[1]
    merged = _merged(loaded.model, loaded.args) or (params, fvcore, activations)
    return Counted(
        name,
        " ".join(loaded.inputs),
        params,
        macs,
        fvcore,
        activations,
        *merged,
        extras=" ".join(f"{operator}={amount}" for operator, amount in sorted(extras.items())),
        operations=len(graph.ops),
        uncovered=" ".join(f"{entry.op}={entry.count}" for entry in uncovered),
        coverage_percent=round(100 * (1 - missing / max(1, len(graph.ops))), 3),
        method=graph.method,
        torch_macs=None if other.macs is None else int(other.macs),
        torch_reasons=other.explanation(9),
    )


def _merged(model: object, args: tuple[object, ...]) -> tuple[int, int, int] | None:
    """Parameters, fvcore-convention MACs and activations with branches and norms merged; None if it has none."""
    import torch
    from timm.utils.model import reparameterize_model

    from cspanalyze.analyses import Grouping, run
    from cspanalyze.tracing import trace

    mergeable = ("fuse", "reparameterize", "switch_to_deploy")
    if not any(hasattr(module, name) for module in model.modules() for name in mergeable):  # type: ignore[attr-defined]
        return None
    try:
        with torch.device("meta"):
            graph = trace(reparameterize_model(model), *args)
    except Exception:  # some merge by value and cannot without data; they stay as they are
        return None
    results = run(graph, ("params", "flops_fvcore", "activations"), Grouping.of(graph, "op"))
    params, fvcore, activations = (int(result.total or 0) for result in results)
    return params, fvcore, activations


def all_counts(processes: int, limit: int | None) -> list[Counted]:
    from cspanalyze.sources import timm

    names = sorted(timm.names())[:limit]
    context = multiprocessing.get_context("spawn")
    with context.Pool(processes) as pool:
        return sorted(_reported(pool.imap_unordered(count, names, chunksize=4), len(names)), key=lambda c: c.model)


def _reported(found: Iterator[Counted], total: int) -> Iterator[Counted]:
    for number, counted in enumerate(found, 1):
        if number % 50 == 0 or counted.failure:
            print(f"{number}/{total} {counted.model} {counted.failure}", file=sys.stderr, flush=True)
        yield counted


def _write(path: Path, counts: list[Counted]) -> None:
    path.parent.mkdir(exist_ok=True)
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, [field.name for field in fields(Counted)], lineterminator="\n")
        writer.writeheader()
        writer.writerows(map(asdict, counts))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--limit", type=int, help="only the first so many networks; writes no page")
    parser.add_argument("--from-csv", type=Path, help="write the page from the CSV file of an earlier run")
    arguments = parser.parse_args()
    table = RESULTS / "timm.csv"
    if arguments.from_csv is None:
        counts = all_counts(arguments.processes, arguments.limit)
        _write(table, counts)
    if arguments.limit is None:
        with (arguments.from_csv or table).open() as counted, SAMPLE.open() as published:
            PAGE.parent.mkdir(exist_ok=True)
            PAGE.write_text(page(list(csv.DictReader(counted)), list(csv.DictReader(published))))


if __name__ == "__main__":
    main()
