"""Initial weights, for all families."""

from __future__ import annotations

from typing import Literal

from torch import nn


def initialise(network: nn.Module, fan: Literal["fan_in", "fan_out"] = "fan_out") -> None:
    """Draw the weights of every convolution from He's normal distribution (arXiv 1502.01852, eq. 10 and 14).

    Batch norm (1, 0), linear layers and biases keep torch's defaults. No last norm of a residual
    branch is set to zero, as timm does: that would make most gradients zero at the start.
    Parameters on the meta device hold no numbers and are left alone.
    """
    for module in network.modules():
        if isinstance(module, nn.Conv2d) and not module.weight.is_meta:
            nn.init.kaiming_normal_(module.weight, mode=fan, nonlinearity="relu")
