"""A sweep over ways to make networks partial: from options to one table."""

from __future__ import annotations

import math
from collections.abc import Sequence
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import TYPE_CHECKING

from cspanalyze.cli.destination import Destination, destination
from cspanalyze.cli.execution import fed
from cspanalyze.cli.options import OutputOptions
from cspanalyze.cli.row_file import RowFile
from cspanalyze.cli.session import note
from cspanalyze.cli.sweep_run import executor_of, keeping, matched, progress
from cspanalyze.errors import IncompleteError, UsageError

if TYPE_CHECKING:
    from cspanalyze.cli.commands.sweep import SweepOptions
    from cspanalyze.pipeline.designs import Design


def run_designs(options: SweepOptions) -> None:
    """Sweep the designs that the options ask for; with a file, a row goes there as soon as it is done.

    Raises:
        CspanalyzeError: the options or the file are off; IncompleteError under `--strict`.
    """
    from cspanalyze.designs import FIELDS, Designs, row_from, texts, with_front
    from cspanalyze.pipeline.designs import misfit, row_of, sweep_designs

    front = tuple(part.strip() for part in options.front.split(","))
    with_front([], front)
    file = RowFile(Path(options.rows_file) if options.rows_file else None, FIELDS)
    target: Destination = destination(options.rest)
    asked = _Asked(options)
    rows = [row_from(each) for each in file.begin(force=options.force, resume=options.resume)] if file.path else []
    models = matched(options)
    tasks = asked(models)
    there = {row.key for row in rows}
    left = [task for task in tasks if row_of(task).key not in there]
    with (
        progress(len(tasks), len(tasks) - len(left)) as advance,
        keeping(file),
        executor_of(options, models, len(left)) as executor,
    ):
        for row in sweep_designs(left, executor):
            rows.append(row)
            if file.path:
                file.append(texts(row))
            advance(row)
    unfit = [row for row in rows if options.preset == "all" and misfit(row)]
    order = {row_of(task).key: place for place, task in enumerate(tasks)}
    kept = sorted((row for row in rows if row not in unfit), key=lambda row: order.get(row.key, len(order)))
    marked = with_front(kept, front)
    failed = sum(bool(row.error) for row in marked)
    if file.path is not None:
        file.rewrite(texts(row) for row in marked)
    if file.path is None or options.rest != OutputOptions():
        from cspanalyze.renderers.designs import render_designs

        target.write(render_designs(Designs(tuple(marked), front), target.format, target.style))
    where = f"; wrote {file.path}" if file.path else ""
    left_out = f", {len(unfit)} left out whose preset does not fit" if unfit else ""
    note(f"{len(marked)} designs: {len(marked) - failed} counted, {failed} failed{left_out}{where}")
    if options.strict and failed:
        raise IncompleteError(f"{failed} designs failed")


class _Asked:
    """The designs of networks, as the options want them; what they say is checked at once."""

    def __init__(self, options: SweepOptions) -> None:
        from cspanalyze.pipeline.designs import FUSIONS, INNERS, PRESETS

        self._gammas = gammas(options.gamma or "0.5")
        self._fusions = _words("--fusion", options.fusion or "csp", FUSIONS)
        self._presets = _words("--preset", options.preset or "auto", PRESETS, "auto")
        self._inners = _words("--inner", options.inner or "keep", INNERS)
        self._control = options.control
        self._request = fed("", options)

    def __call__(self, models: Sequence[str]) -> tuple[Design, ...]:
        from cspanalyze.pipeline.designs import designs

        words = (self._gammas, self._fusions, self._presets, self._inners)
        return designs(models, *words, control=self._control, request=self._request)


def gammas(text: str) -> tuple[float, ...]:
    """The numbers of a list like `0.25,0.5` or of a range like `0.1:0.9:0.1`, both ends included.

    Raises:
        UsageError: it is neither, or a number does not lie between 0 and 1.
    """
    found: list[Decimal] = []
    try:
        for part in text.split(","):
            numbers = [Decimal(number.strip()) for number in part.split(":")]
            if len(numbers) == 1:
                found += numbers
                continue
            start, stop, step = numbers
            if not (step > 0 and stop >= start and math.isfinite(step) and (stop - start) / step < 1000):
                raise ValueError
            found += [start + step * number for number in range(int((stop - start) / step) + 1)]
    except (ValueError, InvalidOperation) as error:
        raise UsageError(
            f"--gamma {text} cannot be read: expected numbers like 0.25,0.5 or a range like 0.1:0.9:0.1"
        ) from error
    if outside := [number for number in found if not (number.is_finite() and 0 < number < 1)]:
        raise UsageError(
            f"--gamma {float(outside[0]):g} is not possible: gamma is the share of channels that bypasses the blocks, "
            "so it must lie between 0 and 1"
        )
    return tuple(dict.fromkeys(map(float, found)))


def _words(name: str, text: str, known: Sequence[str], *more: str) -> tuple[str, ...]:
    """The words of a list, or all that are known."""
    words = tuple(dict.fromkeys(part.strip() for part in text.split(",")))
    if words == ("all",):
        return tuple(known)
    if unknown := [word for word in words if word not in (*known, *more)]:
        raise UsageError(f"{name} {unknown[0]} is not possible: choose from {', '.join((*known, *more))}, all")
    return words
