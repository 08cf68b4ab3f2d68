"""Make every network of timm cross stage partial, prove each twin by its trace, and write docs/csp-coverage.md.

    python benchmarks/csp_sweep.py [--limit N] [--only PATTERN] [--again STATUS]

Takes a few minutes in one process, and goes on where it was stopped: what is known is kept in
benchmarks/results/csp.csv. Every network is built and traced without memory for weights.
"""

from __future__ import annotations

import argparse
import csv
import signal
import sys
import time
from dataclasses import asdict, dataclass, fields
from fnmatch import fnmatchcase
from pathlib import Path

from csp_page import page
from measurement import RESULTS

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "csp-coverage.md"
FILE = RESULTS / "csp.csv"
SECONDS = 120


@dataclass(frozen=True)
class Outcome:
    """What became of one network.

    `status` is "transformed", "no stage", "refused" or "failed"; `stages` are made partial, `left` were found and left
    as they are; `reason` says why there is none, or why some were left. MACs and parameters are those of the twin
    against the network's own, in percent.
    """

    model: str
    family: str
    status: str
    preset: str = ""
    stages: int = 0
    left: int = 0
    macs_percent: float | None = None
    params_percent: float | None = None
    reason: str = ""
    seconds: float = 0.0


def transform(name: str) -> Outcome:
    """Make one network partial at gamma .5 and prove the twin; what goes wrong is told in the record."""
    import timm

    from cspanalyze.errors import CspanalyzeError, CspError

    start = time.perf_counter()
    family = timm.models.model_entrypoint(name).__module__.rpartition(".")[2]

    def told(status: str, reason: str) -> Outcome:
        spent = round(time.perf_counter() - start, 2)
        return Outcome(name, family, status, reason=" ".join(reason.split()), seconds=spent)

    signal.alarm(SECONDS)
    try:
        return _transform(name, family, start)
    except CspError as error:
        nothing = "no staged convolution chain found" in str(error)
        wrong = str(error).startswith("the twin")
        return told("failed" if wrong else "no stage" if nothing else "refused", str(error))
    except TimeoutError:
        return told("failed", f"took more than {SECONDS} seconds")
    except CspanalyzeError as error:
        return told("failed", str(error))
    except Exception as error:
        return told("failed", f"{type(error).__name__}: {error}")
    finally:
        signal.alarm(0)


def _transform(name: str, family: str, start: float) -> Outcome:
    from cspanalyze.analyses import Grouping, run
    from cspanalyze.csp import to_csp
    from cspanalyze.csp.verifying import verify
    from cspanalyze.sources import load
    from cspanalyze.tracing import trace

    loaded = load(f"timm:{name}")
    twin = to_csp(loaded.model, *loaded.args, kwargs=loaded.kwargs)
    graph = trace(loaded.model, *loaded.args, kwargs=loaded.kwargs)
    made = verify(twin.model, graph, loaded.args, loaded.kwargs)
    figures = [
        [float(result.total or 0) for result in run(each, ("macs", "params"), Grouping.of(each, "op"))]
        for each in (graph, made)
    ]
    macs, params = (round(100 * (after / before - 1), 1) for before, after in zip(*figures, strict=True))
    partial = [change for change in twin.changes if not change.skipped]
    left = [change.skipped for change in twin.changes if change.skipped]
    return Outcome(
        name,
        family,
        "transformed",
        "+".join(dict.fromkeys(change.preset for change in partial)),
        len(partial),
        len(left),
        macs,
        params,
        "; ".join(dict.fromkeys(left)),
        round(time.perf_counter() - start, 2),
    )


def _stop(signum: int, frame: object) -> None:
    raise TimeoutError


def read() -> dict[str, Outcome]:
    """What earlier runs found."""
    if not FILE.exists():
        return {}
    with FILE.open(newline="") as file:
        rows = list(csv.DictReader(file))
    numbers = {"stages": int, "left": int, "macs_percent": float, "params_percent": float, "seconds": float}
    return {
        row["model"]: Outcome(
            **{
                key: numbers[key](v) if v and key in numbers else v or None if key in numbers else v
                for key, v in row.items()
            }
        )
        for row in rows
    }


def write(outcomes: dict[str, Outcome]) -> None:
    with FILE.open("w", newline="") as file:
        writer = csv.DictWriter(file, [field.name for field in fields(Outcome)], lineterminator="\n")
        writer.writeheader()
        writer.writerows(asdict(outcomes[name]) for name in sorted(outcomes))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--limit", type=int, default=0, help="stop after so many networks")
    parser.add_argument("--only", default="*", help="pattern of names")
    parser.add_argument("--again", default="", help="do networks of this status again, or all")
    options = parser.parse_args()
    import torch

    from cspanalyze.sources import timm as source

    source.SOURCE.names()  # imports timm beside any torchvision
    import timm

    torch.set_num_threads(1)
    signal.signal(signal.SIGALRM, _stop)
    known = read()
    names = [name for name in timm.list_models() if fnmatchcase(name, options.only)]
    left = [n for n in names if n not in known or options.again in ("all", known[n].status)]
    for number, name in enumerate(left[: options.limit or None], 1):
        known[name] = transform(name)
        print(f"{number}/{len(left)} {name}: {known[name].status} {known[name].reason[:150]}", file=sys.stderr)
        if number % 20 == 0:
            write(known)
    write(known)
    PAGE.write_text(page([known[name] for name in timm.list_models() if name in known]))


if __name__ == "__main__":
    main()
