"""From the modules of a stage to its parts: every kind of block or stage module is recognised by its own reader."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from torch import nn

from cspanalyze.plans.blocks import changes_nothing, read_block
from cspanalyze.plans.cross import is_cross_stage, read_cross_stage
from cspanalyze.plans.dense import is_dense_block, is_one_shot, read_dense_block, read_one_shot, with_transition
from cspanalyze.plans.layers import is_layer, is_sequential, read_chain
from cspanalyze.stage_plans import Block, Chain, EqualBlocks, Part

Reader = Callable[[nn.Module], Iterable[Part]]


def read_parts(modules: Iterable[nn.Module]) -> tuple[Part, ...]:
    """The parts of modules that run one after the other.

    Raises:
        Unknown: one of them matches no known structure.
    """
    parts: list[Part] = []
    for module in modules:
        for part in _read_module(module):
            _append(parts, part)
    return with_transition(parts)


def _read_module(module: nn.Module) -> Iterator[Part]:
    if is_sequential(module) or is_stage_container(module):
        for child in module.children():
            yield from _read_module(child)
    elif is_layer(module):
        yield read_chain([module])
    elif is_cross_stage(module):
        yield from read_cross_stage(module, read_parts)
    elif is_dense_block(module):
        yield read_dense_block(list(module.children()))
    elif is_one_shot(module):
        yield read_one_shot(module)
    else:
        yield read_block(module)


def is_stage_container(module: nn.Module) -> bool:
    """Darknet's and VoVNet's stage modules in timm: down-sampling, then blocks, and nothing else."""
    names = {name for name, _ in module.named_children()}
    return "blocks" in names and names <= {"conv_down", "pool", "blocks"}


def _append(parts: list[Part], part: Part) -> None:
    """Add a part; a chain prolongs the chain before it, a block that equals the ones before it adds to their number."""
    last = parts[-1] if parts else None
    match part, last:
        case Chain(steps), Chain(earlier):
            parts[-1] = Chain(earlier + steps)
        case Chain(()), _:
            pass
        case Block(), EqualBlocks(block, m) if block == part:
            parts[-1] = EqualBlocks(block, m + 1)
        case Block(), _ if changes_nothing(part):
            parts.append(EqualBlocks(part, 1))
        case _:
            parts.append(part)
