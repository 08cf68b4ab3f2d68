"""Construct modules without memory and without weight initialisation."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch.utils._python_dispatch import TorchDispatchMode

_INITIALISERS = frozenset(
    {"uniform_", "normal_", "fill_", "zero_", "trunc_normal_", "erfinv_", "clamp_", "bernoulli_", "exponential_"}
)


class _SkipInitialisation(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Turns in-place fills into nothing: on meta tensors they have no effect, and they dominate construction."""

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        # torch.utils._python_dispatch otherwise wraps the handler so that its first call imports torch._dynamo.
        return False

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        target = args[0] if args else None
        if isinstance(target, torch.Tensor) and target.is_meta:
            name = func._schema.name.partition("::")[2]
            if name in _INITIALISERS or (name in ("mul_", "add_", "div_") and not isinstance(args[1], torch.Tensor)):
                return target
        return func(*args, **(kwargs or {}))


@contextmanager
def building() -> Iterator[None]:
    """Inside, `torch.nn` modules come out on the meta device: parameters have shapes, no values and no memory."""
    with torch.device("meta"), _SkipInitialisation():  # type: ignore[no-untyped-call]
        yield
