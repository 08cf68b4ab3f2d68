"""Where a network keeps its stem, stages and head: one function for each way of naming them."""

from __future__ import annotations

import re
from collections.abc import Callable
from itertools import groupby

from torch import nn

from cspanalyze.plans.blocks import changes_nothing, read_block
from cspanalyze.plans.cross import is_cross_stage
from cspanalyze.plans.layers import Unknown, convolutions, is_layer, is_sequential

Named = list[tuple[str, nn.Module]]
"""Modules that run one after the other, with their paths."""
Groups = list[tuple[str, Named]]
"""The names of the stages and their modules."""


def numbered_layers(model: nn.Module) -> Groups | None:
    """ResNet and its kin in torchvision and timm: `layer1`, `layer2`, .. between stem (perhaps `layer0`) and head."""
    return _around(_children(model), re.compile(r"layer[1-9]\d*"))


def stage_list(model: nn.Module) -> Groups | None:
    """timm's Darknet, CSPNets and VoVNets (`stem`, `stages`, `head`) and MobileNetV2 (`blocks`)."""
    for name in ("stages", "blocks"):
        stages = getattr(model, name, None)
        if isinstance(stages, nn.Sequential):
            outer = _children(model)
            place = next(index for index, (path, _) in enumerate(outer) if path == name)
            return _numbered(outer[:place], [[item] for item in _children(stages, f"{name}.")], outer[place + 1 :])
    return None


def dense_blocks(model: nn.Module) -> Groups | None:
    """DenseNet: `denseblock1`, `transition1`, .. among the children of `features`."""
    features = getattr(model, "features", None)
    if not isinstance(features, nn.Sequential):
        return None
    items = _children(features, "features.") + [item for item in _children(model) if item[0] != "features"]
    return _around(items, re.compile(r"features\.(denseblock|transition)\d+"))


def one_sequence(model: nn.Module) -> Groups | None:
    """Everything in one sequence: VGG, where a stage ends with its pooling, and torchvision's MobileNetV2."""
    features = model if is_sequential(model) else getattr(model, "features", None)
    if not isinstance(features, nn.Sequential) or not is_sequential(features):
        return None
    if features is model:
        items, rest = _children(model), []
    else:
        outer = _children(model)
        place = [path for path, _ in outer].index("features")
        items, rest = outer[:place] + _children(features, "features."), outer[place + 1 :]
    if all(is_layer(module) or is_cross_stage(module) for _, module in items):
        return _between_poolings(items, rest)
    return _runs_of_blocks(items, rest)


def _children(module: nn.Module, prefix: str = "") -> Named:
    return [(prefix + name, child) for name, child in module.named_children()]


def _numbered(stems: Named, stages: list[Named], head: Named) -> Groups:
    named = [("stem", stems), *((f"stage{n}", stage) for n, stage in enumerate(stages, start=1)), ("head", head)]
    return [(name, items) for name, items in named if items]


def _around(items: Named, stage: re.Pattern[str]) -> Groups | None:
    """The items whose paths match `stage`, grouped by the number that they end with; the rest is stem and head."""
    places = [index for index, (path, _) in enumerate(items) if stage.fullmatch(path)]
    if not places:
        return None
    body = items[places[0] : places[-1] + 1]
    stages = [list(group) for _, group in groupby(body, key=lambda item: re.sub(r".*\D", "", item[0]))]
    return _numbered(items[: places[0]], stages, items[places[-1] + 1 :])


def _between_poolings(items: Named, rest: Named) -> Groups:
    """Stages of plain convolutions, each ended by the layer that shrinks the map; what has no convolution is head."""
    stages: list[Named] = []
    current: Named = []
    for item in items:
        current.append(item)
        if isinstance(item[1], nn.MaxPool2d | nn.AvgPool2d):
            stages.append(current)
            current = []
    if any(convolutions(module) for _, module in current):
        stages.append(current)
        current = []
    return _numbered([], stages, current + rest)


def _runs_of_blocks(items: Named, rest: Named) -> Groups:
    """Stages that begin with each block which changes width or size; single layers before and after: stem and head."""
    blocks = [index for index, (_, module) in enumerate(items) if not is_layer(module)]
    stages: list[Named] = []
    for item in items[blocks[0] : blocks[-1] + 1]:
        if not stages or _begins_stage(item[1]):
            stages.append([])
        stages[-1].append(item)
    return _numbered(items[: blocks[0]], stages, items[blocks[-1] + 1 :] + rest)


def _begins_stage(module: nn.Module) -> bool:
    if is_layer(module) or is_cross_stage(module):
        return False
    try:
        return not changes_nothing(read_block(module))
    except Unknown:
        return True


FAMILIES: dict[str, Callable[[nn.Module], Groups | None]] = {
    "numbered layers": numbered_layers,
    "dense blocks": dense_blocks,
    "stage list": stage_list,
    "one sequence": one_sequence,
}
"""The ways of naming, in the order in which they are tried. A network that none fits is unknown."""
