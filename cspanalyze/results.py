"""Plain records between the analyses and the renderers: tidy, frozen, and the same through JSON and back.

Every table, CSV file, plot and picture reads these and nothing else, so a saved run is rendered again without torch.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Literal

from cspanalyze.errors import UsageError
from cspanalyze.json_form import plain, structured
from cspanalyze.showing import Shown

SCHEMA_VERSION = 1
EVERYTHING = ".*"
CONTROL = "control"
"""Variant name of a twin's depth-matched control: the same transitions, gamma 0, no split."""
SELF = "(self)"
"""How output names what a module, or the network, computes itself, outside of its submodules: their path is shown."""
Number = int | float | None
Method = Literal["trace", "closed form", "cache-model", "simulated", "counter", "measured", "architecture"]


def within(module: str) -> str:
    """What the row of a module with all that is in it is called, where that is no sum over its parts: `layer1.*`."""
    return module + EVERYTHING


@dataclass(frozen=True, slots=True)
class Row:
    """One figure. `module` is a path or stage name, `op` the operation type ("" for all), `value` None if unknown.

    `layer1.*` as a module is all that is in `layer1`.
    """

    module: str
    op: str
    value: Number
    note: str = ""


@dataclass(frozen=True, slots=True)
class Uncovered:
    """An operation for which there is no formula: it is in no total. `count` is how often it ran, and in `modules`."""

    op: str
    count: int
    modules: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Result:
    """One metric of one network: rows, their total, and what the total leaves out.

    `unit` is the unit of every value; `method` says by which route the figure came; `total` is None if unknown. The
    total is not always the sum of the rows (a peak, a median): `additive` says whether it is.
    """

    metric: str
    unit: str
    method: Method
    rows: tuple[Row, ...]
    total: Number
    uncovered: tuple[Uncovered, ...] = ()
    additive: bool = True
    note: str = ""

    def __repr__(self) -> str:
        """One line: a network has hundreds of rows."""
        return f"<Result {self.metric}: {self.total} {self.unit}, method {self.method}, {len(self.rows)} rows>"

    def of(self, module: str) -> Number:
        """Sum of the rows of one module or stage; None if it has none, or if one of them is unknown."""
        values = [row.value for row in self.rows if row.module == module]
        if not values:
            return None
        total: float = 0
        for value in values:
            if value is None:
                return None
            total += value
        return total


@dataclass(frozen=True, slots=True)
class Subject:
    """What was analysed, completely enough to do it again.

    `inputs` are written like the `--input` option (`1x3x224x224:float32`); `versions` are (package, version) pairs.
    """

    name: str
    source: str
    inputs: tuple[str, ...]
    mode: str
    method: str
    variant: str = ""
    notes: tuple[str, ...] = ()
    versions: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Curve:
    """A metric of the whole network as a function of something: (x, value) pairs by rising x.

    `over` names what x is, and its unit; `method` says by which route the values came.
    """

    metric: str
    unit: str
    over: str
    over_unit: str
    method: Method
    points: tuple[tuple[int, int], ...]
    note: str = ""


@dataclass(frozen=True, slots=True, repr=False)
class Report(Shown):
    """All results about one network. `groups` are the stage or module names in display order."""

    subject: Subject
    groups: tuple[str, ...]
    results: tuple[Result, ...]
    curves: tuple[Curve, ...] = ()

    def result(self, metric: str) -> Result:
        """The result of that name.

        Raises:
            KeyError: the report does not hold it.
        """
        for result in self.results:
            if result.metric == metric:
                return result
        raise KeyError(f"no result {metric!r}: the report holds {', '.join(self.metrics)}")

    @property
    def metrics(self) -> tuple[str, ...]:
        """Names of the results, in order."""
        return tuple(result.metric for result in self.results)


@dataclass(frozen=True, slots=True)
class StageChange:
    """What the CSP transform did to one stage (or why it left it alone, in `skipped`).

    `modules` are the paths whose work the partial stage does; `remark` says what else there is to know.
    """

    stage: str
    preset: str
    fusion: str
    gamma: float
    gamma_effective: float | None
    channels: int
    bypass_channels: int | None
    block_channels: int | None
    skipped: str = ""
    modules: tuple[str, ...] = ()
    remark: str = ""


@dataclass(frozen=True, slots=True, repr=False)
class StageChanges(Shown):
    """What the CSP transform did to every stage that was found; `notes` say what it had to decide."""

    changes: tuple[StageChange, ...]
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class LayerDifference:
    """Where two networks differ: the layers of each in words and by path, and by how much the second costs more.

    `count` differences read the same, and `macs` and `params` are those of all of them; `stage` is then the first and
    the last stage that they are in (`stage1 .. stage4`).
    """

    kind: str
    stage: str
    base: str
    variant: str
    base_layers: tuple[str, ...]
    variant_layers: tuple[str, ...]
    macs: int
    params: int
    count: int = 1


