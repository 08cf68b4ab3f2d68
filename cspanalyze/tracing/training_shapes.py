"""Output layouts of the hottest operators of a training step: what autograd dispatches forward, and its gradients.

As in `shapes`: no operator with alias information, and None where torch's own kernel shall decide.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise
from types import MappingProxyType
from typing import Any

import torch
from torch import Tensor

from cspanalyze.tracing.shapes import SHAPES, Shape, _empty, _is_channels_last, _like


def _vector(like: Tensor, size: int) -> Tensor:
    return torch.empty(size, dtype=like.dtype, device="meta")


def _convolution(
    x: Tensor, weight: Tensor, bias: Any, stride: Any, padding: Any, dilation: Any, transposed: bool, *rest: Any
) -> Tensor | None:
    if transposed or x.dim() not in (3, 4, 5):
        return None
    shape = SHAPES[f"aten.conv{x.dim() - 2}d"]
    result: Tensor | None = shape(x, weight, bias, stride, padding, dilation, rest[1])
    return result


def _convolution_backward(grad: Tensor, x: Tensor, weight: Tensor, bias_sizes: Any, *rest: Any) -> Any:
    mask = rest[-1]
    channels_last = _is_channels_last(x) or _is_channels_last(weight)
    return (
        _empty(grad, list(x.shape), channels_last) if mask[0] else None,
        _empty(grad, list(weight.shape), channels_last) if mask[1] else None,
        _vector(grad, weight.shape[0] if not rest[3] else grad.shape[1]) if mask[2] else None,
    )


def _batch_norm(x: Tensor, weight: Any, bias: Any, mean: Any, variance: Any, training: bool, *_: Any) -> Any:
    size = x.shape[1] if x.dim() > 1 else -1
    given = [tensor for tensor in (weight, bias, mean, variance) if isinstance(tensor, Tensor)]
    if any(tensor.shape != (size,) or tensor.dtype != x.dtype for tensor in given):
        return None  # torch's own kernel says what is wrong
    out = _like(x)
    kept = size if training else 0
    return None if out is None else (out, _vector(x, kept), _vector(x, kept))


def _batch_norm_backward(grad: Tensor, x: Tensor, weight: Any, *rest: Any) -> Any:
    if isinstance(weight, Tensor) and weight.dtype != x.dtype:
        return None
    out, mask = _like(x), rest[-1]
    if out is None:
        return None
    return (out if mask[0] else None, *(_vector(x, x.shape[1]) if wanted else None for wanted in mask[1:]))


def _layer_norm(x: Tensor, shape: Any, *_: Any) -> Any:
    if tuple(x.shape[-len(shape) :]) != tuple(shape) or x.dtype not in (torch.float32, torch.float64):
        return None
    moments = (*x.shape[: -len(shape)], *(1 for _ in shape))
    return tuple([torch.empty(size, dtype=x.dtype, device="meta") for size in (x.shape, moments, moments)])


def _layer_norm_backward(
    grad: Tensor, x: Tensor, shape: Any, mean: Any, scale: Any, weight: Any, bias: Any, mask: Any
) -> Any:
    sizes = (tuple(x.shape), *(tuple(p.shape) if p is not None else () for p in (weight, bias)))
    return tuple(
        [
            torch.empty(size, dtype=x.dtype, device="meta") if wanted else None
            for size, wanted in zip(sizes, mask, strict=True)
        ]
    )


def _group_norm(x: Tensor, weight: Any, bias: Any, batch: int, channels: int, area: int, groups: int, *_: Any) -> Any:
    if x.dtype not in (torch.float32, torch.float64):
        return None
    moments = (batch, groups)
    return (
        _empty(x, list(x.shape), _is_channels_last(x)),
        *(torch.empty(moments, dtype=x.dtype, device="meta") for _ in range(2)),
    )


def _group_norm_backward(grad: Tensor, x: Tensor, *rest: Any) -> Any:
    mask = rest[-1]
    if x.dtype not in (torch.float32, torch.float64):
        return None
    out = _empty(x, list(x.shape), _is_channels_last(x))
    return (out if mask[0] else None, *(_vector(x, x.shape[1]) if wanted else None for wanted in mask[1:]))


def _pointwise(*operands: Any, **_: Any) -> Tensor | None:
    """Gradients of element-wise functions: all tensors of one shape and dtype."""
    first = operands[0]
    tensors = [operand for operand in operands if isinstance(operand, Tensor)]
    if not first.is_floating_point() or any(t.shape != first.shape or t.dtype != first.dtype for t in tensors):
        return None
    if all(_descending(tensor) for tensor in tensors):
        return torch.empty(first.shape, dtype=first.dtype, device="meta")
    # Otherwise, which operand decides the layout is torch's business.
    return _like(first) if all(tensor.stride() == first.stride() for tensor in tensors) else None


def _descending(tensor: Tensor) -> bool:
    """Whether the dimensions lie in memory in their order, with or without gaps (slices, expanded dimensions)."""
    strides = [stride for size, stride in zip(tensor.shape, tensor.stride(), strict=True) if size > 1 and stride]
    return all(outer > inner for outer, inner in pairwise(strides))


def _pool_backward(grad: Tensor, x: Tensor, *_: Any, **__: Any) -> Tensor | None:
    return _empty(x, list(x.shape), _is_channels_last(x)) if x.dim() == 4 else None


def _softmax(x: Tensor, *_: Any) -> Tensor | None:
    return torch.empty(x.shape, dtype=x.dtype, device="meta") if x.is_contiguous() else None


def _softmax_backward(grad: Tensor, out: Tensor, *_: Any) -> Tensor | None:
    return _softmax(out) if grad.is_contiguous() else None


def _sum(x: Tensor, dims: Any = None, keepdim: bool = False, **keywords: Any) -> Tensor | None:
    return SHAPES["aten.mean"](x, dims, keepdim, **keywords) if isinstance(dims, (list, tuple)) else None


def _divided(x: Any, y: Any, **keywords: Any) -> Tensor | None:
    """The gradient of a mean: a tensor expanded over what was averaged, divided by the number of elements."""
    if keywords or isinstance(y, Tensor) or not x.is_floating_point():
        result: Tensor | None = SHAPES["aten.div"](x, y, **keywords)
        return result
    return torch.empty(x.shape, dtype=x.dtype, device="meta") if _descending(x) else _like(x)


def _addmm(bias: Tensor, x: Tensor, weight: Tensor, **_: Any) -> Tensor | None:
    fits = x.dim() == 2 and weight.dim() == 2 and x.shape[1] == weight.shape[0] and x.dtype == weight.dtype
    if not fits or bias.shape != (weight.shape[1],):
        return None  # torch's own kernel says what is wrong
    return torch.empty((x.shape[0], weight.shape[1]), dtype=x.dtype, device="meta")


def _mm(x: Tensor, y: Tensor) -> Tensor | None:
    """Matrix products, also of batches."""
    rank = x.dim()
    fits = rank == y.dim() and x.shape[:-2] == y.shape[:-2] and x.shape[-1] == y.shape[-2] and x.dtype == y.dtype
    return torch.empty((*x.shape[:-1], y.shape[-1]), dtype=x.dtype, device="meta") if rank > 1 and fits else None


def _flash_attention(query: Tensor, key: Tensor, value: Tensor, *_: Any, **__: Any) -> Any:
    batch, heads, length = query.shape[:3]
    if query.dtype not in (torch.float32, torch.float64):
        return None
    out = SHAPES["aten.scaled_dot_product_attention"](query, key, value)
    return out, torch.empty((batch, length, heads), dtype=query.dtype, device="meta").transpose(1, 2)


def _flash_attention_backward(grad: Tensor, query: Tensor, key: Tensor, value: Tensor, *_: Any, **__: Any) -> Any:
    return tuple([_sequence_major(tensor) for tensor in (query, key, value)])


def _sequence_major(tensor: Tensor) -> Tensor:
    batch, heads, length, width = tensor.shape
    return torch.empty((batch, length, heads, width), dtype=tensor.dtype, device="meta").transpose(1, 2)


_POINTWISE = (
    "threshold leaky_relu elu gelu silu mish sigmoid tanh hardtanh hardswish hardsigmoid softplus native_dropout"
)
TRAINING_SHAPES: Mapping[str, Shape] = MappingProxyType(
    {
        "aten.convolution": _convolution,
        "aten.convolution_backward": _convolution_backward,
        "aten.native_batch_norm": _batch_norm,
        "aten.native_batch_norm_backward": _batch_norm_backward,
        "aten.native_layer_norm": _layer_norm,
        "aten.native_layer_norm_backward": _layer_norm_backward,
        "aten.native_group_norm": _group_norm,
        "aten.native_group_norm_backward": _group_norm_backward,
        **{f"aten.{name}_backward": _pointwise for name in _POINTWISE.split()},
        "aten.max_pool2d_with_indices_backward": _pool_backward,
        "aten.avg_pool2d_backward": _pool_backward,
        "aten.ones_like": SHAPES["aten.relu"],
        "aten._softmax": _softmax,
        "aten._softmax_backward_data": _softmax_backward,
        "aten.sum": _sum,
        "aten.div": _divided,
        "aten.mm": _mm,
        "aten.bmm": _mm,
        "aten.addmm": _addmm,
        "aten._scaled_dot_product_flash_attention_for_cpu": _flash_attention,
        "aten._scaled_dot_product_flash_attention_for_cpu_backward": _flash_attention_backward,
    }
)
"""Operator target -> layout function."""
