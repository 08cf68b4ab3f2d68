"""Partial stages: the modules of timm's CSPNets, and the stages that this package's own transform builds."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from torch import nn

from cspanalyze.plans.layers import Unknown, read_chain
from cspanalyze.stage_plans import Block, Body, Chain, CrossStage, DenseLayers, EqualBlocks, Fusion, Part, Step

ReadParts = Callable[[Iterable[nn.Module]], tuple[Part, ...]]


def is_cross_stage(module: nn.Module) -> bool:
    """A stage of timm's CSPNets, or of a twin."""
    return _is_timms(module) or hasattr(module, "part2_in")


def read_cross_stage(module: nn.Module, read_parts: ReadParts) -> tuple[Part, ...]:
    """Down-sampling, partial stage, and what follows its junction.

    Raises:
        Unknown: its body is no single row of equal blocks, or the widths do not add up.
    """
    return (_merged if _is_timms(module) else _twin)(module, read_parts)


def _is_timms(module: nn.Module) -> bool:
    return all(hasattr(module, name) for name in ("conv_exp", "blocks", "conv_transition"))


def _merged(module: nn.Module, read_parts: ReadParts) -> tuple[Part, ...]:
    """timm: one entry 1x1, whose output is halved; without `conv_transition_b` the two parts fuse first."""
    children = dict(module.named_children())
    down = read_parts([children["conv_down"]] if "conv_down" in children else [])
    body = _body(read_parts([children["blocks"]]))
    (entry,), (junction,) = _steps(children["conv_exp"]), _steps(children["conv_transition"])
    first = _steps(children.get("conv_transition_b"))
    b, t, o = entry.out_channels - body.c, _made(first), junction.out_channels
    # As timm's networks are the authors' with the two entry convolutions in one, they follow the rule of the paper.
    fusion: Fusion = "csp" if first else "first"
    cross = CrossStage(body, entry.in_channels, b, t, o, fusion, "merged", "paper", b / entry.out_channels)
    _check(cross, first, (junction,))
    return (*down, cross)


def _twin(module: nn.Module, read_parts: ReadParts) -> tuple[Part, ...]:
    """A stage built by the transform: `down`, `part1`, `part2_in`, `part2`, `transition1`, `transition2`."""
    children = dict(module.named_children())
    if getattr(module, "c1", None) == 0:  # a control: no split, one layer after the other
        return read_parts(module.children())
    fusion: Fusion = getattr(module, "fusion")  # noqa: B009 - mypy takes attributes of a module for tensors
    preset, gamma = str(getattr(module, "preset", "")), float(getattr(module, "gamma", 0.0))
    down = read_parts([children["down"]])
    body = _body(read_parts([children["part2"]]))
    bypass, entry = _steps(children["part1"]), _steps(children["part2_in"])
    first, junction = _steps(children["transition1"]), _steps(children["transition2"])
    if entry:
        i, b = entry[0].in_channels, bypass[0].out_channels
        if entry[0].out_channels != body.c or bypass[0].in_channels != i:
            raise Unknown("a partial stage whose widths do not add up")
    else:
        b = int(getattr(module, "c1", 0))
        i = b + body.c
    cross = CrossStage(body, i, b, _made(first), _made(junction), fusion, "two" if entry else "slice", preset, gamma)
    _check(cross, first, junction)
    poolings = [step for step in (*first, *junction) if not step.out_channels]
    return (*down, cross, *([Chain(tuple(poolings))] if poolings else []))


def _made(steps: Sequence[Step]) -> int | None:
    """The width that a transition makes; None if it is absent, or a pooling alone."""
    return next((step.out_channels for step in steps if step.out_channels), None)


def _check(cross: CrossStage, first: Sequence[Step], junction: Sequence[Step]) -> None:
    """Refuse transitions that do not read what reaches them."""
    expected = ((first, cross.body.width_after), (junction, cross.joined))
    if any(step.in_channels != width for steps, width in expected for step in steps if step.out_channels):
        raise Unknown("a partial stage whose widths do not add up")


def _body(parts: tuple[Part, ...]) -> Body:
    if len(parts) == 1 and isinstance(parts[0], EqualBlocks | DenseLayers):
        return parts[0]
    if len(parts) == 1 and isinstance(parts[0], Chain):
        steps = parts[0].steps
        c = steps[0].in_channels
        if all(step.in_channels == step.out_channels == c and step.window((9, 9)) == (9, 9) for step in steps):
            return EqualBlocks(Block("plain", c, 0, c, layers=1, shortcut="none"), len(steps))
    raise Unknown("a partial stage whose body is no row of equal blocks")


def _steps(module: nn.Module | None) -> tuple[Step, ...]:
    """A 1x1 and perhaps a pooling behind it; nothing for an Identity, which stands for what is absent."""
    steps = () if module is None else read_chain([module]).steps
    convolutions = [step for step in steps if step.out_channels]
    if any(step.window((9, 9)) != (9, 9) for step in convolutions) or convolutions != list(steps[: len(convolutions)]):
        raise Unknown("a transition that does not begin with its only 1x1")
    if len(convolutions) > 1:
        raise Unknown("a transition of several convolutions")
    return steps
