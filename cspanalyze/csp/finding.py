"""Finds the stages of a network: adapters recognise them by structure, a trace shows chains of blocks of any make."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Any, Protocol

from torch import nn

from cspanalyze.csp.chains import Refusal, find_chains, inside
from cspanalyze.csp.dense import DenseAdapter
from cspanalyze.csp.description import StageDescription, join
from cspanalyze.csp.generic import describe, example_input
from cspanalyze.csp.residual import ResidualAdapter
from cspanalyze.csp.stage import CSPStage
from cspanalyze.errors import CspError, TraceError
from cspanalyze.graph import ModelGraph
from cspanalyze.plugins import load_plugins
from cspanalyze.tracing import trace


class NoStage(CspError):
    """A network without any stage: the message says what was looked at first, `refusals` all of it."""

    def __init__(self, sentence: str, refusals: Sequence[Refusal] = ()) -> None:
        listed = "; ".join(f"{each.path} ({each.kind}) {each.reason}" for each in refusals[:4])
        more = "; ..." if len(refusals) > 4 else ""
        super().__init__(f"{sentence}: {listed}{more}" if listed else sentence)
        self.sentence, self.refusals = sentence, tuple(refusals)


class Adapter(Protocol):
    """Knows one kind of stage. A fresh one is made for every network, so it may remember what it has read."""

    def read(self, path: str, module: nn.Module) -> StageDescription | None:
        """The stage that the module at `path` is, None if it is none; called for parents before their children."""

    def settle(self, found: Sequence[StageDescription]) -> list[StageDescription]:
        """Those of this adapter's findings that hold, corrected now that all of the network has been seen."""


ADAPTERS: tuple[type[Adapter], ...] = (DenseAdapter, ResidualAdapter)
"""In order of precedence. A new family is one class more."""
_MOST = 2 / 3
"""Where known stages hold this share of the spatial convolutions, the rest is stem, entries and head."""


@dataclass(frozen=True)
class Found:
    """The stages of a network in order, what was refused, and, where they were found by one, the trace of it."""

    stages: tuple[StageDescription, ...]
    refusals: tuple[Refusal, ...] = ()
    graph: ModelGraph | None = None
    args: tuple[Any, ...] = ()
    kwargs: Mapping[str, Any] = field(default_factory=dict)


def find_stages(model: nn.Module, args: Sequence[Any] = (), kwargs: Mapping[str, Any] = MappingProxyType({})) -> Found:
    """The stages of `model`: those that an adapter knows, unless chains of blocks in a trace hold more of the network.

    Raises:
        CspError: there is none, or it is cross stage partial already.
    """
    known = known_stages(model)
    twin = not known and any(isinstance(module, CSPStage) for module in model.modules())
    if twin or any(map(_is_partial, model.modules())):
        raise CspError("this network is cross stage partial already")
    if _share(model, known) >= _MOST:
        return Found(known)
    try:
        found = trace_stages(model, args, kwargs)
    except CspError:
        if not known:
            raise
        return Found(known)
    refused = [stage.path for stage in known if stage.reason]
    chains = [stage for stage in found.stages if not any(inside(stage.source_names[0], path) for path in refused)]
    if _share(model, chains) > _share(model, known) or not known:
        return replace(found, stages=tuple(chains))
    return Found(known)


def known_stages(model: nn.Module) -> tuple[StageDescription, ...]:
    """The stages that an adapter recognises by the structure of the modules, in order of registration."""
    load_plugins()
    adapters = [adapter() for adapter in ADAPTERS]
    found: list[tuple[Adapter, StageDescription]] = []
    _search("", model, adapters, found)
    kept = [stage for adapter in adapters for stage in adapter.settle([s for a, s in found if a is adapter])]
    order = [stage.path for _, stage in found]
    return tuple(sorted(kept, key=lambda stage: order.index(stage.path)))


def trace_stages(model: nn.Module, args: Sequence[Any], kwargs: Mapping[str, Any]) -> Found:
    """The chains of blocks that a trace on these inputs shows; without any inputs, on an image of 224 x 224.

    Raises:
        CspError: there is none (NoStage), or the network does not run on the inputs.
    """
    args = tuple(args) or (() if kwargs else example_input(model))
    try:
        graph = trace(model, *args, kwargs=kwargs)
    except TraceError as error:
        raise CspError(f"the stages of this network are found by a trace, and {error}") from error
    chains, refusals = find_chains(model, graph)
    if not chains:
        raise _nothing_found(model, refusals)
    return Found(tuple(map(describe, chains)), refusals, graph, args, kwargs)


def _share(model: nn.Module, stages: Sequence[StageDescription]) -> float:
    """The share of the spatial convolutions that lie in stages which can be made partial."""
    every = {id(layer) for layer in model.modules() if _is_spatial(layer)}
    modules = [module for stage in stages if not stage.reason for module in (stage.module, *stage.replaced)]
    inside = {id(layer) for module in modules for layer in module.modules()}
    return len(every & inside) / len(every) if every else 0.0


def _is_spatial(layer: nn.Module) -> bool:
    return isinstance(layer, nn.Conv2d) and any(size > 1 for size in layer.kernel_size)


def _search(
    path: str, module: nn.Module, adapters: Sequence[Adapter], found: list[tuple[Adapter, StageDescription]]
) -> None:
    """Read `module`, or else what is in it. Nothing is looked for inside a stage."""
    if isinstance(module, CSPStage) or any(stage.module is module for _, stage in found):
        return
    for adapter in adapters:
        stage = adapter.read(path, module)
        if stage is not None:
            found.append((adapter, stage))
            return
    for name, child in module.named_children():
        _search(join(path, name), child, adapters, found)


def _is_partial(module: nn.Module) -> bool:
    """A stage of timm's CSPNets or of this zoo's, where one 1x1 makes both parts, or of RTMDet's CSPNeXt."""
    merged = hasattr(module, "conv_exp") and hasattr(module, "conv_transition")
    return merged or (hasattr(module, "short_conv") and hasattr(module, "main_conv"))


def _nothing_found(model: nn.Module, refusals: Sequence[Refusal]) -> NoStage:
    sentence = (
        "no staged convolution chain found; CSP splits the channels of N,C,H,W maps between blocks of equal shape"
    )
    if any(isinstance(layer, nn.Conv2d) for layer in model.modules()):
        return NoStage(sentence, refusals)
    return NoStage(f"{sentence}: it has no 2-d convolutions", ())
