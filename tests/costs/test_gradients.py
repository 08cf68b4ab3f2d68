"""Formulas of operators that only a backward pass has, against arithmetic written out."""

from __future__ import annotations

from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from cspanalyze import trace
from cspanalyze.costs import Cost, cost_of, covered

R = torch.rand


class Stem(nn.Module):
    """A layer under test, on an input that needs a gradient."""

    def __init__(self, layer: Any) -> None:
        super().__init__()
        self.layer = layer
        self.scale = nn.Parameter(torch.ones(()))

    def forward(self, x: Tensor) -> Tensor:
        return self.layer(x * self.scale)


def backward_cost(layer: Any, x: Tensor, name: str, mode: str = "train", real: bool = False) -> Cost:
    graph = trace(Stem(layer), x, mode=mode, backward=True, real=real)
    found = [cost_of(op, graph) for op in graph.ops if op.phase == "backward" and op.name == name]
    assert len(found) == 1, [op.name for op in graph.ops if op.phase == "backward"]
    assert found[0] is not None
    return found[0]


MAP = (2, 4, 6, 6)  # 288 elements
FLOPS = [
    ("relu", nn.ReLU(), "threshold_backward", 288),
    ("leaky relu", nn.LeakyReLU(), "leaky_relu_backward", 288),
    ("silu", nn.SiLU(), "silu_backward", 2 * 288),
    ("gelu", nn.GELU(), "gelu_backward", 2 * 288),
    ("sigmoid", nn.Sigmoid(), "sigmoid_backward", 2 * 288),
    ("hard swish", nn.Hardswish(), "hardswish_backward", 2 * 288),
    ("batch norm", nn.BatchNorm2d(4), "native_batch_norm_backward", 9 * 288),
    # no affine parameters: the sums are needed all the same
    ("batch norm, not affine", nn.BatchNorm2d(4, affine=False), "native_batch_norm_backward", 9 * 288),
    ("layer norm", nn.LayerNorm(6), "native_layer_norm_backward", 13 * 288),
    ("layer norm, not affine", nn.LayerNorm(6, elementwise_affine=False), "native_layer_norm_backward", 10 * 288),
    ("group norm", nn.GroupNorm(2, 4), "native_group_norm_backward", 13 * 288),
    ("softmax", nn.Softmax(-1), "_softmax_backward_data", 4 * 288),
    ("log softmax", nn.LogSoftmax(-1), "_log_softmax_backward_data", 4 * 288),
    # one addition for each of the 2 x 4 x 3 x 3 results
    ("max pool", nn.MaxPool2d(2), "max_pool2d_with_indices_backward", 72),
    ("average pool", nn.AvgPool2d(2), "avg_pool2d_backward", 4 * 72),
    ("adaptive pool", nn.AdaptiveAvgPool2d(3), "_adaptive_avg_pool2d_backward", 288),
    ("nearest", nn.Upsample(scale_factor=2), "upsample_nearest2d_backward", 4 * 288),
    ("bilinear", nn.Upsample(scale_factor=2, mode="bilinear"), "upsample_bilinear2d_backward", 8 * 4 * 288),
    ("reflection", nn.ReflectionPad2d(1), "reflection_pad2d_backward", 8 * 8 * 8),
    ("slice", lambda x: x[:, :2], "slice_backward", 0),
]


@pytest.mark.parametrize(("layer", "name", "flops"), [row[1:] for row in FLOPS], ids=[row[0] for row in FLOPS])
def test_elementwise_flops(layer, name, flops) -> None:
    cost = backward_cost(layer, R(MAP), name)
    assert (cost.macs, cost.elementwise_flops) == (0, flops)


def test_batch_norm_in_evaluation() -> None:
    """A product for the input's gradient, 4 and 1 for those of weight and bias; without them the product alone."""
    assert backward_cost(nn.BatchNorm2d(4), R(MAP), "native_batch_norm_backward", "eval").elementwise_flops == 6 * 288
    plain = nn.BatchNorm2d(4).requires_grad_(False)
    assert backward_cost(plain, R(MAP), "native_batch_norm_backward", "eval").elementwise_flops == 288


