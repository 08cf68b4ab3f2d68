"""Results, the detailed record, units of several layers: their shape, their laws, and the same through JSON."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from math import log10

import pytest
import torch
from edge_nets import EDGE_NETS
from gradients import reference_nets as nets
from torch import Tensor, nn

from cspanalyze import ModelGraph, trace
from cspanalyze.analyses import Grouping
from cspanalyze.errors import UsageError
from cspanalyze.gradient_flow import (
    METRICS,
    closed_forms,
    duplication,
    gradient_flow,
    gradient_record,
    gradient_results,
    path_spectra,
    record_from_json,
    record_to_json,
    scopes,
    slices,
    source_overlap,
    timestamp_raster,
    units_matching,
)
from cspanalyze.results import Report, Subject, dumps, from_json

GRAPHS: dict[str, ModelGraph] = {}


@pytest.fixture(params=EDGE_NETS, ids=lambda net: net.name)
def graph(request) -> ModelGraph:
    net = request.param
    if net.name not in GRAPHS:
        GRAPHS[net.name] = trace(net.build(), *net.inputs())
    return GRAPHS[net.name]


@pytest.mark.parametrize("by", ["stage", "module", "layer", "op"])
def test_laws_of_the_results(graph, by) -> None:
    grouping = Grouping.of(graph, by)
    results = {result.metric: result for result in gradient_results(gradient_flow(graph), grouping)}
    assert tuple(results) == tuple(METRICS)
    groups = tuple(scopes(gradient_flow(graph), grouping))
    for result in results.values():
        assert tuple(row.module for row in result.rows if not row.module.endswith(".*")) == groups
        if result.additive:
            assert sum(row.value for row in result.rows) == result.total
    for group in groups:
        terms, distinct = results["gradient_terms"].of(group), results["gradient_terms_distinct"].of(group)
        ratio = results["gradient_duplication"].of(group)
        assert 0 <= distinct <= terms
        assert ratio == (pytest.approx(1 - distinct / terms) if terms else None)
        copies = results["gradient_copy_factor"].of(group)
        assert copies is None or copies >= 1


def test_results_and_record_survive_json(graph) -> None:
    flow, grouping = gradient_flow(graph), Grouping.of(graph)
    report = Report(Subject("x", "y", (), "eval", "meta"), grouping.names, gradient_results(flow, grouping))
    assert from_json(json.loads(dumps(report))) == report
    record = gradient_record(flow, scopes(flow, grouping))
    assert record_from_json(json.loads(json.dumps(record_to_json(record)))) == record


def test_record_and_figures_agree(graph) -> None:
    flow = gradient_flow(graph)
    record = gradient_record(flow, scopes(flow, Grouping.of(graph)))
    whole = duplication(flow)
    assert len(record.edges) == whole.terms == sum(piece.multiplicity for piece in slices(flow))
    assert sum(edge.channels for edge in record.edges) == whole.term_channels
    assert sum(layer.read_channels for layer in record.layers) == whole.read_channels
    assert sum(len(layer.sources) for layer in record.layers) <= whole.terms
    assert all(edge.producer < edge.consumer for edge in record.edges)
    assert {spectrum.paths for spectrum in path_spectra(flow).values()} == {
        sum(layer.path_counts) for layer in record.layers
    }


def test_flags_of_the_edge_nets(graph) -> None:
    """Only products of activations are not followed exactly; the LSTM's states have no reader."""
    assert {flag.kind for flag in gradient_flow(graph).flags} <= {"mix"}


def test_paths_of_any_size_survive_json() -> None:
    grouping = Grouping("stage", ("a",), (), ())
    results = gradient_results(gradient_flow(without_layers()), grouping, ["gradient_paths"])
    large = replace(results[0], total=2**1100)
    report = Report(Subject("x", "y", (), "eval", "meta"), ("a",), (large,))
    assert from_json(json.loads(dumps(report))).result("gradient_paths").total == 2**1100


def without_layers() -> ModelGraph:
    return trace(nn.Identity(), nets.image())


