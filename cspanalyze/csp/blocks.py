"""Reading a block: its convolutions in a row, the norms and gates beside them, and its projection shortcut.

Blocks are recognised by what they are made of, not by their class: torchvision's, timm's and this package's ResNets
all read the same. A reading says nothing about the block's forward; a narrowed block is therefore run once, as a
shadow, before it is used.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from math import lcm, prod

from torch import nn

from cspanalyze.csp.resizing import NORMS, Cut, Cuts, narrow_copy, norm_width
from cspanalyze.csp.split import scale_width

Narrower = Callable[[nn.Module, int, int], nn.Module]
"""fn(block, c_in, c_new): a new block like `block`, for c_new instead of c_in channels in and out."""

RESIDUAL = frozenset({"kk", "1k", "1k1"})
"""Kernel sizes of a block's convolutions in turn: basic ResNet, Darknet and bottleneck ResNet blocks."""
DENSE = frozenset({"k", "1k"})
"""The same for one layer of a DenseNet block, without and with bottleneck."""

_NARROWERS: dict[type[nn.Module], Narrower] = {}


def register_csp_adapter(block_class: type[nn.Module], narrower: Narrower) -> None:
    """Let blocks of `block_class` (exactly that class) be narrowed by `narrower(block, c_in, c_new)`.

    For blocks that the structural rule cannot narrow, such as those that re-slice channels by constants. The function
    returns a new module that maps (N, c_new, H, W) to the same shape, and leaves `block` as it is. The width of such a
    block is read off its first and last convolution, squeeze-and-excitation gates apart.
    """
    _NARROWERS[block_class] = narrower


def narrower_of(module: nn.Module) -> Narrower | None:
    """What was registered for blocks of this class."""
    return _NARROWERS.get(type(module))


@dataclass(frozen=True)
class Block:
    """A module read as a chain of convolutions.

    `widths` are the channels before, between and after the `convs` (paths in order), so that boundary i lies before
    convolution i. `norms` and `gates` are (path or paths of layers, boundary); `projection` is the path of the
    convolution of the shortcut, "" for none.
    """

    module: nn.Module
    convs: tuple[str, ...]
    widths: tuple[int, ...]
    norms: tuple[tuple[str, int], ...] = ()
    gates: tuple[tuple[tuple[str, str], int], ...] = ()
    projection: str = ""
    narrower: Narrower | None = None

    def conv(self, index: int) -> nn.Conv2d:
        """The convolution number `index`, from 0."""
        layer = self.module.get_submodule(self.convs[index])
        assert isinstance(layer, nn.Conv2d)
        return layer

    @property
    def spatial(self) -> nn.Conv2d:
        """The first convolution that sees more than one pixel; the first of all where none does."""
        convs = [self.conv(index) for index in range(len(self.convs))]
        return next((conv for conv in convs if _wide(conv)), convs[0])

    @property
    def stride(self) -> int:
        """By how much the block shrinks the map, along the height."""
        return prod(int(self.conv(index).stride[0]) for index in range(len(self.convs)))

    @property
    def narrowest(self) -> int:
        """The narrowest inner width; the output width where nothing is inner."""
        return min(self.widths[1:-1], default=self.widths[-1])

    @property
    def stream_groups(self) -> int:
        """Least common multiple of the groups of the convolutions and group norms that act on the stage's stream."""
        return lcm(self.conv(0).groups, self.conv(-1).groups, self._norm_groups(0), self._norm_groups(len(self.convs)))

    @property
    def keeps_shape(self) -> bool:
        """Whether the block is one of a stage's body: as many channels out as in, no stride, no projection."""
        return self.widths[0] == self.widths[-1] and self.stride == 1 and not self.projection

    def cuts(self, first: Cut | None, last: Cut | None, gamma: float | None = None) -> Cuts:
        """What shrinks where the block reads and writes fewer channels, and is thinner inside by `gamma` if given."""
        inner = [None if gamma is None else self._inner_cut(index, gamma) for index in range(1, len(self.convs))]
        boundary = [first, *inner, last]
        cuts: dict[str, tuple[Cut | None, Cut | None]] = {
            path: (boundary[index], boundary[index + 1]) for index, path in enumerate(self.convs)
        }
        cuts |= {path: (None, boundary[index]) for path, index in self.norms}
        for (squeeze, excite), index in self.gates:
            cuts |= {squeeze: (boundary[index], None), excite: (None, boundary[index])}
        return {path: pair for path, pair in cuts.items() if pair != (None, None)}

    def _norm_groups(self, boundary: int) -> int:
        norms = [self.module.get_submodule(path) for path, index in self.norms if index == boundary]
        return lcm(*(norm.num_groups for norm in norms if isinstance(norm, nn.GroupNorm)))

    def _inner_cut(self, index: int, gamma: float) -> Cut:
        groups = lcm(self.conv(index - 1).groups, self.conv(index).groups, self._norm_groups(index))
        return Cut(self.widths[index], scale_width(self.widths[index], gamma, groups), groups)


