"""From the options of `gradients` to its output."""

from __future__ import annotations

import contextlib
import json
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from cspanalyze.cli.destination import Destination, destination
from cspanalyze.cli.execution import csp_of, refuse_gaps, request_of, write
from cspanalyze.cli.session import note
from cspanalyze.cli.waiting import waiting
from cspanalyze.errors import UsageError
from cspanalyze.files import check_writable, write_file

if TYPE_CHECKING:
    from cspanalyze.cli.commands.gradients import GradientsOptions
    from cspanalyze.pipeline.gradients import GradientStudy

_BATCH, _DRAWS, _STEPS = 32, 5, 100


def run_gradients(options: GradientsOptions) -> None:
    """Study the gradient flow as the options say, and write what they ask for.

    Raises:
        CspanalyzeError: the options, the network or a file are off; IncompleteError under `--strict`.
    """
    options.check()
    target = destination(options)
    path = _record_path(options)
    if options.measured:
        _measure(options, target)
        return
    request = request_of(options)
    from cspanalyze.pipeline.gradients import gradients

    with contextlib.redirect_stdout(sys.stderr), waiting(f"following gradients of {options.model}"):
        csp = csp_of(options) if options.csp else None
        study = gradients(request, csp=csp, by=options.by, depth=options.depth, unit=options.unit)
    if path is not None:
        _write_record(path, study, options.force)
    if options.equations:
        from cspanalyze.renderers.equations import render_equations

        target.write(render_equations(study.equations(options.stage), target.format, target.style))
        return
    figures = study.figures()
    write(figures, options, target)
    if options.strict:
        refuse_gaps(figures)


def _measure(options: GradientsOptions, target: Destination) -> None:
    sized = options.batch is not None or options.input or options.input_from
    request = request_of(options if sized else replace(options, batch=_BATCH))
    from cspanalyze.pipeline.gradient_measurement import Measuring, measure_gradients

    measuring = Measuring(
        draws=_DRAWS if options.draws is None else options.draws,
        data=options.data or "synthetic",
        mode=options.mode or "train",
        training_steps=(options.steps or _STEPS) if options.after_training else 0,
        wake=options.wake,
    )
    csp = csp_of(options) if options.csp else None
    with contextlib.redirect_stdout(sys.stderr), waiting(f"measuring {options.model}"):
        record = measure_gradients(request, csp=csp, measuring=measuring)
    from cspanalyze.renderers.gradient_measurement import render_measurement

    target.write(render_measurement(record, target.format, target.style, layers=options.by == "layer"))


def _record_path(options: GradientsOptions) -> Path | None:
    if not options.record:
        return None
    path = Path(options.record)
    if path.suffix != ".json":
        raise UsageError(f"--record {path} has another suffix than .json")
    check_writable(path, options.force)
    return path


def _write_record(path: Path, study: GradientStudy, force: bool) -> None:
    write_file(path, json.dumps(study.records().to_json(), indent=1) + "\n", force=force)
    note(f"wrote {path}")
