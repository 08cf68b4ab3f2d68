"""The CSPNet authors' and Darknet's own network files: `darknet/NAME`. Rows only; configs are in `darknet_configs.py`.

The definitions differ from the common PyTorch ones of the same names: shortcuts hold no weights, the stem pools 2x2/2,
leaky ReLU has slope 0.1, the classifier is a 1x1 convolution. `zoo.darknet_programs` writes the layers.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Literal

from cspanalyze.zoo.entry import Entry
from cspanalyze.zoo.tables.darknet_configs import (
    BackboneConfig,
    CfgConfig,
    ClassifierConfig,
    CrossMobileConfig,
    CrossStageConfig,
    DenseConfig,
    DetectorConfig,
    InvertedConfig,
    MobileConfig,
    ReferenceConfig,
    Res2NetConfig,
    StageConfig,
    TinyConfig,
)


def _darknet(depths: tuple[int, ...]) -> BackboneConfig:
    stages = tuple(StageConfig(depth, 64 << i, 32 << i, 64 << i) for i, depth in enumerate(depths))
    return BackboneConfig("darknet", "dark", stages)


def _resnet(depths: tuple[int, ...], width: int = 1, groups: int = 1) -> BackboneConfig:
    stages = tuple(StageConfig(depth, 256 << i, width * 64 << i) for i, depth in enumerate(depths))
    return BackboneConfig("resnet", "bottleneck", stages, groups)


def _csp_darknet(first: StageConfig | CrossStageConfig, elastic: bool = False) -> BackboneConfig:
    stages = [
        CrossStageConfig(depth, 128 << i, 64 << i, 64 << i, 64 << i, 64 << i, 128 << i)
        for i, depth in enumerate((2, 8, 8, 4))
    ]
    return BackboneConfig("darknet", "dark", (first, *stages), elastic=elastic)


def _csp_resnet(first: int = 64, elastic: bool = False) -> BackboneConfig:
    """`first` is the width of part 2 of the first stage."""
    stages = []
    for i, depth in enumerate((3, 3, 5, 2)):
        part, down = 128 << i, None if i == 0 else 64 << i
        part2 = first if i == 0 else part
        stages.append(CrossStageConfig(depth, down, part, part2, part, part // 2, part, i in (1, 2)))
    return BackboneConfig("resnet", "bottleneck", tuple(stages), elastic=elastic)


def _csp_resnext(first: int = 64, elastic: bool = False) -> BackboneConfig:
    """`first` is the width of part 2 of the first stage."""
    stages = []
    for i, depth in enumerate((3, 3, 5, 2)):
        part, down = 128 << i, None if i == 0 else 128 << i
        part2, inner = first if i == 0 else part, part // 2 if elastic else part
        stages.append(CrossStageConfig(depth, down, part, part2, part, inner, 2 * part, i in (1, 2)))
    return BackboneConfig("resnet", "bottleneck", tuple(stages), 32, elastic)


# The authors' backbone does not halve the first stage: each part has the 64 channels that enter. One of their detectors
# halves it ("m"), another leaves it plain ("s").
_UNHALVED = CrossStageConfig(1, 64, 64, 64, 64, 32, 64)
_HALVED = CrossStageConfig(1, 64, 32, 32, 32, 32, 64)
_PLAIN = StageConfig(1, 64, 32, 64)

_INVERTED = (
    InvertedConfig(16, (32,), 3, 1),
    InvertedConfig(24, (96, 144), 3, 2),
    InvertedConfig(32, (144, 192, 192), 3, 2),
    # The authors halve the map before the 96 channels, the paper before these 64.
    InvertedConfig(64, (192, 384, 384, 384), 3, 1),
    InvertedConfig(96, (384, 576, 576), 3, 2),
    InvertedConfig(160, (576, 960, 960), 3, 2),
    InvertedConfig(320, (960,), 3, 1),
)
# The inner widths are those of MobileNetV2, where the paper has six times the width before.
_SQUEEZED = (
    InvertedConfig(16, (32,), 3, 1, (8,)),
    InvertedConfig(24, (96, 144), 3, 2, (16, 8)),
    InvertedConfig(40, (144, 192), 5, 2, (8, 16)),
    # As above: the paper halves the map before these 80 channels.
    InvertedConfig(80, (192, 384, 384), 3, 1, (16, 24, 24)),
    InvertedConfig(112, (384, 576, 576), 5, 2, (24, 32, 32)),
    InvertedConfig(192, (576, 960, 960, 960), 5, 2, (32, 64, 64, 64)),
    InvertedConfig(320, (960,), 3, 1, (64,)),
)
_BASIC = BackboneConfig("resnet", "basic", tuple(StageConfig(1, 64 << i, 64 << i) for i in range(4)))


def _csp_basic() -> BackboneConfig:
    """Each part half as wide as the stage, the map halved by a 3x3/2: the rule of the authors' other three networks."""
    stages = [
        CrossStageConfig(1, 64 << (i - 1) if i else None, 32 << i, 32 << i, 32 << i, 32 << i, 64 << i) for i in range(4)
    ]
    return BackboneConfig("resnet", "basic", tuple(stages))


