"""ResNet, ResNeXt and Darknet-53, their CSP and their Elastic forms."""

from __future__ import annotations

from cspanalyze.darknet.drafting import Draft
from cspanalyze.darknet.sections import Section
from cspanalyze.zoo.tables.darknet_configs import BackboneConfig, ClassifierConfig, CrossStageConfig, StageConfig


def classifier(config: ClassifierConfig) -> tuple[Section, ...]:
    """Backbone and classifier."""
    draft = Draft(config.side, config.side, activation=config.activation)
    stages(draft, config.backbone)
    draft.classifier(config.num_classes)
    return draft.sections


def stages(draft: Draft, config: BackboneConfig) -> list[int]:
    """Write stem and stages; returns the last layer of each stage."""
    draft.begin("stem")
    if config.stem == "resnet":
        draft.conv(64, 7, 2)
        draft.maxpool(2, 2)
    else:
        draft.conv(32, 3)
    draft.begin("")
    ends = []
    for number, stage in enumerate(config.stages):
        if isinstance(stage, CrossStageConfig):
            _cross_stage(draft, stage, config)
        else:
            _plain_stage(draft, stage, config, stride=1 if number == 0 else 2)
        ends.append(draft.last)
    return ends


def _plain_stage(draft: Draft, stage: StageConfig, config: BackboneConfig, stride: int) -> None:
    if stage.down is not None:
        draft.conv(stage.down, 3, 2)
        stride = 1
    for number in range(stage.depth):
        _block(draft, stage.width, stage.inner, config, stride if number == 0 else 1)


def _cross_stage(draft: Draft, stage: CrossStageConfig, config: BackboneConfig) -> None:
    if stage.down is not None:
        # Darknet-53 has no groups, so these are the groups of ResNeXt.
        draft.conv(stage.down, 3, 2, groups=config.groups)
    entry = draft.last
    activation = "linear" if stage.linear_entry else None
    part1 = draft.conv(stage.part1, 1, activation=activation)
    draft.route(entry)
    draft.conv(stage.part2, 1, activation=activation)
    for _ in range(stage.depth):
        if config.elastic:
            _elastic_block(draft, stage, config)
        else:
            _block(draft, stage.width, stage.inner, config)
    transition = draft.conv(stage.width, 1)
    draft.route(transition, part1)
    draft.conv(stage.out, 1)


def _block(draft: Draft, width: int, inner: int, config: BackboneConfig, stride: int = 1) -> None:
    """Convolutions and the sum with the input; it has no projection, so of another shape only a part is added."""
    entry = draft.last
    _branch(draft, width, inner, config, config.groups, stride)
    draft.shortcut(entry, "linear" if config.block == "dark" else draft.activation)


def _branch(draft: Draft, width: int, inner: int, config: BackboneConfig, groups: int, stride: int = 1) -> None:
    """The convolutions of a block. In a dark block the last has an activation, in the others the sum has it."""
    if config.block == "basic":
        draft.conv(inner, 3, stride)
        draft.conv(width, 3, activation="linear")
        return
    draft.conv(inner, 1)
    if config.block == "dark":
        draft.conv(width, 3, stride)
        return
    draft.conv(inner, 3, stride, groups=groups)
    draft.conv(width, 1, activation="linear")


def _elastic_block(draft: Draft, stage: CrossStageConfig, config: BackboneConfig) -> None:
    """A branch on the first half of the channels, and one on the second half at half the size; no bottleneck."""
    entry, half = draft.last, stage.width // 2
    groups = max(config.groups // 2, 1)
    draft.half(entry, 0)
    _branch(draft, half, half, config, groups)
    upper = draft.last
    draft.half(entry, 1)
    draft.maxpool(2, 2)
    _branch(draft, half, half, config, groups)
    lower = draft.upsample()
    draft.route(upper, lower)
    draft.shortcut(entry, "linear" if config.block == "dark" else draft.activation)
