"""PeleeNet and what the CSPNet paper makes of it, VoVNet, HarDNet: counts, wiring, and a step of training."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch import nn

from cspanalyze import to_csp, trace, zoo
from cspanalyze.analyses import Grouping, run
from cspanalyze.darknet import Count, count_plan, plan_network
from cspanalyze.zoo.darknet_programs import sections
from cspanalyze.zoo.hardnet import links, width
from cspanalyze.zoo.tables import pelee

pytestmark = pytest.mark.usefixtures("one_thread")
NEW = [entry.name for entry in pelee.ROWS]


def _count(name: str, **overrides: object) -> Count:
    return count_plan(plan_network(sections(replace(zoo.NETWORKS[name].config, **overrides)), name))


def _totals(model: nn.Module, size: tuple[int, ...], *metrics: str) -> list[float]:
    graph = trace(model.eval(), torch.empty(1, *size, device="meta"))
    return [result.total for result in run(graph, metrics, Grouping.of(graph))]


def test_peleenet_to_the_integer() -> None:
    """arXiv 1911.11929, table 1: 2.79 M, 1.017 BFLOPs; the weights by hand."""
    counted = _count("peleenet")
    total = 27 * 32 + 32 * 16 + 9 * 16 * 32 + 64 * 32  # stem
    channels = 32
    for depth, inner in zip((3, 4, 8, 6), (16, 32, 64, 64), strict=True):
        for _ in range(depth):
            total += 2 * (channels * inner + 9 * inner * 16) + 9 * 16 * 16
            channels += 32
        total += channels**2
    assert counted.kernel_elements == total + 704 * 1000 == 2_791_520
    assert f"{counted.darknet_flops / 1e9:.3f}" == "1.017"


@pytest.mark.parametrize(
    ("name", "weights", "bflops"),
    [
        # What is published | what the reconstruction has: never tuned, only noted.
        ("csppeleenet", 2_832_480, 0.9014),  # 2.83 M, 0.888
        ("csppeleenet-fusion-first", 2_447_456, 0.7661),  # 0.753
        ("csppeleenet-fusion-last", 2_009_184, 0.8015),  # 0.805
        ("speleenet", 2_326_112, 0.8872),  # 2.39 M, 0.904
    ],
)
def test_reconstructions_are_as_described(name: str, weights: int, bflops: float) -> None:
    counted = _count(name)
    assert zoo.NETWORKS[name].reconstruction
    assert counted.kernel_elements == weights
    assert round(counted.darknet_flops / 1e9, 4) == bflops


def test_gamma_is_the_share_that_bypasses() -> None:
    """Computation falls as gamma grows: the ablation of arXiv 1911.11929, section 4.2."""
    flops = [_count("csppeleenet-fusion-last", gamma=gamma).darknet_flops for gamma in (0.0, 0.25, 0.5, 0.75)]
    assert flops == sorted(flops, reverse=True)
    assert [round(100 * (each / flops[0] - 1)) for each in flops[1:3]] == [-11, -21]  # the paper's own percentages


def test_a_partial_densenet_is_the_twin() -> None:
    """The gamma of the config and the transform of `cspanalyze.csp` make one network, by two routes."""
    with torch.device("meta"):
        partial = zoo.create("densenet121", gamma=0.5)
        twin = to_csp(zoo.create("densenet121"), gamma=0.5).model
    size = (3, 64, 64)
    assert _totals(partial, size, "params", "macs", "cio") == _totals(twin, size, "params", "macs", "cio")


def test_harmonic_links() -> None:
    """arXiv 1909.00948, figure 1: layer 6 reads 5 and 4, layer 8 reads 7, 6, 4 and the input."""
    assert [links(layer) for layer in (1, 2, 6, 8)] == [[0], [1, 0], [5, 4], [7, 6, 4, 0]]
    assert [width(layer, 14, 1.7) for layer in (1, 2, 4, 8)] == [14, 24, 40, 68]  # 14, 23.8, 40.46, 68.78


def test_hardnet_against_its_paper() -> None:
    """Table of arXiv 1909.00948: 17.6 M parameters, 4.3 GMACs, 11.5 M elements of CIO."""
    with torch.device("meta"):
        network = zoo.create("hardnet68")
    params, macs, cio = _totals(network, (3, 224, 224), "params", "macs", "cio")
    assert (round(params / 1e6, 1), round(cio / 1e6, 3)) == (17.6, 11.469)
    assert macs == pytest.approx(4.3e9, rel=0.02)


def test_partial_aggregation_by_hand() -> None:
    """First stage: 128 in, 64 through five 3x3 of 128, 1x1 of 704 to 128, 1x1 of 192 to 256; each with its norm."""
    with torch.device("meta"):
        (block,) = zoo.create("cspvovnet39").stages[0].blocks
    convs = 9 * 64 * 128 + 4 * 9 * 128 * 128 + (64 + 5 * 128) * 128 + (64 + 128) * 256
    assert sum(p.numel() for p in block.parameters()) == convs + 2 * (5 * 128 + 128 + 256)


SHALLOW = {"hardnet68": {"depths": (4, 4, 4, 4, 4)}, "cspdensenet201-elastic": {"depths": (2, 2, 2, 2)}}
SHALLOW |= {name: {"depths": (2, 3, 2, 2)} for name in NEW}
SHALLOW |= {"cspvovnet39": {"widths": (8, 8, 8, 8), "outputs": (16, 16, 16, 16)}, "darknet/cspresnet10": {}}


@pytest.mark.parametrize("name", SHALLOW)
def test_a_step_of_training(name: str) -> None:
    """Forward and backward on real tensors reach every parameter."""
    torch.manual_seed(0)
    network = zoo.create(name, num_classes=4, **SHALLOW[name]).train()
    network(torch.randn(2, 3, 32, 32)).square().sum().backward()
    assert all(p.grad is not None and bool(p.grad.isfinite().all()) for p in network.parameters())


def test_the_teaching_block() -> None:
    block = zoo.create("cspdenseblock").train()
    x = torch.randn(2, 64, 8, 8)
    y = block(x)
    assert y.shape == (2, 64 + 4 * 32, 8, 8)
    assert torch.equal(y[:, :32], x[:, :32])
