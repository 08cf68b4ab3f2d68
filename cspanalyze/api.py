"""What Python users call that is not a function of the pipeline as it stands: networks by name or as modules, one or
several, and pictures that show themselves. No torch at import.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, get_args

from cspanalyze.designs import FRONT, DesignRow, Designs, with_front
from cspanalyze.diagrams.drawing import DRAWN
from cspanalyze.errors import UsageError, require_word
from cspanalyze.pipeline import drawing, studying
from cspanalyze.pipeline.contrasting import on_the_same_input
from cspanalyze.pipeline.designs import (
    FUSIONS,
    INNERS,
    PRESETS,
    Design,
    designs,
    measure_design,
    misfit,
    row_of,
    sweep_designs,
)
from cspanalyze.pipeline.latency import Conditions
from cspanalyze.pipeline.latency import latency as measured_latency
from cspanalyze.pipeline.networks import Csp, loaded_of, traced_of
from cspanalyze.pipeline.traffic import Traffic
from cspanalyze.saved import read_saved
from cspanalyze.sources import Loaded, Request

if TYPE_CHECKING:
    from concurrent.futures import Executor

    from cspanalyze.diagrams.record import Level, Metric
    from cspanalyze.hardware import Profile
    from cspanalyze.pipeline.drawing import View
    from cspanalyze.pipeline.latency import Device
    from cspanalyze.pipeline.layouts import Layout
    from cspanalyze.pipeline.networks import Network
    from cspanalyze.renderers.pictures import Direction, Theme
    from cspanalyze.renderers.pictures.picture import DiagramPicture, PlotPicture, SchematicPicture
    from cspanalyze.results import Record
    from cspanalyze.saved import Saved
    from cspanalyze.study import Study

All = Literal["all"]


def draw(
    model: Network,
    *inputs: Any,
    kwargs: Mapping[str, Any] | None = None,
    csp: Csp | None = None,
    against: Network | None = None,
    view: View = "both",
    level: Level = "stage",
    color_by: Metric | None = None,
    highlight: str = "",
    direction: Direction = "vertical",
    theme: Theme = "light",
) -> DiagramPicture:
    """Draw a network, alone or beside its CSP twin or another one.

    Args:
        model, inputs, kwargs: as for `analyze`.
        csp: how the twin is made that is drawn beside it.
        against: another network instead; it gets the same inputs.
        view: `both` beside each other, the second one alone (`twin`), or one picture of what differs (`diff`).
        level: what is a node: `network` (a stage), `stage` (a block), `block` (a layer with its norm and activation),
            `layer` (a module), `op` (an operation).
        color_by: cost that colours the nodes; `gradients`: in how many weight updates the same gradient enters.
        highlight: pattern of module paths, classes or titles to highlight.
        direction, theme: which way data flows, and the colours.

    Returns:
        A picture that a notebook shows; `.save("x.svg")`, also .png .pdf .dot .mmd and .html, a page to explore.

    Raises:
        CspanalyzeError: a network cannot be built, traced or made partial; nothing matches `highlight`.

    >>> picture = draw("resnet18", csp=Csp(gamma=0.5))
    >>> picture
    <DiagramPicture: resnet18 | resnet18 CSP, γ = 0.5>
    """
    from cspanalyze.diagrams.record import Level, Metric
    from cspanalyze.renderers.pictures import Direction, Look, Theme
    from cspanalyze.renderers.pictures.picture import DiagramPicture

    for name, word, words in (
        ("view", view, drawing.View),
        ("level", level, Level),
        ("direction", direction, Direction),
        ("theme", theme, Theme),
    ):
        require_word(name, word, get_args(words))
    if color_by is not None:
        require_word("color_by", color_by, get_args(Metric))
    if csp is not None and against is not None:
        raise UsageError("a picture compares two networks: give csp or against, not both")
    base = loaded_of(model, inputs, kwargs)
    other = None if against is None else on_the_same_input(against, base)
    shared: dict[str, Any] = {"csp": csp, "against": other, "view": view}
    metrics = (*DRAWN, "gradients") if color_by == "gradients" else DRAWN
    drawn = drawing.draw(base, level=level, metrics=metrics, highlight=highlight, **shared)
    return DiagramPicture(drawn, Look(theme, direction, color_by), lambda: drawing.outlines(base, **shared))


def schematic(
    model: Network,
    *inputs: Any,
    stage: str | int = 1,
    kwargs: Mapping[str, Any] | None = None,
    csp: Csp | None = None,
    every_fusion: bool = False,
    theme: Theme = "light",
) -> SchematicPicture:
    """Draw a stage as the CSPNet paper does (arXiv 1911.11929, figures 2 and 3); with `csp` above that of its twin.

    Args:
        model, inputs, kwargs: as for `analyze`.
        stage: its number or name.
        csp: how the twin is made.
        every_fusion: draw the twin in each of the three fusions.
        theme: colours for light or dark paper.

    Raises:
        CspanalyzeError: as `draw`; also where the network declares no stages, or not this one.

    >>> schematic("densenet121", stage=1, csp=Csp())
    <SchematicPicture: densenet121, stage1>
    """
    from cspanalyze.renderers.pictures import Theme
    from cspanalyze.renderers.pictures.picture import SchematicPicture

    require_word("theme", theme, get_args(Theme))
    base = loaded_of(model, inputs, kwargs)
    return SchematicPicture(drawing.sketch(base, str(stage), csp=csp, every_fusion=every_fusion), theme)


def plot(
    record: Any,
    kind: str = "",
    *,
    metric: str = "",
    x: str = "macs",
    y: str = "cio",
    profile: Profile | str = "",
    theme: Theme = "light",
    width: int = 900,
) -> PlotPicture:
    """Draw a record.

    Args:
        record: a report or comparison (kinds `bars`, `depth`, `icicle`, `treemap`, `roofline`, `capacity`), what
            `report` gives (also `gamma`), gradients (`readers`, `overlap`, `raster`) or a sweep (`pareto`).
        kind: without it the first one that suits the record. `depth` is best of rows `by="layer"`, `icicle` and
            `treemap` of rows `by="module"`; `roofline` and `capacity` need `traffic`.
        metric: which figure of the record; without it the one by which tables rank.
        x, y: the columns of a sweep that are drawn against each other.
        profile: hardware whose roof is drawn, by name, file or as a profile.
        theme, width: of pictures.

    Returns:
        A picture that a notebook shows; `.figure` is plotly's, `.save("x.html")`, also .svg .png .pdf.

    Raises:
        UsageError: there is no such kind, or the record does not hold what it draws.

    >>> from cspanalyze import analyze
    >>> plot(analyze("resnet18", metrics=("macs",)), metric="macs")
    <plot: MACs of resnet18>
    """
    from cspanalyze.hardware import DEFAULT
    from cspanalyze.pipeline.gradients import GradientStudy
    from cspanalyze.renderers.pictures import Theme
    from cspanalyze.renderers.pictures.picture import PlotPicture
    from cspanalyze.renderers.plots.choosing import KINDS, plotted_of
    from cspanalyze.renderers.plots.kinds import GRADIENT_PLOTS

    if kind and kind not in KINDS:
        raise UsageError(f"there is no kind of plot {kind!r}: choose from {', '.join(KINDS)}")
    require_word("theme", theme, get_args(Theme))
    drawn = record
    if isinstance(record, GradientStudy):
        drawn = record.records() if not kind or kind in GRADIENT_PLOTS else record.figures()
    return PlotPicture(plotted_of(drawn, kind, metric, profile or DEFAULT, axes=(x, y)), drawn, theme, width)


def sweep(
    models: Network | Sequence[Network],
    *inputs: Any,
    kwargs: Mapping[str, Any] | None = None,
    gammas: Sequence[float] | float = (0.5,),
    fusions: Sequence[str] | All = ("csp",),
    presets: Sequence[str] | All = ("auto",),
    inners: Sequence[str] | All = ("keep",),
    control: bool = False,
    front: Sequence[str] = FRONT,
    executor: Executor | None = None,
    progress: Callable[[DesignRow], None] = lambda row: None,
) -> Designs:
    """Make networks partial in every combination of gammas, fusions, presets and inner widths, and count each design.

    Args:
        models: one network or several; inputs and kwargs are those of every one that is a module.
        gammas: shares of channels that bypass the blocks, each between 0 and 1; or one.
        fusions, presets, inners: as in `Csp`, or "all". Of all presets, those that do not fit a network are left out.
        control: count the controls of the twins too.
        front: figures that decide which designs are on the Pareto front; less is better.
        executor: any executor of `concurrent.futures`, such as `cspanalyze.pipeline.workers.Workers` or Dask's
            `Client.get_executor(pure=False)`; its tasks are networks by name. None: one by one in this process.
        progress: told every row as soon as it is there.

    Returns:
        The rows in order, each network itself first; one that cannot be made says why in `error`.

    Raises:
        CspanalyzeError: a word or a figure is unknown, or a module is to be sent to an executor.

    >>> table = sweep("resnet18", gammas=(0.25, 0.5))
    >>> [(row.variant, row.gamma, row.macs) for row in table.rows]
    [('base', None, 1814073344), ('CSP', 0.25, 1184665600), ('CSP', 0.5, 879595520)]
    """
    listed = _listed(models)
    shares = (gammas,) if isinstance(gammas, int | float) else tuple(gammas)
    with_front([], front)
    fusions, inners = _words("fusion", fusions, FUSIONS), _words("inner", inners, INNERS)
    asked = _words("preset", presets, PRESETS, "auto")

    def tasks(names: Sequence[str]) -> tuple[Design, ...]:
        return designs(names, shares, fusions, asked, inners, control=control)

    rows = _here(listed, inputs, kwargs, tasks) if executor is None else _elsewhere(listed, tasks, executor)
    kept: list[DesignRow] = []
    for row in rows:
        if presets == "all" and misfit(row):
            continue
        kept.append(row)
        progress(row)
    order = {row_of(task).key: place for place, task in enumerate(tasks(list(dict.fromkeys(r.model for r in kept))))}
    kept.sort(key=lambda row: order[row.key])
    return Designs(tuple(with_front(kept, front)), tuple(front))


def latency(
    model: Network,
    *inputs: Any,
    kwargs: Mapping[str, Any] | None = None,
    csp: Csp | None = None,
    batches: Sequence[int] = (1,),
    train: bool = False,
    layout: Layout = "nchw",
    compile: bool = False,
    device: Device = "cpu",
    threads: int | None = None,
    seconds: float = 5.0,
    profile: Profile | str = "",
) -> Record:
    """Time a network on this machine, alone or with its CSP twin in paired, interleaved rounds.

    Args:
        model: as for `analyze`; weights and inputs of a named one are random. A module is copied first.
        inputs, kwargs: those of a module; their samples are repeated to each batch size.
        csp: how the twin is made.
        batches: batch sizes, one row each.
        train: time forward, loss and backward.
        layout: memory layout of maps, `nchw` or `channels-last`.
        compile: compile with `torch.compile` first.
        device: `cpu` or `cuda`.
        threads: each pinned to a processor; None for all.
        seconds: time to measure each network at each batch size.
        profile: hardware whose roofline bound stands beside the measurement, by name, file or as a profile.

    Raises:
        CspanalyzeError: the network cannot be built with data, run, compiled or made partial.

    >>> import torch
    >>> record = latency(torch.nn.Linear(16, 4), torch.rand(1, 16), batches=(1, 8), seconds=0.01, threads=1)
    >>> record.groups
    ('batch 1', 'batch 8')
    """
    from cspanalyze.hardware import find_profile

    if not batches or min(batches) < 1:
        raise UsageError(f"batches {tuple(batches)} are not possible: expected sizes from 1 on")
    found = (find_profile(profile) if profile else None) if isinstance(profile, str) else profile
    conditions = Conditions(tuple(batches), train, layout, compile, device, threads, seconds, found)
    return measured_latency(model, csp, conditions, inputs, kwargs)


def report(
    models: Network | Sequence[Network],
    *inputs: Any,
    kwargs: Mapping[str, Any] | None = None,
    csp: Csp | None = None,
    gammas: Sequence[float] = studying.GAMMAS,
) -> Study:
    """Everything about one network, about one beside its twin, or about several: what `cspanalyze report` writes.

    Args:
        models: the first one is what others are compared with; all get its input.
        inputs, kwargs: the input of a module.
        csp: how the twin of a single network is made.
        gammas: where twins are computed besides, for the plot against gamma.

    Returns:
        A record whose stages a notebook shows; `.save("report.html")` writes the page, `.save("report.json")` all data.

    Raises:
        CspanalyzeError: a network cannot be built, traced or made partial.

    >>> study = report("resnet18", csp=Csp(), gammas=())
    >>> study.stages.sentences[0]
    'CSP at gamma 0.5 lowers MACs by 51.5 %, parameters by 56.5 %, ...'
    """
    first, *others = _listed(models)
    if csp is not None and others:
        raise UsageError(f"a twin is compared with one network, and {1 + len(others)} are given")
    return studying.study([loaded_of(first, inputs, kwargs), *others], csp, gammas=gammas if csp is not None else ())


def simulate_traffic(
    model: str | Request, *inputs: Any, csp: Csp | None = None, traffic: Traffic | None = None
) -> Traffic:
    """Run a network for real under valgrind's cache simulation; about a minute for a small one.

    The traffic that is returned holds, beside what it was asked for, the bytes that every module brought into the cache
    (lines of 64 bytes, 16 ways, LRU, cold start; float32, one core). Give it to `analyze` or `compare` with the same
    network: the result shows `simulated_bytes` beside the model, and by how much that is off.

    Args:
        model: a network by name, because it is built again in the process that is simulated; weights are random.
        inputs: tensors of the shapes that it gets; without any those that it takes by default.
        csp: how the twin is made that is run too.
        traffic: capacity and layout; without it those of `Traffic()`.

    Raises:
        CspanalyzeError: valgrind is missing, this is no x86-64 Linux, or the network cannot be built with data.
    """
    from cspanalyze.measure.callgrind import require_valgrind
    from cspanalyze.pipeline.measuring import measured
    from cspanalyze.sources.input_specs import parse_input
    from cspanalyze.sources.inputs import written

    require_valgrind()
    request = Request(model) if isinstance(model, str) else model
    if inputs:
        request = replace(request, inputs=tuple(map(parse_input, written(inputs, {}))))
    return measured(Traffic() if traffic is None else traffic, "simulated", request, csp)


def read(path: str | PathLike[str]) -> Saved:
    """The record in a JSON file that `.save("x.json")` or the command line wrote. Nothing is traced.

    Raises:
        UsageError: the file cannot be read, or holds no such record.

    >>> from pathlib import Path
    >>> from tempfile import TemporaryDirectory
    >>> record = analyze("resnet18", metrics=("macs",))
    >>> with TemporaryDirectory() as folder:
    ...     record.save(Path(folder) / "run.json")
    ...     read(Path(folder) / "run.json") == record
    True
    """
    return read_saved(Path(path).expanduser())


def _listed(models: Network | Sequence[Network]) -> list[Network]:
    # A module list, a Sequential or a Darknet network may be a sequence of modules too, but it is one network.
    return list(models) if isinstance(models, list | tuple) else [models]  # type: ignore[list-item]


def _words(name: str, given: Sequence[str] | All, known: Sequence[str], *more: str) -> tuple[str, ...]:
    """The words of a list, or all that are known."""
    words = tuple(known) if given == "all" else (given,) if isinstance(given, str) else tuple(given)
    for word in words:
        require_word(name, word, (*known, *more))
    return words


def _here(
    models: Sequence[Network],
    inputs: Sequence[Any],
    kwargs: Mapping[str, Any] | None,
    tasks: Callable[[Sequence[str]], tuple[Design, ...]],
) -> Iterator[DesignRow]:
    """The designs one by one; each network is traced once."""
    seen: Counter[str] = Counter()
    for model in models:
        module = not isinstance(model, str | Request | Loaded)
        base = traced_of(loaded_of(model, inputs if module else (), kwargs if module else None))
        name = base.loaded.name
        seen[name] += 1  # modules of one class have one name
        for task in tasks([name if seen[name] == 1 else f"{name} {seen[name]}"]):
            yield measure_design(task, base)


def _elsewhere(
    models: Sequence[Network], tasks: Callable[[Sequence[str]], tuple[Design, ...]], executor: Executor
) -> Iterator[DesignRow]:
    names = [model for model in models if isinstance(model, str)]
    if len(names) < len(models):
        raise UsageError(
            "an executor gets networks by name (a module: path/file.py:FUNCTION); leave it out for modules"
        )
    return sweep_designs(tasks(names), executor)
