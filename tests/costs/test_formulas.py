"""Every formula against arithmetic written out, and against laws."""

from __future__ import annotations

from typing import Any

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from cspanalyze import trace
from cspanalyze.analyses import Grouping, View
from cspanalyze.costs import Cost, cost_of, covered, formula


class Call(nn.Module):
    """Runs a function as a module."""

    def __init__(self, function: Any) -> None:
        super().__init__()
        self.function = function

    def forward(self, *args: Any) -> Any:
        return self.function(*args)


def total(module: nn.Module | Any, *inputs: Any, real: bool = False) -> Cost:
    """Sum of the costs of a forward pass."""
    graph = trace(module if isinstance(module, nn.Module) else Call(module), *inputs, real=real)
    costs = [cost_of(op, graph) for op in graph.ops]
    assert None not in costs, [op.target for op, cost in zip(graph.ops, costs, strict=True) if cost is None]
    known = [cost for cost in costs if cost is not None]
    return Cost(
        known[0].kind,
        macs=sum(cost.macs for cost in known),
        elementwise_flops=sum(cost.elementwise_flops for cost in known),
        fvcore_extra=sum(cost.fvcore_extra for cost in known),
        activations=sum(cost.activations for cost in known),
    )


R = torch.rand
MACS = [
    # a 3x3 on 3 -> 8 channels, 14x14 output positions
    ("conv2d", nn.Conv2d(3, 8, 3), (R(1, 3, 16, 16),), 8 * 14 * 14 * 3 * 9),
    ("conv2d, batch 5", nn.Conv2d(3, 8, 3), (R(5, 3, 16, 16),), 5 * 8 * 14 * 14 * 3 * 9),
    ("conv2d, 4 groups", nn.Conv2d(8, 12, 3, groups=4), (R(1, 8, 9, 9),), 12 * 7 * 7 * 2 * 9),
    ("conv2d, depthwise", nn.Conv2d(8, 8, 5, padding=2, groups=8), (R(1, 8, 9, 9),), 8 * 9 * 9 * 25),
    ("conv2d, stride and dilation", nn.Conv2d(4, 4, 3, 2, dilation=2), (R(1, 4, 16, 16),), 4 * 6 * 6 * 4 * 9),
    ("conv2d, padding by name", nn.Conv2d(3, 8, 3, padding="same"), (R(1, 3, 16, 16),), 8 * 16 * 16 * 3 * 9),
    ("conv1d", nn.Conv1d(2, 4, 3), (R(1, 2, 10),), 4 * 8 * 2 * 3),
    ("conv3d", nn.Conv3d(2, 4, 3), (R(1, 2, 6, 6, 6),), 4 * 4**3 * 2 * 27),
    # every input element is spread over 4x4 positions of 4 output channels
    ("transposed", nn.ConvTranspose2d(8, 4, 4, stride=2), (R(1, 8, 5, 5),), 8 * 5 * 5 * 4 * 16),
    ("transposed, groups", nn.ConvTranspose2d(8, 4, 4, stride=2, groups=4), (R(1, 8, 5, 5),), 8 * 5 * 5 * 1 * 16),
    ("transposed 1d", nn.ConvTranspose1d(3, 2, 3), (R(1, 3, 7),), 3 * 7 * 2 * 3),
    ("linear", nn.Linear(7, 5), (R(3, 7),), 3 * 7 * 5),
    ("linear on 4 dimensions", nn.Linear(7, 5), (R(2, 3, 4, 7),), 2 * 3 * 4 * 7 * 5),
    ("mm", torch.mm, (R(3, 4), R(4, 5)), 3 * 4 * 5),
    ("bmm", torch.bmm, (R(2, 3, 4), R(2, 4, 5)), 2 * 3 * 4 * 5),
    ("matmul, broadcast", torch.matmul, (R(2, 1, 3, 4), R(6, 4, 5)), 2 * 6 * 3 * 4 * 5),
    ("mv", torch.mv, (R(3, 4), R(4)), 3 * 4),
    ("dot", torch.dot, (R(9), R(9)), 9),
    ("addmm", torch.addmm, (R(3, 5), R(3, 4), R(4, 5)), 3 * 4 * 5),
    ("baddbmm", torch.baddbmm, (R(2, 3, 5), R(2, 3, 4), R(2, 4, 5)), 2 * 3 * 4 * 5),
    ("addbmm", torch.addbmm, (R(3, 5), R(2, 3, 4), R(2, 4, 5)), 2 * 3 * 4 * 5),
    ("einsum", lambda a, b: torch.einsum("bij,bjk->bik", a, b), (R(2, 3, 4), R(2, 4, 5)), 2 * 3 * 4 * 5),
    # per position and output: x1 . A . x2
    ("bilinear", nn.Bilinear(4, 5, 3), (R(2, 4), R(2, 5)), 2 * 3 * (4 * 5 + 5)),
    # 4 gates of 7 from 5 and 7; second layer, two directions, from 14 and 7
    ("lstm", nn.LSTM(5, 7), (R(11, 2, 5),), 22 * (4 * 7 * (5 + 7))),
    (
        "lstm, 2 layers, 2 directions",
        nn.LSTM(5, 7, num_layers=2, bidirectional=True),
        (R(11, 2, 5),),
        22 * 2 * (4 * 7 * (5 + 7) + 4 * 7 * (14 + 7)),
    ),
    # the projection is another 3 x 7 per step, and the hidden size is then 3
    ("lstm with projection", nn.LSTM(5, 7, proj_size=3), (R(11, 2, 5),), 22 * (4 * 7 * (5 + 3) + 3 * 7)),
    ("gru", nn.GRU(5, 7), (R(11, 2, 5),), 22 * (3 * 7 * (5 + 7))),
    ("rnn", nn.RNN(5, 7), (R(11, 2, 5),), 22 * (7 * (5 + 7))),
    ("lstm cell", nn.LSTMCell(5, 7), (R(2, 5),), 2 * (4 * 7 * (5 + 7))),
    ("gru cell", nn.GRUCell(5, 7), (R(2, 5),), 2 * (3 * 7 * (5 + 7))),
    # 2 x 3 heads, 4 queries, 6 keys, widths 8 and 5
    (
        "attention",
        F.scaled_dot_product_attention,
        (R(2, 3, 4, 8), R(2, 3, 6, 8), R(2, 3, 6, 5)),
        2 * 3 * 4 * 6 * (8 + 5),
    ),
    ("embedding", nn.Embedding(10, 4), (torch.zeros(3, dtype=torch.long),), 0),
    ("relu", nn.ReLU(), (R(2, 3),), 0),
]


