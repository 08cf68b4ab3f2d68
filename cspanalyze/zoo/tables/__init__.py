"""The networks as data, one family a file. No file here imports torch."""

from cspanalyze.zoo.tables import (
    cspnet,
    darknet,
    darknet_cfgs,
    densenet,
    hardnet,
    light_detectors,
    pelee,
    resnet,
    teaching,
    torch_detectors,
    vovnet,
)

_FAMILIES = (
    cspnet, darknet, darknet_cfgs, densenet, hardnet, light_detectors, pelee, resnet, teaching, torch_detectors, vovnet,
)  # fmt: skip
ROWS = tuple(row for family in _FAMILIES for row in family.ROWS)
"""The rows of all families, in no particular order."""