_WANG = "Wang et al. 2020, arXiv 1911.11929"
_REDMON = "Redmon and Farhadi 2018, arXiv 1804.02767"
_HE = "He et al. 2016, arXiv 1512.03385"
_SANDLER = "Sandler et al. 2018, arXiv 1801.04381"
_TAN = "Tan and Le 2019, arXiv 1905.11946"
_WEIGHTLESS = (
    "shortcuts between different shapes add the channels that both have, without weights; the stem pools 2x2/2"
)
_OTHER_DEPTHS = f"{_WEIGHTLESS}; the definition of darknet/resnet50 with the paper's depths, no count is published"
_HALVES = "the map is halved before the {} channels, in the paper one stage earlier; the first block expands, too"
_HEADS = "the maps that the heads get; boxes are not decoded"


def _row(name: str, config: CfgConfig, source: str, note: str = "") -> Entry:
    return Entry(f"darknet/{name}", "darknet_cfgs", config, (3, config.side, config.side), source, note)


def _classifier(name: str, backbone: BackboneConfig, source: str, note: str = "") -> Entry:
    return _row(name, ClassifierConfig(backbone=backbone, side=256), source, note)


def _detector(name: str, backbone: BackboneConfig, neck: Literal["fpn", "pan"], source: str) -> Entry:
    return _row(name, DetectorConfig(backbone=backbone, neck=neck, side=608, num_classes=80), source, _HEADS)


def _csp_rows() -> tuple[Entry, ...]:
    wide = "part 2 of stage 1 is 128 wide, 64 in the network without -elastic"
    elastic_darknet = _csp_darknet(replace(_UNHALVED, inner=64), elastic=True)
    return (
        _classifier("cspdarknet53", _csp_darknet(_UNHALVED), f"{_WANG}, csdarknet53.cfg"),
        _classifier("cspresnet50", _csp_resnet(), f"{_WANG}, csresnet50.cfg"),
        _classifier("cspresnext50", _csp_resnext(), f"{_WANG}, csresnext50.cfg"),
        _classifier("cspdarknet53-elastic", elastic_darknet, f"{_WANG}, csdarknet53-elastic.cfg"),
        _classifier("cspresnet50-elastic", _csp_resnet(128, True), f"{_WANG}, csresnet50-elastic.cfg", wide),
        _classifier("cspresnext50-elastic", _csp_resnext(128, True), f"{_WANG}, csresnext50-elastic.cfg", wide),
        _row("cspmobilenetv2", CrossMobileConfig(side=224, activation="relu"), f"{_WANG}, csmobilenet-v2.cfg"),
        _detector("cspdarknet53-yolo-spp", _csp_darknet(_HALVED), "fpn", f"{_WANG}, csdarknet53-yolo-spp.cfg"),
        _detector("cspresnext50c-yolo-spp", _csp_resnext(128), "fpn", f"{_WANG}, csresnext50c-yolo-spp.cfg"),
        _detector("cspresnext50-panet-spp", _csp_resnext(), "pan", f"{_WANG}, csresnext50-panet-spp-giou.cfg"),
        _detector("cspresnext50c-panet-spp", _csp_resnext(128), "pan", f"{_WANG}, csresnext50c-panet-spp.cfg"),
        _detector("cspresnet50c-panet-spp", _csp_resnet(128), "pan", f"{_WANG}, csresnet50c-panet-spp.cfg"),
        _detector("cspdarknet53s-panet-spp", _csp_darknet(_PLAIN), "pan", f"{_WANG}, csdarknet53s-panet-spp.cfg"),
        _detector("cspdarknet53m-panet-spp", _csp_darknet(_HALVED), "pan", f"{_WANG}, csdarknet53m-panet-spp.cfg"),
        _row("yolov3-tiny-prn", TinyConfig(residual=True, side=416, num_classes=80), f"{_WANG}, table 4", _HEADS),
    )


