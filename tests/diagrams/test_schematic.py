"""The schematic of a stage: drawn from the plan, checked against the trace and the paper's equations."""

from __future__ import annotations

import json
import re
from xml.etree import ElementTree

import pytest

from cspanalyze.diagrams.schematic import Stack, schematic_from_json, schematic_to_json, stage_panel
from cspanalyze.errors import UsageError
from cspanalyze.pipeline import Csp
from cspanalyze.pipeline.drawing import sketch
from cspanalyze.renderers.pictures.graphviz import draw_pinned
from cspanalyze.renderers.pictures.pinned import pinned_dot
from cspanalyze.renderers.pictures.schematic import render_schematic


def widths(panel) -> list[int]:
    return [item.channels for item in panel.items if isinstance(item, Stack)]


@pytest.mark.parametrize("name", ["densenet121", "resnet50", "darknet53", "timm:vovnet39a"])
@pytest.mark.parametrize("stage", [1, 2, 3])
def test_every_bar_is_a_map_of_the_trace(graph_of, twin_of, name, stage) -> None:
    # The bars come from the plan, the shapes from tensors.
    twins = [] if "vovnet" in name else [twin_of(name)]  # no rule makes one-shot aggregation partial
    for graph in (graph_of(name), *twins):
        panel = stage_panel(graph, str(stage), name)
        plan = graph.plan.stages[stage]
        seen = {
            spec.shape[1]
            for op in graph.ops
            if plan.holds(op.module)
            for spec in (*graph.input_specs(op), *graph.output_specs(op))
            if len(spec.shape) == 4
        }
        assert set(widths(panel)) <= seen, (panel.title, panel.items)


def test_dense_stage_and_its_partial_stage(graph_of, twin_of) -> None:
    # 64 channels and 6 layers of growth 32: 64, 96, 128, .., 256, halved by the transition.
    assert widths(stage_panel(graph_of("densenet121"), "1", "")) == [64, 96, 128, 256, 128, 128]
    partial = stage_panel(twin_of("densenet121"), "1", "")
    # 32 pass by; 32, 64, 96, .., 224 in the block, 112 behind its transition, 112 + 32 joined, 128 out.
    assert widths(partial) == [64, 64, 96, 224, 112, 144, 128, 128]
    assert partial.detour is not None
    assert partial.detour.channels == 32


@pytest.mark.parametrize(
    ("fusion", "last"),
    [
        # CSPNet, equation 4: w_T' = f(w_T, g_0'', g_1, ..), w_U' = f(w_U, g_0', g_T).
        ("csp", "w_U′ = f(w_U, g₀′, g_T)"),
        # Figure 3: concatenation before the one transition, so all gradients enter it; and behind it, where none of
        # part 1 does.
        ("first", "w_U′ = f(w_U, g₀′, g₀″, g₁, g₂, …, g₆)"),
        ("last", "w_T′ = f(w_T, g₀, g₁, g₂, …, g₆)"),
    ],
)
def test_weight_updates(twin_of, fusion, last) -> None:
    updates = stage_panel(twin_of("densenet121", fusion), "1", "").updates
    assert updates[-1] == last


@pytest.mark.parametrize("name", ["resnet50", "darknet53", "densenet121", "cspresnet50"])
@pytest.mark.parametrize("fusion", ["csp", "first", "last"])
def test_maps_are_called_as_the_weight_updates_call_their_gradients(name, fusion) -> None:
    # The names of the maps come from the plan, those of weights and gradients from the trace.
    twin = {} if name.startswith("csp") else {"csp": Csp(fusion=fusion, control=True)}
    for panel in sketch(name, "2", **twin).panels:
        labels = {part.label for item in panel.items if isinstance(item, Stack) for part in item.segments}
        made = {label.strip("x′″") for label in labels if "more" not in label} - {"₀"}
        weights = [found[1] for line in panel.updates if (found := re.search(r"f\(w([^,]*)", line))]
        if "⋮" in panel.updates:
            assert made >= {*weights[:2], *weights[-2:]}
        else:
            assert made == set(weights)


def test_updates_are_left_out_where_a_block_is_drawn_layer_by_layer(graph_of) -> None:
    assert stage_panel(graph_of("timm:vovnet39a"), "1", "").updates == ()


def test_svg_and_json() -> None:
    drawn = sketch("densenet121", "1", csp=Csp(), every_fusion=True)
    assert len(drawn.panels) == 4
    for theme in ("light", "dark"):
        svg = render_schematic(drawn, theme)
        said = ["".join(node.itertext()) for node in ElementTree.fromstring(svg).iter() if node.tag.endswith("text")]
        for text in ("densenet121, stage1", "Dense layer 6", "part 1: 32 channels pass by", "144", "Transition"):
            assert text in said
    data = json.loads(json.dumps(schematic_to_json(drawn)))
    assert [item["item"] for item in data["panels"][0]["items"]][:3] == ["stack", "layer", "stack"]
    assert schematic_from_json(data) == drawn
    with pytest.raises(UsageError, match="no schematic"):
        schematic_from_json({**data, "panels": [{"items": 3}]})


def test_stages_that_cannot_be_drawn(graph_of) -> None:
    with pytest.raises(UsageError, match="it has stem, stage1"):
        stage_panel(graph_of("resnet50"), "9", "")
    with pytest.raises(UsageError, match="declares no stages"):
        stage_panel(graph_of("timm:vit_tiny_patch16_224"), "1", "")


def test_equations_stand_below_each_other_and_every_tall_segment_says_something() -> None:
    svg = render_schematic(sketch("densenet121", "1", csp=Csp(), every_fusion=True))
    assert len(set(re.findall(r'<text x="([\d.]+)"[^>]*font-style="italic"', svg))) == 1
    assert ">⋮</text>" in svg


def test_behind_the_blocks_of_a_control_come_transitions() -> None:
    control = sketch("densenet121", "1", csp=Csp(control=True)).panels[-1]
    assert control.detour is None
    ends = [item.segments[0].label for item in control.items[-6:] if isinstance(item, Stack)]
    assert ends == ["x₇", "x₈", "x₈"]  # behind six layers: transition, transition, and the pooled map
    assert [item.title for item in control.items if getattr(item, "transition", False)] == ["Transition"] * 2


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_every_shape_keeps_its_place_in_the_formats_of_graphviz(theme) -> None:
    svg = render_schematic(sketch("resnet50", "3", csp=Csp()), theme)
    root, dot = ElementTree.fromstring(svg), pinned_dot(svg)
    tags = [element.tag.rpartition("}")[2] for element in root.iter()]
    invisible = dot.count('style="invis"')
    shapes = len(re.findall(r"^n\d+ \[", dot, re.MULTILINE)) - invisible
    assert shapes == tags.count("rect") - 1 + tags.count("circle") + tags.count("text")  # the paper is the background
    drawn = [each for each in json.loads(draw_pinned(dot, "json"))["objects"] if each["label"] == "+"]
    circles = root.iter("{http://www.w3.org/2000/svg}circle")
    places = [
        (float(each["pos"].split(",")[0]), float(circle.get("cx"))) for each, circle in zip(drawn, circles, strict=True)
    ]
    assert len(places) == tags.count("circle") == 11  # 6 blocks and, in the twin, 5
    assert len({round(x - y, 1) for x, y in places}) == 1  # moved together or not at all
