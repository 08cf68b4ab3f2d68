"""Keep attention one operation where torch would take it apart on meta tensors, or compile it."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import FunctionType
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional
from torch.overrides import TorchFunctionMode


class FusedAttention(TorchFunctionMode):
    """Sends attention on meta tensors to the fused kernel under the conditions under which a processor would take it.

    The difference is memory: the fused kernel saves its operands, the output and one number per query, and not the
    scores, which grow with the square of the sequence.
    """

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        if func is functional.multi_head_attention_forward:
            return _multi_head_attention(*args, **kwargs)
        if func is functional.scaled_dot_product_attention and (args and isinstance(args[0], Tensor)):
            return _attention(*args, **kwargs)
        return func(*args, **kwargs)


@contextmanager
def uncompiled_flex_attention(on_meta: bool) -> Iterator[None]:
    """Inside, torch's flexible attention calls its operator directly; with `on_meta` it takes meta tensors,
    for which torch has no backward pass.

    It otherwise sends it through `torch.compile`, which refuses to run under a dispatch mode. Nothing happens where it
    was never imported; both names are private to torch, and a test says when they are gone.
    """
    module = sys.modules.get("torch.nn.attention.flex_attention")
    if module is None:
        yield
        return
    kept = {name: getattr(module, name) for name in ("_FLEX_ATTENTION_DISABLE_COMPILE_DEBUG", "_validate_device")}
    module._FLEX_ATTENTION_DISABLE_COMPILE_DEBUG = True  # type: ignore[attr-defined]
    if on_meta:
        module._validate_device = lambda *tensors: None  # type: ignore[attr-defined]
    try:
        yield
    finally:
        vars(module).update(kept)


def _attention(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attn_mask: Tensor | None = None,
    dropout_p: float = 0.0,
    is_causal: bool = False,
    scale: float | None = None,
    enable_gqa: bool = False,
) -> Tensor:
    masked = attn_mask is not None and (attn_mask.requires_grad or is_causal)
    if not query.is_meta or dropout_p > 0 or enable_gqa or masked or not _fit(query, key, value):
        return functional.scaled_dot_product_attention(
            query, key, value, attn_mask, dropout_p, is_causal, scale=scale, enable_gqa=enable_gqa
        )
    fused = torch.ops.aten._scaled_dot_product_flash_attention_for_cpu
    if attn_mask is not None and attn_mask.dtype == torch.bool:
        attn_mask = torch.zeros_like(attn_mask, dtype=query.dtype).masked_fill_(attn_mask.logical_not(), float("-inf"))
    out: Tensor = fused(query, key, value, 0.0, is_causal, attn_mask=attn_mask, scale=scale)[0]
    return out


def _fit(query: Tensor, key: Tensor, value: Tensor) -> bool:
    if not query.dim() == key.dim() == value.dim() == 4:
        return False
    if not query.shape[:2] == key.shape[:2] == value.shape[:2]:
        return False
    same_width = query.shape[-1] == key.shape[-1] == value.shape[-1]
    return same_width and query.stride(-1) == key.stride(-1) == value.stride(-1) == 1


def _with_fused_attention(function: Any) -> FunctionType:
    """A copy of the function that calls `_attention` for attention.

    torch runs the body of an overridable function with the mode off, so the mode never sees the attention inside.
    """
    names = {**function.__globals__, "scaled_dot_product_attention": _attention}
    copied = FunctionType(function.__code__, names, function.__name__, function.__defaults__, function.__closure__)
    copied.__kwdefaults__ = function.__kwdefaults__
    names[function.__name__] = copied  # what it hands to the other modes that are active
    return copied


_multi_head_attention = _with_fused_attention(functional.multi_head_attention_forward)
