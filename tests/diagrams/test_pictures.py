"""Diagrams in the languages of pictures: well formed, safe, in time."""

from __future__ import annotations

import re
import resource
from collections.abc import Iterator
from dataclasses import replace
from xml.etree import ElementTree

import pytest
import torch
from torch import nn

from cspanalyze import trace
from cspanalyze.diagrams import diagram
from cspanalyze.diagrams.beside import difference
from cspanalyze.errors import OutputError, UsageError
from cspanalyze.renderers import Style
from cspanalyze.renderers.pictures import Look, graphviz, picture_format, render_diagram
from cspanalyze.renderers.pictures.dot import render_dot
from cspanalyze.renderers.pictures.labelling import uncrossed
from cspanalyze.renderers.pictures.palette import DARK, LIGHT, luminance, mixed

HOSTILE = '<script>alert("1")</script>'


def hostile_graph():
    net = nn.Sequential()
    net.add_module(HOSTILE.replace(".", ""), nn.Sequential(nn.Conv2d(3, 4, 3), nn.Conv2d(4, 4, 3)))
    net.add_module("b]|{c}\\\n&amp;", nn.Conv2d(4, 2, 1))
    return trace(net, torch.rand(1, 3, 8, 8), name="</title><b>")


def words(svg: bytes) -> str:
    return "\n".join(
        "".join(node.itertext()) for node in ElementTree.fromstring(svg).iter() if node.tag.endswith("text")
    )


@pytest.mark.parametrize("level", ["network", "stage", "block", "layer", "op"])
def test_names_are_shown_and_not_run(level) -> None:
    drawn = diagram(hostile_graph(), level)
    svg = render_diagram(drawn, "svg", Look(), Style())
    assert isinstance(svg, bytes)
    assert b"<script" not in svg
    ElementTree.fromstring(svg)
    assert "<script" not in str(render_diagram(drawn, "mermaid", Look(), Style()))
    if level == "layer":
        assert "<script>" in words(svg)


@pytest.mark.parametrize("look", [Look(), Look("dark", "horizontal", "gradients"), Look(colour_by="cio")])
def test_svg_says_what_the_diagram_says(graph_of, look) -> None:
    drawn = diagram(graph_of("resnet50"), metrics=("macs", "params", "cio", "gradients"))
    said = words(render_diagram(drawn, "svg", look, Style()))
    for text in ("resnet50", "×5", "1024×14×14", "layer3.1–5", "Global average pool"):
        assert text in said
    assert "4.09 G MACs" in said
    assert "25.6 M params" in said


def test_formats(graph_of, twin_of) -> None:
    drawn = difference(diagram(graph_of("resnet50")), diagram(twin_of("resnet50")))
    assert bytes(render_diagram(drawn, "png", Look(), Style()))[:8] == b"\x89PNG\r\n\x1a\n"
    assert bytes(render_diagram(drawn, "pdf", Look(), Style()))[:5] == b"%PDF-"
    assert str(render_diagram(drawn, "dot", Look(), Style())).startswith("digraph {")
    chart = str(render_diagram(drawn, "mermaid", Look(), Style()))
    assert chart.startswith("flowchart TB\n")
    assert chart.count("subgraph") == chart.count("\n  end") + chart.count("\n    end")
    assert "Δ Bottleneck" in render_diagram(drawn, "table", Look(), Style())
    lines = str(render_diagram(drawn, "csv", Look(), Style())).splitlines()
    assert len(lines) == 1 + len(drawn.nodes)


def test_suffixes() -> None:
    assert picture_format(".SVG") == "svg"
    assert picture_format(".json") == "json"
    with pytest.raises(UsageError, match=r"\.mmd"):
        picture_format(".doc")


def cpu_seconds() -> float:
    """Of this process and of those that it ran to their end."""
    return sum(sum(resource.getrusage(who)[:2]) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))


@pytest.mark.parametrize("level", ["network", "stage", "block", "layer", "op"])
def test_densenet201_is_drawn_in_time(graph_of, level) -> None:
    graph = graph_of("densenet201")
    began = cpu_seconds()
    svg = render_diagram(diagram(graph, level), "svg", Look(), Style())
    # Without limits Graphviz takes minutes. Of processor time, so that a busy machine passes too.
    assert cpu_seconds() - began < (30 if level == "op" else 5)
    ElementTree.fromstring(svg)


