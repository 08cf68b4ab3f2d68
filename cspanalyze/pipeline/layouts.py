"""Networks and inputs in channels-last layout."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from torch import nn

    from cspanalyze.sources import Loaded

Layout = Literal["nchw", "channels-last"]


def in_layout(loaded: Loaded, layout: Layout) -> Loaded:
    """A network that a source built, in a layout; its modules are converted in place."""
    if layout == "nchw":
        return loaded
    model, args, kwargs = channels_last(loaded.model, loaded.args, dict(loaded.kwargs))
    data = loaded.with_data

    def with_data() -> Loaded | None:
        real = data()
        return None if real is None else in_layout(real, layout)

    return replace(loaded, model=model, args=args, kwargs=kwargs, with_data=with_data)


def channels_last(model: nn.Module, args: Any, kwargs: Any) -> tuple[nn.Module, Any, Any]:
    """The model, converted in place, and its inputs with the channels of a pixel side by side; values stay equal.

    Only tensors of four dimensions have that layout; all others are left as they are.
    """
    import torch
    from torch.utils._pytree import tree_map

    def converted(leaf: Any) -> Any:
        if isinstance(leaf, torch.Tensor) and leaf.dim() == 4:
            return leaf.contiguous(memory_format=torch.channels_last)
        return leaf

    model = model.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    return model, tree_map(converted, args), tree_map(converted, kwargs)