def narrow_block(block: Block, width: int, gamma: float | None = None) -> nn.Module:
    """A copy of `block` whose ends are `width` channels wide; inner widths stay, or shrink by `gamma` if given.

    The width of a squeeze-and-excitation gate's middle layer stays in either case.
    """
    channels = block.widths[0]
    if block.narrower is not None:
        return block.narrower(block.module, channels, width)
    end = Cut(channels, width, block.stream_groups) if width < channels else None
    return narrow_copy(block.module, block.cuts(end, end, gamma))


def read_block(module: nn.Module, patterns: frozenset[str] = RESIDUAL) -> Block | None:
    """`module` as a chain of convolutions with one of the kernel `patterns`, None if it is nothing of the kind.

    One convolution beside the chain, from its first width to its last, is a projection shortcut. Refused are
    depthwise convolutions, norms that do not pair up with the convolutions, and plain `nn.Sequential`.
    """
    if isinstance(module, nn.Sequential | nn.Conv2d) or not any(module.children()):
        return None
    gates = _gates(module)
    layers = [item for item in module.named_modules() if not any(_inside(item[0], gate) for gate in gates)]
    convs = [(path, layer) for path, layer in layers if isinstance(layer, nn.Conv2d)]
    if type(module) in _NARROWERS and convs:
        ends = (convs[0][1].in_channels, convs[-1][1].out_channels)
        widths = (ends[0], *(conv.out_channels for _, conv in convs[:-1]), ends[1])
        return Block(module, tuple(path for path, _ in convs), widths, narrower=_NARROWERS[type(module)])
    if len(convs) > 1 + max(map(len, patterns)):
        return None
    for skipped in [None, *reversed(range(len(convs)))]:
        chain = [conv for index, conv in enumerate(convs) if index != skipped]
        projection = None if skipped is None else convs[skipped]
        if _is_chain([conv for _, conv in chain], patterns) and _projects(projection, chain):
            return _reading(module, layers, chain, gates, projection[0] if projection else "")
    return None


def _reading(
    module: nn.Module,
    layers: list[tuple[str, nn.Module]],
    chain: list[tuple[str, nn.Conv2d]],
    gates: dict[str, tuple[str, str]],
    projection: str,
) -> Block | None:
    order = {path: index for index, (path, _) in enumerate(module.named_modules())}
    beside = projection.rpartition(".")[0]  # the norm of the projection shares its container
    norms = [path for path, layer in layers if isinstance(layer, NORMS) and not (beside and _inside(path, beside))]
    if norms and len(norms) != len(chain):
        return None
    before = int(bool(norms) and order[norms[0]] > order[chain[0][0]])
    widths = (chain[0][1].in_channels, *(conv.out_channels for _, conv in chain))
    paired = tuple((path, index + before) for index, path in enumerate(norms))
    if any(norm_width(module.get_submodule(path)) != widths[index] for path, index in paired):
        return None
    placed = tuple(
        (ends, sum(order[path] < order[gate] for path, _ in chain))  # a gate acts on what the convs before it made
        for gate, ends in gates.items()
    )
    return Block(module, tuple(path for path, _ in chain), widths, paired, placed, projection)


def _gates(module: nn.Module) -> dict[str, tuple[str, str]]:
    """Paths of the squeeze-and-excitation gates in `module`, with their first and last layer.

    A gate is a submodule of only pointwise layers, two or more, that ends as wide as it begins and is thinner between.
    """
    gates: dict[str, tuple[str, str]] = {}
    for path, child in module.named_modules():
        if not path or any(_inside(path, gate) for gate in gates):
            continue
        layers = [(name, layer) for name, layer in child.named_modules() if isinstance(layer, nn.Conv2d | nn.Linear)]
        if len(layers) < 2 or any(isinstance(layer, nn.Conv2d) and _wide(layer) for _, layer in layers):
            continue
        (first, squeeze), (last, excite) = layers[0], layers[-1]
        if _widths(squeeze)[0] == _widths(excite)[1] > _widths(squeeze)[1]:
            gates[path] = (f"{path}.{first}", f"{path}.{last}")
    return gates


def _is_chain(convs: list[nn.Conv2d], patterns: frozenset[str]) -> bool:
    if "".join("k" if _wide(conv) else "1" for conv in convs) not in patterns:
        return False
    if any(conv.groups == conv.in_channels > 1 for conv in convs):
        return False
    return all(conv.in_channels == before.out_channels for before, conv in pairwise(convs))


def _projects(projection: tuple[str, nn.Conv2d] | None, chain: list[tuple[str, nn.Conv2d]]) -> bool:
    if projection is None:
        return True
    return _widths(projection[1]) == (chain[0][1].in_channels, chain[-1][1].out_channels)


def _widths(layer: nn.Conv2d | nn.Linear) -> tuple[int, int]:
    if isinstance(layer, nn.Linear):
        return layer.in_features, layer.out_features
    return layer.in_channels, layer.out_channels


def _wide(conv: nn.Conv2d) -> bool:
    return any(size > 1 for size in conv.kernel_size)


def _inside(path: str, parent: str) -> bool:
    return path == parent or path.startswith(parent + ".")
