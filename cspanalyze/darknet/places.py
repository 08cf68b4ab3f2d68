"""Where a section stands in its network, and the readers that turn it into a layer, by section name."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from types import MappingProxyType

from cspanalyze.darknet.layers import Kind, Layer, Shape
from cspanalyze.darknet.limits import MAX_CHANNELS, MAX_MAP_ELEMENTS, MAX_SIDE
from cspanalyze.darknet.options import Options

_COMMON = "clip onlyforward dont_update burnin_update stopbackward train_only_bn dontload dontloadscales learning_rate"
COMMON_KEYS = frozenset(_COMMON.split())
"""Keys of every layer. They steer training; none changes the network."""


@dataclass(frozen=True, slots=True)
class Read:
    """What a reader makes of a section. `sources` are earlier layers it reads; `previous` says whether the last, too"""

    kind: Kind
    shape: Shape
    sources: tuple[int, ...] = ()
    previous: bool = True


class Place:
    """A section in its network: its options, the shape of the map before it, and the layers so far."""

    def __init__(self, options: Options, before: Shape, layers: Sequence[Layer], steps: int) -> None:
        self.options = options
        self.before = before
        self.layers = layers
        self.steps = steps

    @property
    def index(self) -> int:
        """Position of the layer, from 0."""
        return len(self.layers)

    def sources(self, key: str) -> tuple[int, ...]:
        """Earlier layers, named by position or, below zero, by distance back.

        Raises:
            SourceError: none is named, or one that does not come before this layer.
        """
        option = self.options.section.find(key)
        if option is None:
            raise self.options.error(f"[{self.options.section.name}] needs {key}=, the layers that it reads")
        found = []
        for number in self.options.integers(key):
            source = number if number >= 0 else self.index + number
            if not 0 <= source < self.index:
                where = "comes later" if source > self.index else "is itself" if source == self.index else "is missing"
                expected = f"expected -1 to -{self.index} or 0 to {self.index - 1}" if self.index else "it is the first"
                raise self.options.error(f"{key}={number} of layer {self.index} {where}: {expected}", option)
            found.append(source)
        return tuple(found)

    def source(self, key: str = "from") -> Layer:
        """One earlier layer.

        Raises:
            SourceError: none or several are named, or one that does not come before this layer.
        """
        found = self.sources(key)
        if len(found) != 1:
            raise self.options.error(f"{key}= names {len(found)} layers, expected one")
        return self.layers[found[0]]

    def map(self, channels: int, height: int, width: int) -> Shape:
        """A shape, if it is one that a layer may make.

        Raises:
            SourceError: it is empty or too large.
        """
        shape = Shape(channels, height, width)
        name = f"[{self.options.section.name}] would make a map of {shape} from {self.before}"
        if min(channels, height, width) < 1:
            raise self.options.error(f"{name}: too small an input")
        if channels > MAX_CHANNELS or max(height, width) > MAX_SIDE or shape.elements > MAX_MAP_ELEMENTS:
            most = f"{MAX_CHANNELS:,} channels, {MAX_SIDE:,} positions a side and {MAX_MAP_ELEMENTS:,} elements"
            raise self.options.error(f"{name}: at most {most} are possible")
        return shape

    def pair(self, key: str, default: int, low: int = 1, high: int = MAX_SIDE) -> tuple[int, int]:
        """Vertical and horizontal: `key_y` and `key_x`, or `key` for both.

        Raises:
            SourceError: one is no whole number within the limits.
        """
        both = self.options.integer(key, default, low, high)
        return self.options.integer(f"{key}_y", both, low, high), self.options.integer(f"{key}_x", both, low, high)


@dataclass(frozen=True, slots=True)
class Reader:
    """A function that reads one kind of section, and the keys that it may have."""

    read: Callable[[Place], Read]
    keys: frozenset[str]


_readers: dict[str, Reader] = {}
READERS = MappingProxyType(_readers)
"""Every section that is known, by name."""


def reader(*names: str, keys: str = "") -> Callable[[Callable[[Place], Read]], Callable[[Place], Read]]:
    """Register a function for sections of these names. `keys` are the keys that mean something to Darknet there."""

    def register(function: Callable[[Place], Read]) -> Callable[[Place], Read]:
        for name in names:
            _readers[name] = Reader(function, COMMON_KEYS.union(keys.split()))
        return function

    return register
