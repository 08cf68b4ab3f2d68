"""The cache model on small networks whose traffic can be added up by hand, and what must hold of every network."""

from __future__ import annotations

import pytest
import torch
from edge_nets import EDGE_NETS, EdgeNet
from torch import nn

from cspanalyze.cache import CAPACITIES, cache_traffic
from cspanalyze.cache.memory import Heap, Memory
from cspanalyze.cache.model import CacheTraffic
from cspanalyze.tracing import trace

KIB, MIB = 1 << 10, 1 << 20
MAP = 4 * 64 * 64 * 64  # 1 MiB: 64 channels of 64 x 64 floats


def total(traffic: CacheTraffic, capacity: int, table: str = "fills") -> int:
    at = traffic.capacities.index(capacity)
    return sum(row[at] for row in getattr(traffic, table))


def relus(count: int, in_place: bool) -> CacheTraffic:
    graph = trace(nn.Sequential(*(nn.ReLU(in_place) for _ in range(count))), torch.rand(1, 64, 64, 64))
    return cache_traffic(graph, (512 * KIB, 8 * MIB), kernels="ideal")


def test_a_chain_in_place_reads_its_map_once_where_it_fits_and_once_per_layer_where_not() -> None:
    traffic = relus(4, in_place=True)
    assert total(traffic, 8 * MIB) == MAP
    assert total(traffic, 512 * KIB) == 4 * MAP
    # A map that is written back whenever it is evicted: after each of the four, the last half megabyte stays.
    assert total(traffic, 8 * MIB, "write_backs") == 0
    assert total(traffic, 512 * KIB, "write_backs") == 4 * MAP - 512 * KIB


def test_write_allocate_counts_the_output_and_dead_memory_is_used_again() -> None:
    traffic = relus(4, in_place=False)
    # The input and two outputs: two maps are alive at a time, so later outputs lie where the first two did.
    assert total(traffic, 8 * MIB) == 3 * MAP
    assert total(traffic, 512 * KIB) == 8 * MAP


def test_a_convolution_streams_its_input_once_per_32_output_channels() -> None:
    graph = trace(nn.Conv2d(64, 96, 3, padding=1, bias=False), torch.rand(1, 64, 64, 64))
    traffic = cache_traffic(graph, (512 * KIB, 16 * MIB), kernels="ideal")
    weights, output = 4 * 96 * 64 * 9, 4 * 96 * 64 * 64
    assert total(traffic, 16 * MIB) == MAP + weights + output
    assert total(traffic, 512 * KIB) == pytest.approx(3 * MAP + weights + output, rel=0.01)


def test_planes_are_copied_into_blocks_and_back_on_a_cpu_only() -> None:
    net, planes = nn.Conv2d(64, 32, 3, padding=1, bias=False), torch.rand(1, 64, 64, 64)
    pixels = planes.contiguous(memory_format=torch.channels_last)
    planar, last, ideal = (
        total(cache_traffic(trace(net, x), (32 * MIB,), kernels=kernels), 32 * MIB)  # type: ignore[arg-type]
        for x, kernels in ((planes, "cpu-onednn"), (pixels, "cpu-onednn"), (planes, "ideal"))
    )
    weights, output = 4 * 32 * 64 * 9, 4 * 32 * 64 * 64
    assert planar - last == MAP + output  # a blocked copy of the input, and a blocked output
    assert last - ideal == weights + 64 * KIB + 128 * KIB  # reordered weights, the framework, the library


def test_half_of_every_pixel_is_half_of_the_bytes() -> None:
    class Half(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return x[:, :32].sum()

    for x in (torch.rand(2, 64, 32, 32), torch.rand(2, 64, 32, 32).contiguous(memory_format=torch.channels_last)):
        traffic = cache_traffic(trace(Half(), x), (8 * MIB,), kernels="ideal")
        assert total(traffic, 8 * MIB) == x.nbytes // 2 + 4


def test_a_concatenation_copies_or_is_free() -> None:
    class Join(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return torch.cat((x, x.neg()), 1).neg()

    graph = trace(Join(), torch.rand(1, 64, 64, 64))
    copied, joined = (
        total(cache_traffic(graph, (64 * KIB,), kernels="ideal", concat=concat), 64 * KIB)  # type: ignore[arg-type]
        for concat in ("copy", "view")
    )
    assert copied == 10 * MAP  # neg: 2; cat: 2 read + 2 written; neg: 2 + 2
    assert joined == 6 * MAP


@pytest.mark.parametrize("kernels", ["ideal", "cpu-onednn"])
@pytest.mark.parametrize("net", EDGE_NETS, ids=lambda net: net.name)
def test_more_capacity_never_costs_traffic(net: EdgeNet, kernels: str) -> None:
    graph = trace(net.build(), *net.inputs())
    traffic = cache_traffic(graph, kernels=kernels)  # type: ignore[arg-type]
    assert traffic.capacities == CAPACITIES
    assert len(traffic.fills) == len(traffic.write_backs) == len(graph.ops)
    for table in (traffic.fills, traffic.write_backs):
        for row in table:
            assert list(row) == sorted(row, reverse=True)
            assert min(row, default=0) >= 0


def test_finer_granules_change_little() -> None:
    net = nn.Sequential(*(nn.Conv2d(32, 32, 3, padding=1) for _ in range(4)))
    graph = trace(net, torch.rand(1, 32, 56, 56))
    coarse, fine = (cache_traffic(graph, (256 * KIB, MIB), granule=size) for size in (2_048, 64))
    for capacity in coarse.capacities:
        assert total(coarse, capacity) == pytest.approx(total(fine, capacity), rel=0.02)


def test_memory_is_used_again_by_best_fit() -> None:
    heap, sizes = Heap(), (8_000, 4_000, 6_000, 2_000)
    first, second, third, last = (heap.take(size) for size in sizes)
    assert (first, second, third, last) == (0, 8_064, 12_096, 18_112)  # with a header of 16, in multiples of 64
    for start, size in zip((first, second, third), sizes, strict=False):
        heap.give(start, size)
    assert heap.take(5_000) == third  # 6 016 bytes are the least that is enough; 960 are left, for small objects
    assert heap.take(900) == second
    assert heap.take(9_000) == last + 2_048  # gaps side by side are not joined
    heap.give(last + 2_048, 9_000)
    assert heap.take(20_000) == last + 2_048  # but the last one is the end again


def test_a_library_keeps_its_buffer_until_it_needs_a_larger_one() -> None:
    memory = Memory(trace(nn.ReLU(), torch.empty(1, 8)), 1024)
    small = memory.library("buffer", 3_000)
    assert list(memory.library("buffer", 2_000)) == list(small[:2])
    large = memory.library("buffer", 9_000)
    assert len(large) == 9
    assert list(memory.library("buffer", 3_000)) == list(large[:3])


def test_weights_never_lie_where_something_was_freed() -> None:
    net = nn.Sequential(*(nn.Sequential(nn.Conv2d(8, 8, 1, bias=False), nn.ReLU()) for _ in range(6)))
    graph = trace(net, torch.rand(1, 8, 32, 32))
    everything = cache_traffic(graph, (64 * MIB,), kernels="ideal", granule=64)
    weights = sum(row[0] for op, row in zip(graph.ops, everything.fills, strict=True) if op.name == "conv2d")
    assert weights >= 6 * 8 * 8 * 4 + 2 * 8 * 32 * 32 * 4  # each once, cold; and input and output of the first