@dataclass(frozen=True, slots=True)
class Alignment:
    """The layers of a variant beside those of the base: how many are of the same shape, and all that differ."""

    variant: str
    same: int
    differences: tuple[LayerDifference, ...]


@dataclass(frozen=True, slots=True)
class StageFound:
    """A stage that the CSP transform can work on, or why it cannot, in `skipped`.

    `modules` are the paths whose work the partial stage takes over, `block` is the class of its blocks; `channels`,
    `height` and `width` are those of the map between them (None: not seen in the trace); part widths are multiples of
    `groups`; `presets` fit, the first one is what `auto` takes.
    """

    stage: str
    modules: tuple[str, ...]
    block: str
    blocks: int
    channels: int
    height: int | None
    width: int | None
    groups: int
    presets: tuple[str, ...]
    skipped: str = ""


@dataclass(frozen=True, slots=True)
class RefusedModule:
    """A module that was looked at and is no part of a stage."""

    module: str
    type: str
    reason: str


@dataclass(frozen=True, slots=True, repr=False)
class StageListing(Shown):
    """The stages of a network in order, and what was refused; `reason` says why there is no stage, "" if there is."""

    subject: Subject
    stages: tuple[StageFound, ...]
    refused: tuple[RefusedModule, ...]
    reason: str = ""


@dataclass(frozen=True, slots=True, repr=False)
class Comparison(Shown):
    """A network beside others.

    For the twin that the CSP transform made, `changes` say stage by stage what it did; for networks that were named,
    `alignments` say layer by layer where they differ. `sentences` say what it means.
    """

    base: Report
    variants: tuple[Report, ...]
    changes: tuple[StageChange, ...] = ()
    sentences: tuple[str, ...] = ()
    alignments: tuple[Alignment, ...] = ()


@dataclass(frozen=True, slots=True)
class Network:
    """A network known by name; `params` is None where they were not counted.

    `brief` is whose it is in a few words, and whether it is a reconstruction; `note` is all there is to say.
    """

    name: str
    params: int | None
    source: str
    input_size: str
    brief: str
    note: str


@dataclass(frozen=True, slots=True, repr=False)
class Networks(Shown):
    """The networks that can be named."""

    models: tuple[Network, ...]


@dataclass(frozen=True, slots=True)
class PublishedFigure:
    """A figure as a paper prints it, in units of `scale`, beside the count here, and its relative deviation.

    `agrees` says whether all printed digits are the same. The last three are None where there is nothing to count.
    """

    metric: str
    printed: str
    scale: int
    counted: int | None
    deviation: float | None
    agrees: bool | None


@dataclass(frozen=True, slots=True)
class PublishedRow:
    """A network in a paper's table, and what is counted of the built-in one; `note` says how that was read."""

    where: str
    model: str
    network: str
    side: int
    figures: tuple[PublishedFigure, ...]
    status: Literal["exact", "differs", "reconstruction", "not built"]
    note: str

    def figure(self, *metrics: str) -> PublishedFigure | None:
        """The first figure of one of these metrics, None if the paper prints none."""
        return next((figure for figure in self.figures if figure.metric in metrics), None)


@dataclass(frozen=True, slots=True, repr=False)
class Publication(Shown):
    """A paper's tables beside the counts here."""

    source: str
    rows: tuple[PublishedRow, ...]


Record = Report | Comparison
AnyRecord = Report | Comparison | Networks | Publication
KINDS: Mapping[str, type[AnyRecord]] = MappingProxyType(
    {"report": Report, "comparison": Comparison, "models": Networks, "publication": Publication}
)
"""What a JSON file can hold, by the word in its `kind`."""


def to_json(record: AnyRecord) -> dict[str, Any]:
    """The record as JSON-ready data: `{"schema": 1, "kind": "report" | "comparison" | .., ...fields}`."""
    kind = next(name for name, cls in KINDS.items() if isinstance(record, cls))
    return {"schema": SCHEMA_VERSION, "kind": kind, **plain(record)}


def from_json(data: Mapping[str, Any]) -> AnyRecord:
    """Inverse of `to_json`.

    Raises:
        UsageError: the data is no run of this schema version, or a field is missing, unknown or of the wrong type.
    """
    if not isinstance(data, Mapping) or data.get("schema") != SCHEMA_VERSION or data.get("kind") not in list(KINDS):
        raise UsageError(f"this is no cspanalyze run: expected schema {SCHEMA_VERSION} and a kind of {sorted(KINDS)}")
    body = {key: value for key, value in data.items() if key not in ("schema", "kind")}
    return structured(body, KINDS[data["kind"]], "the run file is damaged")


def dumps(record: AnyRecord) -> str:
    """The record as JSON text with a final newline."""
    return json.dumps(to_json(record), indent=1, allow_nan=False) + "\n"
