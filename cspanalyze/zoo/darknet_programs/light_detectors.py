"""Five necks over three maps of one backbone, the smallest last: arXiv 1911.11929, figure 6."""

from __future__ import annotations

from cspanalyze.darknet.drafting import Draft
from cspanalyze.darknet.sections import Section
from cspanalyze.zoo.darknet_programs.detectors import head, pyramid_pooling
from cspanalyze.zoo.darknet_programs.pelee import pelee_stages
from cspanalyze.zoo.tables.light_detectors import LightDetectorConfig

_COARSE = 2
"""Position of the smallest map."""


def light_detector(config: LightDetectorConfig) -> tuple[Section, ...]:
    """Backbone, neck, a head for each of the three maps."""
    draft = Draft(config.side, config.side, activation=config.activation)
    _, *ends = pelee_stages(draft, config.backbone)
    draft.begin("neck")
    maps = [_lateral(draft, end, config.width) for end in ends]
    if config.pyramid_pooling:
        draft.route(maps[_COARSE])
        pyramid_pooling(draft)
        maps[_COARSE] = draft.conv(config.width, 1)
    necks = {"fpn": _top_down, "prn": _partial_sums, "pan": _two_way, "gfm": _global_fusion, "efm": _exact_fusion}
    for scale, layer in enumerate(necks[config.neck](draft, maps, config.width)):
        entry = draft.route(layer)
        if config.attention:
            draft.attention(entry, config.width)
        head(draft, config.width, scale, config.num_classes)
    return draft.sections


def _lateral(draft: Draft, layer: int, width: int) -> int:
    draft.route(layer)
    return draft.conv(width, 1)


def _top_down(draft: Draft, maps: list[int], width: int) -> list[int]:
    """From the smallest: 1x1, up-sampling, concatenation with the larger, 3x3 (FPN as in YOLOv3)."""
    made = {_COARSE: maps[_COARSE]}
    for scale in (1, 0):
        upper = _up(draft, made[scale + 1], width)
        draft.route(upper, maps[scale])
        made[scale] = draft.conv(width, 3)
    return [made[scale] for scale in range(3)]


def _partial_sums(draft: Draft, maps: list[int], width: int) -> list[int]:
    """Top down with sums, and a further sum behind each 3x3 (PRN)."""
    made = {_COARSE: maps[_COARSE]}
    for scale in (1, 0):
        _up(draft, made[scale + 1], width)
        joined = draft.shortcut(maps[scale], draft.activation)
        draft.conv(width, 3)
        made[scale] = draft.shortcut(joined, draft.activation)
    return [made[scale] for scale in range(3)]


def _two_way(draft: Draft, maps: list[int], width: int) -> list[int]:
    """Top down, then from the largest: 3x3/2, concatenation with the smaller, 3x3 (PANet)."""
    made = _top_down(draft, maps, width)
    for scale in (1, 2):
        draft.route(made[scale - 1])
        draft.route(draft.conv(width, 3, 2), made[scale])
        made[scale] = draft.conv(width, 3)
    return made


def _global_fusion(draft: Draft, maps: list[int], width: int) -> list[int]:
    """All maps at the middle size, summed; the sum, resized, is added to each (GFM, as ThunderNet's context module)."""
    fine, middle, coarse = maps
    draft.route(fine)
    lower = draft.maxpool(2, 2)
    draft.route(coarse)
    draft.upsample()
    draft.shortcut(lower)
    draft.shortcut(middle)
    fused = draft.conv(width, 3)
    draft.upsample()
    made = [draft.shortcut(fine)]
    draft.route(fused)
    made.append(draft.shortcut(middle))
    draft.route(fused)
    draft.maxpool(2, 2)
    return [*made, draft.shortcut(coarse)]


def _exact_fusion(draft: Draft, maps: list[int], width: int) -> list[int]:
    """Each map beside its neighbours at its own size, compressed by maxout, then PANet (EFM)."""
    fused = []
    for scale, layer in enumerate(maps):
        around = [layer]
        if scale > 0:
            draft.route(maps[scale - 1])
            around.append(draft.maxpool(2, 2))
        if scale < _COARSE:
            draft.route(maps[scale + 1])
            around.append(draft.upsample())
        draft.route(*around)
        fused.append(draft.maxout(width))
    return _two_way(draft, fused, width)


def _up(draft: Draft, layer: int, width: int) -> int:
    draft.route(layer)
    draft.conv(width, 1)
    return draft.upsample()
