"""What a diagram shows, against the trace and against the architectures as their papers and packages define them."""

from __future__ import annotations

import json
from collections import Counter

import networkx
import pytest
import torch
from edge_nets import EDGE_NETS
from torch import nn

from cspanalyze import trace
from cspanalyze.diagrams import diagram, diagram_to_json
from cspanalyze.diagrams.beside import difference, side_by_side
from cspanalyze.pipeline import analyze
from cspanalyze.pipeline.traffic import default_traffic

LEVELS = ("network", "stage", "block", "layer", "op")
METRICS = ("macs", "params", "cio", "bytes", "traffic")


def check_laws(drawn) -> None:
    """Nodes hold all costs, once; arrows lead forward from an input to an output; frames nest."""
    for total in drawn.totals:
        values = [node.figure(total.metric) for node in drawn.nodes if node.figures]
        if total.value is not None and None not in values:
            assert sum(values) == total.value, (drawn.title, drawn.level, total)
    ids = [part.id for part in drawn.parts]
    assert len(ids) == len(set(ids))
    flow = networkx.DiGraph([(edge.source, edge.target) for edge in drawn.edges])
    assert set(flow) <= {node.id for node in drawn.nodes}
    assert networkx.is_directed_acyclic_graph(flow)
    seen = {""}
    for frame in drawn.frames:
        assert frame.frame in seen
        seen.add(frame.id)
    assert {node.frame for node in drawn.nodes} <= seen


@pytest.mark.parametrize("net", EDGE_NETS, ids=lambda net: net.name)
def test_laws_on_edge_nets(net) -> None:
    graph = trace(net.build(), *net.inputs())
    for level in LEVELS:
        check_laws(diagram(graph, level, METRICS))


@pytest.mark.parametrize(
    "name",
    [
        "resnet50",
        "densenet121",
        "timm:vit_tiny_patch16_224",
        "timm:convnext_atto",
        "timm:crossvit_9_240",
        "timm:selecsls42b",
    ],
)
def test_laws_on_networks(graph_of, name) -> None:
    graph = graph_of(name)
    for level in LEVELS:
        drawn = diagram(graph, level, METRICS)
        check_laws(drawn)
        flow = networkx.DiGraph([(edge.source, edge.target) for edge in drawn.edges])
        assert networkx.has_path(flow, ":input0", ":output0")
        if level != "op":  # where what is done to weights alone is shown too
            assert all(networkx.has_path(flow, ":input0", node) for node in flow), (name, level)


def repeated(drawn, title: str) -> list[int]:
    return [part.count for part in drawn.nodes if part.title == title]


def test_blocks_of_resnet50_are_drawn_once(graph_of) -> None:
    # He et al. (2016), table 1: 3, 4, 6 and 3 blocks; the first of each stage differs from the others.
    assert repeated(diagram(graph_of("resnet50")), "Bottleneck") == [1, 2, 1, 3, 1, 5, 1, 2]


def test_dense_layers_are_drawn_once_with_growing_inputs(graph_of) -> None:
    drawn = diagram(graph_of("densenet121"))
    layers = [node for node in drawn.nodes if node.title == "DenseLayer"]
    # Huang et al. (2017), table 1: 6, 12, 24 and 16 layers of growth 32; the first reads 64, the sixth 64 + 5 x 32.
    assert [node.count for node in layers] == [6, 12, 24, 16]
    assert layers[0].shapes == ("64…224×56×56", "32×56×56")
    assert layers[0].details == ("each reads all before it",)


def test_transformer_blocks_and_attention(graph_of) -> None:
    graph = graph_of("timm:vit_tiny_patch16_224")
    assert [node.count for node in diagram(graph, "network").nodes if node.title == "Block"] == [12]
    inner = diagram(graph, "block")
    assert [frame.count for frame in inner.frames if frame.title == "Block"] == [12]
    # Two residual additions a block, each with its way round.
    assert sum(edge.bypass for edge in inner.edges) == 2


def test_every_operation_is_a_node_on_level_op(graph_of) -> None:
    graph = graph_of("resnet50")
    drawn = diagram(graph, "op")
    assert len(drawn.nodes) == len(graph.ops) + 2
    assert len({(e.source, e.target) for e in drawn.edges}) == len({(a, b) for a, b, _ in graph.edges()}) + 2


def test_bypasses_of_a_partial_stage(twin_of) -> None:
    drawn = diagram(twin_of("resnet50"))
    ends = {edge.target for edge in drawn.edges if edge.bypass}
    # Of every stage the projection of part 1 and the concatenation that it ends in.
    assert {f"layer{n}.part1" for n in (1, 2, 3, 4)} <= ends
    assert Counter(node.kind for node in drawn.nodes if node.id in ends) == {"conv": 4, "concat": 4}
    sliced = diagram(twin_of("densenet121"))
    assert sum(node.kind == "slice" for node in sliced.nodes) == 8


