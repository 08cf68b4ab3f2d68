"""Copies of a network and its inputs for engines to run on, so that the caller's own are never touched."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._pytree import tree_flatten, tree_map, tree_unflatten

from cspanalyze.graph import ModelGraph
from cspanalyze.room import refuse_without_room
from cspanalyze.tracing.untouched import untouched
from cspanalyze.tracing.values import tensors_in

_FILLING = 0.01
"""Floating-point weights and inputs of copies: neither 0 nor 1, so that norms and divisions stay finite."""


@dataclass(frozen=True)
class Run:
    """One call `model(*args, **kwargs)` to be counted, and our own graph of it."""

    model: nn.Module
    args: tuple[Any, ...]
    kwargs: Mapping[str, Any]
    graph: ModelGraph

    @property
    def on_meta(self) -> bool:
        """Whether any tensor of the network or of its inputs has no data."""
        return any(tensor.is_meta for tensor in self._tensors())

    def _tensors(self) -> Iterator[Tensor]:
        yield from held_tensors(self.model)
        yield from tensors_in([self.args, dict(self.kwargs)])


def held_tensors(model: nn.Module) -> Iterator[Tensor]:
    """Parameters, buffers, and tensors that modules hold as plain attributes."""
    for module in model.modules():
        yield from tensors_in(list(vars(module).values()))


class Flat(nn.Module):
    """The network as a function of plain tensors to plain tensors: engines take no dicts, keywords or dataclasses.

    With `on_meta`, tensors that the forward pass creates are made on the meta device as well.
    """

    PREFIX = "model"

    def __init__(self, model: nn.Module, args: tuple[Any, ...], kwargs: Mapping[str, Any], on_meta: bool) -> None:
        super().__init__()
        self.model = model
        leaves, self._layout = tree_flatten((args, dict(kwargs)))
        self._positions = [i for i, leaf in enumerate(leaves) if isinstance(leaf, Tensor)]
        self._rest = [None if isinstance(leaf, Tensor) else leaf for leaf in leaves]
        self._on_meta = on_meta
        self.tensors = tuple(leaves[i] for i in self._positions)  # plain attribute: inputs are no parameters

    def forward(self, *tensors: Tensor) -> tuple[Tensor, ...]:
        """Run the network on its inputs, given in the order of `tensors`."""
        leaves = list(self._rest)
        for position, tensor in zip(self._positions, tensors, strict=True):
            leaves[position] = tensor
        args, kwargs = tree_unflatten(leaves, self._layout)
        with ExitStack() as stack:
            if self._on_meta:
                stack.enter_context(torch.device("meta"))
            return tuple(tensors_in(self.model(*args, **kwargs)))

    @classmethod
    def path(cls, name: str) -> str:
        """Path in the network of a module path in this wrapper."""
        return "" if name == cls.PREFIX else name.removeprefix(f"{cls.PREFIX}.")


@contextmanager
def flat_copy(run: Run, *, with_data: bool = False) -> Iterator[Flat]:
    """A copy of the run, in the mode in which the graph was traced; random state is put back afterwards.

    The copy is on the meta device if any tensor of the run is; with `with_data` those without data get some.

    Raises:
        UsageError: the copy would take too much of the memory that is available.
    """
    on_meta = run.on_meta and not with_data
    if not on_meta:
        _refuse_if_too_large(run)
    # One memo: tensors that are tied stay tied, and no data is copied only to be dropped.
    memo: dict[int, Any] = {}
    for tensor in held_tensors(run.model):
        if (on_meta or tensor.is_meta) and id(tensor) not in memo:
            memo[id(tensor)] = _empty_like(tensor, on_meta)
    model = copy.deepcopy(run.model, memo).requires_grad_(False)  # torch's module tracker trips over leaf inputs
    args, kwargs = tree_map(lambda leaf: _input(leaf, on_meta), (run.args, dict(run.kwargs)))
    flat = Flat(model, args, kwargs, on_meta)
    with untouched(flat, run.graph.mode), torch.no_grad():
        yield flat


def _empty_like(tensor: Tensor, on_meta: bool) -> Tensor:
    fresh = torch.empty_strided(tensor.shape, tensor.stride(), dtype=tensor.dtype, device="meta" if on_meta else "cpu")
    if not on_meta:
        fresh.fill_(_FILLING if tensor.dtype.is_floating_point or tensor.dtype.is_complex else 0)
    return nn.Parameter(fresh, requires_grad=False) if isinstance(tensor, nn.Parameter) else fresh


def _input(leaf: Any, on_meta: bool) -> Any:
    if not isinstance(leaf, Tensor):
        return copy.deepcopy(leaf)
    return _empty_like(leaf, on_meta) if on_meta or leaf.is_meta else leaf.detach().clone()


def _refuse_if_too_large(run: Run) -> None:
    from cspanalyze.analyses import Grouping
    from cspanalyze.analyses import run as analyse

    weights = sum({id(tensor): tensor.nbytes for tensor in held_tensors(run.model)}.values())
    (peak,) = analyse(run.graph, ["peak_bytes"], Grouping.of(run.graph, "op"))
    refuse_without_room("running it on real tensors", weights + int(peak.total or 0))
