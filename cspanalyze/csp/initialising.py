"""Initial weights of the new modules, and the random state that they are drawn in."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Literal

import torch
from torch import nn

from cspanalyze.csp.stage import CSPStage

Init = Literal["reset", "slice"]


def initialise(stage: CSPStage) -> None:
    """Draw all of a stage anew except `down`, which may be a part of the original network."""
    for part in (stage.part1, stage.part2_in, stage.part2, stage.transition1, stage.transition2):
        reset(part)


def reset(module: nn.Module) -> None:
    """Every layer to torch's default for its kind; layers on the meta device hold no numbers to be drawn.

    What is drawn anew is there to be trained, so it requires gradients, although the original's layer may be frozen.
    Last norms of residual branches that a library sets to zero at first are set to one like all others.
    """
    for layer in module.modules():
        draw = getattr(layer, "reset_parameters", None)
        if draw is None:
            continue
        parameters = list(layer.parameters(recurse=False))
        if not any(tensor.is_meta for tensor in (*parameters, *layer.buffers(recurse=False))):
            draw()
        for parameter in parameters:
            parameter.requires_grad_(parameter.is_floating_point())


@contextmanager
def seeded(model: nn.Module, seed: int) -> Iterator[None]:
    """Random numbers from `seed` inside, the caller's random state untouched after: on the CPU and the model's GPUs."""
    devices = {parameter.device for parameter in model.parameters()}
    if devices <= {torch.device("meta")}:
        yield
        return
    gpus = sorted({device.index or 0 for device in devices if device.type == "cuda"})
    with torch.random.fork_rng(devices=gpus):
        # Not torch.manual_seed, which would also reseed the devices whose state is not kept here.
        torch.default_generator.manual_seed(seed)
        for gpu in gpus:
            with torch.cuda.device(gpu):
                torch.cuda.manual_seed(seed)
        yield
