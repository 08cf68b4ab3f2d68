"""Measured gradients of a network and its variants -> table, Markdown, LaTeX, JSON or CSV."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Sequence

from cspanalyze.gradient_flow.measured import (
    FIGURES,
    Estimate,
    GradientMeasurement,
    MeasuredNetwork,
    Structure,
    Value,
    measurement_to_json,
)
from cspanalyze.renderers.figures import UNKNOWN
from cspanalyze.renderers.grid import Block, Cell, Column, Document, Grid, Line
from cspanalyze.renderers.style import Style

TITLES = {
    "realised_duplication": "realised duplication D_emp",
    "realised_share": "realised share D_emp/D",
    "consumer_cosine": "consumer cosine",
    "coherence": "gradient coherence",
    "layer_similarity": "layer similarity",
    "layer_duplication": "layer duplication",
    "term_contrast": "term contrast",
    "same_consumer": "one consumer",
    "same_producer": "one producer",
    "unrelated": "nothing in common",
    "signal_to_noise": "signal-to-noise ratio",
}
"""Every measured figure as people read it."""
STRUCTURE = {
    "duplication": "D of the structure",
    "channel_duplication": "D_c of the structure",
    "source_overlap": "source overlap",
}
"""What the structure gives, as people read it."""
_OVERLAP = (
    "source overlap = mean Jaccard index of the gradient sources of two layers, in the structure; a stage's D, D_c and "
    "D_emp are of the gradient that its own layers send"
)
_PARTS = ("same_consumer", "same_producer", "unrelated")
_DECIMALS = 4
_FIELDS = ("scope", "network", "less", "stage", "layer", "figure", "mean", "half_width_95", "draws", "null")
_STAGE_FIGURES = ("realised_duplication", "consumer_cosine", "layer_similarity")
_LAYER_FIGURES = (
    "gradient_norm", "weight_gradient_norm", "signal_to_noise", "consumer_cosine", "coherence",
)  # fmt: skip


def render_measurement(record: GradientMeasurement, format: str, style: Style, *, layers: bool = False) -> str:
    """The record in any of the formats that a run can be written in; `layers` adds a table of every network's layers.

    JSON and CSV always hold them.
    """
    if format == "json":
        return json.dumps(measurement_to_json(record), indent=1) + "\n"
    if format == "csv":
        return _csv(record)
    from cspanalyze.renderers import render_document

    return render_document(_document(record, layers), format, style)


def written(value: Estimate | None, decimals: int = _DECIMALS) -> str:
    """`0.0350 ± 0.0040`; without the interval where there is one draw."""
    if value is None or value.mean is None:
        return UNKNOWN
    mean = f"{value.mean:.{decimals}f}"
    return mean if value.half_width is None else f"{mean} ± {value.half_width:.{decimals}f}"


def _document(record: GradientMeasurement, layers: bool) -> Document:
    variants = [network.variant for network in record.networks if network.variant != "base"]
    beside = f" and its {' and '.join(variants)}" if variants else ""
    grids = [_figures(record), *([_differences(record)] if record.differences else [])]
    if any(len(network.groups) > 1 for network in record.networks):
        grids.append(_stages(record))
    if layers:
        grids += [_layers(network) for network in record.networks]
    explained = [f"{TITLES[metric]} = {meaning}" for metric, meaning in FIGURES.items() if metric not in _PARTS]
    explained.insert(0, _OVERLAP)
    interval = "± = half of the 95 % t-interval of the mean over draws; null = what independent noise gives"
    versions = ", ".join(f"{package} {version}" for package, version in record.versions)
    norms = {"train": "norms use the batch's statistics", "eval": "norms use their running statistics"}[record.mode]
    how = (
        f"{record.draws} draws, batches of {record.batch}, data {record.data}; loss: {record.loss}; {record.mode} "
        f"mode: {norms}; weights {f'after {record.training}' if record.training else 'as initialised'}; {versions}"
    )
    notes = [f"note: {note}" for note in record.notes]
    title = f"Measured gradients of {record.model} ({record.source}){beside}, input {', '.join(record.inputs)}"
    return Document(title, tuple(grids), (*explained, interval, how, *notes), record.sentences)


def _figures(record: GradientMeasurement) -> Grid:
    """The structure's ratios and the measured figures, a column for each network."""
    networks = record.networks
    columns = (*(Column(network.variant) for network in networks), Column("null", "noise"))
    lines = [
        Line((title,), (*(_plain(getattr(network.structure, name)) for network in networks), Cell()))
        for name, title in STRUCTURE.items()
    ]
    if record.training:
        losses = [Cell(written(network.training_loss)) for network in networks]
        lines.append(Line(("training loss",), (*losses, Cell())))
    for metric in TITLES:
        found = [network.figure(metric) for network in networks]
        cells = (*(Cell(written(figure.estimate)) for figure in found), _plain(found[0].null))
        lines.append(_line(metric, cells))
    return Grid((Column("", align="left"),), columns, tuple(Block((line,)) for line in lines))