def test_branches_of_an_inception_module_are_no_bypass(graph_of) -> None:
    drawn = diagram(graph_of("timm:inception_v3"))
    kinds = {node.id: node.kind for node in drawn.nodes}
    # But the poolings beside convolutions of stride 2 are: they have no weights.
    round_about = [edge for edge in drawn.edges if edge.bypass]
    assert {(kinds[edge.source], kinds[edge.target]) for edge in round_about} == {
        ("concat", "pool"),
        ("pool", "concat"),
    }


def test_gradient_reuse_of_a_dense_block(graph_of) -> None:
    drawn = diagram(graph_of("densenet121"), metrics=("gradients",))
    into = next(edge for edge in drawn.edges if edge.target == "features.denseblock1.denselayer1")
    # The base is read by all six layers and by the transition: w_k = f(w_k, g_0, ..) of CSPNet, eq. 2.
    assert into.reuse == 7
    # The six layers' own outputs: layer k by the 6 - k after it and the transition, their 1x1 by the 3x3 alone.
    node = next(node for node in drawn.nodes if node.id == into.target)
    wide, grown = 6 * 128 * 1, 32 * (6 + 5 + 4 + 3 + 2 + 1)
    assert node.figure("gradients") == pytest.approx((wide + grown) / (6 * 128 + 6 * 32))


def test_highlight(graph_of) -> None:
    drawn = diagram(graph_of("resnet50"), "block", highlight="layer3.*.conv2")
    lit = [node for node in drawn.nodes if node.highlighted]
    assert [node.name for node in lit] == ["layer3.0.conv2", "layer3.1.conv2"]
    assert all(node.title.startswith("Conv 3×3") for node in lit)


def test_equal_siblings_without_an_edge_stay_apart() -> None:
    class Branches(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.arms = nn.ModuleList(nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Conv2d(4, 4, 3)) for _ in "ab")

        def forward(self, x):
            return self.arms[0](x) + self.arms[1](x)

    drawn = diagram(trace(Branches(), torch.rand(1, 3, 16, 16)), "block")
    assert all(part.count == 1 for part in drawn.parts)


def test_json(graph_of) -> None:
    data = json.loads(json.dumps(diagram_to_json(diagram(graph_of("resnet50")))))
    assert data["kind"] == "diagram"
    assert data["level"] == "stage"


def test_a_network_does_not_differ_from_itself(graph_of) -> None:
    drawn = diagram(graph_of("resnet50"))
    same = difference(drawn, drawn)
    assert {node.state for node in same.nodes} == {"same"}
    assert {edge.state for edge in same.edges} == {""}
    assert len(same.nodes) == len(drawn.nodes)


@pytest.mark.parametrize("name", ["resnet50", "densenet121"])
def test_difference_accounts_for_every_node(graph_of, twin_of, name) -> None:
    base, twin = diagram(graph_of(name)), diagram(twin_of(name))
    both = difference(base, twin)
    states = Counter(node.state for node in both.nodes)
    assert states["same"] + states["changed"] + states["added"] == len(twin.nodes)
    assert states["same"] + states["changed"] + states["removed"] == len(base.nodes)
    before = sum(f.before for node in both.nodes for f in node.figures if f.metric == "macs" and f.before is not None)
    gone = sum(node.figure("macs") for node in both.nodes if node.state == "removed")
    equal = sum(node.figure("macs") for node in both.nodes if node.state == "same" and node.figures)
    assert before + gone + equal == base.totals[0].value
    assert both.totals[0].before == base.totals[0].value


def test_every_node_of_a_difference_stands_in_a_frame_of_the_picture(graph_of) -> None:
    # The stem of ResNet is a frame of two nodes, that of ConvNeXt one node: what is removed keeps its frame.
    both = difference(diagram(graph_of("resnet50")), diagram(graph_of("timm:convnext_tiny")))
    frames = {frame.id: frame for frame in both.frames}
    assert {node.frame for node in both.nodes} | {frame.frame for frame in both.frames} <= {*frames, ""}
    assert [frames[node.frame].title for node in both.nodes if node.name == "conv1"] == ["stem"]


def test_side_by_side_aligns_stages(graph_of, twin_of) -> None:
    both = side_by_side(diagram(graph_of("resnet50")), diagram(twin_of("resnet50")))
    rows = dict(both.rows)
    assert rows["0/layer2.0"] == "1/layer2.down"
    assert len(rows) == 8  # input, stem, four stages, head, output
    assert [frame.title for frame in both.frames if not frame.frame] == ["resnet50", "resnet50"]


def test_traffic_is_that_of_the_cache_model(graph_of) -> None:
    # Two ways to one figure: node by node on the picture, stage by stage in the tables.
    drawn = diagram(graph_of("resnet50"), "layer", ("traffic",))
    report = analyze("resnet50", metrics=("macs",), traffic=default_traffic())
    assert drawn.totals[0].value == report.result("traffic_bytes").total
    assert sum(node.figure("traffic") or 0 for node in drawn.nodes) == drawn.totals[0].value
    assert "512 KiB on chip (jetson_tx2)" in drawn.notes[0]  # the capacity in hardware/profiles.csv
