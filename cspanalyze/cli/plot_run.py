"""From the options of `plot` to its file: what is drawn, read or traced, and in which form it is written."""

from __future__ import annotations

import contextlib
import sys
from pathlib import Path
from typing import Any

from cspanalyze.cli.commands.plot import OF_A_CHIP, PlotOptions
from cspanalyze.cli.destination import Destination, destination
from cspanalyze.cli.execution import csp_of, refuse_gaps, request_of
from cspanalyze.cli.waiting import waiting
from cspanalyze.errors import UsageError
from cspanalyze.hardware import DEFAULT, find_profile
from cspanalyze.renderers import format_of_suffix
from cspanalyze.renderers.plots.choosing import PARETO_CAPTION, Plotted, plotted_of, record_of
from cspanalyze.renderers.plots.kinds import GRADIENT_PLOTS, RECORD_PLOTS, pareto_plot
from cspanalyze.renderers.plots.series import metric_of
from cspanalyze.renderers.plots.static import PICTURES, check_pictures
from cspanalyze.saved import SUFFIX, Saved, read_rows, read_saved


def _format(suffix: str) -> str:
    """The format that a suffix stands for, the pictures among them."""
    return suffix.lower().lstrip(".") if suffix.lower() in PICTURES else format_of_suffix(suffix, PICTURES)


def run_plot(options: PlotOptions) -> None:
    """Draw the plot and write it.

    Raises:
        CspanalyzeError: the options, the network, the saved file or the output are off.
    """
    target = destination(options, _format)
    pictured = f".{target.format}" in PICTURES
    if pictured:
        check_pictures()
    elif target.format not in ("html", "json") and options.kind not in RECORD_PLOTS:
        raise UsageError(f"--kind {options.kind} has no form in text: name a file, -o FILE.html")
    if options.kind == "pareto":
        _write_pareto(options, target)
        return
    saved = _material(options)
    if pictured or target.format == "html":
        plotted = plotted_of(saved, options.kind, options.metric, options.profile or DEFAULT, options.model)
        _write(target, plotted, options)
    elif target.format == "table":
        from cspanalyze.renderers.barchart import render_bars

        record = record_of(saved, options.kind, options.model)
        target.write(render_bars(record, metric_of(record, options.metric), target.style))
    else:
        from cspanalyze.renderers.saved import render_saved

        target.write(render_saved(saved, target.format, target.style))
    if options.strict:
        refuse_gaps(record_of(saved, options.kind, options.model))


def _write_pareto(options: PlotOptions, target: Destination) -> None:
    if target.format == "json":
        raise UsageError(
            "--kind pareto draws figures that are in the file already: name a picture or page, -o FILE.html"
        )
    figure = pareto_plot(read_rows(Path(options.model)), options.x or "macs", options.y or "cio")
    _write(target, Plotted(figure, PARETO_CAPTION, (f"drawn from {options.model}",)), options)


def _material(options: PlotOptions) -> Saved:
    """What is drawn: read from a file, or traced."""
    if options.model.lower().endswith(SUFFIX) and ":" not in options.model:
        return read_saved(Path(options.model))
    request, csp = request_of(options), csp_of(options) if options.csp else None
    # What a user's file prints must not end up in the middle of a JSON document.
    with contextlib.redirect_stdout(sys.stderr), waiting(f"analysing {options.model}"):
        if options.kind == "gamma" or options.kind in GRADIENT_PLOTS:
            from cspanalyze.pipeline.studying import GAMMAS, study

            return study([request], csp, gammas=GAMMAS if options.kind == "gamma" else ())
        from cspanalyze.pipeline import analyze, compare
        from cspanalyze.pipeline.traffic import Traffic

        suited = RECORD_PLOTS[options.kind].by if options.kind in RECORD_PLOTS else "layer"
        by = options.by or suited
        asked: dict[str, Any] = {"metrics": (options.metric or "macs",), "by": by, "depth": options.depth}
        if options.kind in ("roofline", "capacity") or options.metric in OF_A_CHIP:
            asked["traffic"] = Traffic(find_profile(options.profile or DEFAULT))
        if options.metric in OF_A_CHIP:
            asked["metrics"] = ("macs",)  # the cache model adds its own
        return analyze(request, **asked) if csp is None else compare(request, csp=csp, **asked)


def _write(target: Destination, plotted: Plotted, options: PlotOptions) -> None:
    if target.format == "html":
        target.write(plotted.page())
        return
    with waiting("drawing"):
        content = plotted.picture(f".{target.format}", options.theme, options.width)
    target.write(content)
