"""The weight updates of a stage are those of the paper (arXiv 1911.11929, equations 2 and 4)."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import pytest
import torch
from torch import nn

from cspanalyze import ModelGraph, to_csp, trace
from cspanalyze.analyses import Grouping
from cspanalyze.gradient_flow import (
    StageUpdates,
    gradient_flow,
    scopes,
    transition_letters,
    units_matching,
    weight_updates,
)
from cspanalyze.plans import read_plan
from cspanalyze.tracing import building
from cspanalyze.zoo import create

DEPTHS = (3, 8, 2, 2)


@cache
def graph_of(fusion: str | None) -> ModelGraph:
    with building():
        model: nn.Module = create("densenet121", depths=DEPTHS)
        if fusion is not None:
            model = to_csp(model, fusion=fusion).model
    graph = trace(model, torch.empty(1, 3, 64, 64, device="meta"))
    return replace(graph, plan=read_plan(model))


def updates(graph: ModelGraph, stage: str, units: str = "") -> StageUpdates:
    flow = gradient_flow(graph)
    if units:
        flow = flow.by_unit(units_matching(units))
    assert graph.plan is not None
    plan = next(each for each in graph.plan.stages if each.name == stage)
    return weight_updates(flow, scopes(flow, Grouping.of(graph))[stage], transition_letters(plan))


def lines(found: StageUpdates) -> list[str]:
    return [update.text() for update in found.updates]


EQUATIONS = {
    None: [
        "w₁′ = f(w₁, g₀)",
        "w₂′ = f(w₂, g₀, g₁)",
        "w₃′ = f(w₃, g₀, g₁, g₂)",
        "w_T′ = f(w_T, g₀, g₁, g₂, g₃)",
    ],
    "csp": [
        "w₁′ = f(w₁, g₀″)",
        "w₂′ = f(w₂, g₀″, g₁)",
        "w₃′ = f(w₃, g₀″, g₁, g₂)",
        "w_T′ = f(w_T, g₀″, g₁, g₂, g₃)",
        "w_U′ = f(w_U, g₀′, g_T)",
    ],
    "first": [
        "w₁′ = f(w₁, g₀″)",
        "w₂′ = f(w₂, g₀″, g₁)",
        "w₃′ = f(w₃, g₀″, g₁, g₂)",
        "w_U′ = f(w_U, g₀′, g₀″, g₁, g₂, g₃)",
    ],
    "last": [
        "w₁′ = f(w₁, g₀)",
        "w₂′ = f(w₂, g₀, g₁)",
        "w₃′ = f(w₃, g₀, g₁, g₂)",
        "w_T′ = f(w_T, g₀, g₁, g₂, g₃)",
    ],
}


@pytest.mark.parametrize("fusion", EQUATIONS)
def test_dense_stage_by_units(fusion) -> None:
    assert lines(updates(graph_of(fusion), "stage1", r"denselayer\d+")) == EQUATIONS[fusion]


def test_every_layer_has_its_own_line_without_units() -> None:
    found = updates(graph_of(None), "stage1")
    assert lines(found)[:4] == ["w₁′ = f(w₁, g₀)", "w₂′ = f(w₂, g₁)", "w₃′ = f(w₃, g₀, g₂)", "w₄′ = f(w₄, g₃)"]
    assert found.updates[2].name == "features.denseblock1.denselayer2.conv1"
    assert found.updates[2].channels == (64, 32)


def test_many_gradients_are_abbreviated() -> None:
    assert lines(updates(graph_of(None), "stage2", r"denselayer\d+"))[-1] == "w_T′ = f(w_T, g₀, g₁, g₂, …, g₈)"


def test_text_names_layers_and_what_g0_is() -> None:
    text = updates(graph_of("csp"), "stage1", r"denselayer\d+").text().splitlines()
    assert text[0].split() == ["w₁′", "=", "f(w₁,", "g₀″)", "features.denseblock1.part2.0.denselayer1"]
    assert text[-3:] == [
        "",
        "g₀′: features.conv0 (channels 0..31 of 64)",
        "g₀″: features.conv0 (channels 32..63 of 64)",
    ]


def test_latex() -> None:
    assert updates(graph_of("csp"), "stage1", r"denselayer\d+").latex().splitlines() == [
        r"\begin{aligned}",
        r"  w_{1}' &= f\left(w_{1}, g_{0}''\right) \\",
        r"  w_{2}' &= f\left(w_{2}, g_{0}'', g_{1}\right) \\",
        r"  w_{3}' &= f\left(w_{3}, g_{0}'', g_{1}, g_{2}\right) \\",
        r"  w_{T}' &= f\left(w_{T}, g_{0}'', g_{1}, g_{2}, g_{3}\right) \\",
        r"  w_{U}' &= f\left(w_{U}, g_{0}', g_{T}\right)",
        r"\end{aligned}",
    ]


def test_the_summands_of_a_residual_input_are_one_gradient() -> None:
    with building():
        model = create("resnet50")
    graph = trace(model, torch.empty(1, 3, 64, 64, device="meta"))
    found = updates(replace(graph, plan=read_plan(model)), "stage2")
    assert lines(found)[:5] == [
        "w₁′ = f(w₁, g₀)", "w₂′ = f(w₂, g₁)", "w₃′ = f(w₃, g₂)", "w₄′ = f(w₄, g₀)", "w₅′ = f(w₅, g₃, g₄)"
    ]  # fmt: skip
    assert [meaning.count("256 channels") for _, meaning in found.inputs] == [4]
    assert transition_letters(None) == ()
