"""Operators that only the backward pass has, convolutions aside: gradients of what the other files cost forward.

Linear layers, matrix products and most arithmetic are differentiated by ordinary operators (`mm`, `mul`, `sum`) and
need nothing here.
"""

from __future__ import annotations

from math import prod

from cspanalyze.costs.pooling import TAPS, window_elements
from cspanalyze.costs.registry import Call, Cost, formula

_MASKS = ("threshold", "leaky_relu", "hardtanh", "softshrink", "hardshrink", "_prelu_kernel", "native_dropout")
_CURVES = (
    "sigmoid", "tanh", "gelu", "silu", "mish", "elu", "softplus", "hardswish", "hardsigmoid", "log_sigmoid", "glu",
    "rrelu_with_noise", "logit", "mse_loss", "smooth_l1_loss", "huber_loss", "binary_cross_entropy",
)  # fmt: skip


@formula(*(f"aten.{name}_backward" for name in _MASKS))
def masked_gradient(call: Call) -> Cost:
    """One FLOP per element: the gradient passes, or is scaled, by a comparison."""
    return Cost("elementwise", elementwise_flops=call.out.numel)


@formula(*(f"aten.{name}_backward" for name in _CURVES))
def curve_gradient(call: Call) -> Cost:
    """Two FLOPs per element: the derivative, counted as one like the function itself, times the gradient."""
    return Cost("elementwise", elementwise_flops=2 * call.out.numel)


def _wanted(call: Call) -> tuple[bool, bool, bool]:
    """Which gradients are asked for, of input, weight and bias: the last argument."""
    mask = call.argument(len(call.op.args) - 1, "output_mask")
    given = [bool(item) for item in mask] if isinstance(mask, tuple) else []
    return (given[0], given[1], given[2]) if len(given) == 3 else (True, True, True)


@formula("aten.native_batch_norm_backward", "aten.cudnn_batch_norm_backward")
def batch_norm_backward(call: Call) -> Cost:
    """Per element: 2 for the normalised value, 1 for the sum of the gradient, 2 for that of their product, 4 for the
    gradient of the input (9 in all); in evaluation the input's gradient is one product and needs no sums."""
    own, weight, bias = _wanted(call)
    training = call.argument(7, "train", True) is not False
    sums = own and training
    per_element = (4 if training else 1) * own + 4 * (weight or sums) + 1 * (bias or sums)
    return Cost("normalization", elementwise_flops=per_element * prod(call.shape(1)))


@formula("aten.native_layer_norm_backward", "aten.native_group_norm_backward", "aten._fused_rms_norm_backward")
def layer_norm_backward(call: Call) -> Cost:
    """Per element: 2 for the normalised value; for the input's gradient 1 to weight the gradient, 3 for two sums over
    the normalised group, 4 to combine them; 2 for the weight's gradient and 1 for the bias's (13 in all)."""
    own, weight, bias = _wanted(call)
    per_element = 2 * (own or weight) + 8 * own + 2 * weight + 1 * bias
    return Cost("normalization", elementwise_flops=per_element * prod(call.shape(1)))


@formula("aten._softmax_backward_data", "aten._log_softmax_backward_data", "aten._masked_softmax_backward")
def softmax_backward(call: Call) -> Cost:
    """4 FLOPs per element: y · (dy - sum of dy · y)."""
    return Cost("normalization", elementwise_flops=4 * call.out.numel)


@formula(
    "aten.max_pool2d_with_indices_backward", "aten.max_pool3d_with_indices_backward",
    "aten.adaptive_max_pool2d_backward", "aten.adaptive_max_pool3d_backward", "aten.fractional_max_pool2d_backward",
    "aten.embedding_dense_backward", "aten._embedding_bag_dense_backward", "aten.nll_loss_backward",
    "aten.nll_loss2d_backward", "aten.reflection_pad1d_backward", "aten.reflection_pad2d_backward",
    "aten.replication_pad2d_backward",
)  # fmt: skip
def scattered_gradient(call: Call) -> Cost:
    """One addition per element of the incoming gradient, into the place it came from."""
    return Cost("reduction", elementwise_flops=prod(call.shape(0)))