@pytest.mark.parametrize(("module", "inputs", "macs"), [row[1:] for row in MACS], ids=[row[0] for row in MACS])
def test_macs(module, inputs, macs) -> None:
    assert total(module, *inputs).macs == macs


FLOPS = [
    ("add", torch.add, (R(2, 3), R(2, 3)), 6),
    ("broadcast add", torch.add, (R(2, 3), R(3)), 6),
    ("relu", nn.ReLU(), (R(2, 3),), 6),
    ("gelu", nn.GELU(), (R(2, 3),), 6),
    ("softmax", lambda x: x.softmax(-1), (R(2, 3),), 5 * 6),
    ("batch norm", nn.BatchNorm2d(3), (R(2, 3, 4, 4),), 2 * 96),
    ("batch norm without affine", nn.BatchNorm2d(3, affine=False), (R(2, 3, 4, 4),), 96),
    ("layer norm", nn.LayerNorm(3), (R(2, 3),), 5 * 6),
    ("layer norm without affine", nn.LayerNorm(3, elementwise_affine=False), (R(2, 3),), 4 * 6),
    ("group norm", nn.GroupNorm(2, 4), (R(1, 4, 3, 3),), 5 * 36),
    ("max pool", nn.MaxPool2d(3, 2), (R(1, 2, 9, 9),), 9 * 2 * 4 * 4),
    ("average pool", nn.AvgPool2d(2), (R(1, 2, 8, 8),), 4 * 2 * 4 * 4),
    ("global pool", nn.AdaptiveAvgPool2d(1), (R(1, 2, 8, 8),), 128),
    ("nearest", nn.Upsample(scale_factor=2), (R(1, 2, 4, 4),), 0),
    ("bilinear", nn.Upsample(scale_factor=2, mode="bilinear"), (R(1, 2, 4, 4),), 8 * 128),
    ("sum", torch.sum, (R(5, 7),), 35),
    # 4 rows of 8: 5 N log2 n, and half of that for a real input
    ("fft", torch.fft.fft, (torch.zeros(4, 8, dtype=torch.complex64),), 5 * 32 * 3),
    ("rfft", torch.fft.rfft, (R(4, 8),), 5 * 32 * 3 // 2),
    # scores 2 x 3 x 4 x 6: one scaling and five of the softmax
    (
        "attention",
        F.scaled_dot_product_attention,
        (R(2, 3, 4, 8), R(2, 3, 6, 8), R(2, 3, 6, 8)),
        6 * 2 * 3 * 4 * 6,
    ),
    ("cat", lambda a, b: torch.cat([a, b]), (R(2, 3), R(2, 3)), 0),
    ("dropout in evaluation", nn.Dropout(), (R(2, 3),), None),
]


@pytest.mark.parametrize(
    ("module", "inputs", "flops"), [row[1:] for row in FLOPS if row[3] is not None], ids=[row[0] for row in FLOPS[:-1]]
)
def test_elementwise_flops(module, inputs, flops) -> None:
    cost = total(module, *inputs)
    assert cost.elementwise_flops == flops


def test_the_two_columns_of_a_convolution_with_norm() -> None:
    net = nn.Sequential(nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8), nn.ReLU())
    cost = total(net, R(1, 3, 16, 16))
    assert (cost.macs, cost.elementwise_flops) == (8 * 196 * 27, 3 * 8 * 196)
    assert cost.fvcore_extra == 2 * 8 * 196
    assert cost.activations == 8 * 196


