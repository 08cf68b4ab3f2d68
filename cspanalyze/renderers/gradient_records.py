"""Gradient structure -> page, table or data."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence

from cspanalyze.gradient_flow.record import GradientRecord
from cspanalyze.renderers.grid import Document
from cspanalyze.renderers.report import GRADIENTS_ABOUT, duplication_grid, gradient_section
from cspanalyze.renderers.style import Style

_FIELDS = (
    "network", "layer", "module", "group", "channels", "read_channels", "trainable", "most_readers", "mean_readers",
    "sources", "from_loss", "longest_path", "source_timestamps",
)  # fmt: skip


def render_gradient_records(records: Sequence[GradientRecord], format: str, style: Style) -> str:
    """A page with the plots, a table of the whole networks, or as CSV one row for each layer.

    `sources` counts the layers that send it gradient; `longest_path` is in layers.
    """
    names = " and ".join(record.network for record in records)
    if format == "html":
        from cspanalyze.renderers.html import Page, render_page

        return render_page(Page(f"Gradients of {names}", (), (gradient_section(records),)))
    if format == "csv":
        return _csv(records)
    from cspanalyze.renderers import render_document

    return render_document(
        Document(f"Gradients of {names}", (duplication_grid(records),), (GRADIENTS_ABOUT,)), format, style
    )


def _csv(records: Sequence[GradientRecord]) -> str:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(_FIELDS)
    for record in records:
        for layer in record.layers:
            writer.writerow([
                record.network, layer.name, layer.module, layer.group, layer.channels, layer.read_channels,
                str(layer.trainable).lower(), layer.most_readers, layer.mean_readers, len(layer.sources),
                str(layer.from_loss).lower(), len(layer.path_counts) - 1, layer.source_timestamps,
            ])  # fmt: skip
    return text.getvalue()
