"""Every analysis over every edge-case network: laws that hold for all of them."""

from __future__ import annotations

import json

import pytest
import torch
from edge_nets import EDGE_NETS

from cspanalyze import ModelGraph, trace
from cspanalyze.analyses import ANALYSES, Grouping, run
from cspanalyze.errors import UsageError
from cspanalyze.results import Report, Subject, dumps, from_json

GRAPHS: dict[str, ModelGraph] = {}


@pytest.fixture(params=EDGE_NETS, ids=lambda net: net.name)
def graph(request) -> ModelGraph:
    net = request.param
    if net.name not in GRAPHS:
        GRAPHS[net.name] = trace(net.build(), *net.inputs())
    return GRAPHS[net.name]


@pytest.mark.parametrize("metric", ANALYSES)
def test_totals_do_not_depend_on_the_grouping(graph, metric) -> None:
    totals = {by: run(graph, [metric], Grouping.of(graph, by))[0].total for by in ("stage", "module", "layer", "op")}
    assert len(set(totals.values())) == 1, totals


@pytest.mark.parametrize("metric", ANALYSES)
@pytest.mark.parametrize("by", ["stage", "module", "layer", "op"])
def test_an_additive_total_is_the_sum_of_its_rows(graph, metric, by) -> None:
    grouping = Grouping.of(graph, by)
    result = run(graph, [metric], grouping)[0]
    assert tuple(dict.fromkeys(row.module for row in result.rows)) == grouping.names
    if result.additive:
        assert sum(row.value for row in result.rows) == result.total
        assert all(isinstance(row.value, int) for row in result.rows)
    else:
        known = [row.value for row in result.rows if row.value is not None]
        assert result.total is None or not known or min(known) <= result.total <= max(known)


def test_every_operation_of_the_edge_nets_has_a_formula(graph) -> None:
    assert run(graph, ["macs"], Grouping.of(graph))[0].uncovered == ()


def test_fusing_never_adds_traffic(graph) -> None:
    unfused, fused = run(graph, ["unfused_bytes", "fused_bytes"], Grouping.of(graph))
    assert fused.total <= unfused.total


def test_the_peak_holds_the_inputs_and_is_no_more_than_everything(graph) -> None:
    peak = run(graph, ["peak_bytes"], Grouping.of(graph))[0].total
    everything = sum(s.nbytes for s in graph.storages if s.kind in ("activation", "input"))
    assert peak <= everything
    if graph.ops:
        assert peak >= max(s.nbytes for s in graph.storages if s.kind in ("activation", "input"))


def test_results_survive_json(graph) -> None:
    results = run(graph, ANALYSES, Grouping.of(graph))
    report = Report(Subject("x", "y", (), "eval", "meta"), Grouping.of(graph).names, results)
    assert from_json(json.loads(dumps(report))) == report


@pytest.mark.parametrize("name", ["functional", "residual", "split", "transposed", "channels_last", "view_write"])
@pytest.mark.parametrize("metric", ["macs", "elementwise_flops", "activations", "cio", "cio_pool", "concat_elements"])
def test_linear_in_the_batch(name, metric) -> None:
    net = next(net for net in EDGE_NETS if net.name == name)
    model, (x,) = net.build(), net.inputs()
    totals = []
    for batch in (1, 2, 6):
        graph = trace(model, torch.empty(batch, *x.shape[1:], device="meta"))
        totals.append(run(graph, [metric], Grouping.of(graph))[0].total)
    assert totals[1] == 2 * totals[0]
    assert totals[2] == 6 * totals[0]


def test_unknown_names_are_refused(graph) -> None:
    with pytest.raises(UsageError, match="unknown metric 'speed'"):
        run(graph, ["speed"], Grouping.of(graph))
    with pytest.raises(UsageError, match="rows are by stage"):
        Grouping.of(graph, "colour")
    with pytest.raises(UsageError, match="depth must be 1 or more"):
        Grouping.of(graph, "module", 0)
