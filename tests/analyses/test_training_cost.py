"""Training metrics: measured from the recorded backward pass, with the forward metrics left as they are."""

from __future__ import annotations

import pytest
import torch
from edge_nets import EDGE_NETS
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from cspanalyze import ModelGraph, trace, zoo
from cspanalyze.analyses import ANALYSES, Grouping, run
from cspanalyze.tracing import building

TRAINING = ("backward_macs", "backward_elementwise_flops", "saved_bytes", "gradient_bytes", "training_peak_bytes")


def built(name: str) -> nn.Module:
    with building():
        return zoo.create(name)


def step(model: nn.Module, *inputs: object, mode: str = "train") -> ModelGraph:
    return trace(model, *inputs, mode=mode, backward=True)


def totals(graph: ModelGraph, *metrics: str) -> list[float]:
    return [result.total for result in run(graph, metrics, Grouping.of(graph))]


def image(batch: int = 1, size: int = 224) -> torch.Tensor:
    return torch.empty(batch, 3, size, size, device="meta")


@pytest.mark.parametrize(("name", "ratio"), [("resnet50", "1.971"), ("densenet121", "1.958")])
def test_backward_to_forward(name, ratio) -> None:
    """Two, but for the first convolution: the image needs no gradient."""
    model = built(name)
    forward, backward = totals(step(model, image()), "macs", "backward_macs")
    assert f"{backward / forward:.3f}" == ratio
    # 7x7 on 3 -> 64 channels at 112x112 positions
    assert backward == 2 * forward - 64 * 112 * 112 * 3 * 49


@pytest.mark.parametrize("name", ["resnet50", "densenet121", "resnext50_32x4d", "seresnet50", "darknet53"])
def test_every_module_costs_its_forward_once_or_twice(name) -> None:
    graph = step(built(name), image())
    forward, backward = run(graph, ["macs", "backward_macs"], Grouping.of(graph, "module"))
    ratios = {group: (backward.of(group) or 0) / forward.of(group) for group in Grouping.of(graph, "module").names
              if forward.of(group)}  # fmt: skip
    assert sum(ratio == 1 for ratio in ratios.values()) == 1
    assert sum(ratio == 2 for ratio in ratios.values()) == len(ratios) - 1


@pytest.mark.parametrize("name", ["resnet50", "densenet121", "darknet53", "cspresnet50"])
def test_torch_counts_the_same_without_groups(name) -> None:
    model = built(name).train()
    x = image(2, 64)
    with FlopCounterMode(display=False) as counter:
        model(x).sum().backward()
    assert counter.get_total_flops() == 2 * sum(totals(step(model, x), "macs", "backward_macs"))


def test_where_torch_does_not_because_of_groups_it_is_twice() -> None:
    conv = nn.Sequential(nn.Conv2d(3, 64, 1), nn.Conv2d(64, 64, 3, groups=32, bias=False))
    graph = step(conv, torch.rand(1, 3, 12, 12))
    forward, backward = run(graph, ["macs", "backward_macs"], Grouping.of(graph, "module"))
    assert backward.of("1") == 2 * forward.of("1")
    with FlopCounterMode(display=False) as counter:
        conv(torch.rand(1, 3, 12, 12)).sum().backward()
    assert counter.get_total_flops() > 2 * (forward.total + backward.total)


def test_torch_counts_the_same_for_attention_but_for_the_scores_computed_again(timm) -> None:
    model = timm.create_model("vit_tiny_patch16_224").train()
    forward, backward = totals(step(model, image()), "macs", "backward_macs")
    with torch.device("meta"):
        shadow = timm.create_model("vit_tiny_patch16_224").train()
    with FlopCounterMode(display=False) as counter:
        shadow(image()).sum().backward()
    # 12 layers of 3 heads of width 64 on 197 tokens
    again = 12 * 3 * 197 * 197 * 64
    assert 2 * (forward + backward - again) == counter.get_total_flops()


