"""What is kept of a backward pass: figures of every layer and every slice, none of the gradients themselves."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor

from cspanalyze.gradient_flow import GradientFlow, Slice, slices
from cspanalyze.measure.gradients.agreement import SliceProducts
from cspanalyze.measure.gradients.layer_nodes import LayerNode
from cspanalyze.measure.gradients.similarity import sample_gram, similarity_matrix


@dataclass
class Statistics:
    """Observer of a backward pass: figures by layer, and the samples' Gram matrices of layers and terms."""

    flow: GradientFlow
    layers: Mapping[int, LayerNode]
    samples: int
    batched: frozenset[int]
    norms: dict[int, float] = field(default_factory=dict)
    by_producer: dict[int, list[SliceProducts]] = field(default_factory=dict)
    grams: dict[int, Tensor] = field(default_factory=dict)
    terms: list[tuple[int, int, Tensor]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._slices: dict[int, list[Slice]] = {}
        for piece in slices(self.flow):
            self._slices.setdefault(piece.producer, []).append(piece)

    def __call__(self, layer: int, gradient: Tensor, contributions: dict[int, Tensor]) -> None:
        """See one layer's gradient, and what each consumer contributed to it."""
        self.norms[layer] = float(gradient.norm())
        if layer in self.batched and self.norms[layer] > 0:
            gram = sample_gram(gradient, self.samples)
            if gram is not None:
                self.grams[layer] = gram
        own = self.by_producer.setdefault(layer, [])
        for piece in self._slices.get(layer, []):
            own.append(self._slice(piece, contributions, self.layers[layer].axis))

    def _slice(self, piece: Slice, contributions: Mapping[int, Tensor], axis: int) -> SliceProducts:
        arrived = {
            consumer: _channels(contributions[consumer], piece, axis)
            for consumer in piece.consumers
            if consumer in contributions
        }
        products = _products(list(arrived.values()))
        if piece.producer in self.batched:
            for (consumer, part), length in zip(arrived.items(), products.diagonal(), strict=True):
                gram = sample_gram(part, self.samples) if length > 0 else None
                if gram is not None:
                    self.terms.append((consumer, piece.producer, gram))
        elements = next((part.numel() for part in arrived.values()), 0)
        return SliceProducts(piece, tuple(arrived), products, elements)

    def similarity(self) -> tuple[list[int], Tensor] | None:
        """Debiased CKA of all layers whose samples can be told apart, and which layers these are."""
        known = sorted(self.grams)
        return (known, similarity_matrix([self.grams[layer] for layer in known])) if len(known) > 1 else None

    def contrast(self) -> tuple[float | None, float | None, float | None]:
        """Mean CKA of pairs of terms: of one consumer, of one producer, of neither; None where there are no pairs."""
        if len(self.terms) < 2:
            return None, None, None
        matrix = similarity_matrix([gram for _, _, gram in self.terms])
        consumers = torch.tensor([consumer for consumer, _, _ in self.terms])
        producers = torch.tensor([producer for _, producer, _ in self.terms])
        of_one_consumer = consumers[:, None] == consumers
        of_one_producer = producers[:, None] == producers
        masks = (
            of_one_consumer & ~of_one_producer,
            of_one_producer & ~of_one_consumer,
            ~(of_one_consumer | of_one_producer),
        )
        same_consumer, same_producer, neither = (float(matrix[m].mean()) if m.any() else None for m in masks)
        return same_consumer, same_producer, neither


def _channels(gradient: Tensor, piece: Slice, axis: int) -> Tensor:
    if piece.channels == gradient.shape[axis]:
        return gradient
    parts = [gradient.narrow(axis, low, high - low) for low, high in piece.where]
    return parts[0] if len(parts) == 1 else torch.cat(parts, axis)


def _products(parts: Sequence[Tensor]) -> Tensor:
    """Scalar products of all pairs, without a copy of all of them."""
    flat = [part.reshape(-1) for part in parts]
    found = torch.zeros(len(flat), len(flat), dtype=torch.float64)
    for i, one in enumerate(flat):
        for j in range(i, len(flat)):
            found[i, j] = found[j, i] = float(torch.dot(one, flat[j]))
    return found
