"""Recognises the stages of ResNets, ResNeXts, SE-ResNets and Darknets by their structure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from torch import nn

from cspanalyze.csp.blocks import Block, read_block
from cspanalyze.csp.description import Entry, StageDescription, is_sequence, join, shrinkage, style_of


@dataclass(frozen=True)
class _Member:
    """One link of a stage's chain: a block, or a unit with exactly one convolution."""

    path: str
    module: nn.Module
    block: Block | None


class ResidualAdapter:
    """Reads a container as a stage: at most one entry, then blocks of equal shape, run one after the other.

    An entry that is one convolution makes the stage a Darknet one; an entry block, or none, a ResNet one.
    """

    def __init__(self) -> None:
        self._chains: dict[int, list[_Member] | None] = {}

    def read(self, path: str, module: nn.Module) -> StageDescription | None:
        """The stage that `module` is, None if it is none."""
        chain = self._chain(module)
        if not chain:
            return None
        start = len(chain)
        while start and _continues(chain[start - 1], chain[start:]):
            start -= 1
        if start > 1:
            return None
        entry = _entry(chain[0]) if start else None
        body = [member.block for member in chain[start:] if member.block is not None]
        if not (_leads_to(entry, body[0]) if body else entry is not None and entry.block is not None):
            return None
        return _describe(path, module, entry, body, tuple(join(path, member.path) for member in chain))

    def settle(self, found: Sequence[StageDescription]) -> list[StageDescription]:
        """Drop stages without entry, unless the first one of several (ResNet-18's, which keeps width and size).

        Elsewhere such a chain is the inside of something else: the blocks of a network that is cross stage partial
        already, or a whole network of equal blocks.
        RegNets are built of ResNet's blocks, but the authors' rule is for ResNets: there the stem pools, and the first
        stage keeps the size of the map. Where it does not, `dropin` is the first choice.
        """
        several = any(stage.entry is not None for stage in found)
        kept = [stage for stage in found if stage.entry is not None or (several and stage is found[0])]
        if kept and kept[0].family == "resnet" and kept[0].stride > 1:
            return [replace(stage, presets=stage.presets[::-1]) for stage in kept]
        return kept

    def _chain(self, module: nn.Module) -> list[_Member] | None:
        """The links of `module`, with the containers in it taken apart; None if it is no plain sequence of them."""
        if id(module) not in self._chains:
            self._chains[id(module)] = self._read_chain(module)
        return self._chains[id(module)]

    def _read_chain(self, module: nn.Module) -> list[_Member] | None:
        chain: list[_Member] = []
        for name, child in module._modules.items():  # named_children would hide that a block runs twice
            if child is None:
                continue
            block = read_block(child)
            if block is not None or _lone_convolution(child) is not None:
                chain.append(_Member(name, child, block))
            elif (inner := self._chain(child)) is not None:
                chain += [_Member(f"{name}.{link.path}", link.module, link.block) for link in inner]
            elif not isinstance(child, nn.Identity):
                return None
        return chain if chain and is_sequence(module) else None


def _continues(member: _Member, body: list[_Member]) -> bool:
    """Whether a link is a block of the body that begins right after it."""
    if member.block is None or not member.block.keeps_shape:
        return False
    after = body[0].block if body else member.block
    return after is not None and type(after.module) is type(member.module) and after.widths == member.block.widths


def _entry(member: _Member) -> Entry | None:
    if member.block is not None:
        return Entry(member.module, member.block.spatial, "", member.block)
    unit = _lone_convolution(member.module)
    return None if unit is None else Entry(member.module, unit[1], unit[0])


def _leads_to(entry: Entry | None, block: Block) -> bool:
    if entry is None:
        return True
    return block.widths[0] == (entry.conv.out_channels if entry.block is None else entry.block.widths[-1])


def _describe(
    path: str, module: nn.Module, entry: Entry | None, body: list[Block], names: tuple[str, ...]
) -> StageDescription:
    block = body[0] if body or entry is None else entry.block
    assert block is not None
    reason = ""
    if not body or (entry is None and len(body) == 1):
        reason = f"stage {path} has only its entry block, nothing remains to make partial"
    elif len({id(each.module) for each in body}) < len(body):
        reason = f"stage {path} runs the same block several times"
    before = block.widths[0]
    if entry is not None:
        before = entry.conv.in_channels if entry.block is None else entry.block.widths[0]
    norms = [block.module.get_submodule(name) for name, _ in block.norms]
    return StageDescription(
        path=path,
        module=module,
        family="darknet" if entry is not None and entry.block is None else "resnet",
        channels=block.widths[-1],
        before=before,
        stride=1 if entry is None else shrinkage(entry.module, before),
        stream_groups=block.stream_groups,
        body=tuple(body),
        presets=("paper", "dropin"),
        source_names=names,
        style=style_of([block.module], block.conv(0), norms),
        entry=entry,
        reason=reason,
    )


def _lone_convolution(module: nn.Module) -> tuple[str, nn.Conv2d] | None:
    """The only convolution of `module` and its path there; None where it has none or several."""
    convs = [(path, layer) for path, layer in module.named_modules() if isinstance(layer, nn.Conv2d)]
    return convs[0] if len(convs) == 1 else None
