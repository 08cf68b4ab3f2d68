"""YOLOv3 and PANet on any backbone, with spatial pyramid pooling, and the two tiny networks."""

from __future__ import annotations

from cspanalyze.darknet.drafting import Draft
from cspanalyze.darknet.sections import Section
from cspanalyze.zoo.darknet_programs.backbones import stages
from cspanalyze.zoo.tables.darknet_configs import DetectorConfig, TinyConfig

_ANCHORS = "10,13,16,30,33,23,30,61,62,45,59,119,116,90,156,198,373,326"
_TINY_ANCHORS = "10,14,23,27,37,58,81,82,135,169,344,319"


def detector(config: DetectorConfig) -> tuple[Section, ...]:
    """Three heads, for maps a 32nd, a 16th and an 8th of the image."""
    draft = Draft(config.side, config.side, activation=config.activation)
    ends = stages(draft, config.backbone)
    draft.begin("neck")
    _zigzag(draft, 512, 3)
    if config.pyramid_pooling:
        pyramid_pooling(draft)
        draft.conv(512, 1)
    coarse = _zigzag(draft, 512, 2, begin=1)
    if config.neck == "fpn":
        _top_down_heads(draft, coarse, ends, config.num_classes)
    else:
        _two_way_heads(draft, coarse, ends, config.num_classes)
    return draft.sections


def _zigzag(draft: Draft, filters: int, count: int, begin: int = 0) -> int:
    """1x1 to `filters` and 3x3 to twice as many in turn, `count` in all; `begin` 1 begins with the 3x3."""
    for number in range(begin, begin + count):
        draft.conv(filters * 2, 3) if number % 2 else draft.conv(filters, 1)
    return draft.last


def pyramid_pooling(draft: Draft) -> None:
    """The map beside its maxima over 5x5, 9x9 and 13x13."""
    entry = draft.last
    pools: list[int] = []
    for size in (5, 9, 13):
        if pools:
            draft.route(entry)
        pools.append(draft.maxpool(size, 1))
    draft.route(*reversed(pools), entry)


def head(draft: Draft, filters: int, scale: int, classes: int) -> None:
    """3x3, 1x1 to three boxes with classes, and the head. `scale` 0 is the finest."""
    draft.begin("head")
    draft.conv(filters, 3)
    draft.plain_conv(3 * (classes + 5))
    mask = ",".join(str(3 * scale + i) for i in range(3))
    draft.add("yolo", mask=mask, anchors=_ANCHORS, classes=classes, num=9)
    draft.begin("neck")


def _top_down_heads(draft: Draft, coarse: int, ends: list[int], classes: int) -> None:
    head(draft, 1024, 2, classes)
    last = coarse
    for scale, filters in ((1, 256), (0, 128)):
        draft.route(last)
        draft.conv(filters, 1)
        draft.route(draft.upsample(), ends[scale - 3])
        last = _zigzag(draft, filters, 5)
        head(draft, 2 * filters, scale, classes)


def _two_way_heads(draft: Draft, coarse: int, ends: list[int], classes: int) -> None:
    merged = [coarse]
    for scale, filters in ((1, 256), (0, 128)):
        draft.conv(filters, 1)
        upper = draft.upsample()
        draft.route(ends[scale - 3])
        draft.route(draft.conv(filters, 1), upper)
        merged.append(_zigzag(draft, filters, 5))
    last = merged[2]
    head(draft, 256, 0, classes)
    for scale, filters in ((1, 256), (2, 512)):
        draft.route(last)
        draft.route(draft.conv(filters, 3, 2), merged[2 - scale])
        last = _zigzag(draft, filters, 5)
        head(draft, 2 * filters, scale, classes)


def tiny_detector(config: TinyConfig) -> tuple[Section, ...]:
    """Two heads, for maps a 32nd and a 16th of the image."""
    draft = Draft(config.side, config.side, activation=config.activation)
    ends = []
    for filters in (16, 32, 64, 128, 256, 512):
        ends.append(draft.conv(filters, 3))
        draft.maxpool(2, 1 if filters == 512 else 2)
    *_, fine, coarse = ends
    if config.residual:
        _residual_heads(draft, fine, coarse, config.num_classes)
        return draft.sections
    draft.conv(1024, 3)
    draft.begin("neck")
    narrow = draft.conv(256, 1)
    draft.begin("head")
    draft.conv(512, 3)
    _tiny_head(draft, "3,4,5", config.num_classes)
    draft.route(narrow)
    draft.conv(128, 1)
    draft.route(draft.upsample(), fine)
    draft.begin("head")
    draft.conv(256, 3)
    _tiny_head(draft, "1,2,3", config.num_classes)
    return draft.sections


def _residual_heads(draft: Draft, fine: int, coarse: int, classes: int) -> None:
    """Sums instead of concatenations; a sum with a wider map adds the channels that both have."""
    draft.conv(512, 3)
    draft.shortcut(coarse, draft.activation)
    draft.begin("neck")
    narrow = draft.conv(256, 1)
    deep = draft.conv(256, 3)
    draft.shortcut(narrow, draft.activation)
    _tiny_head(draft, "3,4,5", classes)
    draft.route(deep)
    draft.conv(128, 1)
    upper = draft.upsample()
    draft.shortcut(fine, draft.activation)
    draft.conv(128, 3)
    draft.shortcut(upper, draft.activation)
    draft.shortcut(fine, draft.activation)
    _tiny_head(draft, "1,2,3", classes)


def _tiny_head(draft: Draft, mask: str, classes: int) -> None:
    draft.begin("head")
    draft.plain_conv(3 * (classes + 5))
    draft.add("yolo", mask=mask, anchors=_TINY_ANCHORS, classes=classes, num=6)
    draft.begin("neck")
