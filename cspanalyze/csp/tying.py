"""Weights that several layers of a network share: shared again in its twin where their shapes still agree."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from torch import Tensor, nn


@dataclass(frozen=True, slots=True)
class _Holder:
    """A module of the twin, and the name of one of its tensors there."""

    module: nn.Module
    name: str

    @property
    def tensors(self) -> dict[str, Tensor | None]:
        """The parameters or the buffers of the module, whichever the tensor is one of."""
        return self.module._parameters if self.name in self.module._parameters else self.module._buffers  # type: ignore[return-value]


def tie(pairs: Iterable[tuple[nn.Module, nn.Module]]) -> tuple[Tensor, ...]:
    """Let tensors of the second modules be one where their counterparts in the first are, as far as shapes agree.

    Counterparts have the same path in a pair; what a module of a pair has alone is left as it is. Of tensors that
    become one the first is kept. Returned are those of the first modules whose counterparts are several still.
    """
    holders: dict[int, list[_Holder]] = {}
    originals: dict[int, Tensor] = {}
    for original, twin in pairs:
        for tensor, holder in _counterparts(original, twin):
            holders.setdefault(id(tensor), []).append(holder)
            originals[id(tensor)] = tensor
    parted = []
    for key, shared in holders.items():
        kept: dict[tuple[int, ...], Tensor] = {}
        for holder in shared:
            own = holder.tensors[holder.name]
            if own is not None:
                holder.tensors[holder.name] = kept.setdefault(tuple(own.shape), own)
        if len(kept) > 1:
            parted.append(originals[key])
    return tuple(parted)


def _counterparts(original: nn.Module, twin: nn.Module) -> Iterator[tuple[Tensor, _Holder]]:
    modules = dict(twin.named_modules(remove_duplicate=False))
    for path, module in original.named_modules(remove_duplicate=False):
        other = modules.get(path)
        if other is None or type(other) is not type(module):
            continue
        for name, tensor in [*module._parameters.items(), *module._buffers.items()]:
            if tensor is not None and (name in other._parameters or name in other._buffers):
                yield tensor, _Holder(other, name)
