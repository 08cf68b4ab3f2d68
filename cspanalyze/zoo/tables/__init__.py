"""The networks as data, one family a file. No file here imports torch."""

from cspanalyze.zoo.tables import cspnet, darknet, darknet_cfgs, densenet, resnet

ROWS = (*cspnet.ROWS, *darknet.ROWS, *darknet_cfgs.ROWS, *densenet.ROWS, *resnet.ROWS)
"""The rows of all families, in no particular order."""
