"""Small networks, each with one thing that trips tools: the contract tests run everything over all of them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn


@dataclass(frozen=True)
class EdgeNet:
    name: str
    build: Callable[[], nn.Module]
    inputs: Callable[[], tuple[Any, ...]]


def image(channels: int = 3, size: int = 16, batch: int = 1) -> Callable[[], tuple[Any, ...]]:
    return lambda: (torch.rand(batch, channels, size, size),)


class Functional(nn.Module):
    """A convolution and a linear layer without modules."""

    def __init__(self) -> None:
        super().__init__()
        self.kernel = nn.Parameter(torch.rand(8, 3, 3, 3))
        self.matrix = nn.Parameter(torch.rand(5, 8))

    def forward(self, x: Tensor) -> Tensor:
        x = F.relu(F.conv2d(x, self.kernel, padding=1))
        return F.linear(x.mean((2, 3)), self.matrix)


class ViewWrite(nn.Module):
    """Writes through a channel slice, then reads the whole tensor (a partial shortcut)."""

    def __init__(self) -> None:
        super().__init__()
        self.wide = nn.Conv2d(3, 8, 3, padding=1)
        self.narrow = nn.Conv2d(3, 4, 1)
        self.head = nn.Conv2d(8, 2, 1)

    def forward(self, x: Tensor) -> Tensor:
        y = self.wide(x)
        y[:, :4] += self.narrow(x)
        return self.head(y)


class Split(nn.Module):
    """Chunk, one half through a convolution, concatenation."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, 8, 3)
        self.branch = nn.Conv2d(4, 4, 3, padding=1, groups=2)

    def forward(self, x: Tensor) -> Tensor:
        a, b = self.stem(x).chunk(2, 1)
        return torch.cat([a, self.branch(b)], 1)


class Residual(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(4, 4, 3, padding=1, bias=False)
        self.norm = nn.BatchNorm2d(4)
        self.act = nn.ReLU(inplace=True)

    def forward(self, x: Tensor) -> Tensor:
        y = self.norm(self.conv(x))
        y += x
        return self.act(y)


class Shared(nn.Module):
    """One module called twice, and a linear layer tied to an embedding."""

    def __init__(self) -> None:
        super().__init__()
        self.embed = nn.Embedding(11, 6)
        self.twice = nn.Linear(6, 6)
        self.head = nn.Linear(6, 11, bias=False)
        self.head.weight = self.embed.weight

    def forward(self, ids: Tensor) -> Tensor:
        x = self.twice(torch.tanh(self.twice(self.embed(ids))))
        return self.head(x)


class Nested(nn.Module):
    """Dict input, keyword-like nesting, tuple and dict outputs."""

    def __init__(self) -> None:
        super().__init__()
        self.a = nn.Conv2d(3, 4, 1)
        self.b = nn.Linear(7, 4)

    def forward(self, batch: dict[str, Any]) -> dict[str, Any]:
        x, (vector, scale) = batch["image"], batch["rest"]
        y = self.a(x) * self.b(vector)[:, :, None, None]
        return {"maps": (y, y.amax((2, 3))), "scaled": y * scale}


class Caching(nn.Module):
    """Keeps a tensor, a counter and a list on itself while running, and writes its own buffer."""

    calls: int

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("steps", torch.zeros(3))
        self.calls = 0
        self.log: list[int] = []
        self.conv = nn.Conv2d(3, 3, 1)

    def forward(self, x: Tensor) -> Tensor:
        self.calls += 1
        self.log.append(self.calls)
        self.cache = torch.arange(x.shape[-1])
        self.steps.add_(1)
        return self.conv(x) + self.cache


class Attention(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.attention = nn.MultiheadAttention(16, 4, batch_first=True)
        self.layer = nn.TransformerEncoderLayer(16, 2, 32, batch_first=True)

    def forward(self, x: Tensor) -> Tensor:
        y, _ = self.attention(x, x, x, need_weights=False)
        return self.layer(y)


class Recurrent(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.lstm = nn.LSTM(5, 7, num_layers=2, bidirectional=True, batch_first=True)
        self.gru = nn.GRU(14, 6)
        self.cell = nn.LSTMCell(6, 3)

    def forward(self, x: Tensor) -> Tensor:
        y, _ = self.lstm(x)
        z, _ = self.gru(y)
        h, _ = self.cell(z[:, 0])
        return h


class ChannelsLast(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Sequential(nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8), nn.SiLU(), nn.AvgPool2d(2), nn.Conv2d(8, 4, 1))

    def forward(self, x: Tensor) -> Tensor:
        return self.body(x.contiguous(memory_format=torch.channels_last))


class Transposed(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.down = nn.Conv2d(3, 8, 3, stride=2, dilation=2)
        self.up = nn.ConvTranspose2d(8, 4, 4, stride=2, groups=4)

    def forward(self, x: Tensor) -> Tensor:
        return F.interpolate(self.up(self.down(x)), scale_factor=2, mode="bilinear")


class MadeInForward(nn.Module):
    """Runs a module that is no submodule, and nothing with parameters of its own."""

    def forward(self, x: Tensor) -> Tensor:
        return nn.functional.softmax(nn.AvgPool2d(2)(x), dim=1)


class Einsum(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.core = nn.Parameter(torch.rand(4, 5, 6))
        self.pair = nn.Bilinear(4, 5, 3)

    def forward(self, x: Tensor, y: Tensor) -> Tensor:
        return torch.einsum("bi,bj,ijk->bk", x, y, self.core).sum() + self.pair(x, y)


EDGE_NETS: tuple[EdgeNet, ...] = (
    EdgeNet("attention", Attention, lambda: (torch.rand(2, 9, 16),)),
    EdgeNet("caching", Caching, image()),
    EdgeNet("channels_last", ChannelsLast, image(batch=2)),
    EdgeNet("conv1d", lambda: nn.Conv1d(2, 4, 3), lambda: (torch.rand(1, 2, 10),)),
    EdgeNet("conv3d", lambda: nn.Conv3d(2, 4, 3), lambda: (torch.rand(1, 2, 6, 6, 6),)),
    EdgeNet("einsum", Einsum, lambda: (torch.rand(2, 4), torch.rand(2, 5))),
    EdgeNet("functional", Functional, image()),
    EdgeNet("identity", nn.Identity, image()),
    EdgeNet("linear_only", lambda: nn.Linear(4, 2), lambda: (torch.rand(3, 5, 4),)),
    EdgeNet("made_in_forward", MadeInForward, image()),
    EdgeNet("nested", Nested, lambda: ({"image": torch.rand(1, 3, 8, 8), "rest": [torch.rand(1, 7), 2.0]},)),
    EdgeNet("recurrent", Recurrent, lambda: (torch.rand(2, 3, 5),)),
    EdgeNet("residual", Residual, image(4)),
    EdgeNet("shared", Shared, lambda: (torch.randint(0, 11, (2, 3)),)),
    EdgeNet("split", Split, image(batch=2)),
    EdgeNet("transposed", Transposed, image()),
    EdgeNet("view_write", ViewWrite, image(batch=2)),
)