def dense_graph() -> ModelGraph:
    return trace(nets.Dense(16, 4, 8, t=24, bottleneck=32), nets.image())


def test_the_record_of_a_dense_block() -> None:
    flow = gradient_flow(dense_graph())
    record = gradient_record(flow, {"block": range(1, len(flow.layers))})
    stem, transition = record.layers[0], record.layers[-1]
    assert (stem.name, stem.group, stem.channels, stem.most_readers, stem.mean_readers) == ("stem", "", 16, 5, 5.0)
    assert stem.sources == (1, 3, 5, 7, 9)
    # The transition gets gradient after 1 layer, the bottlenecks 9 - 2n after 3 .. 3 + 2n: 1 + 1 + 2 + 3 + 4 pairs.
    assert stem.source_timestamps == 1 + (1 + 2 + 3 + 4)
    assert (transition.from_loss, transition.sources, transition.path_counts) == (True, (), (0, 1))
    assert record.groups == (("block", duplication(flow, range(1, 10))),)
    assert record.edges[0] == type(record.edges[0])(0, 1, 16, 5, False)
    raster = timestamp_raster(record)
    assert raster[0][2] == 0.0
    assert raster[0][4] == pytest.approx(log10(4))
    assert raster[9] == (None, 0.0, *[None] * (len(raster[0]) - 2))


def test_source_overlap_is_a_jaccard_matrix() -> None:
    flow = gradient_flow(trace(nets.Residual(8, 2, 2), nets.image()))
    matrix = source_overlap(gradient_record(flow, {}))
    # stem -> block 1, block 2, head; the end of block 1 -> block 2, head; the end of block 2 -> head.
    assert matrix[0][2] == 2 / 3
    assert matrix[0][4] == 1 / 3
    assert matrix[0][1] == 0
    assert all(matrix[i][i] == 1 and matrix[i][j] == matrix[j][i] for i in range(6) for j in range(6))


def test_residual_edges_are_copies_and_dense_ones_are_not() -> None:
    record = gradient_record(gradient_flow(trace(nets.Residual(8, 2, 2), nets.image())), {})
    copied = {(edge.producer, edge.consumer) for edge in record.edges if edge.copied}
    assert copied == {(0, 3), (2, 3), (0, 5), (2, 5), (4, 5)}
    assert not any(edge.copied for edge in gradient_record(gradient_flow(dense_graph()), {}).edges)


def test_a_bottleneck_and_its_layer_as_one_unit() -> None:
    """By units a block with bottlenecks has the terms of one without."""
    flow = gradient_flow(dense_graph()).by_unit(units_matching(r"layers\.\d+"))
    assert [layer.name for layer in flow.layers] == ["stem", *(f"layers.{n}" for n in range(4)), "t"]
    found = duplication(flow, range(1, 6))
    expected = closed_forms.dense(16, 4, 8, transition=True)
    counts = (found.terms, found.distinct, found.term_channels, found.distinct_channels, found.paths)
    assert counts == (
        expected.terms, expected.distinct, expected.term_channels, expected.distinct_channels, expected.paths
    )  # fmt: skip
    assert found.copies == 0
    assert found.read_channels == found.term_channels


def test_units_that_read_each_other_are_refused() -> None:
    flow = gradient_flow(trace(nets.Residual(8, 4, 1), nets.image()))
    with pytest.raises(UsageError, match="one after the other"):
        flow.by_unit(lambda layer: str(layer.op % 4))
    with pytest.raises(UsageError, match="no regular expression"):
        units_matching("(")


def test_unknown_names_are_refused() -> None:
    flow = gradient_flow(dense_graph())
    with pytest.raises(UsageError, match="unknown gradient metric 'speed'"):
        gradient_results(flow, Grouping.of(dense_graph()), ["speed"])
    with pytest.raises(UsageError, match="no gradient record"):
        record_from_json({"network": "x"})


