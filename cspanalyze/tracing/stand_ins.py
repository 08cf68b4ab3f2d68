"""What keeps the caller's tensors from being written: meta tensors in their place, or copies of what they held."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from cspanalyze.graph import ValueKind


class Shadows:
    """Meta tensors in place of real ones, one for each, sharing memory where the real ones do."""

    def __init__(self, names: dict[int, tuple[str, ValueKind]]) -> None:
        """`names` (of parameters and buffers, by `id`) gets an entry for the shadow of each named tensor."""
        self._names = names
        self._of: dict[int, tuple[Tensor, Tensor]] = {}
        self._storages: dict[int, Tensor] = {}

    def __call__(self, argument: Any) -> Any:
        """The argument with every tensor that holds data replaced, inside lists and tuples as well."""
        if isinstance(argument, Tensor):
            return argument if argument.is_meta else self._shadow(argument)
        if isinstance(argument, (list, tuple)) and any(isinstance(item, (Tensor, list, tuple)) for item in argument):
            return type(argument)([self(item) for item in argument])
        return argument

    def _shadow(self, tensor: Tensor) -> Tensor:
        found = self._of.get(id(tensor))
        if found is not None:
            return found[1]
        storage = tensor.untyped_storage()
        # Out of inference mode: torch refuses a view of an ordinary tensor that is no ordinary tensor itself.
        with torch.inference_mode(False), torch.no_grad():
            base = self._storages.get(storage._cdata)
            if base is None:
                length = storage.nbytes() // max(1, tensor.element_size())
                base = self._storages[storage._cdata] = torch.empty(length, dtype=tensor.dtype, device="meta")
            flat = base if base.dtype == tensor.dtype else base.view(tensor.dtype)
            shadow = flat.as_strided(tensor.shape, tensor.stride(), tensor.storage_offset())
        if id(tensor) in self._names:
            self._names[id(shadow)] = self._names[id(tensor)]
        self._of[id(tensor)] = (tensor, shadow)  # the reference keeps id(tensor) from being used again
        return shadow


class Originals:
    """In a run on real tensors: what parameters and buffers held before they were first written."""

    def __init__(self, names: dict[int, tuple[str, ValueKind]]) -> None:
        self._names = names
        self._of: dict[int, tuple[Tensor, Tensor]] = {}

    def keep(self, tensor: Tensor) -> None:
        """Remember the content if this is one of the model's tensors and it is not remembered yet."""
        if id(tensor) in self._names and id(tensor) not in self._of:
            self._of[id(tensor)] = (tensor, tensor.detach().clone())

    def restore(self) -> None:
        """Put everything back."""
        with torch.no_grad():
            for tensor, original in self._of.values():
                tensor.copy_(original)
