"""PeleeNet, its sparse, grouped, squeezed and partial forms."""

from __future__ import annotations

from cspanalyze.darknet.drafting import Draft
from cspanalyze.darknet.sections import Section
from cspanalyze.zoo.tables.pelee import PeleeConfig


def pelee(config: PeleeConfig) -> tuple[Section, ...]:
    """Backbone and classifier."""
    draft = Draft(config.side, config.side, activation=config.activation)
    pelee_stages(draft, config)
    draft.classifier(config.num_classes)
    return draft.sections


def pelee_stages(draft: Draft, config: PeleeConfig) -> list[int]:
    """Write stem and stages; returns the last layer of each stage before its pool."""
    draft.begin("stem")
    _stem(draft, config)
    draft.begin("")
    channels, ends = 32, []
    for number, depth in enumerate(config.depths):
        pooled = number + 1 < len(config.depths)
        if config.gamma and number:
            ends.append(_partial_stage(draft, config, number, channels, pooled))
        else:
            _dense_layers(draft, config, number, channels, draft.last)
            ends.append(draft.conv(channels + depth * config.growth, 1))
            if pooled:
                draft.maxpool(2, 2)
        channels += depth * config.growth
    if config.last_width:
        ends[-1] = draft.conv(config.last_width, 1)
    return ends


def _stem(draft: Draft, config: PeleeConfig) -> None:
    """To 32 channels on a map a quarter as large in both directions (arXiv 1804.06882, figure 4)."""
    if config.stem == "darknet":
        for filters in (16, 32):
            draft.conv(filters, 3)
            draft.maxpool(2, 2)
        return
    entry = draft.conv(32, 3, 2)
    draft.conv(16, 1)
    right = draft.conv(32, 3, 2)
    draft.route(entry)
    left = draft.maxpool(2, 2)
    draft.route(left, right)
    draft.conv(32, 1)


def _partial_stage(draft: Draft, config: PeleeConfig, number: int, channels: int, pooled: bool) -> int:
    """A slice bypasses the dense layers; 1x1 before the join, after it, or both (arXiv 1911.11929, figure 3).

    Transition 2 comes behind the pool: of the readings tried, the one nearest to the published counts.
    """
    entry = draft.last
    out = channels + config.depths[number] * config.growth
    bypassed = round(channels * config.gamma)
    part1 = _quarters(draft, entry, range(round(4 * config.gamma)))
    part2 = _quarters(draft, entry, range(round(4 * config.gamma), 4))
    _dense_layers(draft, config, number, channels - bypassed, part2)
    if config.fusion != "first":
        draft.conv(out - bypassed, 1)
    end = draft.route(draft.last, part1)
    if pooled:
        draft.maxpool(2, 2)
    if config.fusion != "last":
        after = draft.conv(out, 1)
        return end if pooled else after
    return end


def _quarters(draft: Draft, layer: int, parts: range) -> int:
    """Some quarters of the channels of a layer; a half at once."""
    if len(parts) == 2:
        return draft.half(layer, parts[0] // 2)
    cut = [draft.quarter(layer, part) for part in parts]
    return draft.route(*cut) if len(cut) > 1 else cut[0]


def _dense_layers(draft: Draft, config: PeleeConfig, number: int, channels: int, entry: int) -> None:
    """Leaves the concatenation of the entry and of what all layers made as the last layer."""
    maps, widths = [entry], [channels]
    for index in range(1, config.depths[number] + 1):
        read = [index - 1 - back for back in _steps_back(index, config.sparse)]
        if len(read) > 1:
            draft.route(*(maps[source] for source in read))
        elif draft.last != maps[read[0]]:
            draft.route(maps[read[0]])
        made = _layer(draft, config, number, sum(widths[source] for source in read))
        maps.append(made)
        widths.append(config.growth)
    draft.route(*maps)


def _steps_back(index: int, sparse: bool) -> list[int]:
    """How many maps before the newest those are that layer `index` reads, in the order of the concatenation."""
    if not sparse:
        return list(reversed(range(index)))
    return [2**power - 1 for power in reversed(range(index.bit_length())) if 2**power <= index]


def _layer(draft: Draft, config: PeleeConfig, number: int, channels: int) -> int:
    """One dense layer on the last map; returns the layer that made `growth` channels."""
    entry, half = draft.last, config.growth // 2
    width = half * config.bottlenecks[number]
    if width > channels // 2:
        width = channels // 8 * 4
    if config.layer == "one-way":
        draft.conv(width, 1)
        made = draft.conv(config.growth, 3, groups=config.groups)
    else:
        draft.conv(width, 1)
        left = draft.conv(half, 3, groups=config.groups)
        draft.route(entry)
        draft.conv(width, 1)
        draft.conv(half, 3, groups=config.groups)
        right = draft.conv(half, 3, groups=config.groups)
        made = draft.route(left, right)
    return _squeezed(draft, made, config) if config.squeeze else made


def _squeezed(draft: Draft, layer: int, config: PeleeConfig) -> int:
    """Squeeze and excitation (arXiv 1709.01507, section 3)."""
    draft.add("avgpool")
    draft.plain_conv(max(config.growth // config.squeeze, 1), config.activation)
    draft.plain_conv(config.growth, "logistic")
    return draft.scale_channels(layer)
