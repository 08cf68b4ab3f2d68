"""Output layouts of the hottest operators, computed here because torch's own meta kernels for them are Python.

The first call of such a kernel imports torch._dynamo and sympy (over a second of processor time), and each later call
is ten times slower than these. Only operators without alias information are listed; a test traces networks with and
without them and compares every layout.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

import torch
from torch import Tensor

Shape = Callable[..., Any]
"""Takes the operator's arguments, returns an empty tensor like its result, or None to ask torch's own kernel."""


def _pair(value: Any, dims: int) -> list[int]:
    if isinstance(value, int):
        return [value] * dims
    return list(value) * dims if len(value) == 1 else list(value)


def _empty(like: Tensor, shape: list[int], channels_last: bool) -> Tensor:
    if channels_last and len(shape) == 4:
        return torch.empty(shape, dtype=like.dtype, device="meta", memory_format=torch.channels_last)
    if channels_last and len(shape) == 5:
        return torch.empty(shape, dtype=like.dtype, device="meta", memory_format=torch.channels_last_3d)
    return torch.empty(shape, dtype=like.dtype, device="meta")


def _is_channels_last(tensor: Tensor) -> bool:
    """Whether torch would lay the result out channels-last: by the order of the strides, gaps allowed.

    A tensor that is both (one channel, or 1x1 maps) counts as contiguous here.
    """
    if tensor.dim() not in (4, 5) or tensor.is_contiguous():
        return False
    shape, strides = tensor.shape, tensor.stride()
    if strides[1] == 0:
        return False
    smallest = 0
    for dim in (1, *range(tensor.dim() - 1, 1, -1), 0):
        if shape[dim] == 0 or strides[dim] < smallest or (dim == 0 and smallest == strides[1]):
            return False
        smallest = strides[dim] * max(shape[dim], 1)
    return True


def _in_order(x: Tensor) -> bool:
    """Whether the dimensions lie in memory as in a contiguous tensor, gaps allowed: a slice of one."""
    strides = [stride for size, stride in zip(x.shape, x.stride(), strict=True) if size != 1]
    return sorted(strides, reverse=True) == strides and 0 not in strides and len(set(strides)) == len(strides)


def _like(x: Tensor) -> Tensor | None:
    """What `torch.empty_like(x)` gives (its meta kernel is Python): a dense tensor keeps its strides, and a tensor with
    gaps becomes contiguous if its dimensions lie in order."""
    if x.is_contiguous():
        return torch.empty(x.shape, dtype=x.dtype, device="meta")
    if _in_order(x):
        return torch.empty(x.shape, dtype=x.dtype, device="meta")
    expected = 1
    for size, stride in sorted(zip(x.shape, x.stride(), strict=True), key=lambda pair: pair[1]):
        if size != 1:
            if stride != expected:
                return None
            expected *= size
    return torch.empty_strided(x.shape, x.stride(), dtype=x.dtype, device="meta")


def _check_dtypes(what: str, x: Tensor, weight: Tensor) -> None:
    # torch's meta kernels let some of these pass that no real kernel takes.
    if x.dtype != weight.dtype:
        has, given = str(weight.dtype).removeprefix("torch."), str(x.dtype).removeprefix("torch.")
        raise ValueError(f"the {what} has {has} weights, its input is {given}")


def without_autocast(args: Any) -> Any:
    """The arguments in the dtype of the first: autocast casts weights, which are on a device, and not maps on meta."""
    first = args[0] if args else None
    if not isinstance(first, Tensor) or not first.is_floating_point():
        return args
    return tuple(
        torch.empty_strided(item.shape, item.stride(), dtype=first.dtype, device="meta")
        if isinstance(item, Tensor) and item.is_floating_point() and item.dtype != first.dtype
        else item
        for item in args
    )


def fits_in_place(target: Any, *others: Any) -> bool:
    """Whether an in-place operation can keep its target as it is: every other tensor broadcasts to its shape and casts
    to its dtype. Where it cannot, torch's own kernel says what is wrong."""
    if not isinstance(target, Tensor) or not target.is_meta:
        return False
    return all(
        _broadcasts_to(other.shape, target.shape) and torch.can_cast(other.dtype, target.dtype)
        for other in others
        if isinstance(other, Tensor)
    )


