"""Copies of modules that hold only some rows of their weights."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import Tensor, nn

from cspanalyze.csp.copying import Memo, copy_module

Kept = Mapping[str, Mapping[int, Tensor]]
"""By path of a parameter or buffer: the indices that stay, by dimension."""


def sliced_copy(module: nn.Module, kept: Kept) -> nn.Module:
    """A deep copy of `module` with only those rows, and with the attributes of its layers set to the new widths."""
    tensors = dict([*module.named_parameters(remove_duplicate=False), *module.named_buffers(remove_duplicate=False)])
    memo: Memo = {}
    for path, rows in kept.items():
        tensor = tensors[path]
        memo[id(tensor)] = _sliced(tensor, rows)
    twin = copy_module(module, memo)
    for path in {path.rpartition(".")[0] for path in kept}:
        _set_widths(module.get_submodule(path), twin.get_submodule(path))
    return twin


def follow_width(module: nn.Module, old: int, new: int) -> bool:
    """Write the new width wherever a module that is no layer of torch's own keeps the old one as a number, or in a
    shape, for its forward to read; whether there was any. What comes of it has to be proven."""
    changed = False
    for part in module.modules():
        if type(part).__module__.startswith("torch.nn."):
            continue
        for name, value in list(vars(part).items()):
            if type(value) in (int, tuple) and (followed := _followed(value, old, new)) != value:
                setattr(part, name, followed)
                changed = True
    return changed


def _followed(value: Any, old: int, new: int) -> Any:
    if type(value) is tuple:
        return tuple(_followed(item, old, new) for item in value)
    return new if type(value) is int and value == old else value


def _sliced(tensor: Tensor, rows: Mapping[int, Tensor]) -> Tensor:
    made = tensor.detach()
    for dim, indices in rows.items():
        if made.is_meta:
            made = made.new_empty([len(indices) if at == dim else size for at, size in enumerate(made.shape)])
        else:
            made = made.index_select(dim, indices.to(made.device))
    return nn.Parameter(made, requires_grad=tensor.requires_grad) if isinstance(tensor, nn.Parameter) else made


def _set_widths(old: nn.Module, new: nn.Module) -> None:
    """Write the new widths into the attributes that forwards and reprs of layers read."""
    weight = next((t for t in [*new.parameters(recurse=False), *new.buffers(recurse=False)] if t.dim()), None)
    assert weight is not None
    if isinstance(old, nn.modules.conv._ConvNd):
        assert isinstance(new, nn.modules.conv._ConvNd)
        new.out_channels = weight.shape[0]
        if old.groups == old.in_channels:
            new.groups = new.out_channels * old.in_channels // old.out_channels
        new.in_channels = weight.shape[1] * new.groups
    elif isinstance(old, nn.Linear):
        new.out_features, new.in_features = weight.shape  # type: ignore[assignment]
    elif isinstance(old, nn.LayerNorm):
        new.normalized_shape = tuple(weight.shape)  # type: ignore[assignment]
    elif isinstance(old, nn.GroupNorm):
        new.num_channels = weight.shape[0]  # type: ignore[assignment]
    elif isinstance(old, nn.PReLU):
        new.num_parameters = weight.shape[0]  # type: ignore[assignment]
    elif hasattr(old, "num_features"):
        new.num_features = weight.shape[0]  # type: ignore[assignment]