def test_mish() -> None:
    """On meta tensors autograd takes its gradient apart; the processor has a kernel for it."""
    assert backward_cost(nn.Mish(), R(MAP), "mish_backward", real=True).elementwise_flops == 2 * 288


@pytest.mark.parametrize("backward", [False, True])
def test_batch_norm_forward_in_training(backward) -> None:
    """5 per element of the map: its first results are the running statistics, which do not count."""
    graph = trace(nn.BatchNorm2d(4), R(MAP), mode="train", backward=backward)
    (cost,) = [cost_of(op, graph) for op in graph.ops if op.name in ("batch_norm", "native_batch_norm")]
    assert cost is not None
    assert cost.elementwise_flops == 5 * 288


def test_embedding() -> None:
    graph = trace(nn.Embedding(10, 4), torch.zeros(3, dtype=torch.long), backward=True)
    (op,) = [op for op in graph.ops if op.name == "embedding_dense_backward"]
    cost = cost_of(op, graph)
    assert cost is not None
    assert cost.elementwise_flops == 3 * 4


def test_attention_is_five_products() -> None:
    """2 x 3 heads, 4 queries and keys, width 8: scores 96, each product 96 x 8; the forward has two."""

    def attention(x: Tensor) -> Tensor:
        return F.scaled_dot_product_attention(x, x, x)

    cost = backward_cost(attention, R(2, 3, 4, 8), "_scaled_dot_product_flash_attention_for_cpu_backward")
    assert cost.macs == 5 * 96 * 8
    assert cost.elementwise_flops == 7 * 96


def test_attention_with_dropout_is_taken_apart_into_four_products() -> None:
    def attention(x: Tensor) -> Tensor:
        return F.scaled_dot_product_attention(x, x, x, dropout_p=0.1)

    graph = trace(Stem(attention), R(2, 3, 4, 8), mode="train", backward=True)
    macs = {phase: sum(cost.macs for op in graph.ops if op.phase == phase and (cost := cost_of(op, graph)))
            for phase in ("forward", "backward")}  # fmt: skip
    assert macs == {"forward": 2 * 96 * 8, "backward": 4 * 96 * 8}


def test_a_fused_recurrent_layer_is_twice_its_forward() -> None:
    """The first layer's input needs a gradient here: every matrix counts twice. 22 steps, 4 gates of 7 from 5 and 7."""
    lstm = nn.LSTM(5, 7)

    def layer(x: Tensor) -> Tensor:
        return lstm(x)[0]

    stem = Stem(layer)
    stem.lstm = lstm
    graph = trace(stem, R(11, 2, 5), mode="train", backward=True, real=True)
    macs = {op.name: cost.macs for op in graph.ops if "rnn" in op.name and (cost := cost_of(op, graph))}
    if not macs:
        pytest.skip("this build of torch has no fused recurrent layer")
    assert macs == {
        "mkldnn_rnn_layer": 22 * 4 * 7 * (5 + 7),
        "mkldnn_rnn_layer_backward": 2 * 22 * 4 * 7 * (5 + 7),
    }


def test_bilinear_forward_is_the_same_with_and_without_a_gradient() -> None:
    """Per position and output, in1 x in2 and then in2; the three gradients cost as much as their own order gives."""
    layer = nn.Bilinear(4, 5, 3)
    graph = trace(layer, R(2, 4), R(2, 5), backward=True)
    forward = [cost for op in graph.ops if op.phase == "forward" and (cost := cost_of(op, graph)) and cost.macs]
    assert [cost.macs for cost in forward] == [2 * 3 * (4 * 5 + 5)]


def test_every_backward_operator_of_the_table_is_torchs() -> None:
    names = {name.partition("::")[2].partition(".")[0] for name in torch._C._dispatch_get_all_op_names()}
    written = {target.removeprefix("aten.") for target in covered() if "backward" in target}
    assert written - names == set()
