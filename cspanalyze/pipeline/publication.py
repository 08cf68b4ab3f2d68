"""The printed numbers of the CSPNet paper beside those of the built-in networks. Imports torch only where it must."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

from cspanalyze import zoo
from cspanalyze.errors import UsageError
from cspanalyze.renderers.figures import percent
from cspanalyze.results import Publication, PublishedFigure, PublishedRow
from cspanalyze.zoo.tables.published import PUBLISHED, Published

SOURCE = "Wang et al. 2020, CSPNet (arXiv 1911.11929), and the README of its authors' repository"
_UNITS = {"weights": 1e6, "params": 1e6, "flops_darknet": 1e9, "cio_pool": 1e6}


def matching(part: str) -> tuple[Published, ...]:
    """The printed rows whose model, network or table has `part` in its name, whatever the case."""
    wanted = part.casefold()
    return tuple(row for row in PUBLISHED if wanted in f"{row.model}\n{row.network}\n{row.where}".casefold())


def publication(part: str = "") -> Publication:
    """The CSPNet paper's printed parameters, BFLOPs and CIO beside what is counted here (arXiv 1911.11929).

    Args:
        part: only rows with this in the name of the model, of the built-in network or of the table.

    Raises:
        UsageError: no row has it.

    >>> [(row.model, row.status) for row in publication("Figure 8").rows]
    [('ResNeXt-50', 'exact'), ('CSPResNeXt-50', 'exact')]
    """
    rows = matching(part)
    if not rows:
        raise UsageError(f"no printed row has {part!r} in its name; without it all are shown")
    return Publication(SOURCE, tuple(reproduce(rows)))


def reproduce(rows: Sequence[Published] = PUBLISHED) -> Iterator[PublishedRow]:
    """Every printed row with what is counted here, from the layers' options or from a trace; nothing is looked up."""
    for row in rows:
        printed = {row.rule: row.params_m, "flops_darknet": row.bflops, "cio_pool": row.cio_m}
        asked = {metric: text for metric, text in printed.items() if text}
        found = _counted(row, list(asked)) if row.network else {}
        figures = tuple(_figure(metric, text, found.get(metric)) for metric, text in asked.items())
        status, note = _status(row, figures)
        yield PublishedRow(row.where, row.model, row.network, row.side, figures, status, note)


def reconstruction(network: str) -> tuple[str, str]:
    """How far a built-in reconstruction is from what is printed of it: in computation, and in everything.

    Only networks of Darknet layers are counted, because that takes no trace.
    """
    rows = [row for row in PUBLISHED if row.network == network and not row.options]
    if not rows:
        return ("reconstruction, without counts to compare",) * 2
    if zoo.NETWORKS[network].family != "darknet_cfgs":
        return ("reconstruction, see `paper`",) * 2
    (row, *_) = reproduce(rows[:1])
    titles = {"weights": "weights", "flops_darknet": "BFLOPs"}
    told = [f"{titles[each.metric]} {percent(each.deviation or 0.0)}" for each in row.figures]
    return f"reconstruction, {told[-1]}", f"reconstruction, {', '.join(told)}"


def _figure(metric: str, printed: str, counted: int | None) -> PublishedFigure:
    """The deviation is that of the counted figure from the printed one, none where all printed digits agree."""
    unit = _UNITS[metric]
    if counted is None:
        return PublishedFigure(metric, printed, int(unit), None, None, None)
    digits = len(printed.partition(".")[2])
    agrees = f"{counted / unit:.{digits}f}" == printed
    return PublishedFigure(metric, printed, int(unit), counted, counted / unit / float(printed) - 1, agrees)


def _status(row: Published, figures: Sequence[PublishedFigure]) -> tuple[Any, str]:
    if not row.network:
        return "not built", "no definition is published"
    entry = zoo.NETWORKS[row.network]
    if entry.reconstruction:
        return "reconstruction", entry.note
    if all(figure.agrees for figure in figures):
        return "exact", ""
    return "differs", row.remark


def _counted(row: Published, metrics: Sequence[str]) -> dict[str, int]:
    entry = zoo.NETWORKS[row.network]
    if entry.family == "darknet_cfgs":  # counted from the layers' options, without torch
        return _from_plan(row)
    from cspanalyze.pipeline.analysis import analyze
    from cspanalyze.sources import Request, parse_inputs

    request = Request(row.network, row.options, parse_inputs((f"1x3x{row.side}x{row.side}",)))
    return {result.metric: int(result.total or 0) for result in analyze(request, metrics=metrics, by="op").results}


def _from_plan(row: Published) -> dict[str, int]:
    """Darknet layers are counted from their options, without torch."""
    from cspanalyze.darknet import count_plan, plan_network
    from cspanalyze.zoo.darknet_programs import sections

    config = replace(zoo.NETWORKS[row.network].config, side=row.side, **row.options)
    count = count_plan(plan_network(sections(config), row.network))
    return {
        "weights": count.kernel_elements,
        "params": count.parameters,
        "flops_darknet": count.darknet_flops,
        "cio_pool": count.cio_elements + count.pool_io_elements,
    }