def test_a_training_step_counts_its_forward_pass() -> None:
    """Under autograd other operators run (`convolution`, `addmm`); the layers and terms are the same."""

    class Small(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.body = nn.Sequential(nn.Conv2d(3, 8, 3, padding=1), nn.BatchNorm2d(8), nn.ReLU(inplace=True))
            self.more, self.head = nn.Conv2d(8, 8, 1), nn.Linear(8, 5)

        def forward(self, x: Tensor) -> Tensor:
            x = self.body(x)
            return self.head((x + self.more(x)).mean((2, 3)))

    plain = gradient_flow(trace(Small(), nets.image()))
    step = gradient_flow(trace(Small(), torch.rand(2, 3, 4, 4), mode="train", backward=True))
    assert [(layer.name, layer.reads) for layer in step.layers] == [(layer.name, layer.reads) for layer in plain.layers]
    assert step.flags == plain.flags == ()


def test_frozen_layers_are_marked() -> None:
    model = nets.Reused()
    model.b.weight.requires_grad_(False)
    assert [layer.trainable for layer in gradient_flow(trace(model, nets.image())).layers] == [True, False, False, True]


class Foreign(nn.Module):
    """A product of two maps, and an operator without a rule."""

    def __init__(self) -> None:
        super().__init__()
        self.a, self.b, self.o = nets.conv(3, 4), nets.conv(3, 4), nets.conv(4, 2)

    def forward(self, x: Tensor) -> Tensor:
        return self.o(torch.special.i0e(self.a(x) @ self.b(x)))


def test_what_is_not_exact_is_flagged() -> None:
    graph = trace(Foreign(), nets.image())
    flow = gradient_flow(graph)
    assert [(flag.kind, flag.op) for flag in flow.flags] == [("mix", "aten.bmm"), ("unknown", "aten.special_i0e")]
    assert dict(flow.intakes[2]) == {0: ((0, 4),), 1: ((0, 4),)}
    uncovered = gradient_results(flow, Grouping.of(graph), ["gradient_terms"])[0].uncovered
    assert [entry.op for entry in uncovered] == ["aten.special_i0e"]


def test_derived_weights_are_weights() -> None:
    """A standardised weight, a generated one, and an activation in the place of one."""

    class Derived(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.stem, self.kernel = nets.conv(3, 4), nn.Parameter(torch.rand(6, 4, 1, 1))
            self.pool = nn.Parameter(torch.rand(1, 2, 6))

        def forward(self, x: Tensor) -> Tensor:
            kernel = (self.kernel - self.kernel.mean()) / self.kernel.std()
            y = nn.functional.conv2d(self.stem(x), kernel).flatten(2)
            return self.pool @ y

    flow = gradient_flow(trace(Derived(), nets.image()))
    assert [(layer.name, layer.channels, layer.read_channels) for layer in flow.layers] == [
        ("stem", 4, 0),
        ("kernel", 6, 4),
        ("pool", 2, 6),
    ]


class Scaled(nn.Module):
    """A learned scale on the input makes no weight of it; integers pass no gradient."""

    def __init__(self) -> None:
        super().__init__()
        self.scale, self.a, self.b = nn.Parameter(torch.rand(6)), nn.Linear(6, 5), nn.Linear(5, 4)

    def forward(self, x: Tensor) -> Tensor:
        y = self.a((x + 1) * self.scale)
        return self.b(y.long().float() + torch.ones_like(y))


def test_scaled_inputs_and_integers() -> None:
    flow = gradient_flow(trace(Scaled(), torch.rand(2, 6)))
    assert [(layer.name, layer.read_channels) for layer in flow.layers] == [("a", 0), ("b", 0)]


class TakenApart(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.a, self.b = nets.conv(3, 8), nets.conv(8, 4)

    def forward(self, x: Tensor) -> Tensor:
        return self.b(torch.stack(self.a(x).unbind(1), 1))


def test_what_is_taken_apart_and_put_together_is_stored_as_one() -> None:
    (reads,) = [layer.reads for layer in gradient_flow(trace(TakenApart(), nets.image())).layers[1:]]
    assert [length for length, _ in reads] == [8]


def test_torch_is_not_imported() -> None:
    code = "import sys, cspanalyze.gradient_flow; assert not {'torch', 'numpy', 'cattrs'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)