def _convolution(dims: int) -> Shape:
    def convolution(
        x: Tensor,
        weight: Tensor,
        bias: Any = None,
        stride: Any = 1,
        padding: Any = 0,
        dilation: Any = 1,
        groups: int = 1,
    ) -> Tensor | None:
        if x.dim() != dims + 2 or isinstance(padding, str):
            return None
        _check_dtypes("convolution", x, weight)
        if x.shape[1] != weight.shape[1] * groups:
            raise ValueError(f"the convolution takes {weight.shape[1] * groups} channels, its input has {x.shape[1]}")
        stride, padding, dilation = _pair(stride, dims), _pair(padding, dims), _pair(dilation, dims)
        kernel = weight.shape[2:]
        size = [
            (x.shape[i + 2] + 2 * padding[i] - dilation[i] * (kernel[i] - 1) - 1) // stride[i] + 1 for i in range(dims)
        ]
        if min(size) < 1:
            given, window = "x".join(map(str, x.shape[2:])), "x".join(map(str, kernel))
            raise ValueError(f"a map of {given} is too small for the {window} convolution")
        return _empty(x, [x.shape[0], weight.shape[0], *size], _is_channels_last(x) or _is_channels_last(weight))

    return convolution


def _linear(x: Tensor, weight: Tensor, bias: Any = None) -> Tensor | None:
    if x.dim() == 0 or weight.dim() != 2:
        return None
    _check_dtypes("linear layer", x, weight)
    if x.shape[-1] != weight.shape[1]:
        raise ValueError(f"the linear layer takes {weight.shape[1]} features, its input has {x.shape[-1]}")
    return torch.empty((*x.shape[:-1], weight.shape[0]), dtype=x.dtype, device="meta")


def _same(x: Tensor, *_: Any, **__: Any) -> Tensor | None:
    return _like(x) if x.is_floating_point() else None


def _batch_norm(x: Tensor, weight: Any, *rest: Any) -> Tensor | None:
    size = x.shape[1] if x.dim() > 1 else -1
    if any(isinstance(tensor, Tensor) and tensor.shape != (size,) for tensor in (weight, *rest[:3])):
        return None  # torch's own kernel says what is wrong
    return _like(x)


def _layer_norm(x: Tensor, shape: Any, *_: Any, **__: Any) -> Tensor | None:
    # native_layer_norm makes its input contiguous first, so its output always is.
    return torch.empty(x.shape, dtype=x.dtype, device="meta") if tuple(x.shape[-len(shape) :]) == tuple(shape) else None


def _group_norm(x: Tensor, groups: int, *_: Any, **__: Any) -> Tensor | None:
    return _empty(x, list(x.shape), _is_channels_last(x)) if x.dim() > 1 and x.shape[1] % groups == 0 else None


def _binary(x: Any, y: Any, *_: Any, **keywords: Any) -> Tensor | None:
    if not isinstance(x, Tensor) or (keywords.keys() - {"alpha"}):
        return None
    dtype = x.dtype
    if isinstance(y, Tensor):
        if x.shape != y.shape and y.dim() and not _broadcasts_to(y.shape, x.shape):
            return None
        if x.stride() != y.stride() and y.numel() > 1 and not (_in_order(x) and _in_order(y)):
            return None  # which operand decides the layout is torch's business
        dtype = torch.result_type(x, y)
    if not dtype.is_floating_point or dtype != x.dtype:
        return None
    return _like(x)


def _broadcasts_to(small: torch.Size, large: torch.Size) -> bool:
    if len(small) > len(large):
        return False
    return all(s in (1, n) for s, n in zip(reversed(small), reversed(large), strict=False))


def _cat(tensors: list[Tensor], dim: int = 0) -> Tensor | None:
    first = tensors[0]
    rank = first.dim()
    if rank < 2 or any(t.dim() != rank or t.dtype != first.dtype or t.shape[0] == 0 for t in tensors):
        return None
    axis = dim % rank
    shape = list(first.shape)
    for tensor in tensors[1:]:
        other = list(tensor.shape)
        if other[:axis] + other[axis + 1 :] != shape[:axis] + shape[axis + 1 :]:
            return None
    shape[axis] = sum(tensor.shape[axis] for tensor in tensors)
    formats = set(map(_is_channels_last, tensors))
    return _empty(first, shape, formats.pop()) if len(formats) == 1 else None


def _pooled(size: int, kernel: int, stride: int, padding: int, dilation: int, ceil_mode: bool) -> int:
    reach = size + 2 * padding - dilation * (kernel - 1) - 1
    out = (reach + (stride - 1 if ceil_mode else 0)) // stride + 1
    # The last window must begin inside the input or its left padding.
    return out - 1 if ceil_mode and (out - 1) * stride >= size + padding else out


