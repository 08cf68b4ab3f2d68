"""Leave the caller's model, and torch's global state, exactly as they were found."""

from __future__ import annotations

import random
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Literal

import torch
from torch import nn

_CONTAINERS = (list, dict, set)


@contextmanager
def untouched(model: nn.Module, mode: Literal["eval", "train"]) -> Iterator[None]:
    """Run the body with every module in the given mode; put back attributes, flags and random state afterwards.

    Attributes of every module are restored by reference (a tensor cached on `self` during the forward pass is gone
    again), plain lists, dicts and sets among them by content as well. Tensors are not copied: the recorder never lets
    an operation write to one of the model's own.
    """
    snapshots = [(module, _snapshot(module.__dict__)) for module in model.modules()]
    held = [tensor for module, _ in snapshots for tensor in (*module._parameters.values(), *module._buffers.values())]
    tensors = tuple({id(tensor): tensor for tensor in held if tensor is not None}.values())
    versions = tuple([tensor._version for tensor in tensors])
    generator = torch.get_rng_state()
    python_random = random.getstate()
    numpy = sys.modules.get("numpy")
    numpy_random = numpy.random.get_state() if numpy is not None else None
    try:
        for module, _ in snapshots:
            module.training = mode == "train"
        yield
    finally:
        for module, attributes in snapshots:
            _restore(module.__dict__, attributes)
        # An in-place operator counts up even if the recorder keeps it from writing; a graph that the caller still
        # wants to run backward would take that for a modification.
        torch._C._autograd._unsafe_set_version_counter(tensors, versions)
        torch.set_rng_state(generator)
        random.setstate(python_random)
        if numpy is not None:
            numpy.random.set_state(numpy_random)


def _snapshot(attributes: dict[str, Any]) -> list[tuple[str, Any, Any]]:
    return [(key, value, value.copy() if type(value) in _CONTAINERS else None) for key, value in attributes.items()]


def _restore(attributes: dict[str, Any], snapshot: list[tuple[str, Any, Any]]) -> None:
    attributes.clear()
    for key, value, content in snapshot:
        if content is not None:
            if isinstance(value, list):
                value[:] = content
            else:
                value.clear()
                value.update(content)
        attributes[key] = value
