"""Copies of modules in which some layers are narrower."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from cspanalyze.csp.copying import Memo, copy_module

NORMS = (nn.modules.batchnorm._NormBase, nn.GroupNorm)
"""Batch, instance and group norms, and the classes derived from them that activate as well."""


@dataclass(frozen=True, slots=True)
class Cut:
    """One width that shrinks from `old` to `new` channels, by the same number in each of `groups` groups.

    Of each group the last channels are kept: part 1 takes the first ones.
    """

    old: int
    new: int
    groups: int = 1

    def kept(self, width: int) -> list[int]:
        """Indices kept among the first `width` channels (whole groups; a grouped kernel sees only its own)."""
        size, drop = self.old // self.groups, (self.old - self.new) // self.groups
        return [index for index in range(width) if index % size >= drop]


Cuts = Mapping[str, tuple[Cut | None, Cut | None]]
"""By path: the cut of a layer's input and of its output width."""


def narrow_copy(module: nn.Module, cuts: Cuts, memo: Memo | None = None) -> nn.Module:
    """A deep copy of `module` whose layers at the paths of `cuts` are narrower; it holds the kept weights.

    Layers are convolutions, linear layers and norms; a norm has its cut as output width.
    """
    memo = {} if memo is None else memo
    for path, (narrowed_in, narrowed_out) in cuts.items():
        layer = module.get_submodule(path)
        for name, tensor in [*layer.named_parameters(recurse=False), *layer.named_buffers(recurse=False)]:
            memo[id(tensor)] = _cut_tensor(layer, name, tensor, narrowed_in, narrowed_out)
    twin = copy_module(module, memo)
    for path, (narrowed_in, narrowed_out) in cuts.items():
        _set_widths(twin.get_submodule(path), narrowed_in, narrowed_out)
    return twin


def _cut_tensor(layer: nn.Module, name: str, tensor: Tensor, first: Cut | None, last: Cut | None) -> Tensor:
    """The kept part of a parameter or buffer: outputs along dimension 0, inputs of a kernel along dimension 1."""
    groups = getattr(layer, "groups", 1)
    kept = tensor.detach()
    if last is not None and tensor.dim() and tensor.shape[0] == last.old:
        kept = _select(kept, 0, last, last.new)
    if first is not None and name == "weight" and tensor.dim() > 1:
        kept = _select(kept, 1, first, first.new // groups)
    if kept.shape == tensor.shape:
        kept = kept.clone()
    return nn.Parameter(kept, requires_grad=tensor.requires_grad) if isinstance(tensor, nn.Parameter) else kept


def _select(tensor: Tensor, dim: int, cut: Cut, count: int) -> Tensor:
    """A new tensor of the `count` entries that the cut keeps along `dim`."""
    if tensor.is_meta:
        return tensor.new_empty(*tensor.shape[:dim], count, *tensor.shape[dim + 1 :])
    return tensor.index_select(dim, torch.tensor(cut.kept(tensor.shape[dim]), device=tensor.device))


def _set_widths(layer: nn.Module, first: Cut | None, last: Cut | None) -> None:
    """Write the new widths into the attributes that the layer's forward and its repr read."""
    for cut, names in ((first, ("in_channels", "in_features")), (last, ("out_channels", "out_features"))):
        for name in names:
            if cut is not None and hasattr(layer, name):
                setattr(layer, name, cut.new)
    if last is not None and isinstance(layer, NORMS):
        set_norm_width(layer, last.new)


def norm_width(norm: nn.Module) -> int:
    """The number of channels that a norm (one of `NORMS`, or a layer norm over them) normalises."""
    if isinstance(norm, nn.LayerNorm):
        return int(norm.normalized_shape[-1])
    width: int = norm.num_channels if isinstance(norm, nn.GroupNorm) else norm.num_features  # type: ignore[assignment]
    return width


def set_norm_width(norm: nn.Module, width: int) -> None:
    """Write that number; the tensors of the norm are the caller's business."""
    if isinstance(norm, nn.LayerNorm):
        norm.normalized_shape = (width,)
    else:
        setattr(norm, "num_channels" if isinstance(norm, nn.GroupNorm) else "num_features", width)
