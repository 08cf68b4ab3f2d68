"""Element-wise arithmetic and reductions (one FLOP each) and Fourier transforms."""

from __future__ import annotations

from math import log2, prod

from cspanalyze.costs.registry import Call, Cost, formula

_ELEMENTWISE = (
    # arithmetic
    "add", "sub", "rsub", "mul", "div", "remainder", "fmod", "floor_divide", "pow", "neg", "abs", "square", "sqrt",
    "rsqrt", "reciprocal", "maximum", "minimum", "fmax", "fmin", "lerp", "clamp", "clamp_min", "clamp_max", "hypot",
    # transcendental
    "exp", "exp2", "expm1", "log", "log2", "log10", "log1p", "sin", "cos", "tan", "asin", "acos", "atan", "atan2",
    "sinh", "cosh", "asinh", "acosh", "atanh", "erf", "erfc", "erfinv", "lgamma", "digamma", "sigmoid", "tanh",
    "logit", "sinc", "xlogy", "logaddexp", "special_xlog1py",
    # activations
    "relu", "relu6", "leaky_relu", "prelu", "_prelu_kernel", "rrelu", "rrelu_with_noise", "elu", "selu", "celu",
    "gelu", "silu", "mish", "softplus", "softshrink", "hardshrink", "hardtanh", "hardswish", "hardsigmoid",
    "log_sigmoid_forward", "threshold", "glu",
    # rounding and comparison
    "round", "floor", "ceil", "trunc", "frac", "sign", "sgn", "heaviside", "eq", "ne", "lt", "le", "gt", "ge",
    "isnan", "isinf", "isfinite", "logical_and", "logical_or", "logical_not", "logical_xor", "bitwise_and",
    "bitwise_or", "bitwise_not", "bitwise_xor", "__and__", "__or__", "__xor__", "bitwise_left_shift",
    "bitwise_right_shift", "__lshift__", "__rshift__",
    # in the loss
    "mse_loss", "smooth_l1_loss", "huber_loss", "binary_cross_entropy",
)  # fmt: skip


@formula(*(f"aten.{name}{suffix}" for name in _ELEMENTWISE for suffix in ("", "_")))
def elementwise(call: Call) -> Cost:
    """One FLOP per output element; a transcendental function counts as one, a comparison too."""
    return Cost("elementwise", elementwise_flops=call.out.numel)


@formula(*(f"aten.{name}{suffix}" for name in ("addcmul", "addcdiv") for suffix in ("", "_")))
def multiply_add(call: Call) -> Cost:
    """Three FLOPs per output element: x + value * a * b."""
    return Cost("elementwise", elementwise_flops=3 * call.out.numel)


@formula("aten._foreach_add", "aten._foreach_mul", "aten._foreach_add_", "aten._foreach_mul_")
def elementwise_lists(call: Call) -> Cost:
    """One FLOP per element of every result."""
    return Cost("elementwise", elementwise_flops=sum(out.numel for out in call.outputs))


_REDUCTIONS = (
    "sum", "nansum", "mean", "prod", "amax", "amin", "max", "min", "aminmax", "any", "all", "argmax", "argmin",
    "logsumexp", "cumsum", "cumprod", "cummax", "cummin", "logcumsumexp", "cumsum_", "count_nonzero", "median",
    "nanmedian", "nll_loss", "nll_loss_forward", "nll_loss2d_forward",
    "histc", "trace", "searchsorted", "bucketize",
)  # fmt: skip


@formula(*(f"aten.{name}" for name in _REDUCTIONS))
def reduction(call: Call) -> Cost:
    """One FLOP per input element."""
    return Cost("reduction", elementwise_flops=call.inputs[0].numel if call.inputs else 0)


@formula("aten._embedding_bag", "aten._embedding_bag_forward_only")
def embedding_bag(call: Call) -> Cost:
    """One FLOP per element of the rows that are looked up: (weight, indices, offsets, ...)."""
    return Cost("reduction", elementwise_flops=call.inputs[1].numel * call.shape(0)[-1])


@formula("aten.var", "aten.std", "aten.var_mean", "aten.std_mean", "aten.linalg_vector_norm", "aten.norm")
def moments(call: Call) -> Cost:
    """Variance and standard deviation: 4 FLOPs per input element (sum; difference, square, sum); a norm: 2."""
    per_element = 2 if "norm" in call.op.name else 4
    return Cost("reduction", elementwise_flops=per_element * call.inputs[0].numel)


@formula("aten._fft_r2c", "aten._fft_c2r", "aten._fft_c2c")
def fourier(call: Call) -> Cost:
    """5 N log2 N per transform of N points, half of that where one side is real: the customary radix-2 count.

    N is the product of the transformed dimensions of the longer side; the result is rounded down to an integer.
    """
    source, out = call.inputs[0], call.out
    dims = call.argument(1, "dim", ())
    axes = [dim for dim in dims if isinstance(dim, int)] if isinstance(dims, tuple) else []
    full = source if source.numel >= out.numel else out
    points = prod(full.shape[axis] for axis in axes)
    if points < 2:
        return Cost("transform")
    flops = 5 * full.numel * log2(points)
    return Cost("transform", elementwise_flops=int(flops if call.op.name == "_fft_c2c" else flops / 2))


@formula("aten.sort", "aten.topk", "aten.argsort", "aten.kthvalue")
def selection(call: Call) -> Cost:
    """N log2 n comparisons for n elements along the dimension, N in all."""
    source = call.inputs[0]
    dim = call.argument(1 if call.op.name != "topk" else 2, "dim", -1)
    length = source.shape[dim] if source.shape and isinstance(dim, int) and not isinstance(dim, bool) else source.numel
    return Cost("reduction", elementwise_flops=int(source.numel * log2(max(2, length))))