def _pool2d(x: Tensor, kernel: Any, stride: Any, padding: Any, dilation: Any, ceil_mode: bool) -> Tensor | None:
    if x.dim() != 4:
        return None
    kernel, padding, dilation = _pair(kernel, 2), _pair(padding, 2), _pair(dilation, 2)
    stride = _pair(stride, 2) if not isinstance(stride, (list, tuple)) or len(stride) else kernel
    if any(pad > side // 2 for pad, side in zip(padding, kernel, strict=True)):
        return None  # torch's own kernel says what is wrong
    size = [_pooled(x.shape[i + 2], kernel[i], stride[i], padding[i], dilation[i], ceil_mode) for i in (0, 1)]
    return _empty(x, [*x.shape[:2], *size], _is_channels_last(x)) if min(size) > 0 else None


def _max_pool(
    x: Tensor, kernel: Any, stride: Any = (), padding: Any = 0, dilation: Any = 1, ceil_mode: bool = False
) -> Any:
    out = _pool2d(x, kernel, stride, padding, dilation, ceil_mode)
    return (
        None if out is None else (out, torch.empty_strided(out.shape, out.stride(), dtype=torch.int64, device="meta"))
    )


def _avg_pool(
    x: Tensor, kernel: Any, stride: Any = (), padding: Any = 0, ceil_mode: bool = False, *_: Any, **__: Any
) -> Tensor | None:
    return _pool2d(x, kernel, stride, padding, 1, ceil_mode)


def _adaptive_avg_pool(dims: int) -> Shape:
    def adaptive_avg_pool(x: Tensor, size: Any) -> Tensor | None:
        if x.dim() != dims + 2:
            return None
        target = [x.shape[i + 2] if n is None else n for i, n in enumerate(_pair(size, dims))]
        return _empty(x, [*x.shape[:2], *target], _is_channels_last(x))

    return adaptive_avg_pool


def _attention(query: Tensor, key: Tensor, value: Tensor, *_: Any, **__: Any) -> Tensor | None:
    if query.dim() != 4 or query.shape[-1] != key.shape[-1] or key.shape[:-1] != value.shape[:-1]:
        return None
    batch, heads, length = query.shape[:3]
    if query.shape[-1] != value.shape[-1]:  # the composite kernel: two matrix products
        return torch.empty((batch, heads, length, value.shape[-1]), dtype=query.dtype, device="meta")
    # The fused kernel lays its result out like the query: where the heads are a transposed view of the sequence, as
    # usual, merging them afterwards copies nothing.
    order = sorted(range(4), key=query.stride, reverse=True)
    return torch.empty_permuted(query.shape, order, dtype=query.dtype, device="meta")


def _mean(x: Tensor, dims: Any = None, keepdim: bool = False, **keywords: Any) -> Tensor | None:
    if keywords or not dims or not x.is_floating_point() or not x.is_contiguous():
        return None
    axes = {d % x.dim() for d in ([dims] if isinstance(dims, int) else dims)}
    shape = [1 if i in axes else n for i, n in enumerate(x.shape) if keepdim or i not in axes]
    return torch.empty(shape, dtype=x.dtype, device="meta")


_UNARY = (
    "relu relu6 leaky_relu elu selu celu gelu silu mish sigmoid tanh hardtanh hardswish hardsigmoid exp log sqrt rsqrt "
    "square abs neg sin cos erf softplus reciprocal"
)
SHAPES: Mapping[str, Shape] = MappingProxyType(
    {
        **{f"aten.conv{n}d": _convolution(n) for n in (1, 2, 3)},
        "aten.linear": _linear,
        "aten.batch_norm": _batch_norm,
        "aten.layer_norm": _layer_norm,
        "aten.group_norm": _group_norm,
        **{f"aten.{name}": _same for name in _UNARY.split()},
        **{f"aten.{name}": _binary for name in ("add", "sub", "mul", "div")},
        "aten.cat": _cat,
        **{f"aten.adaptive_avg_pool{n}d": _adaptive_avg_pool(n) for n in (1, 2, 3)},
        "aten.max_pool2d_with_indices": _max_pool,
        "aten.avg_pool2d": _avg_pool,
        "aten.scaled_dot_product_attention": _attention,
        "aten.mean": _mean,
    }
)
"""Operator target -> layout function."""
