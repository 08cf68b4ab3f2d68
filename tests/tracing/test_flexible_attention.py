"""Attention with a score function, which torch otherwise compiles."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn
from torch.nn.attention import flex_attention

import cspanalyze
from cspanalyze.errors import TraceError


class Flexible(nn.Module):
    """4 heads of 8 on 64 positions, distances added to the scores."""

    def __init__(self) -> None:
        super().__init__()
        self.qkv = nn.Linear(32, 96)

    def forward(self, x: Tensor) -> Tensor:
        q, k, v = self.qkv(x).reshape(len(x), 64, 3, 4, 8).permute(2, 0, 3, 1, 4)
        out: Tensor = flex_attention.flex_attention(q, k, v, score_mod=lambda score, b, h, i, j: score + (i - j))
        return out


# Two sequences: projections, then scores and weighted sum.
MACS = 2 * 64 * 32 * 96 + 2 * 4 * 64 * 64 * (8 + 8)


def test_it_is_one_operation_on_meta_tensors() -> None:
    before = dict(vars(flex_attention))
    report = cspanalyze.analyze(Flexible(), torch.rand(2, 64, 32), metrics=["macs"], by="op")
    assert report.subject.method == "meta"
    assert report.result("macs").total == MACS
    assert report.result("macs").uncovered == ()
    assert dict(vars(flex_attention)) == before


@pytest.mark.filterwarnings("ignore:flex_attention called without:UserWarning")  # the uncounted call
def test_it_is_counted_as_it_runs() -> None:
    net, x = Flexible(), torch.rand(2, 64, 32)
    with torch.no_grad():
        with cspanalyze.count() as counted:
            y = net(x)
        assert counted.macs == MACS
        torch.testing.assert_close(y, net(x))


def test_its_backward_pass_is_refused_in_words() -> None:
    with pytest.raises(TraceError, match="FlexAttention"):
        cspanalyze.analyze(Flexible(), torch.rand(2, 64, 32), train=True)
