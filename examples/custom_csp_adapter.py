"""A block that narrowing by structure cannot narrow, and the function that makes a narrower one.

    python examples/custom_csp_adapter.py

The blocks of a partial stage run on part of the channels, so they are made anew, narrower. Most blocks are understood
by a trace. This one cuts its input at a constant, which fits one width only.
"""

import torch
from torch import nn

import cspanalyze


class Halves(nn.Module):
    """A 3x3 convolution on the first half of the channels; the other half goes by."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.half = width // 2
        self.conv = nn.Conv2d(self.half, self.half, 3, padding=1, bias=False)
        self.norm = nn.BatchNorm2d(self.half)
        self.mix = nn.Conv2d(width, width, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        worked = torch.relu(self.norm(self.conv(x[:, : self.half])))
        return x + self.mix(torch.cat((worked, x[:, self.half :]), dim=1))


def narrower(block: nn.Module, width: int, narrow: int) -> nn.Module:
    """The same block for `narrow` instead of `width` channels."""
    return Halves(narrow).to(next(block.parameters()).device)


def network() -> nn.Sequential:
    """A stem and six of these blocks."""
    return nn.Sequential(nn.Conv2d(3, 32, 3, stride=2, padding=1), *(Halves(32) for _ in range(6)))


if __name__ == "__main__":
    net, image = network(), torch.rand(1, 3, 32, 32)
    try:
        cspanalyze.to_csp(net, image)
    except cspanalyze.CspanalyzeError as error:
        print("without an adapter:", error)
    cspanalyze.register_csp_adapter(Halves, narrower)
    twin = cspanalyze.to_csp(net, image, gamma=0.5)
    macs = [cspanalyze.analyze(each, image, metrics=("macs",)).result("macs").total for each in (net, twin.model)]
    print("with one:", f"{macs[0]:,} MACs become {macs[1]:,}")
