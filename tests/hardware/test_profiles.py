"""Profiles: what is shipped, what users write, and the roofline on them."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import nn

from cspanalyze.analyses import Grouping, View
from cspanalyze.errors import UsageError
from cspanalyze.hardware import Profile, find_profile, profiles
from cspanalyze.roofline import bounds, roofline
from cspanalyze.tracing import trace


def test_every_shipped_profile_has_a_capacity_and_a_source() -> None:
    assert len(profiles()) >= 6
    for profile in profiles().values():
        assert profile.onchip_bytes >= 1 << 19
        assert profile.source
        assert profile.confidence
    assert find_profile("a100") is find_profile("a100_40gb")


def test_the_tx2_as_looked_up() -> None:
    tx2 = find_profile("jetson_tx2")  # hmc-tech.com: 59.7 GB/s, 750 GFLOP/s, 512 KB of L2
    assert (tx2.dram_bytes_per_second, tx2.peak_flops("float32"), tx2.onchip_bytes) == (59.7e9, 0.75e12, 512 * 1024)
    assert tx2.verified
    assert tx2.peak_flops("int8") is None


def test_a_profile_of_the_user(tmp_path: Path) -> None:
    path = tmp_path / "board.toml"
    path.write_text("onchip_bytes = 1_048_576\ndram_gb_per_s = 12.8\n")
    board = find_profile(str(path))
    assert (board.name, board.onchip_bytes, board.dram_bytes_per_second) == ("board", 1 << 20, 12.8e9)
    assert board.peak_flops("float32") is None
    assert not board.verified


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("dram_gb_per_s = 3", "needs onchip_bytes"),
        ("onchip_bytes = -1", "above 0"),
        ("onchip_bytes = true", "above 0"),
        ("onchip_bytes = 1.5", "whole number"),
        ("onchip_bytes = 1\ncolour = 'red'", "unknown key 'colour'"),
        ("onchip_bytes = 1\nkernels = 'gpu'", "kernels"),
        ("onchip_bytes = 1\nsource = 3", "must be text"),
        ("onchip_bytes", "no TOML"),
    ],
)
def test_a_profile_that_is_off_is_refused_in_a_sentence(text: str, said: str, tmp_path: Path) -> None:
    path = tmp_path / "off.toml"
    path.write_text(text)
    with pytest.raises(UsageError, match=said):
        find_profile(str(path))


def test_an_unknown_profile_names_those_there_are() -> None:
    with pytest.raises(UsageError, match="jetson_tx2"):
        find_profile("cray_1")
    with pytest.raises(UsageError, match="cannot read"):
        find_profile("nowhere.toml")


def test_the_roofline_of_a_linear_layer() -> None:
    graph = trace(nn.Linear(1_000, 500, bias=False), torch.rand(4, 1_000))
    view = View(graph, Grouping.of(graph, "layer"))
    # 4 x 1000 x 500 = 2 M MACs: 4 us at 1 TFLOP/s; 3 MB at 1 GB/s: 3 ms.
    slow = Profile("slow", 1e9, 1e12, None, 1 << 20)
    (bound,) = bounds(view, [3_000_000], slow)
    assert (bound.compute, bound.memory, bound.by_memory) == (pytest.approx(4e-6), pytest.approx(3e-3), True)
    time, share, intensity, energy = roofline(view, [3_000_000], slow)
    assert time.total == pytest.approx(3_000)
    assert share.total == pytest.approx(100)
    assert intensity.total == pytest.approx(4 / 3)
    assert energy.total == pytest.approx(1e-9 * (4.6 * 2e6 + 160 * 3e6))
    assert "bound" in time.note
    assert "estimate" in energy.note
    assert roofline(view, [1], Profile("unknown", None, 1e12, None, 1 << 20)) == ()
