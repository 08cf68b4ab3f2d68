"""Residual blocks, recognised by their convolutions: ResNet, ResNeXt, SE-ResNet, Darknet, MobileNetV2."""

from __future__ import annotations

from itertools import pairwise

from torch import nn

from cspanalyze.plans.layers import Unknown, convolutions, read_chain, window_of
from cspanalyze.stage_plans import Block, Shortcut, Size, Window

_GATES = ("se", "se_module", "attn", "attn2", "attn3")
_PROJECTION = "downsample"


def read_block(module: nn.Module) -> Block:
    """The record of one block: its convolutions in registration order, apart from the projection and the gate.

    Raises:
        Unknown: the convolutions do not form a chain of one inner width, with one stride at most.
    """
    path: list[nn.Conv2d] = []
    gate: Size | None = None
    shortcut: Shortcut = "identity"
    for name, child in module.named_children():
        if name == _PROJECTION:
            shortcut = _shortcut_of(child)
        elif name in _GATES and (found := convolutions(child)):
            gate = _gate_of(found)
        elif any(isinstance(layer, nn.Conv1d | nn.Conv3d) for layer in child.modules()):
            raise Unknown(f"{type(module).__name__} with a convolution that is not 2-d")
        elif any(isinstance(layer, nn.Linear) for layer in child.modules()) and name not in _GATES:
            raise Unknown(f"{type(module).__name__} with a linear layer, or a whole stage of such")
        elif name not in _GATES:
            path += convolutions(child)
            _refuse_poolings(child)
    if len(path) < 2 or any(left.out_channels != right.in_channels for left, right in pairwise(path)):
        raise Unknown(type(module).__name__)
    inner = {conv.in_channels for conv in path[1:]}
    stride_at, window = _stride_of(path)
    i, o = path[0].in_channels, path[-1].out_channels
    if len(inner) > 1:
        raise Unknown(f"{type(module).__name__} with several inner widths")
    if shortcut == "identity" and (i != o or window is not None):
        shortcut = "none"
    if _template_of(path) == "inverted" and not getattr(module, "use_res_connect", getattr(module, "has_skip", True)):
        shortcut = "none"
    groups = max(conv.groups for conv in path)
    return Block(_template_of(path), i, inner.pop(), o, len(path), groups, stride_at, window, shortcut, gate)


def _refuse_poolings(module: nn.Module) -> None:
    """Anti-aliasing moves the stride out of the convolution, to a filter or pooling behind it."""
    for layer in module.modules():
        if hasattr(layer, "stride") and not isinstance(layer, nn.Conv2d):
            raise Unknown(f"a block with a {type(layer).__name__}")


def changes_nothing(block: Block) -> bool:
    """Whether the block changes neither width nor size, so that it can be one of a row of equal blocks."""
    return block.i == block.o and block.window is None and block.shortcut in ("identity", "none")


def _template_of(path: list[nn.Conv2d]) -> str:
    """The kind of block, from the kernel sizes along its path."""
    if any(1 < conv.groups == conv.in_channels for conv in path):
        return "inverted"
    wide = [max(conv.kernel_size) > 1 for conv in path]
    known = {(False, True, False): "bottleneck", (True, True): "basic", (False, True): "darknet"}
    template = known.get(tuple(wide))
    if template is None:
        raise Unknown("a block of another pattern of kernels")
    return template


def _stride_of(path: list[nn.Conv2d]) -> tuple[int, Window | None]:
    """Position and window of the one convolution that changes the size of the map; (0, None) if none does."""
    windows = [window_of(conv) for conv in path]
    moving = [index for index, window in enumerate(windows) if not window.keeps_size]
    if len(moving) > 1:
        raise Unknown("a block with two strides")
    return (moving[0], windows[moving[0]]) if moving else (0, None)


def _shortcut_of(module: nn.Module) -> Shortcut:
    """What stands beside the block: nothing, a strided 1x1, or a pooling and a 1x1 (ResNet-D, arXiv 1812.01187)."""
    if not convolutions(module):
        if list(module.children()):
            raise Unknown("a shortcut without a convolution")
        return "identity"
    steps = read_chain([module]).steps
    if [bool(step.out_channels) for step in steps] == [True]:
        return "projection"
    if [bool(step.out_channels) for step in steps] == [False, True]:
        return "pooled projection"
    raise Unknown("a shortcut of several convolutions")


def _gate_of(found: list[nn.Conv2d]) -> Size:
    """Width and reduced width of a squeeze-and-excitation (arXiv 1709.01507) made of two 1x1 convolutions."""
    if len(found) != 2 or any(conv.kernel_size != (1, 1) for conv in found):
        raise Unknown("a gate that is no squeeze-and-excitation")
    squeeze, excite = found
    if (squeeze.in_channels, squeeze.out_channels) != (excite.out_channels, excite.in_channels):
        raise Unknown("a gate that is no squeeze-and-excitation")
    return squeeze.in_channels, squeeze.out_channels
