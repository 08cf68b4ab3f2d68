"""Finds the stages of a network by asking every adapter about every module."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from torch import nn

from cspanalyze.csp.dense import DenseAdapter
from cspanalyze.csp.description import StageDescription, join
from cspanalyze.csp.residual import ResidualAdapter
from cspanalyze.csp.stage import CSPStage
from cspanalyze.errors import CspError


class Adapter(Protocol):
    """Knows one kind of stage. A fresh one is made for every network, so it may remember what it has read."""

    def read(self, path: str, module: nn.Module) -> StageDescription | None:
        """The stage that the module at `path` is, None if it is none; called for parents before their children."""

    def settle(self, found: Sequence[StageDescription]) -> list[StageDescription]:
        """Those of this adapter's findings that hold, corrected now that all of the network has been seen."""


ADAPTERS: tuple[type[Adapter], ...] = (DenseAdapter, ResidualAdapter)
"""In order of precedence. A new family is one class more."""


def find_stages(model: nn.Module) -> tuple[StageDescription, ...]:
    """The stages of `model` in order of registration.

    Raises:
        CspError: no adapter recognises one.
    """
    adapters = [adapter() for adapter in ADAPTERS]
    found: list[tuple[Adapter, StageDescription]] = []
    _search("", model, adapters, found)
    kept = [stage for adapter in adapters for stage in adapter.settle([s for a, s in found if a is adapter])]
    order = [stage.path for _, stage in found]
    stages = tuple(sorted(kept, key=lambda stage: order.index(stage.path)))
    if not stages:
        raise CspError(_nothing_found(model))
    return stages


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


def _nothing_found(model: nn.Module) -> str:
    # The `part1` of a twin, and the one 1x1 that makes both parts in timm's networks and this zoo's.
    if any(isinstance(module, CSPStage) or hasattr(module, "conv_transition_b") for module in model.modules()):
        return "this network is cross stage partial already"
    looked_at = [
        f"{name or 'the model itself'} ({type(child).__name__}) "
        + ("is no run of equal convolution blocks" if _convolves(child) else "has no 2-d convolutions")
        for name, child in [*model.named_children()] or [("", model)]
        if any(child.children())
    ]
    listed = "; ".join(looked_at[:4]) + ("; ..." if len(looked_at) > 4 else "")
    return (
        "no staged convolution chain found; CSP splits the channels of N,C,H,W maps between blocks of equal shape"
        + (f": {listed}" if listed else "")
    )


def _convolves(module: nn.Module) -> bool:
    return any(isinstance(layer, nn.Conv2d) for layer in module.modules())
