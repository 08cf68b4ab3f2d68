"""Cache fills of single operators on cold caches: the readings that the cache model's rules for CPU kernels come from.

    python benchmarks/cache_operators.py run        # minutes; writes results/cache_operators.csv
    python benchmarks/cache_operators.py compare    # the model as it is now against that file

The networks of `cache_truth.py` are what the model is judged by; this is what it was made from.
"""

from __future__ import annotations

import csv
import statistics
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from cspanalyze.cache import cache_traffic
from cspanalyze.pipeline.layouts import Layout, channels_last
from cspanalyze.pipeline.simulation import Job, simulate
from cspanalyze.sources import Request, parse_inputs
from cspanalyze.tracing import trace

CAPACITIES = 256 * 1024, 1024 * 1024
READINGS = Path(__file__).parent / "results" / "cache_operators.csv"
LAYOUTS: tuple[Layout, ...] = ("channels-last", "nchw")


class Halves(nn.Module):
    """Joins both halves of the channels, or runs a layer on the first one."""

    def __init__(self, layer: nn.Module | None = None) -> None:
        super().__init__()
        self.layer = layer

    def forward(self, x: Tensor) -> Tensor:
        first, second = x.chunk(2, 1)
        return torch.cat((first, second), 1) if self.layer is None else self.layer(first)


def convolution(name: str) -> tuple[nn.Module, tuple[int, ...]]:
    """`conv3 64>128 @28 s2 g1 n1`: kernel, channels, input side, stride, groups, batch."""
    kind, channels, side, stride, groups, batch = name.split()
    kernel, (wide_in, wide_out), size = int(kind[4:]), map(int, channels.split(">")), int(side[1:])
    layer = nn.Conv2d(wide_in, wide_out, kernel, int(stride[1:]), kernel // 2, groups=int(groups[1:]), bias=False)
    return layer, (int(batch[1:]), wide_in, size, size)


MAP = (1, 64, 56, 56)
OTHERS: dict[str, tuple[Callable[[], nn.Module], tuple[int, ...]]] = {
    "bn": (lambda: nn.BatchNorm2d(64), MAP),
    "maxpool3s2": (lambda: nn.MaxPool2d(3, 2, 1), MAP),
    "avgpool2": (lambda: nn.AvgPool2d(2, 2), MAP),
    "gap": (lambda: nn.AdaptiveAvgPool2d(1), (1, 512, 14, 14)),
    "silu": (nn.SiLU, MAP),
    "leaky": (lambda: nn.LeakyReLU(0.1), MAP),
    "leakyin": (lambda: nn.LeakyReLU(0.1, inplace=True), MAP),
    "linear": (lambda: nn.Linear(1024, 1000), (1, 1024)),
    "linear64": (lambda: nn.Linear(512, 512), (64, 512)),
    "up": (lambda: nn.Upsample(scale_factor=2), (1, 64, 28, 28)),
    "catsplit": (Halves, (1, 128, 56, 56)),
    "half1x1": (lambda: Halves(nn.Conv2d(128, 128, 1, bias=False)), (1, 256, 28, 28)),
    "half3x3": (lambda: Halves(nn.Conv2d(128, 128, 3, padding=1, bias=False)), (1, 256, 28, 28)),
}


def operator(name: str) -> nn.Module:
    """The operator of that name; `cache_operators.py:operator` is what the simulation builds."""
    return convolution(name)[0] if name.startswith("conv") else OTHERS[name][0]()


def shape(name: str) -> tuple[int, ...]:
    return convolution(name)[1] if name.startswith("conv") else OTHERS[name][1]


def measure() -> None:
    names = list(dict.fromkeys(row[1] for row in readings()))
    rows: list[list[Any]] = [["layout", "operator", "small_bytes", "large_bytes"]]
    for layout in LAYOUTS:
        jobs = [
            Job(
                Request(
                    f"{Path(__file__).resolve()}:operator",
                    {"name": name},
                    parse_inputs(("x".join(map(str, shape(name))),)),
                ),
                layout=layout,
            )
            for name in names
        ]
        for name, found in zip(names, simulate(jobs, *CAPACITIES), strict=True):
            rows.append([layout, name, sum(each.small for each in found), sum(each.large for each in found)])
    with READINGS.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file, lineterminator="\n").writerows(rows)


def readings() -> list[list[str]]:
    with READINGS.open(encoding="utf-8") as file:
        return list(csv.reader(file))[1:]


def compare() -> None:
    ratios: dict[tuple[str, int], list[float]] = {}
    for layout, name, *counted in readings():
        model, args, kwargs = operator(name), (torch.rand(shape(name)),), {}
        if layout == "channels-last":
            model, args, kwargs = channels_last(model, args, kwargs)
        traffic = cache_traffic(trace(model, *args, **kwargs), CAPACITIES)
        for at, capacity in enumerate(CAPACITIES):
            ratio = sum(row[at] for row in traffic.fills) / int(counted[at])
            ratios.setdefault((layout, capacity), []).append(ratio)
            print(f"{layout:14}{name:34}{capacity >> 10:5} KiB  model / simulated {ratio:5.2f}")
    for (layout, capacity), each in ratios.items():
        error = statistics.mean(abs(ratio - 1) for ratio in each)
        print(f"{layout}, {capacity >> 10} KiB: median {statistics.median(each):.2f}, mean error {100 * error:.1f} %")


if __name__ == "__main__":
    measure() if sys.argv[1:2] == ["run"] else compare()
