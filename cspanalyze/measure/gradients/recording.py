"""One ordinary backward pass, in which each layer's contribution to the gradient of every other is seen by itself.

When a layer k has its gradient, autograd has computed what k sends back to its input. That alone is carried on, through
the operations without a learnable mixing weight, to the layers whose outputs k reads, and stops there: it is g_{k<-i},
what k contributes to the gradient of layer i. The pass itself goes on undisturbed, so the gradients of weights are
those of `backward()` to the last bit; nothing is computed twice but the operations between layers.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from heapq import heappop, heappush
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from cspanalyze.measure.gradients.layer_nodes import Edge, LayerNode, is_leaf

if TYPE_CHECKING:
    from torch.autograd.graph import Node
else:
    Node = object

Observer = Callable[[int, Tensor, dict[int, Tensor]], None]
"""Called once a layer, with its index, its gradient, and what each consumer contributed to that."""


@dataclass
class Pass:
    """A backward pass over `layers`, observed; contributions are dropped as soon as they were."""

    layers: Mapping[int, LayerNode]
    observer: Observer
    _pending: dict[int, dict[int, Tensor]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._index = {layer.node: index for index, layer in self.layers.items()}

    def run(self, loss: Tensor, parameters: Sequence[Tensor]) -> tuple[Tensor | None, ...]:
        """The gradients of the parameters; None for one that the loss does not depend on."""
        handles: list[Any] = []
        try:
            for index, layer in self.layers.items():
                handles.append(layer.node.register_prehook(partial(self._arrived, index)))
                handles.append(layer.node.register_hook(partial(self._left, index)))
            return torch.autograd.grad(loss, parameters, allow_unused=True)
        finally:
            for handle in handles:
                handle.remove()
            self._pending.clear()

    def _arrived(self, index: int, gradients: tuple[Tensor | None, ...]) -> None:
        """A layer's gradient is complete: all layers that read it have run."""
        contributions = self._pending.pop(index, {})
        if gradients[0] is not None:
            self.observer(index, gradients[0], contributions)

    def _left(self, index: int, sent: tuple[Tensor | None, ...], _: Any) -> None:
        """A layer has computed what it sends back to its input."""
        layer = self.layers[index]
        start: list[tuple[Edge, Tensor]] = []
        for position in layer.reads:
            gradient, edge = sent[position], layer.node.next_functions[position]
            if gradient is not None and edge[0] is not None:
                start.append(((edge[0], edge[1]), gradient))
        with torch.no_grad():
            for producer, gradient in self._carried(start).items():
                self._pending.setdefault(producer, {})[index] = gradient

    def _carried(self, start: Sequence[tuple[Edge, Tensor]]) -> dict[int, Tensor]:
        """Gradient carried back to the next layers, as autograd would if there were nothing else."""
        waiting: dict[Node, list[Tensor | None]] = {}
        order: list[tuple[int, int, Node]] = []
        found: dict[int, Tensor] = {}

        def give(edge: Edge, gradient: Tensor) -> None:
            node, slot = edge
            if is_leaf(node):
                return
            metadata = node._input_metadata
            if node not in waiting:
                waiting[node] = [None] * len(metadata)
                heappush(order, (-node._sequence_nr(), len(waiting), node))
            shape = metadata[slot].shape
            if tuple(gradient.shape) != tuple(shape):  # autograd, too, sums over what was broadcast
                gradient = gradient.sum_to_size(shape)
            before = waiting[node][slot]
            waiting[node][slot] = gradient if before is None else before + gradient

        for edge, gradient in start:
            give(edge, gradient)
        while order:
            _, _, node = heappop(order)
            gradients = waiting[node]
            if node in self._index:
                if gradients[0] is not None:
                    found[self._index[node]] = gradients[0]
                continue
            for (following, slot), sent in zip(node.next_functions, _called(node, gradients), strict=False):
                if sent is not None and following is not None:
                    give((following, slot), sent)
        return found


def backward_pass(
    loss: Tensor, parameters: Sequence[Tensor], layers: Mapping[int, LayerNode], observer: Observer
) -> tuple[Tensor | None, ...]:
    """Differentiate `loss` with respect to the parameters, and let `observer` see every layer's gradient in parts."""
    return Pass(layers, observer).run(loss, parameters)


def _called(node: Node, gradients: Sequence[Tensor | None]) -> Sequence[Tensor | None]:
    """What a node makes of the gradients of its outputs. Python functions have another way in than built-in ones."""
    call: Any = node if not hasattr(node, "apply") else node.apply
    result = call(*gradients)
    return result if isinstance(result, tuple) else (result,)
