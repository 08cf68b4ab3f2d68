"""How alike gradients are: effective numbers of vectors, and debiased similarity of what samples make of them."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

LEAST_SAMPLES = 4
"""A Gram matrix of fewer samples cannot be centred without bias: its formula divides by n - 3."""


def effective_number(similarity: Tensor) -> float:
    """exp of the entropy of the eigenvalues of a similarity matrix over n, in [1, n]: the Vendi score (2210.02410).

    The diagonal is 1. Eigenvalues below 0, which a debiased matrix can have, count as 0.
    """
    eigenvalues = torch.linalg.eigvalsh(similarity.double()).clamp(min=0)
    shares = eigenvalues / eigenvalues.sum()
    shares = shares[shares > 0]
    return float(torch.exp(-(shares * shares.log()).sum()))


def sample_gram(gradient: Tensor, samples: int) -> Tensor | None:
    """U-centred Gram matrix of the samples' gradients, each scaled to length 1, flat and itself of length 1.

    The scaling takes out the size of the loss, which all layers share. None where the first dimension does not hold the
    samples, there are fewer than four, or nothing is left.
    """
    if samples < LEAST_SAMPLES or gradient.shape[0] % samples:
        return None
    rows = gradient.reshape(samples, -1).float()
    rows = torch.nn.functional.normalize(rows, dim=1)
    return _unit(u_centred((rows @ rows.T).double()))


def u_centred(gram: Tensor) -> Tensor:
    """The Gram matrix with a diagonal of 0 and row sums of 0: inner products of two such are free of bias
    (Székely and Rizzo 2014). Linear CKA without it is near 1 for noise when samples are few."""
    n = gram.shape[0]
    bare = gram - torch.diag(gram.diagonal())
    rows = bare.sum(1, keepdim=True) / (n - 2)
    centred = bare - rows - rows.T + bare.sum() / ((n - 1) * (n - 2))
    return centred - torch.diag(centred.diagonal())


def similarity_matrix(grams: Sequence[Tensor]) -> Tensor:
    """Debiased linear CKA (1905.00414) of all pairs of centred Gram matrices of `sample_gram`."""
    stacked = torch.stack(list(grams))
    return stacked @ stacked.T


def mean_off_diagonal(matrix: Tensor) -> float:
    """The mean of a square matrix but for its diagonal."""
    n = matrix.shape[0]
    return float((matrix.sum() - matrix.diagonal().sum()) / (n * (n - 1)))


def noise_matrix(layers: int, samples: int, generator: torch.Generator) -> Tensor:
    """The similarity matrix of layers whose gradients are independent noise of many elements: the null.

    Scalar products of long random directions are independent and normal, so the vectors themselves are not needed.
    """
    grams = []
    for _ in range(layers):
        drawn = torch.randn(samples, samples, dtype=torch.float64, generator=generator).triu(1)
        centred = _unit(u_centred(drawn + drawn.T))
        assert centred is not None
        grams.append(centred)
    return similarity_matrix(grams)


def _unit(matrix: Tensor) -> Tensor | None:
    flat = matrix.flatten()
    length = flat.norm()
    return flat / length if length > 0 else None
