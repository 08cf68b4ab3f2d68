"""Whole networks against their published structure: layers, terms, channels, paths; and CIO, the second route to G."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from math import prod
from time import perf_counter

import pytest
import torch
from torch import nn

from cspanalyze import ModelGraph, trace
from cspanalyze.analyses import Grouping, run
from cspanalyze.gradient_flow import GradientFlow, duplication, gradient_flow, gradient_results, scopes
from cspanalyze.plans import read_plan
from cspanalyze.tracing import building
from cspanalyze.zoo import create

# layers, T, U, T_c, U_c, G, paths, longest shortest path
TABLE = {
    "densenet121": (121, 655, 120, 41760, 10240, 41760, 2**58, 6),
    "resnet50": (54, 109, 53, 73984, 26560, 24576, 2**16, 7),
    "cspresnet50": (56, 89, 59, 33216, 20160, 20160, 9 * 9 * 33 * 5, 15),
    "resnext50_32x4d": (54, 109, 53, 81536, 34112, 32128, 2**16, 7),
    "cspresnext50": (56, 89, 59, 41792, 28736, 28736, 9 * 9 * 33 * 5, 15),
    "darknet53": (53, 138, 52, 56192, 17856, 17856, 2**23, 7),
    "cspdarknet53": (68, 158, 72, 36864, 17664, 17664, 3 * 5 * 257 * 257 * 17, 17),
    "vovnet39a": (40, 69, 39, 18144, 10208, 18144, 6**6, 10),
}
RATIOS = {
    "densenet121": (0.8168, 0.7548), "resnet50": (0.5138, 0.6410), "cspresnet50": (0.3371, 0.3931),
    "resnext50_32x4d": (0.5138, 0.5816), "cspresnext50": (0.3371, 0.3124), "darknet53": (0.6232, 0.6822),
    "cspdarknet53": (0.5443, 0.5208), "vovnet39a": (0.4348, 0.4374),
}  # fmt: skip
ZOO = [name for name in TABLE if name != "vovnet39a"]


def graph_of(model: nn.Module) -> ModelGraph:
    graph = trace(model, torch.empty(1, 3, 64, 64, device="meta"))
    return replace(graph, plan=read_plan(model))


@cache
def zoo_graph(name: str) -> ModelGraph:
    with building():
        return graph_of(create(name))


def check(name: str, flow: GradientFlow) -> None:
    found = duplication(flow)
    figures = (found.layers, found.terms, found.distinct, found.term_channels, found.distinct_channels)
    assert (*figures, found.read_channels, found.paths, found.longest_shortest_path) == TABLE[name]
    assert (round(float(found.ratio), 4), round(float(found.channel_ratio), 4)) == RATIOS[name]
    # Nothing but additions makes a channel count twice at one input channel of these networks.
    assert found.copies == found.term_channels - found.read_channels
    assert flow.flags == ()


@pytest.mark.parametrize("name", ZOO)
def test_network(name) -> None:
    check(name, gradient_flow(zoo_graph(name)))


def test_vovnet(timm) -> None:
    with building():
        model = timm.create_model("vovnet39a")
    check("vovnet39a", gradient_flow(graph_of(model)))


def test_stages_of_densenet() -> None:
    """Per stage T = (m+1)(m+2)/2 + m and U = 2m+1 with a transition, T = m(m+1)/2 + m and U = 2m without."""
    graph = zoo_graph("densenet121")
    flow = gradient_flow(graph)
    found = {name: duplication(flow, layers) for name, layers in scopes(flow, Grouping.of(graph)).items()}
    stages = [found[f"stage{n}"] for n in (1, 2, 3, 4)]
    assert [(s.terms, s.distinct) for s in stages] == [(34, 13), (103, 25), (349, 49), (152, 32)]
    assert [round(float(s.ratio), 4) for s in stages] == [0.6176, 0.7573, 0.8596, 0.7895]


@pytest.mark.parametrize("name", ZOO)
def test_paths_of_the_stages_multiply(name) -> None:
    graph = zoo_graph(name)
    flow = gradient_flow(graph)
    parts = [duplication(flow, layers).paths for layers in scopes(flow, Grouping.of(graph)).values()]
    assert prod(parts) == duplication(flow).paths


@pytest.mark.parametrize("name", ["densenet121", "resnet50", "cspresnext50", "darknet53"])
def test_read_channels_are_the_input_part_of_cio(name) -> None:
    """CIO = input + output elements of the convolutions; the part read, without the network's input, is G by H·W."""
    graph = zoo_graph(name)
    flow = gradient_flow(graph)
    convolutions = [layer for layer in flow.layers if graph.ops[layer.op].name == "conv2d"]
    cio = run(graph, ["cio"], Grouping.of(graph))[0].total
    read = written = 0
    for layer in convolutions:
        op = graph.ops[layer.op]
        positions = prod(graph.spec(op.inputs[0]).shape[2:])
        read += layer.read_channels * positions
        written += layer.channels * prod(graph.spec(op.outputs[0]).shape[2:])
    assert cio == read + written + 3 * 64 * 64


@pytest.mark.parametrize("name", ["densenet201", "resnet152"])
def test_cost(name) -> None:
    graph = zoo_graph(name)
    start = perf_counter()
    flow = gradient_flow(graph)
    gradient_results(flow, Grouping.of(graph))
    assert perf_counter() - start < 2  # measured: 0.1 s


class Deep(nn.Module):
    """Eleven stages of a hundred residual blocks, a plain layer in front of each."""

    def __init__(self) -> None:
        super().__init__()
        self.plain = nn.ModuleList(nn.Conv2d(2 if n else 3, 2, 1) for n in range(11))
        self.blocks = nn.ModuleList(nn.ModuleList(nn.Conv2d(2, 2, 1) for _ in range(100)) for _ in range(11))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        for plain, blocks in zip(self.plain, self.blocks, strict=True):
            x = plain(x)
            for block in blocks:
                x = x + block(x)
        return x


def test_paths_are_counted_beyond_the_range_of_a_float() -> None:
    graph = trace(Deep(), torch.empty(1, 3, 2, 2, device="meta"))
    flow = gradient_flow(graph)
    (paths,) = gradient_results(flow, Grouping.of(graph), ["gradient_paths"])
    assert paths.total == 2**1100
    assert duplication(flow).longest_path == 1111
