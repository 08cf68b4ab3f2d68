"""The networks as data, one family a file. No file here imports torch."""

from cspanalyze.zoo.tables import cspnet, darknet, darknet_cfgs, densenet, hardnet, pelee, resnet, teaching, vovnet

_FAMILIES = (cspnet, darknet, darknet_cfgs, densenet, hardnet, pelee, resnet, teaching, vovnet)
ROWS = tuple(row for family in _FAMILIES for row in family.ROWS)
"""The rows of all families, in no particular order."""
