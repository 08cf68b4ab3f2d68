"""Losses, a short seeded training, and layers that start out switched off."""

from __future__ import annotations

from typing import Any, Literal, TypeAlias

import torch
from torch import Tensor, nn

from cspanalyze.errors import CspanalyzeError, UsageError
from cspanalyze.measure.gradients.batches import Batch, Batches
from cspanalyze.tracing.values import tensors_in

Mode: TypeAlias = Literal["train", "eval"]
LEARNING_RATE, MOMENTUM = 0.05, 0.9
_NORMS = (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d, nn.GroupNorm, nn.LayerNorm)
_BATCHES = 1_000_000
"""Batches of a training have seeds beyond those of the draws."""


def forward(model: nn.Module, batch: Batch, seed: int) -> tuple[Any, Tensor]:
    """The output of the network, and its loss as `loss_of` has it.

    Raises:
        UsageError: the network cannot run on the batch, or its output does not fit the classes.
    """
    try:
        output = model(*batch.args, **batch.kwargs)
        return output, loss_of(output, batch.target, seed)
    except CspanalyzeError:
        raise
    except Exception as error:
        said = str(error).strip().partition("\n")[0]
        raise UsageError(f"the network cannot run on this batch: {type(error).__name__}: {said}") from error


def loss_of(output: Any, target: Tensor | None, seed: int) -> Tensor:
    """Cross-entropy of the classes where they are known; otherwise the outputs' product with fixed Gaussian noise.

    Raises:
        UsageError: there is a target, but no single output of N x classes; or no output can be differentiated.
    """
    outputs = [tensor for tensor in tensors_in([output]) if tensor.requires_grad]
    if not outputs:
        raise UsageError("no output of the network depends on its weights: there is no gradient to measure")
    if target is not None:
        if len(outputs) != 1 or outputs[0].dim() != 2:
            raise UsageError("classes need one output of N x classes: leave out --data, or name one without targets")
        return nn.functional.cross_entropy(outputs[0].float(), target)
    generator = torch.Generator().manual_seed(seed)
    total = outputs[0].new_zeros(())
    for tensor in outputs:
        direction = torch.randn(tensor.shape, generator=generator).to(tensor)
        total = total + (tensor * direction).sum() / tensor.shape[0] if tensor.dim() else total + tensor
    return total


def train(model: nn.Module, batches: Batches, steps: int, seed: int, *, first: int = 0) -> float:
    """Train the model itself for some steps of SGD with momentum; returns the mean loss of the last tenth of them.

    `first` is the number of steps that were taken before, whose batches do not come again.

    Raises:
        UsageError: the batches have no classes, all weights are frozen, or the loss is no longer finite.
    """
    if not batches.labelled:
        raise UsageError("a training needs classes: add --data digits, or a loader of (input, target) pairs")
    parameters = [parameter for parameter in model.parameters() if parameter.requires_grad]
    if not parameters:
        raise UsageError("all weights of the network are frozen: there is nothing to train")
    last: list[float] = []
    model.train()
    optimiser = torch.optim.SGD(parameters, LEARNING_RATE, MOMENTUM)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        for step in range(steps):
            batch = batches.draw(_BATCHES * (seed + 1) + first + step)
            _, loss = forward(model, batch.differentiable(), seed)
            optimiser.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            optimiser.step()
            last.append(float(loss.detach()))
    if not all(map(torch.isfinite, map(torch.tensor, last))):
        raise UsageError(f"the training diverged at a learning rate of {LEARNING_RATE}")
    optimiser.zero_grad()
    tail = last[-max(1, steps // 10) :]
    return sum(tail) / len(tail)


def wake(model: nn.Module) -> tuple[str, ...]:
    """Set the scales of norms that are all 0 to 1, and name these norms.

    A residual branch whose last norm starts at 0 passes no gradient back to its layers: a measurement at
    initialisation sees a network that training leaves after one step.
    """
    woken = []
    for name, module in model.named_modules():
        scale = getattr(module, "weight", None) if isinstance(module, _NORMS) else None
        if scale is not None and not scale.is_meta and not bool(scale.any()):
            nn.init.ones_(scale)
            woken.append(name)
    return tuple(woken)
