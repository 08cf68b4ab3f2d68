"""`latency()`: how long a network takes on the machine at hand, beside its twin and beside its roofline bound."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal, get_args

from cspanalyze.errors import CspanalyzeError, UsageError, require_word
from cspanalyze.hardware import Profile
from cspanalyze.pipeline.layouts import Layout, in_layout
from cspanalyze.pipeline.networks import Csp, loaded_of, twins_of, versions
from cspanalyze.results import CONTROL, Comparison, Record, Report, Result, Row, Subject
from cspanalyze.sources import Loaded, Request, load

if TYPE_CHECKING:
    from torch import nn

    from cspanalyze.measure.timing import Timing
    from cspanalyze.pipeline.networks import Network

Device = Literal["cpu", "cuda"]
_BASE = ""


@dataclass(frozen=True, slots=True)
class Conditions:
    """How to measure: `batches` one after another, each for `seconds`; `train` times forward, loss and backward.

    `threads` None means all processors that this process may use; `profile` adds the roofline bound of that hardware.
    """

    batches: tuple[int, ...] = (1,)
    train: bool = False
    layout: Layout = "nchw"
    compile: bool = False
    device: Device = "cpu"
    threads: int | None = None
    seconds: float = 5.0
    profile: Profile | None = None


@dataclass(frozen=True, slots=True)
class _Measured:
    """One network at one batch size."""

    timing: Timing
    peak_bytes: int | None
    bound_ms: float | None


def latency(
    model: Network,
    csp: Csp | None = None,
    conditions: Conditions = Conditions(),
    inputs: Sequence[Any] = (),
    kwargs: Mapping[str, Any] | None = None,
) -> Record:
    """Wall time, throughput and memory of a network, or of it, its CSP twin and, if asked for, the twin's control.

    All of them run in turn, round by round. A network that is named gets random weights and inputs; a module is run as
    it is, on a copy of its inputs with as many samples as the batch has. The record has one group for every batch size;
    `latency_ms` is the median over rounds, and `latency_iqr_ms` the distance between the quartiles. Without an
    optimiser's step: a training step is forward, the sum of the outputs as loss, and backward.

    Raises:
        CspanalyzeError: the network cannot be built with data, run, compiled or made partial.
    """
    from cspanalyze.measure import timing

    require_word("device", conditions.device, get_args(Device))
    require_word("layout", conditions.layout, get_args(Layout))
    if conditions.device == "cuda":
        import torch

        if not torch.cuda.is_available():
            raise UsageError("device cuda: torch sees no CUDA device here; leave it out to run on the CPU")
    threads, busy = conditions.threads or timing.processors(), timing.load()
    columns: list[dict[str, _Measured]] = []
    networks: list[Loaded] = []
    with timing.pinned(threads):
        for batch in conditions.batches:
            networks.append(_with_numbers(model, inputs, kwargs, batch))
            columns.append(_measured_at(networks[-1], csp, conditions))
            if len(networks) > 1:
                del networks[1:]  # only their figures are needed
    rounds = min(len(measured.timing.seconds) for column in columns for measured in column.values())
    notes = (
        *filter(None, (busy,)),
        f"measured on {timing.machine(conditions.device, threads)}",
        f"{'training step' if conditions.train else 'inference'}, {conditions.layout}"
        + (", torch.compile" if conditions.compile else ", eager")
        + f"; median of {rounds} rounds or more, interleaved",
    )
    base, *twins = (
        _report(networks[0], conditions, [column[variant] for column in columns], variant, notes)
        for variant in columns[0]
    )
    if csp is None:
        return base
    variants, sentences = [], []
    for twin in twins:
        name = twin.subject.variant
        ratios = [_paired(column[name], column[_BASE]) for column in columns]
        variants.append(replace(twin, results=(*twin.results, _ratio_result(name, conditions, ratios))))
        sentences += [ratio_sentence(name, *each) for each in zip(conditions.batches, ratios, strict=True)]
    return Comparison(base, tuple(variants), sentences=tuple(sentences))


def _with_numbers(model: Network, inputs: Sequence[Any], kwargs: Mapping[str, Any] | None, batch: int) -> Loaded:
    """The network with data, and inputs of that batch size."""
    wanted = Request(model) if isinstance(model, str) else model
    if isinstance(wanted, Request):
        if not wanted.input_from:
            wanted = replace(wanted, batch=batch)
        found = load(wanted).with_data()
    else:
        found = loaded_of(wanted, inputs, kwargs).with_data()
    if found is None:
        name = wanted.model if isinstance(wanted, Request) else type(wanted).__name__
        raise UsageError(f"{name} cannot be built with data, so it cannot be run")
    if isinstance(wanted, Request):
        return found
    # The caller's own would be moved, converted and trained.
    return _rebatched(replace(found, model=copy.deepcopy(found.model)), batch)


def _rebatched(loaded: Loaded, batch: int) -> Loaded:
    """The samples of the inputs again and again, until there are `batch` of them."""
    import torch
    from torch.utils._pytree import tree_map

    def repeated(leaf: Any) -> Any:
        if not isinstance(leaf, torch.Tensor) or not leaf.ndim or leaf.shape[0] == batch:
            return leaf
        return leaf[torch.arange(batch) % leaf.shape[0]]

    args, kwargs = tree_map(repeated, (loaded.args, dict(loaded.kwargs)))
    return replace(loaded, args=args, kwargs=kwargs)


def _measured_at(loaded: Loaded, csp: Csp | None, conditions: Conditions) -> dict[str, _Measured]:
    """The base and its twins at one batch size, by what they are called."""
    from cspanalyze.measure import timing

    models = {_BASE: loaded.model}
    if csp is not None:
        twins = twins_of(loaded.model, csp, loaded.args, loaded.kwargs)
        models |= {name: twin.model for name, twin in twins.items()}
    placed = [in_layout(replace(loaded, model=model), conditions.layout) for model in models.values()]
    bounds = [_bound_ms(each, conditions) for each in placed]
    steps = [_step(each, conditions) for each in placed]
    try:
        timings = timing.time_side_by_side(steps, conditions.seconds * len(steps), _synchronizer(conditions.device))
        peaks = [timing.peak_bytes(step, conditions.device) for step in steps]
    except CspanalyzeError:
        raise
    except Exception as error:
        what = "compile and run" if conditions.compile else "run"
        line = str(error).strip().partition("\n")[0]
        raise UsageError(f"{loaded.name} cannot {what} here: {type(error).__name__}: {line}") from error
    measured = (_Measured(*parts) for parts in zip(timings, peaks, bounds, strict=True))
    return dict(zip(models, measured, strict=True))


def _bound_ms(loaded: Loaded, conditions: Conditions) -> float | None:
    """Roofline time of a forward pass; of a training step no traffic is modelled."""
    if conditions.profile is None or conditions.train:
        return None
    from cspanalyze.pipeline.analysis import analyze
    from cspanalyze.pipeline.traffic import Traffic

    report = analyze(loaded, metrics=(), traffic=Traffic(conditions.profile, layout=conditions.layout, bound=True))
    if "roofline_us" not in report.metrics:
        return None
    return float(report.result("roofline_us").total or 0) / 1e3


def _step(loaded: Loaded, conditions: Conditions) -> Callable[[], Any]:
    import torch
    from torch.utils._pytree import tree_map

    from cspanalyze.tracing.values import tensors_in

    def moved(leaf: Any) -> Any:
        return leaf.to(conditions.device) if isinstance(leaf, torch.Tensor) else leaf

    model: nn.Module = loaded.model.to(conditions.device).train(conditions.train)
    args, kwargs = tree_map(moved, (loaded.args, dict(loaded.kwargs)))
    run: Any = torch.compile(model) if conditions.compile else model
    if not conditions.train:

        def infer() -> None:
            with torch.inference_mode():
                run(*args, **kwargs)

        return infer

    def train() -> None:
        outputs = [tensor for tensor in tensors_in(run(*args, **kwargs)) if tensor.requires_grad]
        torch.autograd.backward([tensor.sum() for tensor in outputs])
        model.zero_grad(set_to_none=True)

    return train


def _synchronizer(device: Device) -> Callable[[], None]:
    import torch

    return torch.cuda.synchronize if device == "cuda" else lambda: None


def _report(
    loaded: Loaded, conditions: Conditions, column: Sequence[_Measured], variant: str, notes: tuple[str, ...]
) -> Report:
    names = tuple(f"batch {batch}" for batch in conditions.batches)
    images = conditions.batches

    def result(metric: str, unit: str, values: Sequence[float | int | None], note: str = "") -> Result:
        rows = tuple(Row(name, "", value) for name, value in zip(names, values, strict=True))
        return Result(metric, unit, "measured", rows, None, additive=False, note=note)

    middles = [each.timing.quartiles[1] for each in column]
    spreads = [each.timing.quartiles[2] - each.timing.quartiles[0] for each in column]
    results = [
        result("latency_ms", "ms", [1e3 * middle for middle in middles]),
        result("latency_iqr_ms", "ms", [1e3 * spread for spread in spreads]),
        result("throughput", "1/s", [n / middle for n, middle in zip(images, middles, strict=True)]),
        result("measured_peak_bytes", "bytes", [each.peak_bytes for each in column]),
    ]
    if conditions.profile is not None and any(each.bound_ms is not None for each in column):
        note = f"of {conditions.profile.name} by the cache model: a bound, no prediction"
        bound = result("roofline_ms", "ms", [each.bound_ms for each in column], note)
        results.append(replace(bound, method="cache-model"))
    subject = Subject(
        name=loaded.name, source=loaded.source, inputs=loaded.inputs, mode="train" if conditions.train else "eval",
        method="measured", variant=variant, notes=(*loaded.notes, *notes), versions=versions(),
    )  # fmt: skip
    return Report(subject, names, tuple(results))


def _paired(twin: _Measured, base: _Measured) -> tuple[float, ...]:
    """The twin's time over the base's, round by round."""
    return tuple(ours / theirs for ours, theirs in zip(twin.timing.seconds, base.timing.seconds, strict=True))


def _ratio_result(variant: str, conditions: Conditions, ratios: Sequence[Sequence[float]]) -> Result:
    from cspanalyze.measure.timing import quartiles

    rows = tuple(
        Row(f"batch {batch}", "", middle, f"quartiles {low:.3f} and {high:.3f}")
        for batch, (low, middle, high) in zip(conditions.batches, map(quartiles, ratios), strict=True)
    )
    return Result("paired_ratio", f"{variant} / base", "measured", rows, None, additive=False)


def ratio_sentence(variant: str, batch: int, ratios: Sequence[float]) -> str:
    """Whether a variant is faster or slower than the base, by the interval of the median of paired ratios."""
    from cspanalyze.measure.timing import median_interval, quartiles

    middle, interval = quartiles(ratios)[1], median_interval(ratios)
    network = "the control" if variant == CONTROL else variant
    paired = f"paired ratio {middle:.2f}, median of {len(ratios)} rounds"
    if interval is not None:
        paired += f", 95 % interval {interval[0]:.2f} to {interval[1]:.2f}"
    if interval is None or interval[0] <= 1 <= interval[1]:
        return f"At batch {batch} the times of {network} and of the base do not differ clearly ({paired})."
    verb = "less" if middle < 1 else "more"
    return f"At batch {batch} {network} takes {100 * abs(middle - 1):.1f} % {verb} time than the base ({paired})."
