"""What the CSPNet paper and its authors' README print: the numbers, and the built-in networks that they are of.

Numbers are kept as they are printed, because their digits say how exactly they can be compared.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Literal


@dataclass(frozen=True, slots=True)
class Published:
    """One printed row. "" is a number that is not printed.

    `network` is the built-in network of that name, "" where none is: `options` are replaced in its config. `side` is
    the input's height and width. `rule` says what the printed parameters are: `weights` of convolutions and classifier
    alone, or all parameters (`params`), as in the rows that the authors took from other papers. `remark` explains a
    number that the published definition does not give.
    """

    where: str
    model: str
    network: str
    side: int
    params_m: str = ""
    bflops: str = ""
    cio_m: str = ""
    rule: Literal["weights", "params"] = "weights"
    options: Mapping[str, Any] = field(default_factory=dict, hash=False)
    remark: str = ""


_SWISH = MappingProxyType({"activation": "swish"})
_ABLATION, _BIG, _SMALL = "Table 1, ablation", "Table 3, large networks", "Table 3, small networks"
_TINY, _TRAFFIC, _DETECTORS = "Table 4, detectors", "Figure 8, CIO", "README, detectors"

_STRIDE = "22.6 is twice the MACs with the stride on the first 1x1 of a bottleneck, here it is on the 3x3"
_NO_POOLS = "0.96 is the figure without max pools, as Darknet printed it at first"
_STATISTICS = "8.86 M is with biases, norms and their running statistics: all that the weight file holds"
_UNEXPLAINED = "nothing explains the difference; the definition is the published one"

PUBLISHED = (
    Published(_ABLATION, "PeleeNet", "peleenet", 224, "2.79", "1.017"),
    Published(_ABLATION, "SPeleeNet", "speleenet", 224, "2.39", "0.904"),
    Published(_ABLATION, "PeleeNeXt", "peleenext", 224, "", "0.836"),
    Published(_ABLATION, "CSPPeleeNet", "csppeleenet", 224, "2.83", "0.888"),
    Published(_ABLATION, "CSP (fusion first)", "csppeleenet-fusion-first", 224, "", "0.753"),
    Published(_ABLATION, "CSP (fusion last)", "csppeleenet-fusion-last", 224, "", "0.805"),
    Published(_BIG, "DarkNet-53", "darknet/darknet53", 256, "41.57", "18.57"),
    Published(_BIG, "CSPDarkNet-53", "darknet/cspdarknet53", 256, "27.61", "13.07"),
    Published(_BIG, "CSPDarkNet-53-Elastic", "darknet/cspdarknet53-elastic", 256, "", "7.74"),
    Published(_BIG, "ResNet-50", "darknet/resnet50", 256, "22.73", "9.74"),
    Published(_BIG, "CSPResNet-50", "darknet/cspresnet50", 256, "21.57", "8.97"),
    Published(_BIG, "CSPResNet-50-Elastic", "darknet/cspresnet50-elastic", 256, "", "9.36"),
    Published(_BIG, "ResNeXt-50", "darknet/resnext50", 256, "22.19", "10.11"),
    Published(_BIG, "CSPResNeXt-50", "darknet/cspresnext50", 256, "20.50", "7.93"),
    Published(_BIG, "CSPResNeXt-50-Elastic", "darknet/cspresnext50-elastic", 256, "", "5.45"),
    Published(_BIG, "CSPResNeXt-50+Elastic", "", 256, "", "7.82"),
    Published(_BIG, "HarDNet-138s", "", 224, "35.5", "13.4", rule="params"),
    Published(_BIG, "DenseNet-264-32", "", 224, "27.21", "11.03", rule="params"),
    Published(_BIG, "ResNet-152", "resnet152", 224, "60.2", "22.6", rule="params", remark=_STRIDE),
    Published(
        _BIG, "DenseNet-201-Elastic", "densenet201-elastic", 224, "19.48", "8.77", rule="params", remark=_UNEXPLAINED
    ),
    Published(_BIG, "CSPDenseNet-201-Elastic", "cspdensenet201-elastic", 224, "20.17", "7.13", rule="params"),
    Published(_BIG, "Res2NetLite-72", "darknet/res2netlite72", 224, "", "5.19", remark=_UNEXPLAINED),
    Published(_SMALL, "PeleeNet-swish", "peleenet", 224, "2.79", "1.017", options=_SWISH),
    Published(_SMALL, "PeleeNet-swish-SE", "sepeleenet", 224, "2.81", "1.017"),
    Published(_SMALL, "CSPPeleeNet-swish", "csppeleenet", 224, "2.83", "0.888", options=_SWISH),
    Published(_SMALL, "CSPPeleeNet-swish-SE", "secsppeleenet", 224, "2.85", "0.888"),
    Published(_SMALL, "EfficientNet-B0*", "darknet/efficientnet-b0", 224, "4.81", "0.915"),
    Published(_SMALL, "MobileNet-v2", "darknet/mobilenetv2", 224, "3.47", "0.858"),
    Published(_SMALL, "CSPMobileNet-v2", "darknet/cspmobilenetv2", 224, "2.51", "0.764"),
    Published(_SMALL, "Darknet Ref.", "darknet/darknet-ref", 256, "7.31", "0.96", remark=_NO_POOLS),
    Published(_SMALL, "CSPDenseNet Ref.", "cspdensenet-ref", 224, "3.48", "0.886"),
    Published(_SMALL, "CSPPeleeNet Ref.", "csppeleenet-ref", 224, "4.10", "1.103"),
    Published(_SMALL, "CSPDenseNetb Ref.", "cspdensenetb-ref", 224, "1.38", "0.631"),
    Published(_SMALL, "CSPPeleeNetb Ref.", "csppeleenetb-ref", 224, "2.01", "0.897"),
    Published(_SMALL, "ResNet-10", "darknet/resnet10", 256, "5.24", "2.273"),
    Published(_SMALL, "CSPResNet-10", "darknet/cspresnet10", 256, "2.73", "1.905"),
    Published(_TINY, "YOLOv3-tiny", "darknet/yolov3-tiny", 416, "8.86", "5.571", remark=_STATISTICS),
    Published(_TINY, "YOLOv3-tiny-PRN", "darknet/yolov3-tiny-prn", 416, "4.95", "3.467", remark=_UNEXPLAINED),
    Published(_TRAFFIC, "ResNeXt-50", "darknet/resnext50", 256, cio_m="34.4"),
    Published(_TRAFFIC, "CSPResNeXt-50", "darknet/cspresnext50", 256, cio_m="32.6"),
    Published(_DETECTORS, "YOLOv3-SPP", "darknet/yolov3-spp", 512, "62.944", "100.343"),
    Published(_DETECTORS, "YOLOv3-SPP", "darknet/yolov3-spp", 608, "62.944", "141.5"),
    Published(_DETECTORS, "CSPResNeXt50c-YOLO-SPP", "darknet/cspresnext50c-yolo-spp", 512, "41.547", "58.983"),
    Published(_DETECTORS, "CSPResNeXt50c-YOLO-SPP", "darknet/cspresnext50c-yolo-spp", 608, "41.547", "83.176"),
    Published(_DETECTORS, "CSPDarknet53-YOLO-SPP", "darknet/cspdarknet53-yolo-spp", 512, "48.955", "75.513"),
    Published(_DETECTORS, "CSPDarknet53-YOLO-SPP", "darknet/cspdarknet53-yolo-spp", 608, "48.955", "106.485"),
    Published(_DETECTORS, "CSPResNeXt50-PANet-SPP", "darknet/cspresnext50-panet-spp", 512, "56.853", "71.331"),
    Published(_DETECTORS, "CSPResNeXt50-PANet-SPP", "darknet/cspresnext50-panet-spp", 608, "56.853", "100.588"),
    Published(_DETECTORS, "CSPResNeXt50c-PANet-SPP", "darknet/cspresnext50c-panet-spp", 512, "56.866", "71.734"),
    Published(_DETECTORS, "CSPResNeXt50c-PANet-SPP", "darknet/cspresnext50c-panet-spp", 608, "56.866", "101.156"),
    Published(_DETECTORS, "CSPResNet50c-PANet-SPP", "darknet/cspresnet50c-panet-spp", 512, "58.265", "74.955"),
    Published(_DETECTORS, "CSPResNet50c-PANet-SPP", "darknet/cspresnet50c-panet-spp", 608, "58.265", "105.699"),
    Published(_DETECTORS, "CSPDarknet53s-PANet-SPP", "darknet/cspdarknet53s-panet-spp", 512, "64.276", "88.398"),
    Published(_DETECTORS, "CSPDarknet53s-PANet-SPP", "darknet/cspdarknet53s-panet-spp", 608, "64.276", "124.655"),
    Published(_DETECTORS, "CSPDarknet53m-PANet-SPP", "darknet/cspdarknet53m-panet-spp", 512, "64.275", "88.264"),
    Published(_DETECTORS, "CSPDarknet53m-PANet-SPP", "darknet/cspdarknet53m-panet-spp", 608, "64.275", "124.466"),
)
"""arXiv 1911.11929, tables 1, 3 and 4 and figure 8, and the README of its authors' repository; in their order."""
