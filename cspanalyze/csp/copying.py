"""Deep copies of modules, quick, and with some parts put in place of others."""

from __future__ import annotations

import copy
from collections import OrderedDict
from collections.abc import Callable
from types import BuiltinFunctionType, FunctionType
from typing import Any, TypeVar

import torch
from torch import Tensor, nn

Memo = dict[int, Any]
"""As for `copy.deepcopy`: what already stands for the object of that id. Fill it beforehand to substitute parts."""

M = TypeVar("M", bound=nn.Module)

_ATOMS = frozenset(
    {bool, int, float, complex, str, bytes, type, type(None), FunctionType, BuiltinFunctionType, torch.dtype}
)
_CONTAINERS = frozenset({dict, OrderedDict, list, set, tuple})
_HOOKS = frozenset(name for name in vars(nn.Module()) if "hook" in name)
_PROTOCOL: dict[str, set[object]] = {
    "__reduce__": {nn.Module.__reduce__},
    "__reduce_ex__": {nn.Module.__reduce_ex__},
    "__getstate__": {nn.Module.__getstate__},
    # Both only complete what old pickles lack.
    "__setstate__": {nn.Module.__setstate__, nn.modules.conv._ConvNd.__setstate__},
}
"""Methods by which a class takes part in copying, with their ordinary definitions."""


def copy_module(
    module: M, memo: Memo | None = None, *, tensors: Callable[[Tensor], Tensor] = copy.deepcopy, hooks: bool = True
) -> M:
    """What `copy.deepcopy(module, memo)` returns, several times quicker for ordinary modules.

    deepcopy spends its time on the dozen dictionaries of every module, most of them empty. `tensors` copies a parameter
    or buffer; without `hooks` the copy has none. A class with its own protocol of copying is left to deepcopy.
    """
    memo = {} if memo is None else memo
    if id(module) in memo:
        twin: M = memo[id(module)]
        return twin
    kind = type(module)
    if hasattr(kind, "__deepcopy__") or any(getattr(kind, name) not in known for name, known in _PROTOCOL.items()):
        return copy.deepcopy(module, memo)
    twin = kind.__new__(kind)
    memo[id(module)] = twin
    state = twin.__dict__
    for name, value in vars(module).items():
        if name == "_modules":
            state[name] = {
                key: None if child is None else copy_module(child, memo, tensors=tensors, hooks=hooks)
                for key, child in value.items()
            }
        elif name in ("_parameters", "_buffers"):
            state[name] = {key: _copy_tensor(tensor, memo, tensors) for key, tensor in value.items()}
        elif name in _HOOKS and not hooks and isinstance(value, dict):
            state[name] = type(value)()
        elif name != "_compiled_call_impl":  # torch.compile's result belongs to the original
            state[name] = _copy_value(value, memo)
    return twin


def _copy_tensor(tensor: Tensor | None, memo: Memo, tensors: Callable[[Tensor], Tensor]) -> Tensor | None:
    if tensor is not None and id(tensor) not in memo:
        memo[id(tensor)] = tensors(tensor)
    return None if tensor is None else memo[id(tensor)]


def _copy_value(value: Any, memo: Memo) -> Any:
    kind = type(value)
    if kind in _ATOMS or (kind is tuple and all(type(item) in _ATOMS for item in value)):
        return value
    if kind in _CONTAINERS and not value:
        return kind()
    return copy.deepcopy(value, memo)