def test_the_fused_transformer_kernels_cost_what_their_parts_do() -> None:
    """On real tensors torch runs `_native_multi_head_attention` and `_transformer_encoder_layer_fwd` as one node."""
    layer = nn.TransformerEncoderLayer(16, 2, 32, batch_first=True).eval()
    x = R(2, 9, 16)
    fused, apart = trace(layer, x, real=True), trace(layer, x)
    assert [op.name for op in fused.ops] == ["_transformer_encoder_layer_fwd"]
    # 18 positions: projections 16 x 48 and 16 x 16, feed-forward 2 x 16 x 32; 2 x 2 heads of 9 x 9 scores, width 8
    expected = 18 * (16 * 48 + 16 * 16 + 2 * 16 * 32) + 2 * 2 * 81 * (8 + 8)
    assert total(layer, x, real=True).macs == expected
    assert total(layer, x).macs == expected
    assert len(apart.ops) > 1

    attention = nn.MultiheadAttention(16, 4, batch_first=True).eval()
    forward = Call(lambda y: attention(y, y, y, need_weights=False)[0])
    expected = 18 * (16 * 48 + 16 * 16) + 2 * 4 * 81 * (4 + 4)
    assert total(forward, x, real=True).macs == expected
    assert total(forward, x).macs == expected


def test_a_packed_sequence_counts_its_real_steps() -> None:
    lstm = nn.LSTM(5, 7)
    packed = nn.utils.rnn.pack_padded_sequence(R(6, 2, 5), [6, 3])
    cost = total(Call(lambda data, sizes: torch.ops.aten.lstm.data(
        data, sizes, (torch.zeros(1, 2, 7), torch.zeros(1, 2, 7)), lstm._flat_weights, True, 1, 0.0, False, False
    )[0]), packed.data, packed.batch_sizes, real=True)  # fmt: skip
    assert cost.macs == (6 + 3) * 4 * 7 * (5 + 7)


conv_cases = st.tuples(
    st.sampled_from([1, 2, 4]),
    st.integers(1, 3),
    st.integers(1, 3),
    st.integers(1, 3),
    st.integers(1, 2),
    st.integers(1, 2),
)


@settings(max_examples=60, deadline=None)
@given(conv_cases, st.integers(1, 3))
def test_grouped_convolutions_and_their_backward_agree_with_each_other(case, batch) -> None:
    groups, cin, cout, kernel, stride, dilation = case
    conv = nn.Conv2d(cin * groups, cout * groups, kernel, stride, dilation=dilation, groups=groups)
    one = nn.Conv2d(cin * groups, cout * groups, kernel, stride, dilation=dilation)
    x = torch.empty(batch, cin * groups, 11, 11, device="meta")
    macs = total(conv, x).macs
    assert macs * groups == total(one, x).macs
    assert macs == batch * total(conv, x[:1]).macs


@pytest.mark.parametrize("groups", [1, 4, 32])
def test_the_backward_of_a_grouped_convolution_is_twice_its_forward(groups) -> None:
    """torch's own FlopCounterMode gives 33 times the forward for 32 groups."""
    conv = nn.Conv2d(32, 64, 3, groups=groups, bias=False)
    x = R(1, 32, 9, 9)

    def backward(inputs: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
        grad = torch.ones(1, 64, 7, 7)
        return torch.ops.aten.convolution_backward(
            grad, inputs, weight, None, [1, 1], [0, 0], [1, 1], False, [0, 0], groups, [True, True, False]
        )[0]

    assert total(backward, x, conv.weight.detach()).macs == 2 * total(conv, x).macs


@pytest.mark.parametrize(
    ("module", "inputs"),
    [row[1:3] for row in MACS if row[0] not in ("attention", "dot", "mv", "bilinear") and "cell" not in row[0]
     and "lstm" not in row[0] and row[0] not in ("gru", "rnn", "addbmm", "linear on 4 dimensions")],
)  # fmt: skip
def test_torch_counts_the_same_where_it_counts(module, inputs) -> None:
    """An independent route: torch's own counter, which knows fewer operators."""
    function = module if callable(module) else module.forward
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        function(*inputs)
    assert counter.get_total_flops() == 2 * total(module, *inputs).macs


def test_an_operator_without_a_formula_is_reported_not_zero() -> None:
    graph = trace(Call(lambda x: torch.linalg.qr(x)[0]), torch.eye(3))
    view = View(graph, Grouping.of(graph))
    assert [item.op for item in view.uncovered] == ["aten.linalg_qr"]
    assert view.costs == (None,)


def test_a_user_can_register_a_formula(monkeypatch) -> None:
    from cspanalyze.costs import registry

    monkeypatch.setattr(registry, "_FORMULAS", dict(registry._FORMULAS))
    formula("aten.linalg_qr")(lambda call: Cost("matmul", macs=call.out.shape[-1] ** 3))
    assert total(lambda x: torch.linalg.qr(x)[0], torch.eye(3)).macs == 27
    assert "aten.linalg_qr" in covered()


def test_an_embedding_bag_counts_the_rows_it_looks_up() -> None:
    # 14 rows of 16 are added up; the table has 1000
    bag = nn.EmbeddingBag(1000, 16)
    assert total(bag, torch.zeros(2, 7, dtype=torch.long)).elementwise_flops == 14 * 16
