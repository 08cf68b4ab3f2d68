"""What a network file may ask for. A file is untrusted: whatever is beyond these is refused before it is built.

Each limit lies well above every network that is known to exist, and low enough that reading, counting and building
(without memory for the weights) stay within seconds.
"""

from __future__ import annotations

MAX_FILE_BYTES = 1 << 20
"""The published files have 1 to 50 kB."""

MAX_LAYERS = 2_000
"""DenseNet-201 has 305, CSPDarknet-53-Elastic 269; a residual network of 1,001 convolutions would have some 1,500."""

MAX_INTEGER = 2**31 - 1
"""Darknet reads numbers into a C int."""

MAX_CHANNELS = 1 << 16
"""YOLO9000 ends with 28,269 channels; the first fully connected layer of VGG-16 has 4,096."""

MAX_SIDE = 1 << 14
"""Height or width of a map, and how far a window or a dilated kernel reaches."""

MAX_MAP_ELEMENTS = 1 << 28
"""Of one map with its padding: 1 GiB in float32. 32 channels at 1,536 pixels, where large detectors begin, are 75 M."""

MAX_TOTAL_ELEMENTS = 1 << 34
"""Of the maps of all layers together: 21 times those of YOLOv3-SPP at 1,536 pixels."""

MAX_PARAMETERS = 1 << 30
"""4 GiB of weights in float32: the fully connected layers of YOLOv1 make it one of the largest, with 271 million."""

MAX_READS = 20_000
"""Maps that all layers together read: each is an operation, or a part of one. DenseNet-201 has 403."""

MAX_STEPS = 1_024
"""Time steps of a recurrent network; character models are trained with 576."""

MAX_RECURRENT_STEPS = 2_048
"""Time steps times recurrent layers, each about 30 operations of the trace: the character models have 3 x 576."""

MAX_QUOTED = 60
"""Characters of the file that an error message repeats."""
