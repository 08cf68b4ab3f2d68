"""The layers of a network, worked out: what each does, what it reads, and the shape of what it makes. No torch.

A *kind* is one small frozen record of what the options of a section mean. A `Layer` is a kind at its place in the
network; a `Plan` all of them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

from cspanalyze.darknet.sections import Section

Pair: TypeAlias = tuple[int, int]
"""Vertical, horizontal."""


@dataclass(frozen=True, slots=True)
class Shape:
    """Channels, height and width of a map; a vector is a map of one position."""

    channels: int
    height: int
    width: int

    @property
    def elements(self) -> int:
        """Number of elements for one image."""
        return self.channels * self.height * self.width

    @property
    def size(self) -> Pair:
        """Height and width."""
        return self.height, self.width

    def __str__(self) -> str:
        return f"{self.channels}x{self.height}x{self.width}"


@dataclass(frozen=True, slots=True)
class Convolution:
    """A convolution, batch norm if `normalised` (a bias otherwise), activation, and a blur if `blur` is its size.

    With a blur, the convolution itself has stride 1 and the blur has `stride`. `shared` is the index of the layer whose
    weights it uses. `padding` is before dilation: the map is padded by `padding * dilation` on all sides.
    """

    filters: int
    size: int
    stride: Pair
    padding: int
    dilation: int
    groups: int
    normalised: bool
    activation: str
    blur: int = 0
    shared: int | None = None


@dataclass(frozen=True, slots=True)
class Pooling:
    """The maximum or the mean over windows; `padding` is the sum of both sides, the smaller half above and left."""

    reduction: Literal["max", "mean"]
    size: int
    stride: Pair
    padding: int
    blur: int = 0


@dataclass(frozen=True, slots=True)
class ChannelMaximum:
    """Maxout: channel k of the output is the maximum of the channels k, k + filters, k + 2 filters ..."""

    filters: int


@dataclass(frozen=True, slots=True)
class GlobalMean:
    """The mean over the whole map."""


@dataclass(frozen=True, slots=True)
class Route:
    """The concatenation of earlier maps, or of each map's part `part` of `parts` equal parts of its channels."""

    parts: int = 1
    part: int = 0


@dataclass(frozen=True, slots=True)
class Shortcut:
    """The sum of the map before and `sources` earlier ones, on the channels that both have; then an activation.

    A larger map is sub-sampled, a smaller one spread out. `weights`: one factor a map, or one a map and channel.
    """

    sources: int
    activation: str
    weights: Literal["none", "per map", "per channel"] = "none"
    normalisation: Literal["none", "relu", "softmax"] = "none"


@dataclass(frozen=True, slots=True)
class Combination:
    """An earlier map and the map before, element by element or one stretched over the other; then an activation."""

    operation: Literal["multiply", "add", "concatenate", "gate"]
    activation: str = "linear"


@dataclass(frozen=True, slots=True)
class Implicit:
    """Learned constants instead of a map of the input: `filters` channels of `atoms` rows."""

    filters: int
    atoms: int
    mean: float
    deviation: float


@dataclass(frozen=True, slots=True)
class Upsample:
    """Each position repeated `stride` times in both directions, times `scale`."""

    stride: int
    scale: float


@dataclass(frozen=True, slots=True)
class Reorganise:
    """Squares of `stride` positions become channels; `reverse` the other way.

    `scrambled` is what Darknet's older layer, that of YOLOv2, does: it reads the map as if it were larger and thinner.
    """

    stride: int
    reverse: bool
    scrambled: bool


@dataclass(frozen=True, slots=True)
class Crop:
    """The middle of the map, its values moved from 0..1 to -1..1 unless `plain`."""

    height: int
    width: int
    plain: bool


@dataclass(frozen=True, slots=True)
class Local:
    """A convolution whose weights differ from position to position."""

    filters: int
    size: int
    stride: int
    padding: int
    activation: str


@dataclass(frozen=True, slots=True)
class Connected:
    """A fully connected layer."""

    outputs: int
    normalised: bool
    activation: str


@dataclass(frozen=True, slots=True)
class Normalisation:
    """Batch norm, or across `size` channels (Krizhevsky et al. 2012)."""

    across: int = 0
    alpha: float = 0.0
    beta: float = 0.0
    kappa: float = 1.0


@dataclass(frozen=True, slots=True)
class Activation:
    """An activation function alone."""

    activation: str


@dataclass(frozen=True, slots=True)
class Dropout:
    """Dropout; in evaluation it does nothing."""

    probability: float


@dataclass(frozen=True, slots=True)
class Softmax:
    """Softmax over each of `groups` equal parts of the vector, or over the channels of each position."""

    groups: int
    temperature: float
    spatial: bool


@dataclass(frozen=True, slots=True)
class Head:
    """Hands its input through; with `output` that is an output of the network."""

    output: bool


@dataclass(frozen=True, slots=True)
class Recurrence:
    """Fully connected layers that also read their own last state, for `steps` steps."""

    cell: Literal["rnn", "gru", "lstm"]
    outputs: int
    steps: int
    normalised: bool
    hidden: int = 0
    activation: str = "linear"
    state_activation: str = "linear"
    shortcut: bool = False
    hyperbolic: bool = False


@dataclass(frozen=True, slots=True)
class ConvolutionalRecurrence:
    """The same with convolutions: `inner` is that of the input, from which the others follow."""

    cell: Literal["crnn", "conv_lstm"]
    inner: Convolution
    outputs: int
    steps: int
    shortcut: bool = False
    peephole: bool = False
    cell_activation: str = "tanh"


Kind: TypeAlias = (
    Convolution | Pooling | ChannelMaximum | GlobalMean | Route | Shortcut | Combination | Implicit | Upsample
    | Reorganise | Crop | Local | Connected | Normalisation | Activation | Dropout | Softmax | Head | Recurrence
    | ConvolutionalRecurrence
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Layer:
    """One layer at its place.

    `title` is the section's name; `reads` are the layers whose maps it takes, in order, -1 for the network's input.
    """

    index: int
    title: str
    kind: Kind
    reads: tuple[int, ...]
    before: Shape
    shape: Shape

    @property
    def name(self) -> str:
        """`12_convolutional`: position and type, as in Darknet's own listing."""
        return f"{self.index}_{self.title}"


@dataclass(frozen=True, slots=True)
class Plan:
    """A network. `input` is the shape of one image, `steps` how many of them make a sequence."""

    name: str
    sections: tuple[Section, ...]
    input: Shape
    steps: int
    layers: tuple[Layer, ...]

    @property
    def outputs(self) -> tuple[int, ...]:
        """The layers whose maps the network returns: its heads, or the last layer where it has none."""
        heads = [layer.index for layer in self.layers if isinstance(layer.kind, Head) and layer.kind.output]
        return tuple(heads) or (len(self.layers) - 1,)

    @property
    def is_detector(self) -> bool:
        """Whether it has heads, and returns a list of their maps."""
        last = self.layers[self.outputs[0]].kind
        return isinstance(last, Head) and last.output
