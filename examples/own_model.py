"""Your own network on the command line, and the twin of it from Python.

    cspanalyze summary examples/own_model.py:SmallNet --arg width=16 --input 1x3x64x64
    cspanalyze compare examples/own_model.py:SmallNet examples/own_model.py:wide --input 1x3x64x64
    cspanalyze graph examples/own_model.py:SmallNet --csp --input 1x3x64x64 -o small.svg

Any class or function of a file that makes a module can be named. The file is executed.
"""

import torch
from torch import nn


class Block(nn.Module):
    """Two convolutions around which the map goes as well."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(width, width, 3, padding=1, bias=False)
        self.norm1 = nn.BatchNorm2d(width)
        self.conv2 = nn.Conv2d(width, width, 3, padding=1, bias=False)
        self.norm2 = nn.BatchNorm2d(width)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        made = torch.relu(self.norm1(self.conv1(x)))
        return torch.relu(x + self.norm2(self.conv2(made)))


class Stage(nn.Sequential):
    """A convolution that halves the map, then blocks of one width."""

    def __init__(self, before: int, width: int, blocks: int) -> None:
        entry = nn.Conv2d(before, width, 3, stride=2, padding=1, bias=False)
        super().__init__(entry, *(Block(width) for _ in range(blocks)))


class SmallNet(nn.Module):
    """A stem, three stages and a classifier."""

    def __init__(self, width: int = 32, classes: int = 10) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, width, 3, padding=1)
        self.stage1 = Stage(width, width, 3)
        self.stage2 = Stage(width, 2 * width, 3)
        self.stage3 = Stage(2 * width, 4 * width, 3)
        self.head = nn.Linear(4 * width, classes)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.stage3(self.stage2(self.stage1(self.stem(x))))
        return self.head(x.mean(dim=(2, 3)))


def wide() -> SmallNet:
    """The same network, twice as wide."""
    return SmallNet(width=64)


if __name__ == "__main__":
    import cspanalyze

    net, image = SmallNet(), torch.rand(1, 3, 64, 64)
    comparison = cspanalyze.compare(net, image, csp=cspanalyze.Csp(gamma=0.5), metrics=("macs", "params", "cio"))
    print(comparison)
    twin = cspanalyze.to_csp(net, image, gamma=0.5).model
    print("the twin runs:", tuple(twin(image).shape))