@formula("aten.avg_pool2d_backward", "aten.avg_pool3d_backward")
def average_pool_backward(call: Call) -> Cost:
    """One addition per element of each window. Arguments: (gradient, input, kernel_size, ...)."""
    dims = 3 if "3d" in call.op.name else 2
    windows = window_elements(call.argument(2, "kernel_size"), dims)
    return Cost("pooling", elementwise_flops=windows * prod(call.shape(0)))


@formula("aten._adaptive_avg_pool2d_backward", "aten._adaptive_avg_pool3d_backward")
def adaptive_average_pool_backward(call: Call) -> Cost:
    """One addition per element of the input (overlapping windows are not counted twice)."""
    return Cost("pooling", elementwise_flops=call.out.numel)


@formula(
    *(
        f"aten.{name}_backward"
        for name in (
            "upsample_nearest1d", "upsample_nearest2d", "upsample_nearest3d", "_upsample_nearest_exact1d",
            "_upsample_nearest_exact2d", "_upsample_nearest_exact3d", "upsample_linear1d", "upsample_bilinear2d",
            "upsample_trilinear3d", "upsample_bicubic2d", "_upsample_bilinear2d_aa", "_upsample_bicubic2d_aa",
        )
    )
)  # fmt: skip
def interpolate_backward(call: Call) -> Cost:
    """Two FLOPs per tap and element of the incoming gradient; one addition where the mode is nearest."""
    taps = next(taps for mode, taps in sorted(TAPS.items(), key=lambda item: -len(item[0])) if mode in call.op.name)
    return Cost("interpolation", elementwise_flops=max(1, 2 * taps) * prod(call.shape(0)))


@formula("aten.grid_sampler_2d_backward", "aten.grid_sampler_3d_backward")
def grid_sample_backward(call: Call) -> Cost:
    """Bilinear: two FLOPs per tap for the gradient of the input, and as many for that of the grid."""
    return Cost("interpolation", elementwise_flops=4 * 2 ** (len(call.shape(0)) - 2) * prod(call.shape(0)))


@formula(
    "aten._scaled_dot_product_flash_attention_backward",
    "aten._scaled_dot_product_flash_attention_for_cpu_backward",
    "aten._scaled_dot_product_efficient_attention_backward",
    "aten._scaled_dot_product_cudnn_attention_backward",
    "aten._scaled_dot_product_fused_attention_overrideable_backward",
)
def attention_backward(call: Call) -> Cost:
    """Five products where the forward has two: arguments 1, 2, 3 are query, key and value.

    The kernels do not keep the scores: L x S x E to compute them again, L x S x Ev each for the gradients of the values
    and of the probabilities, L x S x E each for those of query and key. Per score: the scaling, the difference and the
    exponential once more, and 4 for the gradient of the softmax.
    """
    query, key, value = call.shape(1), call.shape(2), call.shape(3)
    scores = prod(query[:-1]) * key[-2]
    return Cost("attention", macs=scores * (3 * query[-1] + 2 * value[-1]), elementwise_flops=7 * scores)


@formula("aten.mkldnn_rnn_layer_backward")
def fused_recurrent_backward(call: Call) -> Cost:
    """Twice the forward: every weight matrix serves the gradient of what it multiplied, and gets one itself."""
    steps = prod(call.shape(0)[:-1])
    return Cost("recurrent", macs=2 * steps * (prod(call.shape(1)) + prod(call.shape(2))))


@formula(
    *(
        f"aten.{name}"
        for name in (
            "slice_backward", "select_backward", "diagonal_backward", "unfold_backward",
            "value_selecting_reduction_backward",
        )
    )
)  # fmt: skip
def placed_gradient(_: Call) -> Cost:
    """No arithmetic: the gradient of a part is written into zeros of the size of the whole."""
    return Cost("movement")
