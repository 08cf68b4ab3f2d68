"""Records -> pandas data frames, read from their CSV form. pandas is imported when the first one is asked for."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

from cspanalyze.errors import UsageError
from cspanalyze.renderers.saved import Showable, render_saved
from cspanalyze.renderers.style import Style
from cspanalyze.results import Comparison, Report
from cspanalyze.study import Study

if TYPE_CHECKING:
    import pandas as pd

_WORDS = frozenset({
    "subject", "variant", "source", "inputs", "mode", "scope", "group", "metric", "unit", "method", "note", "kind",
    "module", "type", "presets", "reason", "network", "less", "layer", "figure", "where", "model", "printed", "status",
    "name", "input_size", "brief", "asked", "preset", "fusion", "inner", "error", "id", "title", "frame", "shape_in",
    "shape_out", "state", "stage", "skipped", "weight", "gradient", "program", "input",
})  # fmt: skip
"""Columns of text: a module may be called `0` or `nan`."""


def frame(record: Showable, *, wide: bool = False) -> pd.DataFrame:
    """The figures of a record, one row each, or with `wide` one column for each metric.

    Raises:
        UsageError: pandas is not installed, or the record has no rows.
    """
    try:
        import pandas as pd
    except ImportError as error:
        raise UsageError("data frames need pandas: pip install pandas") from error
    text = str(render_saved(record, "csv", Style()))
    named = text.partition("\n")[0].split(",")
    words = {name: "string" for name in named if name in _WORDS}
    read = pd.read_csv(
        io.StringIO(text),
        dtype=words,
        dtype_backend="numpy_nullable",
        keep_default_na=False,
        na_values=[""],
        true_values=["yes", "true"],
        false_values=["no", "false"],
    )
    for name in words:
        read[name] = read[name].fillna("")
    return _wide(read) if wide and isinstance(record, Report | Comparison | Study) else read


def _wide(long: pd.DataFrame) -> pd.DataFrame:
    """A row for each network and group in order, with `total` last; the columns are metrics."""
    import pandas as pd

    rows = long.assign(group=long["group"].where(long["scope"] != "total", "total"))
    columns = {
        metric: rows[rows["metric"] == metric].set_index(["subject", "variant", "group"])["value"].convert_dtypes()
        for metric in rows["metric"].unique()
    }
    order = pd.MultiIndex.from_frame(rows[["subject", "variant", "group"]]).unique()
    return pd.DataFrame(columns).reindex(order)
