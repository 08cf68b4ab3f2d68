"""Our count beside those of torch, fvcore and thop, with the computed reasons of every difference."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from cspanalyze.errors import UsageError
from cspanalyze.graph import ModelGraph
from cspanalyze.measure import native
from cspanalyze.measure.counts import EngineCount, Entry, Macs
from cspanalyze.measure.differences import differences
from cspanalyze.measure.quiet import quiet
from cspanalyze.results import Result, Row

if TYPE_CHECKING:
    from torch import nn

    from cspanalyze.measure.copies import Run

NATIVE = "cspanalyze"


@dataclass(frozen=True, slots=True)
class Engine:
    """A counting program: its name, the package to install for it, and the module here that runs it."""

    name: str
    package: str
    module: str


ENGINES: Mapping[str, Engine] = MappingProxyType(
    {
        engine.name: engine
        for engine in (
            Engine("torch", "torch", "cspanalyze.measure.by_torch"),
            Engine("fvcore", "fvcore", "cspanalyze.measure.by_fvcore"),
            Engine("thop", "thop", "cspanalyze.measure.by_thop"),
        )
    }
)
"""The other engines by name; `torch` is its FlopCounterMode."""


def count_with_engines(
    model: nn.Module,
    args: Sequence[Any],
    kwargs: Mapping[str, Any] | None = None,
    *,
    graph: ModelGraph | None = None,
    engines: Iterable[str] = tuple(ENGINES),
) -> tuple[EngineCount, ...]:
    """Count `model(*args, **kwargs)` with our formulas and with each of the named engines, on copies.

    The first record is ours. An engine that is not installed, or raises, gives a record that says so. Nothing is
    printed, and the model is left as it was.

    Args:
        model: any module; on the meta device, engines that need data get a copy with made-up data.
        args: its positional inputs.
        kwargs: its keyword inputs.
        graph: the trace of this very call, if there is one already.
        engines: names from `ENGINES`.

    Raises:
        UsageError: an unknown engine.
        TraceError: our own trace of the call failed.
    """
    wanted = tuple(dict.fromkeys(engines))
    unknown = [name for name in wanted if name not in ENGINES]
    if unknown:
        raise UsageError(f"there is no engine {unknown[0]!r}; known are {', '.join(ENGINES)}")
    from cspanalyze.measure.copies import Run
    from cspanalyze.tracing import trace

    run = Run(model, tuple(args), dict(kwargs or {}), graph or trace(model, *args, kwargs=kwargs))
    ours = native.count(run.graph)
    first = EngineCount(NATIVE, native.version(), sum(entry.macs for entry in ours), _by_operator(ours))
    return (first, *(_counted(ENGINES[name], run, ours) for name in wanted))


def _counted(engine: Engine, run: Run, ours: Sequence[Entry]) -> EngineCount:
    if find_spec(engine.package) is None:
        return EngineCount(engine.name, "", None, unavailable=f"not installed (pip install {engine.package})")
    version = ""
    try:
        with quiet():
            module = import_module(engine.module)
            version = module.version()
            count: Callable[[Run], tuple[list[Entry], str]] = module.count
            entries, note = count(run)
    except Exception as error:  # whatever a foreign program raises is its result
        return EngineCount(engine.name, version, None, unavailable=_why(error))
    total = sum(entry.macs for entry in entries)
    reasons = differences(ours, entries)
    return EngineCount(engine.name, version, total, _by_operator(entries), reasons, note=note)


def _why(error: Exception) -> str:
    if isinstance(error, UsageError):
        return str(error)
    line = str(error).strip().partition("\n")[0]
    return f"it raised {type(error).__name__}: {line}" if line else f"it raised {type(error).__name__}"


def _by_operator(entries: Iterable[Entry]) -> tuple[tuple[str, Macs], ...]:
    sums: dict[str, Macs] = {}
    for entry in entries:
        sums[entry.operator] = sums.get(entry.operator, 0) + entry.macs
    return tuple(sorted(sums.items(), key=lambda item: (-item[1], item[0])))


def engine_results(counts: Sequence[EngineCount]) -> tuple[Result, Result, Result]:
    """The counts as records with one group per engine: `engine_macs`, `engine_difference` and `engine_reasons`.

    The difference is in percent of our count, its notes sum the reasons up; it is None where the engine is unavailable
    or we count nothing. A reason is a row whose `op` says in words what is counted otherwise, in MACs.
    """
    ours = counts[0].macs
    macs = tuple(Row(count.engine, "", count.macs, count.unavailable or count.note) for count in counts)
    shares = tuple(Row(count.engine, "", _percent(count.macs, ours), count.explanation()) for count in counts)
    reasons = tuple(Row(count.engine, reason.words, reason.macs) for count in counts for reason in count.reasons)
    return (
        Result("engine_macs", "MAC", "trace", macs, ours, additive=False),
        Result("engine_difference", "%", "trace", shares, None, additive=False),
        Result("engine_reasons", "MAC", "trace", reasons, None, additive=False),
    )


def _percent(macs: Macs | None, ours: Macs | None) -> float | None:
    return 100 * (macs - ours) / ours if macs is not None and ours else None