ROWS = (
    *_csp_rows(),
    _classifier("darknet53", _darknet((1, 2, 8, 8, 4)), f"{_REDMON}, darknet53.cfg"),
    _classifier("resnet10", _BASIC, f"{_WANG}, resnet10.cfg", _WEIGHTLESS),
    Entry(
        "darknet/cspresnet10",
        "darknet_cfgs",
        ClassifierConfig(backbone=_csp_basic(), side=256),
        (3, 256, 256),
        f"{_WANG}, table 3",
        "ResNet-10 by the rule of the authors' CSPResNet-50: two halves, a 3x3/2 before them",
        reconstruction=True,
    ),
    _classifier("resnet50", _resnet((3, 4, 6, 3)), f"{_HE}, as {_WANG}, resnet50-leaky.cfg", _WEIGHTLESS),
    _classifier("resnet101", _resnet((3, 4, 23, 3)), _HE, _OTHER_DEPTHS),
    _classifier("resnet152", _resnet((3, 8, 36, 3)), _HE, _OTHER_DEPTHS),
    _classifier(
        "resnext50", _resnet((3, 4, 6, 3), 2, 32), "Xie et al. 2017, arXiv 1611.05431, resnext50.cfg", _WEIGHTLESS
    ),
    _row(
        "densenet201",
        DenseConfig(depths=(6, 12, 48, 32), transitions=(128, 256, 512), side=256),
        "Huang et al. 2017, arXiv 1608.06993, densenet201-leaky.cfg",
        "convolution, norm, activation in this order; transitions take the maximum; the last makes 512 channels, "
        "not half of 1,792; the classifier comes before the global mean",
    ),
    _row(
        "darknet-ref",
        ReferenceConfig(widths=(16, 32, 64, 128, 256, 512, 1024), side=256),
        f"{_WANG}, table 3, darknet.cfg",
    ),
    _row(
        "mobilenetv2",
        MobileConfig(stages=_INVERTED, side=224, activation="relu"),
        f"{_SANDLER}, as {_WANG}, mobilenet-v2.cfg",
        f"{_HALVES.format(96)}; ReLU, not ReLU6",
    ),
    _row(
        "efficientnet-b0",
        MobileConfig(stages=_SQUEEZED, dropout=0.2, side=224, activation="swish"),
        f"{_TAN}, as {_WANG}, enetb0.cfg",
        f"{_HALVES.format(112)}; blocks are as wide inside as in MobileNetV2, and squeeze otherwise",
    ),
    _row(
        "res2netlite72",
        Res2NetConfig(depths=(3, 7, 3), widths=(72, 144, 288), side=224),
        f"{_WANG}, table 3, res2netlite72.cfg",
    ),
    _row("yolov3-tiny", TinyConfig(residual=False, side=416, num_classes=80), f"{_REDMON}, yolov3-tiny.cfg", _HEADS),
    _detector("yolov3-spp", _darknet((1, 2, 8, 8, 4)), "fpn", f"{_REDMON}, yolov3-spp.cfg"),
)
"""The rows of this family."""
