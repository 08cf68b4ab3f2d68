"""A notebook for writing a network layer by layer in Python; it ends as sections, as if read from a file."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Literal

from cspanalyze.darknet.sections import Option, Section

Part = Literal["", "stem", "neck", "head"]


class Draft:
    """A network being written. Each method adds one layer and returns its position.

    `activation` is that of every convolution that does not say otherwise.
    """

    def __init__(self, height: int, width: int, channels: int = 3, activation: str = "leaky") -> None:
        self.activation = activation
        size = (("width", width), ("height", height), ("channels", channels))
        self._part: Part = ""
        self._sections = [_section("net", dict(size))]

    @property
    def sections(self) -> tuple[Section, ...]:
        """What was written so far."""
        return tuple(self._sections)

    @property
    def last(self) -> int:
        """Position of the last layer; -1 before the first."""
        return len(self._sections) - 2

    def begin(self, part: Part) -> None:
        """Say what the layers from here on belong to; "" is the backbone, whose stages are cut by the map's size."""
        self._part = part

    def add(self, name: str, **options: int | float | str) -> int:
        """Add a section as it is."""
        self._sections.append(replace(_section(name, options), part=self._part))
        return self.last

    def conv(self, filters: int, size: int, stride: int = 1, *, groups: int = 1, activation: str | None = None) -> int:
        """Convolution that keeps the map (at stride 1), batch norm, activation."""
        options: dict[str, int | str] = {"batch_normalize": 1, "filters": filters, "size": size, "stride": stride}
        options |= {"pad": 1} | ({"groups": groups} if groups > 1 else {})
        return self.add("convolutional", **options, activation=activation or self.activation)

    def plain_conv(self, filters: int, activation: str = "linear") -> int:
        """1x1 convolution with bias and without norm: classifiers, the last layer before a head."""
        return self.add("convolutional", filters=filters, size=1, stride=1, pad=1, activation=activation)

    def maxpool(self, size: int, stride: int) -> int:
        """Maximum over windows; at stride 1 the map is kept."""
        return self.add("maxpool", size=size, stride=stride)

    def route(self, *layers: int) -> int:
        """Concatenation of the maps of earlier layers, given by position."""
        return self.add("route", layers=self._back(layers))

    def half(self, layer: int, part: int) -> int:
        """One half of the channels of an earlier layer."""
        return self.add("route", layers=self._back([layer]), groups=2, group_id=part)

    def quarter(self, layer: int, part: int) -> int:
        """One quarter of the channels of an earlier layer."""
        return self.add("route", layers=self._back([layer]), groups=4, group_id=part)

    def shortcut(self, layer: int, activation: str = "linear") -> int:
        """The last map plus that of an earlier layer."""
        return self.add("shortcut", **{"from": self._back([layer])}, activation=activation)

    def upsample(self) -> int:
        """Twice as large a map."""
        return self.add("upsample", stride=2)

    def maxout(self, filters: int) -> int:
        """The maximum over groups of channels, which leaves `filters`."""
        return self.add("maxpool", maxpool_depth=1, out_channels=filters, stride=1, size=1)

    def attention(self, layer: int, filters: int) -> int:
        """The last map times a 1x1 of it through a sigmoid; `layer` is its position, `filters` its channels."""
        self.plain_conv(filters, "logistic")
        return self.add("sam", **{"from": self._back([layer])})

    def scale_channels(self, layer: int) -> int:
        """An earlier map with each channel times a number of the last vector."""
        return self.add("scale_channels", **{"from": self._back([layer])})

    def classifier(self, classes: int, *, mean_last: bool = False) -> int:
        """Global mean and 1x1 convolution, or the other way round, and softmax."""
        self.begin("head")
        if mean_last:
            self.plain_conv(classes)
            self.add("avgpool")
        else:
            self.add("avgpool")
            self.plain_conv(classes)
        return self.add("softmax", groups=1)

    def _back(self, layers: Sequence[int]) -> str:
        """Layers as distances back, the way the published files write them."""
        return ",".join(str(layer - self.last - 1) for layer in layers)


def _section(name: str, options: dict[str, int] | dict[str, int | float | str]) -> Section:
    return Section(name, tuple(Option(key, str(value)) for key, value in options.items()))