def test_a_layout_that_takes_too_long_is_ended(graph_of, monkeypatch) -> None:
    monkeypatch.setattr(graphviz, "_SECONDS", (0.001, 0.001))
    with pytest.raises(OutputError, match="coarser --level"):
        render_diagram(diagram(graph_of("resnet50"), "network"), "svg", Look(), Style())


def test_without_graphviz(graph_of, monkeypatch) -> None:
    monkeypatch.setattr(graphviz.shutil, "which", lambda name: None)
    monkeypatch.setattr(graphviz, "find_spec", lambda name: None)
    with pytest.raises(OutputError, match="pygraphviz"):
        render_diagram(diagram(graph_of("resnet50"), "network"), "svg", Look(), Style())


@pytest.mark.parametrize("palette", [LIGHT, DARK])
def test_text_can_be_read_on_every_fill(palette) -> None:
    fills = [paint.fill for paint in (*palette.kinds.values(), *palette.states.values())]
    fills += [mixed(palette.scale, n / 20) for n in range(21)]
    for fill in fills:
        for ink in palette.text_on(fill):
            light, dark = sorted((luminance(fill), luminance(ink)), reverse=True)
            assert (light + 0.05) / (dark + 0.05) >= 4.5, (fill, ink)  # WCAG 2.1, level AA


def test_a_legend_has_no_two_entries_that_look_alike(graph_of) -> None:
    drawn = replace(diagram(graph_of("resnet18"), "op"), notes=())
    legend = render_dot(drawn, Look()).partition("label=<")[2].partition("\n")[0]
    swatches = re.findall(r'COLOR="(#\w+)"[^>]*>■', legend)
    assert len(swatches) == len(set(swatches)) >= 4
    assert "norm, activation, other" in legend


def test_names_are_whole_where_frames_are_not_drawn(graph_of) -> None:
    drawn = diagram(graph_of("resnet18"), "layer")
    assert ">layer1.0.conv1<" in render_dot(drawn, Look(quick=True))
    assert ">layer1.0.conv1<" not in render_dot(drawn, Look())


@pytest.mark.parametrize(
    ("name", "level", "look"),
    [
        ("resnet50", "stage", Look()),
        ("resnet18", "layer", Look()),
        ("vovnet39", "block", Look()),
        ("timm:vit_tiny_patch16_224", "stage", Look(colour_by="params")),  # a frame that has to grow
    ],
)
def test_no_arrow_runs_through_the_label_of_a_frame(graph_of, name, level, look) -> None:
    drawn = diagram(graph_of(name), level)
    assert crossed(drawn, look) > 0  # where Graphviz puts labels of itself
    assert crossed(drawn, replace(look, labels=uncrossed(drawn, look))) == 0


def crossed(drawn, look) -> int:
    """How many labels arrows go through, read off the picture."""
    svg = ElementTree.fromstring(graphviz.draw(lambda quick: render_dot(drawn, look), "svg"))
    name = "{http://www.w3.org/2000/svg}"
    groups = list(svg.iter(f"{name}g"))
    arrows = [list(map(float, re.findall(r"-?[\d.]+", path.get("d")))) for group in groups
              if group.get("class") == "edge" for path in group.iter(f"{name}path")]  # fmt: skip
    found = 0
    for group in groups:
        if group.get("class") == "cluster":
            lines = [(float(t.get("x")), float(t.get("y")), float(t.get("font-size")) * len("".join(t.itertext())))
                     for t in group.iter(f"{name}text")]  # fmt: skip
            # A sign is about 0.45 of its size wide.
            found += any(left < x < left + 0.45 * signs and abs(y - line) < 5 for left, line, signs in lines
                         for arrow in arrows for x, y in along(arrow))  # fmt: skip
    return found


def along(numbers: list[float]) -> Iterator[tuple[float, float]]:
    """Points on the cubic curves of an SVG path."""
    knots = list(zip(numbers[::2], numbers[1::2], strict=True))
    for start in range(0, len(knots) - 3, 3):
        for step in range(25):
            t = step / 25
            weights = ((1 - t) ** 3, 3 * t * (1 - t) ** 2, 3 * t * t * (1 - t), t**3)
            yield tuple(sum(w * p[axis] for w, p in zip(weights, knots[start:], strict=False)) for axis in (0, 1))