def _differences(record: GradientMeasurement) -> Grid:
    """The measured figures again, a column for each pair of networks."""
    columns = tuple(Column(f"{each.of}-{each.less}") for each in record.differences)
    found = [dict(each.figures) for each in record.differences]
    lines = [_line(metric, [_difference(figures[metric]) for figures in found]) for metric in TITLES]
    blocks = tuple(Block((line,)) for line in lines)
    return Grid((Column("", align="left"),), columns, blocks, "Differences by draw (* = the interval leaves out 0)")


def _stages(record: GradientMeasurement) -> Grid:
    """Every stage by itself: each network, then each difference."""
    names = dict.fromkeys(
        group.name
        for network in record.networks
        for group in network.groups
        if any(value.mean is not None for _, value in group.figures)
    )
    blocks = []
    for name in names:
        lines = []
        for network in record.networks:
            for group in network.groups:
                if group.name == name:
                    known, given = dict(group.figures), [getattr(group.structure, part) for part in STRUCTURE]
                    measured = [Cell(written(known[metric])) for metric in _STAGE_FIGURES]
                    lines.append(Line(("", network.variant), (*map(_plain, given), *measured)))
        for difference in record.differences:
            for stage, figures in difference.groups:
                if stage == name:
                    found = [_difference(dict(figures)[metric]) for metric in _STAGE_FIGURES]
                    blank = [Cell()] * len(STRUCTURE)
                    lines.append(Line(("", f"{difference.of}-{difference.less}"), (*blank, *found)))
        lines[0] = Line((name, lines[0].labels[1]), lines[0].cells)
        blocks.append(Block(tuple(lines)))
    labels = (Column("stage", align="left"), Column("", align="left"))
    columns = tuple(map(Column, ("D", "D_c", "source overlap", "D_emp", "consumer cosine", "layer similarity")))
    return Grid(labels, columns, tuple(blocks), "Stages by themselves (* = the interval of a difference leaves out 0)")


def _line(metric: str, cells: Sequence[Cell]) -> Line:
    return Line((TITLES[metric],), tuple(cells), depth=1 if metric in _PARTS else 0)


def _difference(value: Estimate) -> Cell:
    text = written(value)
    return Cell(f"{text} *" if value.clear else text, "" if value.clear else "faint")


def _plain(value: Value) -> Cell:
    return Cell(UNKNOWN, "faint") if value is None else Cell(f"{value:.{_DECIMALS}f}")


def _layers(network: MeasuredNetwork) -> Grid:
    titles = ("|gradient|", "|weight gradient|", "signal to noise", "consumer cosine", "coherence")
    columns = (*(Column(title) for title in titles), Column("dead", "draws"))
    blocks = []
    for layer in network.layers:
        values: Sequence[Estimate] = [getattr(layer, name) for name in _LAYER_FIGURES]
        cells = [Cell(_short(value)) for value in values]
        cells.append(Cell(str(layer.dead_draws), "worse" if layer.dead_draws else "faint"))
        blocks.append(Block((Line((layer.name,), tuple(cells)),)))
    return Grid((Column("layer", align="left"),), columns, tuple(blocks), f"Layers of {network.variant}")


def _short(value: Estimate) -> str:
    if value.mean is None:
        return UNKNOWN
    return f"{value.mean:.3g}" if value.half_width is None else f"{value.mean:.3g} ± {value.half_width:.2g}"


def _csv(record: GradientMeasurement) -> str:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(_FIELDS)

    def row(place: Sequence[str], figure: str, value: Estimate, null: Value = None) -> None:
        parts = ["" if part is None else part for part in (value.mean, value.half_width, value.draws, null)]
        writer.writerow([*place, figure, *parts])

    def structure(place: Sequence[str], given: Structure) -> None:
        for name in STRUCTURE:
            row(place, name, Estimate(getattr(given, name), None, 0))

    for network in record.networks:
        structure(("network", network.variant, "", "", ""), network.structure)
        for figure in network.figures:
            row(("network", network.variant, "", "", ""), figure.metric, figure.estimate, figure.null)
        for group in network.groups:
            structure(("stage", network.variant, "", group.name, ""), group.structure)
            for metric, value in group.figures:
                row(("stage", network.variant, "", group.name, ""), metric, value)
        for layer in network.layers:
            for name in _LAYER_FIGURES:
                row(("layer", network.variant, "", layer.group, layer.name), name, getattr(layer, name))
    for difference in record.differences:
        for metric, value in difference.figures:
            row(("difference", difference.of, difference.less, "", ""), metric, value)
        for stage, figures in difference.groups:
            for metric, value in figures:
                row(("difference", difference.of, difference.less, stage, ""), metric, value)
    return text.getvalue()
