"""Everything that a report page shows, as one record: the same through JSON and back, and drawn without torch."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from cspanalyze.diagrams.record import Diagram
from cspanalyze.errors import UsageError
from cspanalyze.gradient_flow.record import GradientRecord
from cspanalyze.json_form import plain, structured
from cspanalyze.results import SCHEMA_VERSION, Comparison, Number, Record
from cspanalyze.showing import Shown

KIND = "study"


@dataclass(frozen=True, slots=True)
class Total:
    """One metric of a whole network."""

    metric: str
    value: Number


@dataclass(frozen=True, slots=True)
class GammaPoint:
    """Totals of the twin at one gamma, the share of channels that bypasses the blocks."""

    gamma: float
    totals: tuple[Total, ...]

    def total(self, metric: str) -> Number:
        """The total of a metric, None if it is unknown."""
        return next((total.value for total in self.totals if total.metric == metric), None)


@dataclass(frozen=True, slots=True, repr=False)
class Study(Shown):
    """One network, one beside its twin, or several.

    `stages` and `modules` hold the same networks in the same order, with rows by stage and by module; a network alone
    is a comparison without variants. `gammas` are twins of the first network; `gradients` has a record for every
    network. `command` is the command line that made it.
    """

    command: str
    stages: Comparison
    modules: Comparison
    gammas: tuple[GammaPoint, ...] = ()
    gradients: tuple[GradientRecord, ...] = ()
    diagrams: tuple[Diagram, ...] = ()


def alone_or_compared(comparison: Comparison) -> Record:
    """The report of a network without variants, or the comparison."""
    return comparison if comparison.variants else comparison.base


def dumps(study: Study) -> str:
    """The study as JSON text with a final newline. Path counts are integers of any size."""
    data = {"schema": SCHEMA_VERSION, "kind": KIND, **plain(study)}
    return json.dumps(data, indent=None, separators=(",", ":"), allow_nan=False) + "\n"


def from_json(data: Mapping[str, Any]) -> Study:
    """Inverse of `dumps`, from parsed JSON.

    Raises:
        UsageError: the data is no study of this schema version, or a field is missing, unknown or of the wrong type.
    """
    if data.get("schema") != SCHEMA_VERSION or data.get("kind") != KIND:
        raise UsageError(f"this is no report of cspanalyze: expected schema {SCHEMA_VERSION} and the kind {KIND}")
    body = {key: value for key, value in data.items() if key not in ("schema", "kind")}
    return structured(body, Study, "the report file is damaged")
