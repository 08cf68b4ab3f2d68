"""Normalisation layers and softmax: no MACs; their FLOPs are in the element-wise column."""

from __future__ import annotations

from math import prod

from cspanalyze.costs.attention import SOFTMAX_FLOPS
from cspanalyze.costs.registry import Call, Cost, formula


def _norm(elements: int, per_element: int) -> Cost:
    return Cost("normalization", elementwise_flops=elements * per_element, fvcore_extra=elements * per_element)


@formula(
    "aten.batch_norm", "aten.native_batch_norm", "aten._native_batch_norm_legit", "aten.cudnn_batch_norm",
    "aten._native_batch_norm_legit_no_training", "aten._batch_norm_impl_index", "aten._batch_norm_with_update",
)  # fmt: skip
def batch_norm(call: Call) -> Cost:
    """Evaluation: one scale and one shift per element with affine parameters, else 1 FLOP; training: 5 and 4
    (mean, variance, difference, scale, shift), as fvcore counts them."""
    affine = call.tensor(1, "weight") is not None
    training = call.argument(5, "training", False) is True and not call.op.name.endswith("no_training")
    # Not the first result: in training that is the new running mean.
    return _norm(prod(call.shape(0)), (5 if affine else 4) if training else (2 if affine else 1))


@formula("aten.layer_norm", "aten.native_layer_norm")
def layer_norm(call: Call) -> Cost:
    """5 FLOPs per element with affine parameters, 4 without."""
    return _norm(call.out.numel, 5 if call.tensor(2, "weight") is not None else 4)


@formula("aten.group_norm", "aten.native_group_norm")
def group_norm(call: Call) -> Cost:
    """5 FLOPs per element with affine parameters, 4 without."""
    position = 2 if call.op.name == "group_norm" else 1
    return _norm(call.out.numel, 5 if call.tensor(position, "weight") is not None else 4)


@formula("aten.instance_norm")
def instance_norm(call: Call) -> Cost:
    """5 FLOPs per element with affine parameters, 4 without."""
    return _norm(prod(call.shape(0)), 5 if call.tensor(1, "weight") is not None else 4)


@formula("aten.rms_norm", "aten._fused_rms_norm")
def rms_norm(call: Call) -> Cost:
    """4 FLOPs per element with a weight (square, sum, scale, weight), 3 without. fvcore knows no such operator."""
    weighted = call.tensor(2, "weight") is not None
    return Cost("normalization", elementwise_flops=call.out.numel * (4 if weighted else 3))


@formula("aten._softmax", "aten._log_softmax", "aten._safe_softmax", "aten._masked_softmax")
def softmax(call: Call) -> Cost:
    """5 FLOPs per element."""
    return Cost("normalization", elementwise_flops=SOFTMAX_FLOPS * call.out.numel)


@formula("aten._weight_norm_interface", "aten.local_response_norm", "aten.renorm")
def weight_norm(call: Call) -> Cost:
    """3 FLOPs per element: square and sum for the norm, then the scale."""
    return Cost("normalization", elementwise_flops=3 * call.out.numel)
