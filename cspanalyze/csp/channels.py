"""Which channels of a traced block belong together: a label for every channel, and what is one label with what.

A dimension of a value that can shrink has a label per index. Labels of channels that must stay or go together (both
sides of an addition, a layer's input and what it reads) are united; a label that must stay says why.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from itertools import product
from math import prod

import torch
from torch import Tensor

Extent = tuple[Tensor, ...]
"""The labels of one value: factors as many-dimensional as it, of size 1 where they do not vary; an element is there
while all its labels are. A dimension in which no factor varies cannot shrink."""


class Labels:
    """Sets of labels, joined by `unite`; a set that holds a fixed label is never removed."""

    def __init__(self) -> None:
        self._parents: list[int] = []
        self._reasons: dict[int, str] = {}

    def fresh(self, count: int) -> Tensor:
        """That many new labels."""
        start = len(self._parents)
        self._parents.extend(range(start, start + count))
        return torch.arange(start, start + count)

    def unite(self, one: Tensor, other: Tensor) -> None:
        """Join labels pairwise; both are of one shape, or broadcast to one."""
        one, other = torch.broadcast_tensors(one, other)  # type: ignore[no-untyped-call]
        for a, b in zip(one.flatten().tolist(), other.flatten().tolist(), strict=True):
            a, b = self._root(a), self._root(b)
            if a != b:
                a, b = min(a, b), max(a, b)
                self._parents[b] = a
                if b in self._reasons:
                    self._reasons.setdefault(a, self._reasons.pop(b))

    def tie(self, labels: Tensor, dim: int) -> None:
        """Join all labels along a dimension."""
        if labels.shape[dim] > 1:
            self.unite(labels, labels.select(dim, 0).unsqueeze(dim))

    def fix(self, labels: Tensor, reason: str) -> None:
        """These can not be removed, for a reason in words."""
        for label in labels.flatten().tolist():
            self._reasons.setdefault(self._root(label), reason)

    def roots(self, labels: Tensor) -> Tensor:
        """For every label the one that stands for its set."""
        return torch.tensor([self._root(label) for label in labels.flatten().tolist()]).reshape(labels.shape)

    def there(self, gone: Collection[int]) -> Tensor:
        """For every label whether it is left when the sets of the `gone` roots are not."""
        return torch.tensor([self._root(label) not in gone for label in range(len(self._parents))])

    def reason(self, root: int) -> str:
        """Why a set must stay, "" if it need not."""
        return self._reasons.get(root, "")

    def _root(self, label: int) -> int:
        parents = self._parents
        while parents[label] != label:
            parents[label] = parents[parents[label]]
            label = parents[label]
        return label


def varying(factor: Tensor) -> tuple[int, ...]:
    """The dimensions in which a factor varies."""
    return tuple(dim for dim, size in enumerate(factor.shape) if size > 1)


def along(extent: Extent, dim: int) -> Tensor | None:
    """The labels in one dimension, as a row; None if it has none of its own."""
    for factor in extent:
        if varying(factor) == (dim % factor.dim(),):
            return factor.flatten()
    return None


def placed(labels: Tensor, dim: int, rank: int) -> Tensor:
    """A row of labels as a factor of a value of `rank` dimensions."""
    return labels.reshape([-1 if at == dim % rank else 1 for at in range(rank)])


def widened(factor: Tensor, rank: int) -> Tensor:
    """A factor with dimensions of size 1 put in front, as broadcasting does."""
    return factor.reshape([1] * (rank - factor.dim()) + list(factor.shape))


def reshaped(factor: Tensor, before: Sequence[int], after: Sequence[int]) -> Tensor:
    """The factor of a value whose shape goes from `before` to `after`, elements in the same order."""
    shape: list[int] = []
    spread: list[int] = []
    for olds, news in _blocks(before, after):
        varies = any(factor.shape[at] > 1 for at in olds)
        spread += [before[at] if varies else 1 for at in olds]
        shape += [after[at] if varies else 1 for at in news]
    result = factor.expand([*spread, *factor.shape[len(spread) :]]).reshape(shape)
    for dim in range(result.dim()):
        first = result.narrow(dim, 0, 1)
        if result.shape[dim] > 1 and torch.equal(first.expand_as(result), result):
            result = first
    return result


def _blocks(before: Sequence[int], after: Sequence[int]) -> list[tuple[list[int], list[int]]]:
    """Runs of old dimensions with the runs of new ones that hold the same elements."""
    blocks = []
    old = new = 0
    while old < len(before) or new < len(after):
        olds, news = [], []
        if old < len(before):
            olds.append(old)
            old += 1
        if new < len(after):
            news.append(new)
            new += 1
        while prod(before[at] for at in olds) != prod(after[at] for at in news):
            if prod(before[at] for at in olds) < prod(after[at] for at in news):
                olds.append(old)
                old += 1
            else:
                news.append(new)
                new += 1
        blocks.append((olds, news))
    return blocks


def kept_sizes(extent: Extent, shape: Sequence[int], there: Tensor) -> list[int] | None:
    """The shape of what is left where `there` says which labels are; None if it is no box."""
    rows = {dim: torch.ones(size, dtype=torch.bool) for dim, size in enumerate(shape)}
    for factor in extent:
        left = there[factor]
        own = {dim: left.movedim(dim, 0).reshape(left.shape[dim], -1).any(1) for dim in varying(factor)}
        box = torch.ones_like(left)
        for dim, row in own.items():
            box &= placed(row, dim, left.dim())
            rows[dim] = rows[dim] & row
        if not torch.equal(box, left):
            return None
    return [int(row.sum()) for row in rows.values()]


def combined(extents: Sequence[Extent], labels: Labels) -> Extent:
    """The factors of all, those that vary in the same dimensions united."""
    found: dict[tuple[int, ...], Tensor] = {}
    for factor in (factor for extent in extents for factor in extent):
        dims = varying(factor)
        if dims in found and found[dims].shape == factor.shape:
            labels.unite(found[dims], factor)
        else:
            found.setdefault(dims, factor)
    for one, other in product(list(found), repeat=2):
        if set(other) < set(one) and one in found and other in found:
            labels.unite(found[one], found[other])  # [C] beside [g, C]: now the same in every one of the g rows
            del found[one]
    return tuple(found.values())
