"""Element-wise operators, and what keeps every channel where it is: norms, activations, dropout."""

from __future__ import annotations

from cspanalyze.gradient_flow.rules.registry import Passage, rule
from cspanalyze.gradient_flow.shadows import Shadow, blur, constant, overlay, reorder

_CUTS = (
    "detach", "empty", "empty_like", "empty_strided", "empty_permuted", "new_empty", "new_empty_strided", "zeros",
    "zeros_like", "new_zeros", "ones", "ones_like", "new_ones", "full", "full_like", "new_full", "fill", "zero",
    "rand_like", "randn_like", "randint_like", "bernoulli", "multinomial", "normal", "uniform", "exponential", "random",
    "round", "floor", "ceil", "trunc", "sign", "sgn", "heaviside", "floor_divide", "argmax", "argmin", "argsort",
    "one_hot", "bucketize", "searchsorted", "histc",
)  # fmt: skip


@rule(*_CUTS)
def cut(call: Passage) -> Shadow:
    """No gradient passes: the result does not depend on values, or its derivative is zero almost everywhere."""
    return constant(len(call.made()[0].shape))


@rule(
    "batch_norm", "layer_norm", "group_norm", "instance_norm", "rms_norm", "native_batch_norm", "native_layer_norm",
    "native_group_norm", "_native_batch_norm_legit", "_native_batch_norm_legit_no_training", "cudnn_batch_norm",
    "_fused_rms_norm", "local_response_norm", "softmax", "_softmax", "log_softmax", "_log_softmax", "softmin",
    "dropout", "native_dropout", "feature_dropout", "alpha_dropout", "feature_alpha_dropout",
    "relu", "relu6", "leaky_relu", "prelu", "_prelu_kernel", "rrelu", "rrelu_with_noise", "elu", "selu", "celu", "gelu",
    "silu", "mish", "softplus", "softshrink", "hardshrink", "hardtanh", "hardswish", "hardsigmoid", "threshold",
    "log_sigmoid_forward", "sigmoid", "tanh", "logit", "exp", "exp2", "expm1", "log", "log2", "log10", "log1p", "sin",
    "cos", "tan", "asin", "acos", "atan", "sinh", "cosh", "asinh", "acosh", "atanh", "erf", "erfc", "erfinv", "sinc",
    "neg", "abs", "square", "sqrt", "rsqrt", "reciprocal", "frac", "clamp", "clamp_min", "clamp_max", "nan_to_num",
    "clone", "contiguous", "_to_copy", "to", "alias_copy", "lift_fresh", "lift_fresh_copy", "positive",
    "tril", "triu", "renorm", "fake_quantize_per_tensor_affine", "fake_quantize_per_channel_affine",
    "resolve_conj", "resolve_neg", "_conj", "_conj_physical", "conj_physical", "real", "imag", "masked_fill",
)  # fmt: skip
def kept(call: Passage) -> list[Shadow]:
    """Every channel stays where it is. That a norm or softmax also mixes statistics in is not counted as a source.

    Further results (statistics, masks) carry none.
    """
    rest = [constant(len(spec.shape)) for spec in call.made()[1:]]
    return [call.shadow(0, "self") if call.op.args else call.read()[0][0], *rest]


def merged(call: Passage, *, direct: bool) -> Shadow:
    """Element by element the union of all operands.

    Not `direct`: the gradient is modulated on the way to operands of different sources, so none gets it as it is. An
    operand alone, or one multiplied by a function of itself, is passed like by an activation.
    """
    united = overlay([shadow for shadow, _ in call.read()], call.made()[0].shape)
    if direct:
        return united
    sources = {shadow.everything for shadow, _ in call.read() if not shadow.empty}
    return blur(united) if len(sources) > 1 else united


@rule("add", "sub", "rsub", "lerp", "addcmul", "addcdiv", "mse_loss", "smooth_l1_loss", "huber_loss")
def added(call: Passage) -> Shadow:
    """A sum hands one gradient to every summand."""
    if call.op.name.startswith("addc"):
        factors = [call.shadow(1, "tensor1"), call.shadow(2, "tensor2")]
        shape = call.made()[0].shape
        return overlay([call.shadow(0, "self"), blur(overlay(factors, shape))], shape)
    return merged(call, direct=True)


@rule(
    "mul", "div", "true_divide", "pow", "atan2", "hypot", "fmod", "remainder", "maximum", "minimum", "fmax", "fmin",
    "where", "logaddexp", "logaddexp2", "xlogy", "special_xlog1py", "complex", "polar", "masked_scatter", "ldexp",
)  # fmt: skip
def modulated(call: Passage) -> Shadow:
    """A product scales the gradient of each factor by the others; a maximum or `where` sends it to one of them."""
    return merged(call, direct=False)


@rule("copy")
def copied(call: Passage) -> Shadow:
    """The new content takes the place of the old, broadcast to its shape."""
    return _aligned(call.shadow(1, "src"), len(call.made()[0].shape))


@rule("expand", "expand_copy", "broadcast_to")
def expanded(call: Passage) -> Shadow:
    """Repeated elements have the same sources."""
    return _aligned(call.shadow(0, "self"), len(call.made()[0].shape))


def _aligned(shadow: Shadow, rank: int) -> Shadow:
    own = len(shadow.extents)
    return reorder(shadow, [None] * (rank - own) + list(range(own)))
