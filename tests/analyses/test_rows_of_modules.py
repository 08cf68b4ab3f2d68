"""Rows of a network that declares no stages: no module passes for the work of another."""

from __future__ import annotations

from types import ModuleType

import torch
from torch import Tensor, nn

from cspanalyze import analyze


class Attention(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.m = nn.MultiheadAttention(64, 4, batch_first=True)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.m(x, x, x)[0]
        return out


class Product(nn.Module):
    """(2, 8) @ (8, 8) in the root, then a linear layer 8 -> 8."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(8, 8))
        self.lin = nn.Linear(8, 8)
        self.other = nn.Linear(8, 8)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.other(self.lin(x @ self.weight))
        return out


def test_a_module_with_work_of_its_own_is_one_row() -> None:
    report = analyze(Attention(), torch.rand(1, 10, 64), metrics=["macs"])
    assert report.groups == ("m",)  # not m.out_proj


def test_products_of_the_root_have_a_row() -> None:
    report = analyze(Product(), torch.rand(2, 8), metrics=["macs"])
    assert {group: report.result("macs").of(group) for group in report.groups} == {"": 128, "lin": 128, "other": 128}


def test_what_follows_a_single_numbered_layer_is_no_head(timm: ModuleType) -> None:
    groups = analyze("timm:hrnet_w18_small", metrics=["macs"]).groups
    assert {"layer1", "stage2", "stage3", "stage4", "head"} <= set(groups)
