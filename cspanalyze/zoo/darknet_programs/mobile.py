"""MobileNetV2, EfficientNet-B0 and the authors' CSPMobileNetV2."""

from __future__ import annotations

from cspanalyze.darknet.drafting import Draft
from cspanalyze.darknet.sections import Section
from cspanalyze.zoo.tables.darknet_configs import CrossMobileConfig, InvertedConfig, MobileConfig

_STEM = 32
_LAST = 1280


def mobile(config: MobileConfig) -> tuple[Section, ...]:
    """Inverted residual blocks. Unlike in the papers, the first block has a 1x1 before the depthwise convolution."""
    draft = Draft(config.side, config.side, activation=config.activation)
    draft.begin("stem")
    draft.conv(_STEM, 3, 2)
    draft.begin("")
    channels = _STEM
    for stage in config.stages:
        for number in range(len(stage.inner)):
            _inverted(draft, channels, stage, number, config)
            channels = stage.width
    draft.conv(_LAST, 1)
    draft.begin("head")
    draft.add("avgpool")
    if config.dropout:
        draft.add("dropout", probability=config.dropout)
    draft.plain_conv(config.num_classes)
    draft.add("softmax", groups=1)
    return draft.sections


def _inverted(draft: Draft, channels: int, stage: InvertedConfig, number: int, config: MobileConfig) -> None:
    entry, inner = draft.last, stage.inner[number]
    stride = stage.stride if number == 0 else 1
    draft.conv(inner, 1)
    deep = draft.conv(inner, stage.kernel, stride, groups=inner)
    if stage.squeeze:
        draft.add("avgpool")
        draft.plain_conv(stage.squeeze[number], config.activation)
        draft.plain_conv(inner, "logistic")
        draft.scale_channels(deep)
    draft.conv(stage.width, 1, activation="linear")
    if stride == 1 and channels == stage.width:
        if config.dropout:
            draft.add("dropout", probability=config.dropout)
        draft.shortcut(entry)


# Width after the depthwise convolution that halves the map, and widths of the blocks that follow at that size.
_CROSS_STAGES = ((24, (24,)), (32, (32, 32, 64, 64, 64, 64)), (96, (96, 96)), (160, (160, 160, 320)))


def cross_mobile(config: CrossMobileConfig) -> tuple[Section, ...]:
    """Each stage processes the maps of one size; a bypass of half of the expansion joins at its end.

    A depthwise convolution of half the expanded channels makes two maps of each of its inputs.
    """
    draft = Draft(config.side, config.side, activation=config.activation)
    stem = draft.conv(_STEM, 3, 2)
    bypass = draft.conv(_STEM // 2, 3, groups=_STEM // 2)
    draft.route(stem)
    draft.conv(_STEM, 1)
    draft.conv(_STEM, 3, groups=_STEM)
    draft.conv(16, 1, activation="linear")
    channels = 16
    for entry, blocks in _CROSS_STAGES:
        draft.route(draft.last, bypass)
        half = 3 * channels
        expanded = draft.conv(half, 1)
        bypass = draft.conv(half, 3, 2, groups=half)
        draft.route(expanded)
        draft.conv(2 * half, 3, 2, groups=half)
        channels = entry
        draft.conv(channels, 1, activation="linear")
        for filters in blocks:
            _wide(draft, channels, filters)
            channels = filters
    draft.route(draft.last, bypass)
    draft.conv(_LAST // 2, 1)
    draft.classifier(config.num_classes)
    return draft.sections


def _wide(draft: Draft, channels: int, filters: int) -> None:
    """1x1 to three times the width, a depthwise 3x3 that doubles it, 1x1 to `filters`; the sum where both agree."""
    entry = draft.last
    draft.conv(3 * channels, 1)
    draft.conv(6 * channels, 3, groups=3 * channels)
    draft.conv(filters, 1, activation="linear")
    if channels == filters:
        draft.shortcut(entry)
