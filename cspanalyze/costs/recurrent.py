"""LSTM, GRU and plain recurrent layers and cells, in the composite and the fused CPU forms."""

from __future__ import annotations

from math import prod

from cspanalyze.costs.registry import Call, Cost, formula
from cspanalyze.graph import TensorSpec

_GATE_FLOPS = {"lstm": 13, "gru": 13, "rnn": 2}
"""Element-wise FLOPs per hidden unit and step.

LSTM: 4 gate sums, 5 non-linearities (3 sigmoid, 2 tanh), 3 products, 1 sum. GRU: 5 sums and a difference among the
gates, 3 non-linearities, 3 products, 1 sum. Plain: 1 sum, 1 non-linearity.
"""


def _recurrent(family: str, steps: int, weights: list[TensorSpec], out: int) -> Cost:
    """MACs = steps x the elements of every weight matrix (input, hidden and projection weights; biases have one
    dimension); `steps` is sequence length x batch."""
    matrices = [weight for weight in weights if len(weight.shape) == 2]
    gates = {"lstm": 4, "gru": 3, "rnn": 1}[family]
    # Input and hidden matrices have gates x hidden rows; a projection matrix has fewer columns than that.
    hidden = sum(weight.shape[0] for weight in matrices if weight.shape[0] % gates == 0) // (2 * gates)
    return Cost(
        "recurrent",
        macs=steps * sum(weight.numel for weight in matrices),
        elementwise_flops=steps * hidden * _GATE_FLOPS[family],
        activations=out,
    )


def _family(call: Call) -> str:
    return next(family for family in _GATE_FLOPS if family in call.op.name)


@formula("aten.lstm", "aten.gru", "aten.rnn_tanh", "aten.rnn_relu")
def layers(call: Call) -> Cost:
    """`input` form: (input, hx, params, ...); `data` form, for packed sequences: (data, batch_sizes, hx, params, ...).

    A padded batch counts every step, a packed one only the real ones.
    """
    position = 3 if call.op.overload == "data" else 2
    steps = prod(call.shape(0)[:-1])
    return _recurrent(_family(call), steps, call.tensors(position), call.out.numel)


@formula("aten.lstm_cell", "aten.gru_cell", "aten.rnn_tanh_cell", "aten.rnn_relu_cell")
def cell(call: Call) -> Cost:
    """One step: (input, hx, w_ih, w_hh, b_ih, b_hh)."""
    steps = prod(call.shape(0)[:-1])
    weights = [spec for spec in (call.tensor(2), call.tensor(3)) if spec is not None]
    return _recurrent(_family(call), steps, weights, call.out.numel)


@formula("aten.mkldnn_rnn_layer")
def fused_layer(call: Call) -> Cost:
    """One LSTM layer and direction on oneDNN: (input, w_ih, w_hh, b_ih, b_hh, ...), input (T, B, features)."""
    steps = prod(call.shape(0)[:-1])
    weights = [spec for spec in (call.tensor(1), call.tensor(2)) if spec is not None]
    return _recurrent("lstm", steps, weights, call.out.numel)


@formula("aten._thnn_fused_lstm_cell", "aten._thnn_fused_gru_cell")
def fused_gates(call: Call) -> Cost:
    """The element-wise half of a cell whose matrix products were dispatched separately."""
    family = "lstm" if "lstm" in call.op.name else "gru"
    return Cost("elementwise", elementwise_flops=call.out.numel * _GATE_FLOPS[family])
