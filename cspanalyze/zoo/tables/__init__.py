"""The networks as data, one family a file. No file here imports torch."""

from cspanalyze.zoo.tables import cspnet, darknet, densenet, resnet

ROWS = (*cspnet.ROWS, *darknet.ROWS, *densenet.ROWS, *resnet.ROWS)
"""The rows of all families, in no particular order."""
