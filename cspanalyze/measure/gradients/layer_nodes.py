"""Find the layers of a network in the autograd graph of a forward pass.

The graph is what autograd itself made, so functional convolutions, custom functions and in-place writes are in it like
everything else. A *layer* is, as in `cspanalyze.gradient_flow`, a product of something with a weight: with what is
computed from parameters alone.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, TypeAlias

from torch import Tensor

from cspanalyze.errors import UsageError
from cspanalyze.gradient_flow import GradientFlow

if TYPE_CHECKING:
    from torch.autograd.graph import Node
else:
    Node = object

Edge: TypeAlias = "tuple[Node, int]"
_ACCUMULATE = "torch::autograd::AccumulateGrad"

_CONVOLUTIONS = ("ConvolutionBackward", "ConvolutionOverrideableBackward", "MkldnnConvolutionBackward",
                 "CudnnConvolutionBackward", "MiopenConvolutionBackward")  # fmt: skip
_OPERANDS: Mapping[str, tuple[int, int]] = MappingProxyType(
    {
        **dict.fromkeys(_CONVOLUTIONS, (0, 1)),
        "MmBackward": (0, 1), "BmmBackward": (0, 1), "LinearBackward": (0, 1), "MvBackward": (1, 0),
        "AddmmBackward": (1, 2), "BaddbmmBackward": (1, 2), "AddmmActivationBackward": (1, 2),
    }
)  # fmt: skip
"""Where the two factors stand among what a node reads."""
_EMBEDDINGS = ("EmbeddingBackward", "EmbeddingBagBackward")


@dataclass(frozen=True, slots=True)
class LayerNode:
    """One layer: its node, which of the node's edges lead to what it reads, and the output dimension of its channels.

    `weights` are the names of the parameters that its weight is made of.
    """

    node: Node
    reads: tuple[int, ...]
    axis: int
    weights: frozenset[str]


def find_layers(outputs: Iterable[Tensor], parameters: Mapping[int, frozenset[str]]) -> list[LayerNode]:
    """The layers that outputs depend on, in the order in which they ran.

    Args:
        outputs: results of the forward pass, on inputs that require a gradient where they can.
        parameters: names by the parameter's `id`. What depends on any other leaf, an input, is no weight.
    """
    nodes = reachable([output.grad_fn for output in outputs if output.grad_fn is not None])
    active: set[Node] = set()  # what depends on the network's input
    weights: dict[Node, frozenset[str]] = {}
    layers = []
    for node in nodes:
        if is_leaf(node):
            variable = node.variable  # type: ignore[attr-defined]
            if id(variable) in parameters:
                weights[node] = parameters[id(variable)]
            else:
                active.add(node)
            continue
        before = [following for following, _ in node.next_functions]
        layer = _layer_of(node, before, active, weights)
        if layer is not None:
            layers.append(layer)
        if layer is not None or any(each in active for each in before):
            active.add(node)
        else:
            weights[node] = frozenset[str]().union(*(weights.get(each, frozenset()) for each in before if each))
    return layers


def reachable(roots: Iterable[Node]) -> list[Node]:
    """All nodes that the roots lead to: leaves first, then in the order in which they were made."""
    found = set(roots)
    left = list(found)
    while left:
        for node, _ in left.pop().next_functions:
            if node is not None and node not in found:
                found.add(node)
                left.append(node)
    return sorted(found, key=lambda node: -1 if is_leaf(node) else node._sequence_nr())


def is_leaf(node: Node) -> bool:
    """Whether the node hands its gradient to a leaf tensor."""
    return node.name() == _ACCUMULATE


def matched(layers: Iterable[LayerNode], flow: GradientFlow) -> dict[int, LayerNode]:
    """The nodes by index of the layer that the structure has for each; layers that no output depends on are missing.

    Raises:
        UsageError: the network ran other layers than were traced, as with checkpointing or data-dependent control flow.
    """
    calls: dict[str, list[int]] = {}
    for index, layer in enumerate(flow.layers):
        if not layer.reached:
            continue
        calls.setdefault(layer.weight, []).append(index)
    found: dict[int, LayerNode] = {}
    for node in layers:
        left = next((calls[name] for name in sorted(node.weights) if calls.get(name)), None)
        if left is None:
            what = ", ".join(sorted(node.weights)) or "a weight that is no parameter"
            raise UsageError(f"gradient runs through a layer that the trace does not have: {what}")
        found[left.pop(0)] = node
    ran = {flow.layers[index].weight for index in found}
    partly = sorted(name for name, left in calls.items() if left and name in ran)
    if partly:
        raise UsageError(f"some uses of one weight get gradient and others do not: {', '.join(partly)}")
    return found


def _layer_of(
    node: Node, before: list[Node | None], active: set[Node], weights: Mapping[Node, frozenset[str]]
) -> LayerNode | None:
    kind = node.name().rstrip("0123456789")
    if kind in _EMBEDDINGS and before[0] is not None:
        return LayerNode(node, (), -1, weights.get(before[0], frozenset()))
    if kind not in _OPERANDS:
        return None
    left, right = _OPERANDS[kind]
    # What has no node needs no gradient: it is data, cut off by `detach` or the like.
    sides = [before[side] is None or before[side] in active for side in (left, right)]
    if sides[0] == sides[1]:
        return None
    read, weight = (left, right) if sides[0] else (right, left)
    named = before[weight]
    if named is None or not weights.get(named):
        return None
    axis = 1 if kind in _CONVOLUTIONS else -1 if sides[0] or kind == "MvBackward" else -2
    return LayerNode(node, (read,), axis, weights[named])
