"""Blocks with figures counted by hand: T, U, D, T_c, U_c, D_c of the block alone, and its gradient paths."""

from __future__ import annotations

from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

import pytest
from gradients import reference_nets as nets
from torch import nn

from cspanalyze import trace
from cspanalyze.gradient_flow import Duplication, GradientFlow, duplication, gradient_flow, path_extents, path_spectra


def flow_of(model: nn.Module) -> GradientFlow:
    return gradient_flow(trace(model, nets.image()))


def block_of(flow: GradientFlow) -> Duplication:
    return duplication(flow, nets.outside_stem([layer.name for layer in flow.layers]))


@dataclass(frozen=True)
class Case:
    model: nn.Module
    counts: tuple[int, int, int, int]
    ratios: tuple[float, float]
    other: dict[str, Any] = field(default_factory=dict)


CASES = {
    # The layers read 16, 24, 32, 40 channels and the transition 48: sum 160, from 16 + 4·8.
    "dense": Case(
        nets.Dense(16, 4, 8, t=24),
        (15, 5, 160, 48),
        (0.6667, 0.7),
        {"paths": 16, "longest_shortest_path": 2, "longest_path": 6, "copies": 0, "most_readers": 5},
    ),
    # Each 3x3 reads 32 more, once.
    "dense bottleneck": Case(
        nets.Dense(16, 4, 8, t=24, bottleneck=32), (19, 9, 288, 176), (0.5263, 0.3889), {"longest_path": 10}
    ),
    "csp .25": Case(nets.Dense(16, 4, 8, bypass=4, t=22, u=26), (17, 7, 166, 70), (0.5882, 0.5783), {"paths": 17}),
    "csp .5": Case(
        nets.Dense(16, 4, 8, bypass=8, t=20, u=28),
        (17, 7, 148, 68),
        (0.5882, 0.5405),
        {"paths": 17, "longest_shortest_path": 3, "longest_path": 7},
    ),
    "csp .75": Case(nets.Dense(16, 4, 8, bypass=12, t=18, u=30), (17, 7, 130, 66), (0.5882, 0.4923)),
    "csp first": Case(nets.Dense(16, 4, 8, bypass=8, u=24), (16, 6, 128, 48), (0.625, 0.625), {"paths": 16}),
    "csp last": Case(nets.Dense(16, 4, 8, bypass=8, t=20), (15, 5, 120, 40), (0.6667, 0.6667), {"paths": 17}),
    # 9 layers read 16 channels each; sums hand 10 further copies of 16.
    "residual": Case(
        nets.Residual(16, 4, 2), (19, 9, 304, 144), (0.5263, 0.5263), {"read_channels": 144, "copies": 160, "paths": 16}
    ),
    "partial residual": Case(
        nets.Residual(16, 4, 2, 8), (23, 13, 224, 144), (0.4348, 0.3571), {"read_channels": 144, "copies": 80}
    ),
    "chain": Case(nets.Residual(16, 4, 2, 0), (9, 9, 144, 144), (0.0, 0.0), {"paths": 1, "copies": 0}),
    "one-shot": Case(nets.OneShot(16, 5, 8), (11, 6, 104, 56), (0.4545, 0.4615), {"paths": 6}),
    "elan": Case(nets.Elan(16, 8), (10, 7, 96, 64), (0.3, 0.3333), {"paths": 4}),
    "partial residual, five layers": Case(nets.PrnFigure(16), (5, 4, 80, 64), (0.2, 0.2)),
    # a -> r, e; a and e -> o: 8 + 2 + 8 + 8 channels. A product of two is no copy.
    "squeeze and excitation": Case(
        nets.SqueezeExcitation(), (4, 3, 26, 18), (0.25, 0.3077), {"read_channels": 18, "copies": 0}
    ),
    # Two input channels of the attention see all 8 of a; every channel of o sees one of them and the attention.
    "spatial attention": Case(
        nets.SpatialAttention(), (3, 2, 17, 9), (0.3333, 0.4706), {"read_channels": 10, "copies": 0}
    ),
    "chunk, both halves kept": Case(nets.Chunked(kept=True), (4, 3, 16, 12), (0.25, 0.25)),
    "chunk, one half kept": Case(nets.Chunked(kept=False), (3, 3, 12, 12), (0.0, 0.0)),
    "one layer twice": Case(nets.Reused(), (3, 3, 24, 24), (0.0, 0.0)),
    "detach": Case(nets.Detached(), (2, 2, 16, 16), (0.0, 0.0), {"read_channels": 8, "copies": 8}),
}


@pytest.mark.parametrize("name", CASES)
def test_terms_of_a_block(name) -> None:
    case = CASES[name]
    found = block_of(flow_of(case.model))
    assert (found.terms, found.distinct, found.term_channels, found.distinct_channels) == case.counts
    assert (round(float(found.ratio), 4), round(float(found.channel_ratio), 4)) == case.ratios
    assert {key: getattr(found, key) for key in case.other} == case.other


def test_ratios_follow_from_the_counts() -> None:
    found = block_of(flow_of(CASES["residual"].model))
    assert found.ratio == Fraction(10, 19)
    assert found.mean_readers == Fraction(304, 144)
    assert found.copy_factor == Fraction(304, 144)  # T_c/G: all repeated terms are copies


@pytest.mark.parametrize("name", ["dense", "one-shot", "csp .5", "elan", "squeeze and excitation"])
def test_nothing_is_copied_without_an_addition(name) -> None:
    assert block_of(flow_of(CASES[name].model)).copy_factor == 1


def test_a_layer_called_twice_is_two_layers_of_one_weight() -> None:
    assert [layer.name for layer in flow_of(nets.Reused()).layers] == ["a", "b", "b#2", "o"]


def test_timestamps_of_the_five_layers_of_partial_residual_networks() -> None:
    """Gradient arrives at layers 1, 3 and 5 of the figure at the same times as it does at the shortcuts' ends."""
    flow = flow_of(nets.PrnFigure(16))
    spectra = path_spectra(flow)
    assert [spectra[i].timestamps for i in range(5)] == [(1, 3, 5), (2, 4), (1, 3), (2,), (1,)]
    assert spectra[0].counts == (0, 1, 0, 2, 0, 1)  # P_1 = z + 2 z^3 + z^5
    extents = path_extents(flow)
    assert [extents[i].timestamps for i in range(5)] == [0b101010, 0b10100, 0b1010, 0b100, 0b10]
    assert [(extents[i].shortest, extents[i].longest) for i in range(5)] == [(1, 5), (2, 4), (1, 3), (2, 2), (1, 1)]


def test_an_attached_branch_beside_a_detached_one() -> None:
    flow = flow_of(nets.Detached())
    assert [dict(intake) for intake in flow.intakes] == [{}, {}, {0: ((0, 8),), 1: ((0, 8),)}]
