"""What an architecture declares about its stages: widths, depths, strides; never anything seen in a forward pass.

A `NetworkPlan` is a sequence of named stages, a stage a sequence of *parts* that run one after the other, a part one
small record whose fields are the letters of its formula in `analyses.closed_forms`. A new kind of part is one record
here and one function there. Nothing here imports torch.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from math import prod
from typing import ClassVar, Literal, TypeAlias

Size: TypeAlias = tuple[int, int]
"""Height and width of a map, in positions."""


@dataclass(frozen=True, slots=True)
class Window:
    """The sliding window of a convolution or pooling; calling it gives the size of the output map."""

    kernel: Size
    stride: Size = (1, 1)
    padding: Size = (0, 0)
    dilation: Size = (1, 1)
    ceil_mode: bool = False

    def __call__(self, size: Size) -> Size:
        """Output size: floor((size + 2 padding - dilation (kernel - 1) - 1) / stride) + 1, or ceil as poolings may."""
        return self._along(0, size[0]), self._along(1, size[1])

    def _along(self, axis: int, length: int) -> int:
        stride, padding = self.stride[axis], self.padding[axis]
        room = length + 2 * padding - self.dilation[axis] * (self.kernel[axis] - 1) - 1
        if not self.ceil_mode:
            return room // stride + 1
        count = -(-room // stride) + 1
        # A window that would start in the padding on the far side is dropped.
        return count - 1 if (count - 1) * stride >= length + padding else count

    @property
    def keeps_size(self) -> bool:
        """Whether the output map is as large as the input map, whatever that is."""
        fits = all(2 * self.padding[axis] == self.dilation[axis] * (self.kernel[axis] - 1) for axis in (0, 1))
        return fits and self.stride == (1, 1)


@dataclass(frozen=True, slots=True)
class Resize:
    """An adaptive pooling: the output map has `size`, whatever the input; with `at_least`, only smaller ones change."""

    size: Size
    at_least: bool = False

    def __call__(self, size: Size) -> Size:
        """Output size."""
        return (max(size[0], self.size[0]), max(size[1], self.size[1])) if self.at_least else self.size


@dataclass(frozen=True, slots=True)
class Step:
    """A convolution of a chain; a pooling if it has no channels."""

    window: Window | Resize
    in_channels: int = 0
    out_channels: int = 0


@dataclass(frozen=True, slots=True)
class Chain:
    """Convolutions and poolings one after the other: stems, heads, down-sampling, the stages of VGG."""

    steps: tuple[Step, ...] = ()
    template: ClassVar[str] = "chain"

    @property
    def windows(self) -> tuple[Window | Resize, ...]:
        """What changes the size of the map, in order."""
        return tuple(step.window for step in self.steps)


Fusion = Literal["csp", "first", "last"]
Shortcut = Literal["identity", "projection", "pooled projection", "none"]


@dataclass(frozen=True, slots=True)
class Block:
    """One residual block: a chain of convolutions i -> u -> .. -> u -> o beside a shortcut.

    `template` names the kind of its `layers` convolutions (`bottleneck`: 1x1, 3x3, 1x1; `basic`: 3x3, 3x3; `darknet`:
    1x1, 3x3; `inverted`: around a depthwise one; `plain`: one alone). The one at `stride_at`, counted from 0, has the
    `window` that changes the size of the map (None: none does). The shortcut is a projection 1x1 with the same stride,
    or a pooling and then a 1x1. `gate` is (width, reduced width) of the two 1x1 convolutions of a
    squeeze-and-excitation, which work on one position.
    """

    template: str
    i: int
    u: int
    o: int
    layers: int
    groups: int = 1
    stride_at: int = 0
    window: Window | None = None
    shortcut: Shortcut = "identity"
    gate: Size | None = None

    @property
    def windows(self) -> tuple[Window | Resize, ...]:
        """What changes the size of the map."""
        return () if self.window is None else (self.window,)


class _OnOneMap:
    """A part none of whose layers changes the size of the map."""

    __slots__ = ()
    windows: ClassVar[tuple[Window | Resize, ...]] = ()


@dataclass(frozen=True, slots=True)
class EqualBlocks(_OnOneMap):
    """`m` blocks of one kind on a stream of width `c`, none of which changes width or size."""

    block: Block
    m: int

    @property
    def template(self) -> str:
        """The kind of block."""
        return self.block.template

    @property
    def c(self) -> int:
        """Width of the stream."""
        return self.block.i

    @property
    def width_after(self) -> int:
        """Channels that leave."""
        return self.c

    @property
    def u(self) -> int:
        """Width inside the blocks."""
        return self.block.u


@dataclass(frozen=True, slots=True)
class DenseLayers(_OnOneMap):
    """`m` dense layers of growth `d` on a base of width `c`, each with a 1x1 to width `u` before its 3x3 unless 0."""

    c: int
    m: int
    d: int
    u: int = 0
    template: ClassVar[str] = "dense"

    @property
    def width_after(self) -> int:
        """Channels that leave: the base and what every layer added."""
        return self.c + self.m * self.d


@dataclass(frozen=True, slots=True)
class Transition(_OnOneMap):
    """The 1x1 that reads a dense block (base `c`, `m` layers of growth `d`) and compresses it to `o`."""

    c: int
    m: int
    d: int
    o: int
    template: ClassVar[str] = "transition"


@dataclass(frozen=True, slots=True)
class OneShotAggregation(_OnOneMap):
    """`m` convolutions of width `d` in series on an input of width `c`, all of them and the input aggregated to `o`."""

    c: int
    m: int
    d: int
    o: int
    template: ClassVar[str] = "osa"


Body: TypeAlias = EqualBlocks | DenseLayers
"""What a Cross Stage Partial stage runs on its second part; `c` of the body is the width of that part."""


@dataclass(frozen=True, slots=True)
class CrossStage(_OnOneMap):
    """A partial stage: `b` channels bypass the `body`, `p` go through it (`body.c`), and the two meet.

    `i` channels enter. `entry` says how they are split: by a channel slice (no convolution), by `two` 1x1 convolutions
    that read everything, or by one `merged` 1x1 whose output is sliced. Transition 1 makes part 2 `t` wide, transition
    2 reads both parts and makes `o`; None where there is no such transition (1 in fusion `first`, 2 in `last`).
    `gamma` is the share of channels that bypasses, as requested.
    """

    body: Body
    i: int
    b: int
    t: int | None
    o: int | None
    fusion: Fusion
    entry: Literal["slice", "two", "merged"]
    preset: str
    gamma: float

    @property
    def p(self) -> int:
        """Channels that go through the body."""
        return self.body.c

    @property
    def joined(self) -> int:
        """Channels where the two parts meet: b + t, or all that the body makes where there is no transition 1."""
        return self.b + (self.body.width_after if self.t is None else self.t)

    @property
    def template(self) -> str:
        """The kind of body."""
        return self.body.template


Part: TypeAlias = Chain | Block | Body | Transition | OneShotAggregation | CrossStage


@dataclass(frozen=True, slots=True)
class StagePlan:
    """A stage: its name (`stem`, `stage1`, .., `head`), the paths of its modules, its parts in order.

    `parts` is None where the modules match nothing known: the stage then has no closed form, and neither has what
    follows, since the size of its output is unknown.
    """

    name: str
    paths: tuple[str, ...]
    parts: tuple[Part, ...] | None

    @property
    def template(self) -> str | None:
        """The kind of its blocks: `dense`, `bottleneck`, `basic`, `darknet`, `osa`, ..; None if unknown."""
        if self.parts is None:
            return None
        others = [part.template for part in self.parts if not isinstance(part, Chain | Transition)]
        return others[-1] if others else Chain.template

    @property
    def cross_stage(self) -> CrossStage | None:
        """The partial part of the stage, None if it has none."""
        return next((part for part in self.parts or () if isinstance(part, CrossStage)), None)

    @property
    def entry_stride(self) -> Size:
        """By how much the map shrinks up to the stage's last body, as (vertical, horizontal) strides."""
        parts = self.parts or ()
        last = max((n for n, part in enumerate(parts) if not isinstance(part, Chain | Transition)), default=len(parts))
        strides = [w.stride for part in parts[: last + 1] for w in part.windows if isinstance(w, Window)]
        return prod(down for down, _ in strides), prod(right for _, right in strides)

    def holds(self, path: str) -> bool:
        """Whether the module at `path` is one of the stage's, or inside one."""
        return any(path == own or path.startswith(f"{own}.") for own in self.paths)

    def size_after(self, size: Size) -> Size | None:
        """Size of the map that leaves the stage, given the one that enters; None if the stage is unknown."""
        return None if self.parts is None else resize(size, (w for part in self.parts for w in part.windows))


@dataclass(frozen=True, slots=True)
class NetworkPlan:
    """A network as its architecture declares it: the stages from the stem to the head.

    `family` says how the network arranges them (`numbered layers`, `dense blocks`, `stage list`, `one sequence`).
    """

    family: str
    stages: tuple[StagePlan, ...]

    def stage_of(self, path: str) -> StagePlan | None:
        """The stage that the module at `path` belongs to; None for the root and for what merely contains stages."""
        return next((stage for stage in self.stages if stage.holds(path)), None)

    def input_sizes(self, size: Size) -> Iterator[tuple[StagePlan, Size | None]]:
        """Every stage with the size of the map that enters it, None behind a stage that is unknown."""
        current: Size | None = size
        for stage in self.stages:
            yield stage, current
            current = None if current is None else stage.size_after(current)


def resize(size: Size, windows: Iterable[Window | Resize]) -> Size:
    """Size of a map after `windows`, one after the other."""
    for window in windows:
        size = window(size)
    return size
