"""Several networks that were named, side by side, and layer by layer where they differ. No torch at import."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from cspanalyze.errors import UsageError
from cspanalyze.pipeline.analysis import OVERVIEW, report_of
from cspanalyze.pipeline.networks import Traced, loaded_of, traced_of
from cspanalyze.results import Alignment, Comparison
from cspanalyze.sentences import contrasts
from cspanalyze.sources import Loaded, Request, load, parse_inputs

if TYPE_CHECKING:
    from torch import nn

    from cspanalyze.analyses import By
    from cspanalyze.analyses.layers import Layer


def contrast(
    models: Sequence[str | Request | Loaded | nn.Module],
    *,
    metrics: Sequence[str] = OVERVIEW,
    by: By = "stage",
    depth: int | None = None,
) -> Comparison:
    """Trace every network on one input, and say of each where its layers differ from those of the first.

    The input is the one that the first network takes, where a request does not name another. Other arguments are as
    for `analyze`.

    Raises:
        CspanalyzeError: there is no second network, or one cannot be built or traced on that input.

    >>> record = contrast(["resnet18", "resnet34"], metrics=("params",))
    >>> [report.result("params").total for report in (record.base, *record.variants)]
    [11689512, 21797672]
    """
    if len(models) < 2:
        raise UsageError(
            "one network has nothing to be compared with: name two or more (its twin: `cspanalyze summary MODEL --csp`)"
        )
    first = loaded_of(models[0])
    loaded = _told_apart(models, [first, *(on_the_same_input(model, first) for model in models[1:])])
    base, *others = map(traced_of, loaded)
    report = report_of(base, metrics, by, depth)
    variants = tuple(report_of(other, metrics, by, depth) for other in others)
    comparison = Comparison(report, variants, alignments=alignments_of(base, others))
    return replace(comparison, sentences=contrasts(comparison))


def _told_apart(models: Sequence[Any], loaded: Sequence[Loaded]) -> list[Loaded]:
    """Networks of one name with the arguments that they were built with behind it."""
    names = [each.name for each in loaded]

    def named(model: Any, each: Loaded) -> Loaded:
        given = model.arguments if isinstance(model, Request) else {}
        if names.count(each.name) == 1 or not given:
            return each
        return replace(each, name=f"{each.name}({', '.join(f'{key}={value}' for key, value in given.items())})")

    return [named(model, each) for model, each in zip(models, loaded, strict=True)]


def alignments_of(base: Traced, others: Sequence[Traced]) -> tuple[Alignment, ...]:
    """Of each of the others, where its layers differ from those of the base."""
    from cspanalyze.analyses.alignment import align

    layers = _layers(base) if others else ()
    return tuple(align(other.loaded.name, layers, _layers(other)) for other in others)


def on_the_same_input(model: str | Request | Loaded | nn.Module, first: Loaded) -> Loaded:
    """The network with the input of the first one, unless a request names another."""
    request = Request(model) if isinstance(model, str) else model
    if isinstance(request, Request):
        if not (request.inputs or request.input_from):
            request = replace(request, inputs=parse_inputs(first.inputs), batch=None)
        return load(request)
    if isinstance(request, Loaded):
        return request
    return loaded_of(request, first.args, first.kwargs)


def _layers(traced: Traced) -> tuple[Layer, ...]:
    from cspanalyze.analyses import Grouping
    from cspanalyze.analyses.layers import layers_of

    return layers_of(traced.graph, Grouping.of(traced.graph))
