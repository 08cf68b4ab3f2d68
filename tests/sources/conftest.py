"""A user's files, as `path/file.py:callable` meets them."""

from __future__ import annotations

from pathlib import Path

import pytest

NETS = '''
from dataclasses import dataclass

import torch
from torch import nn

import beside


@dataclass
class Config:
    width: int = 8


class Plain:
    pass


class Net(nn.Module):
    def __init__(self, width=Config().width):
        super().__init__()
        self.conv = nn.Conv2d(3, width, 3, padding=beside.PADDING)

    def forward(self, x):
        return self.conv(x)


class Choosing(Net):
    """Needs the numbers in its input."""

    def forward(self, x):
        y = self.conv(x)
        return y * 2 if y.mean().item() > 0 else y


class Drawing(Net):
    """Needs numbers while it is built."""

    def __init__(self):
        super().__init__()
        self.rates = [rate.item() for rate in torch.linspace(0, 1, 3)]


class Words(nn.Module):
    def __init__(self):
        super().__init__()
        self.embedding = nn.Embedding(50, 8)

    def forward(self, ids, mask=None):
        return self.embedding(ids)


class Outer:
    Inner = Net


built = Net()
number = 3


def three():
    return 3


def fails():
    raise RuntimeError("no luck\\nsecond line")


def quits():
    raise SystemExit(4)


def noisy():
    print("NOISE")
    return Net()


def tensor():
    return torch.zeros(2, 3, 32, 32)


def arguments():
    return torch.zeros(2, 3), torch.zeros(4)


def keywords():
    return {"ids": torch.zeros(1, 7, dtype=torch.int64)}
'''


@pytest.fixture
def nets(tmp_path: Path) -> Path:
    """A file with networks, and one beside it that it imports."""
    (tmp_path / "beside.py").write_text("PADDING = 1\n")
    (tmp_path / "raises.py").write_text("x = 1\nraise ValueError('boom')\n")
    (tmp_path / "wrong.py").write_text("def broken(:\n")
    file = tmp_path / "nets.py"
    file.write_text(NETS)
    return file
