"""Operators that unite positions: pooling, resampling, reductions, look-ups at unknown indices, attention."""

from __future__ import annotations

from cspanalyze.gradient_flow.rules.registry import Passage, rule
from cspanalyze.gradient_flow.shadows import Shadow, blur, collapse, constant, overlay, reorder
from cspanalyze.gradient_flow.strands import blurred, united
from cspanalyze.graph import Ref

_POOLS = ("max_pool", "avg_pool", "adaptive_avg_pool", "_adaptive_avg_pool", "adaptive_max_pool", "lp_pool")
_UPSAMPLED = (
    "upsample_nearest1d", "upsample_nearest2d", "upsample_nearest3d", "_upsample_nearest_exact1d",
    "_upsample_nearest_exact2d", "_upsample_nearest_exact3d", "upsample_linear1d", "upsample_bilinear2d",
    "upsample_bicubic2d", "upsample_trilinear3d", "_upsample_bilinear2d_aa", "_upsample_bicubic2d_aa",
)  # fmt: skip
_PADS = tuple(f"{kind}_pad{n}d" for kind in ("reflection", "replication") for n in (1, 2, 3))


@rule(
    *(f"{pool}{n}d" for pool in _POOLS for n in (1, 2, 3)), *_UPSAMPLED, *_PADS, "max_pool1d_with_indices",
    "max_pool2d_with_indices", "max_pool3d_with_indices", "fractional_max_pool2d", "fractional_max_pool3d",
    "roi_align", "roi_pool",
)  # fmt: skip
def windowed(call: Passage) -> Shadow:
    """Every channel united over the window, and since windows overlap over the whole map."""
    made = call.made()[0].shape
    dims = next((n for n in (1, 2, 3) if f"{n}d" in call.op.name), 2)
    rank = len(call.inputs[0].shape)
    shadow = collapse(call.shadow(0, "self"), range(rank - dims, rank))
    if len(made) == rank:
        return collapse(shadow, [0]) if call.op.name.startswith("roi") else shadow
    return constant(len(made), shadow.everything)


@rule("grid_sampler_2d", "grid_sampler_3d", "grid_sampler")
def sampled(call: Passage) -> Shadow:
    """Every channel from anywhere in its map, and all that decides from where."""
    shadow = collapse(call.shadow(0, "input"), range(2, len(call.inputs[0].shape)))
    grid = constant(len(call.out.shape), blurred(call.shadow(1, "grid").everything))
    return overlay([shadow, grid], call.out.shape)


_DIM_POSITION = {"norm": 2, "linalg_vector_norm": 2, "topk": 2, "kthvalue": 2}


@rule(
    "mean", "sum", "nansum", "amax", "amin", "aminmax", "prod", "var", "std", "var_mean", "std_mean", "logsumexp",
    "_logsumexp", "norm", "linalg_vector_norm", "median", "nanmedian", "nanmean", "kthvalue", "mode",
)  # fmt: skip
def reduced(call: Passage) -> Shadow:
    """United over the reduced dimensions."""
    return _reduced(call)


def _reduced(call: Passage) -> Shadow:
    rank, made = len(call.inputs[0].shape), len(call.made()[0].shape)
    position = _DIM_POSITION.get(call.op.name, 1)
    axes = call.axes(position) if made or call.argument(position, "dim") is not None else tuple(range(rank))
    shadow = collapse(call.shadow(0, "self"), axes)
    if made == rank:
        return shadow
    return reorder(shadow, [axis for axis in range(rank) if axis not in axes])


@rule("max", "min")
def extreme(call: Passage) -> Shadow:
    """A reduction, or of two tensors the larger element of each pair."""
    if call.op.overload in ("other", "out"):
        operands = [call.shadow(0, "self"), call.shadow(1, "other")]
        merged = overlay(operands, call.out.shape)
        return blur(merged) if len({s.everything for s in operands if not s.empty}) > 1 else merged
    return _reduced(call)


@rule("cumsum", "cumprod", "cummax", "cummin", "logcumsumexp", "sort", "topk")
def along_a_dimension(call: Passage) -> Shadow:
    """Every position from any other along one dimension."""
    return collapse(call.shadow(0, "self"), [call.axis(_DIM_POSITION.get(call.op.name, 1), default=-1)])


@rule("_fft_r2c", "_fft_c2r", "_fft_c2c")
def transformed(call: Passage) -> Shadow:
    """A Fourier transform mixes the transformed dimensions."""
    return collapse(call.shadow(0, "self"), call.axes(1))


@rule("index_select", "gather", "take_along_dim")
def looked_up(call: Passage) -> Shadow:
    """The indices are data that the graph does not hold, so all along the dimension may be meant."""
    return collapse(call.shadow(0, "self"), [call.axis(1)])


@rule("index", "_unsafe_index")
def indexed(call: Passage) -> Shadow:
    """As `index_select`, in the dimensions that have an index tensor; the new dimensions stand where the first was."""
    shadow, made = call.shadow(0, "self"), call.out.shape
    indices = call.argument(1, "indices", ())
    axes = [axis for axis, item in enumerate(indices) if isinstance(item, Ref)] if isinstance(indices, tuple) else []
    rank = len(call.inputs[0].shape)
    shadow = collapse(shadow, axes)
    new = len(made) - (rank - len(axes))
    if not axes or axes != list(range(axes[0], axes[-1] + 1)) or new < 0:
        return constant(len(made), shadow.everything)
    order: list[int | None] = [*range(axes[0]), *[None] * new, *range(axes[-1] + 1, rank)]
    return reorder(shadow, order)


def mixed(call: Passage) -> Shadow:
    """Everything meets everything; a depthwise convolution with a fixed kernel (a blur) keeps the channels apart."""
    if "conv" in call.op.name and call.shadow(1, "weight").empty:
        (out, per_group, *kernel), shape = call.shape(1, "weight"), call.shape(0, "input")
        if per_group == 1 and len(shape) == len(kernel) + 2 and shape[1] == out:
            return collapse(call.shadow(0, "input"), range(2, len(shape)))
    strands = None
    for shadow, _ in call.read():
        strands = shadow.everything if strands is None else united(strands, shadow.everything)
    return constant(len(call.made()[0].shape), blurred(strands or ()))


MIXERS = frozenset(
    {
        "bmm", "mm", "matmul", "addmm", "baddbmm", "addbmm", "linear", "mv", "dot", "vdot", "addmv", "outer", "ger",
        "addr", "_trilinear", "_cdist_forward", "_euclidean_dist", "scaled_dot_product_attention",
        "_scaled_dot_product_flash_attention_for_cpu", "_scaled_dot_product_flash_attention",
        "_scaled_dot_product_efficient_attention", "_scaled_dot_product_attention_math",
        "_scaled_dot_product_fused_attention_overrideable", "conv1d", "conv2d", "conv3d", "conv_transpose1d",
        "conv_transpose2d", "conv_transpose3d", "convolution", "_convolution",
    }
)  # fmt: skip
"""Products of two tensors neither of which is a weight: every output has every source of both."""