@pytest.mark.parametrize("mode", ["eval", "train"])
@pytest.mark.parametrize("net", EDGE_NETS, ids=lambda net: net.name)
def test_the_forward_macs_do_not_change(net, mode) -> None:
    model, inputs = net.build(), net.inputs()
    whole, alone = step(model, *inputs, mode=mode), trace(model, *inputs, mode=mode)
    assert totals(whole, "macs") == totals(alone, "macs")
    metrics = ["macs", *TRAINING]
    assert all(result.uncovered == () for result in run(whole, metrics, Grouping.of(whole)))


CONVOLUTIONAL = [name for name in ANALYSES if name not in (*TRAINING, "peak_bytes", "operations")]


@pytest.mark.parametrize("metric", CONVOLUTIONAL)
def test_forward_metrics_see_the_forward_pass_only(metric) -> None:
    """In evaluation mode, on a network without linear layers, the very same figures as of a forward pass alone."""
    model = nn.Sequential(
        nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(8, 8, 3, groups=2), nn.SiLU()
    )
    x = torch.rand(2, 3, 16, 16)
    whole, alone = step(model, x, mode="eval"), trace(model, x)
    assert totals(whole, metric) == totals(alone, metric)
    stages = Grouping.of(whole).names
    assert stages == Grouping.of(alone).names


@pytest.mark.parametrize("metric", TRAINING)
@pytest.mark.parametrize("net", EDGE_NETS, ids=lambda net: net.name)
def test_training_metrics_obey_the_grouping(net, metric) -> None:
    graph = step(net.build(), *net.inputs())
    found = {by: run(graph, [metric], Grouping.of(graph, by))[0] for by in ("stage", "module", "layer", "op")}
    assert len({result.total for result in found.values()}) == 1
    for result in found.values():
        if result.additive:
            assert sum(row.value for row in result.rows) == result.total


@pytest.mark.parametrize("metric", TRAINING)
def test_without_a_backward_pass_they_are_unknown(metric) -> None:
    graph = trace(nn.Linear(3, 2), torch.rand(4, 3))
    (result,) = run(graph, [metric], Grouping.of(graph))
    assert result.total is None
    assert all(row.value is None for row in result.rows)
    assert result.note == "the trace has no backward pass"


def test_by_hand() -> None:
    """Two linear layers without bias, 5 -> 7 -> 3, on 11 rows, a hyperbolic tangent between them."""
    net = nn.Sequential(nn.Linear(5, 7, bias=False), nn.Tanh(), nn.Linear(7, 3, bias=False))
    graph = step(net, torch.rand(11, 5))
    macs, backward, elementwise, saved, gradients, peak = totals(graph, "macs", *TRAINING)
    assert macs == 11 * (5 * 7 + 7 * 3)
    assert backward == 11 * (5 * 7 + 2 * 7 * 3)
    assert elementwise == 2 * 11 * 7
    # the input and the result of the tangent; that of the first layer is not needed
    assert saved == 4 * (11 * 5 + 11 * 7)
    assert gradients == 4 * (5 * 7 + 7 * 3)
    # while the gradient before the tangent is made: it, the tangent and its gradient; the input, the output, which
    # the caller holds; the sum and its gradient
    assert peak == 4 * (3 * 11 * 7 + 11 * 5 + 11 * 3 + 2)


def test_a_frozen_layer_saves_no_input_and_computes_no_gradient_of_its_weight() -> None:
    net = nn.Sequential(nn.Linear(5, 7), nn.Linear(7, 3))
    x = torch.rand(11, 5)
    free = totals(step(net, x), *TRAINING)
    net[1].requires_grad_(False)
    frozen = totals(step(net, x), *TRAINING)
    assert free[0] - frozen[0] == 11 * 7 * 3
    assert free[2] - frozen[2] == 4 * 11 * 7
    assert free[3] - frozen[3] == 4 * (7 * 3 + 3)


def test_linear_in_the_batch() -> None:
    model = built("resnet18")
    one, three = (totals(step(model, image(batch, 64)), "backward_macs", "gradient_bytes") for batch in (1, 3))
    assert three == [3 * one[0], one[1]]
