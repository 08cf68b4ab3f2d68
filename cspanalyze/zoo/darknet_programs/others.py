"""Classifiers that share nothing with the residual backbones: Darknet reference, DenseNet, Res2Net."""

from __future__ import annotations

from cspanalyze.darknet.drafting import Draft
from cspanalyze.darknet.sections import Section
from cspanalyze.zoo.tables.darknet_configs import DenseConfig, ReferenceConfig, Res2NetConfig


def reference(config: ReferenceConfig) -> tuple[Section, ...]:
    """A 3x3 convolution for each width, halving the map between two."""
    draft = Draft(config.side, config.side, activation=config.activation)
    for number, filters in enumerate(config.widths):
        if number:
            draft.maxpool(2, 2)
        draft.conv(filters, 3)
    draft.classifier(config.num_classes)
    return draft.sections


def dense(config: DenseConfig) -> tuple[Section, ...]:
    """Each dense layer reads the concatenation of all maps before it in its block."""
    draft = Draft(config.side, config.side, activation=config.activation)
    draft.begin("stem")
    draft.conv(64, 7, 2)
    entry = draft.maxpool(2, 2)
    draft.begin("")
    for depth, transition in zip(config.depths, (*config.transitions, None), strict=True):
        for _ in range(depth):
            draft.conv(4 * config.growth, 1)
            entry = draft.route(draft.conv(config.growth, 3), entry)
        if transition is not None:
            draft.conv(transition, 1)
            entry = draft.maxpool(2, 2)
    draft.classifier(config.num_classes, mean_last=True)
    return draft.sections


def res2net(config: Res2NetConfig) -> tuple[Section, ...]:
    """The authors' Res2NetLite: 3x3 convolutions in two groups, blocks in four parts."""
    draft = Draft(config.side, config.side, activation=config.activation)
    draft.begin("stem")
    draft.conv(32, 3, 2)
    draft.maxpool(3, 2)
    draft.begin("")
    for depth, filters in zip(config.depths, config.widths, strict=True):
        draft.conv(filters, 1)
        draft.conv(filters, 3, 2, groups=2)
        draft.conv(4 * filters, 1)
        for _ in range(depth):
            _res2_block(draft, filters)
    draft.classifier(config.num_classes)
    return draft.sections


def _res2_block(draft: Draft, filters: int) -> None:
    """Quarter 0 as it is; each of the others through a 3x3, after adding the result of the one before."""
    entry = draft.last
    wide = draft.conv(4 * filters, 1)
    parts = [draft.quarter(wide, 0)]
    for quarter in (1, 2, 3):
        draft.quarter(wide, quarter)
        if quarter > 1:
            draft.shortcut(parts[-1])
        parts.append(draft.conv(filters, 3, groups=2))
    draft.route(*parts)
    draft.conv(4 * filters, 1)
    draft.shortcut(entry)
