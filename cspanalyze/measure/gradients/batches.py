"""What a network is fed: random numbers, handwritten digits, or the batches of a user's own loader."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

import torch
from torch import Tensor

from cspanalyze.errors import SourceError, UsageError
from cspanalyze.tracing.values import tensors_in


@dataclass(frozen=True)
class Batch:
    """One call `model(*args, **kwargs)`, and the classes that its samples are of, if they are known."""

    args: tuple[Any, ...]
    kwargs: Mapping[str, Any]
    target: Tensor | None = None

    @property
    def size(self) -> int:
        """How many samples: the first dimension of the first tensor."""
        first = next(iter(tensors_in([self.args, dict(self.kwargs)])), None)
        return first.shape[0] if first is not None and first.dim() else 1

    def differentiable(self) -> Batch:
        """The same with copies of floating-point tensors that require a gradient, so that autograd knows what comes
        from the input. They are no leaves, which a network could not write to."""
        return self._mapped(lambda tensor: tensor.detach().requires_grad_(tensor.is_floating_point()).clone())

    def parts(self, count: int) -> list[Batch]:
        """Equal parts of half of the batch, or of all of it where they would hold fewer than two samples.

        The batch as it is where that is not possible either.
        """
        each = max(2, self.size // (2 * count))
        tensors = list(tensors_in([self.args, dict(self.kwargs)]))
        if each * count > self.size or any(tensor.dim() == 0 or tensor.shape[0] != self.size for tensor in tensors):
            return [self]
        return [self._part(slice(n * each, (n + 1) * each)) for n in range(count)]

    def _part(self, where: slice) -> Batch:
        part = self._mapped(lambda tensor: tensor[where])
        return Batch(part.args, part.kwargs, None if self.target is None else self.target[where])

    def _mapped(self, change: Callable[[Tensor], Tensor]) -> Batch:
        from torch.utils._pytree import tree_map

        args, kwargs = tree_map(
            lambda leaf: change(leaf) if isinstance(leaf, Tensor) else leaf, (self.args, dict(self.kwargs))
        )
        return Batch(args, kwargs, self.target)


@dataclass(frozen=True)
class Batches:
    """A source of batches: `draw(seed)` gives one, for the same seed the same; `labelled` says if classes are known."""

    name: str
    draw: Callable[[int], Batch]
    labelled: bool


def synthetic(args: Sequence[Any], kwargs: Mapping[str, Any]) -> Batches:
    """Inputs of these shapes, drawn from the normal distribution; integers stay as they are."""
    like = Batch(tuple(args), dict(kwargs))

    def draw(seed: int) -> Batch:
        generator = torch.Generator().manual_seed(seed)

        def drawn(tensor: Tensor) -> Tensor:
            if tensor.is_floating_point():
                return torch.randn(tensor.shape, generator=generator).to(tensor.dtype)
            return torch.zeros(tensor.shape, dtype=tensor.dtype) if tensor.is_meta else tensor

        return like._mapped(drawn)

    return Batches("synthetic (normal noise, no classes)", draw, labelled=False)


def digits(shape: Sequence[int], batch: int) -> Batches:
    """The 1,797 handwritten digits that come with scikit-learn, 8x8, enlarged to maps of `shape` (channels, H, W).

    Pixels have mean 0 and variance 1 over the set; grey values are repeated in every channel.

    Raises:
        SourceError: scikit-learn is not installed.
        UsageError: the input is no map.
    """
    if len(shape) != 3:
        raise UsageError(
            f"--data digits needs an input of N x channels x H x W, and this one has {len(shape) + 1} axes"
        )
    try:
        from sklearn.datasets import load_digits
    except ImportError as error:
        raise SourceError("--data digits needs the package scikit-learn: pip install scikit-learn") from error
    found = load_digits()
    images = torch.tensor(found.images, dtype=torch.float32)[:, None]
    images = (images - images.mean()) / images.std()
    labels = torch.tensor(found.target, dtype=torch.long)

    def draw(seed: int) -> Batch:
        chosen = torch.randperm(len(labels), generator=torch.Generator().manual_seed(seed))[:batch]
        maps = torch.nn.functional.interpolate(images[chosen], size=tuple(shape[1:]), mode="bilinear")
        return Batch((maps.expand(-1, shape[0], -1, -1).contiguous(),), {}, labels[chosen])

    return Batches("digits (scikit-learn)", draw, labelled=True)


def given(text: str, fresh: Callable[[], Iterable[Any]]) -> Batches:
    """The batches that a user's loader gives: inputs, or pairs of an input and its classes.

    The batch of seed n is the n-th, counted from 0, beginning again where there are no more.

    Raises:
        UsageError: the loader gives something else, or nothing.
    """
    kept: list[Batch] = []

    def draw(seed: int) -> Batch:
        if seed >= len(kept):
            kept.extend(_as_batch(each, text) for each in islice(fresh(), len(kept), seed + 1))
        if not kept:
            raise UsageError(f"--data {text} gives no batches")
        return kept[seed % len(kept)]

    return Batches(text, draw, labelled=draw(0).target is not None)


def _as_batch(given: Any, text: str) -> Batch:
    if isinstance(given, Tensor):
        return Batch((given,), {})
    if isinstance(given, tuple | list) and len(given) == 2 and all(isinstance(part, Tensor) for part in given):
        return Batch((given[0],), {}, given[1])
    raise UsageError(f"--data {text} gives a {type(given).__name__}: expected tensors, or pairs (input, target)")
