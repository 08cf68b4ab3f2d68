"""The plan of a file against the network that runs: shapes of every layer, parameters, MACs, FLOPs, CIO."""

from __future__ import annotations

import pytest
import torch
from darknet.samples import SAMPLES
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from torch import nn

from cspanalyze import trace
from cspanalyze.analyses import Grouping, run
from cspanalyze.analyses import weights as _weights  # noqa: F401  (registers the analysis)
from cspanalyze.darknet import Plan, build, count_plan, plan_network, read_text
from cspanalyze.darknet.places import READERS


def _plan(text: str) -> Plan:
    return plan_network(read_text(text, "a.cfg"), "a.cfg")


def _run(plan: Plan) -> tuple[nn.Module, list[tuple[int, ...]]]:
    """The network, and the shape of the map that each layer really made."""
    network = build(plan).eval()
    shapes: list[tuple[int, ...]] = []
    for module in network.layer_modules():
        module.register_forward_hook(lambda _, __, out: shapes.append(tuple(out.shape)))
    generator = torch.Generator().manual_seed(0)
    with torch.inference_mode():
        network(torch.randn(network.input_shape, generator=generator))
    return network, shapes


def _agree(plan: Plan) -> None:
    network, shapes = _run(plan)
    expected = [(plan.steps, *(layer.shape.channels, *layer.shape.size)) for layer in plan.layers]
    assert shapes == expected
    counted = count_plan(plan)
    assert sum(p.numel() for p in network.parameters()) == counted.parameters
    graph = trace(network, torch.empty(network.input_shape))
    results = {
        result.metric: result for result in run(graph, ["weights", "macs", "flops_darknet", "cio"], Grouping.of(graph))
    }
    assert not results["macs"].uncovered
    # The trace counts the matrix product of a layer without weight sharing, for which Darknet prints no figure.
    local = sum(row.value for row in results["macs"].rows if row.op in ("matmul", "bmm"))
    assert results["weights"].total == counted.kernel_elements
    assert results["macs"].total - local == plan.steps * counted.macs
    assert results["flops_darknet"].total == plan.steps * counted.darknet_flops
    assert results["cio"].total == plan.steps * counted.cio_elements


@pytest.mark.parametrize("name", SAMPLES)
def test_samples(name: str) -> None:
    _agree(_plan(SAMPLES[name]))


def test_the_samples_use_every_section() -> None:
    used = {section.name for text in SAMPLES.values() for section in read_text(text, "")}
    assert set(READERS) <= used | {"network", "convolutional", "avg", "avgpool"}
    assert {"convolutional", "avgpool"} <= used


@st.composite
def _pooled(draw: st.DrawFn) -> str:
    size = draw(st.integers(1, 6))
    padding = draw(st.integers(0, 2 * (size - 1)))
    section = draw(st.sampled_from(["maxpool", "local_avgpool"]))
    strides = f"stride_x={draw(st.integers(1, 5))}\nstride_y={draw(st.integers(1, 5))}"
    blur = draw(st.integers(0, 2)) if section == "maxpool" else 0
    sides = f"width={draw(st.integers(8, 20))}\nheight={draw(st.integers(8, 20))}"
    net = f"[net]\n{sides}\nchannels=2\n[{section}]\nsize={size}\npadding={padding}\n{strides}\n"
    return net + (f"antialiasing={blur}\n" if blur else "")


@st.composite
def _convolved(draw: st.DrawFn) -> str:
    size, groups = draw(st.integers(1, 5)), draw(st.sampled_from([1, 2, 4]))
    padding = f"padding={draw(st.integers(0, 4))}" if draw(st.booleans()) else "pad=1"
    strides = f"stride_x={draw(st.integers(1, 4))}\nstride_y={draw(st.integers(1, 4))}"
    sides = f"width={draw(st.integers(8, 20))}\nheight={draw(st.integers(8, 20))}"
    flags = f"batch_normalize={draw(st.integers(0, 1))}\nantialiasing={draw(st.integers(0, 2))}"
    layer = f"[convolutional]\nfilters=8\nsize={size}\n{padding}\n{strides}\ngroups={groups}\n{flags}\n"
    return f"[net]\n{sides}\nchannels=4\n{layer}"


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(text=_pooled() | _convolved())
def test_windows(text: str) -> None:
    _agree(_plan(text))


@pytest.mark.parametrize(("size", "dilation", "pad"), [(3, 2, 1), (5, 3, 1), (7, 1, 0)])
def test_dilated_convolutions_keep_the_map(size: int, dilation: int, pad: int) -> None:
    _agree(
        _plan(f"[net]\nwidth=30\nheight=30\nchannels=2\n[conv]\nfilters=2\nsize={size}\ndilation={dilation}\npad={pad}")
    )


def test_arithmetic_written_out() -> None:
    """Window: (side + 2 pad - size) / stride + 1 for a convolution, (side + padding - size) / stride + 1 for a pool."""
    plan = _plan(
        "[net]\nwidth=31\nheight=20\nchannels=3\n"
        # 31: (31 + 4 - 5) / 3 + 1 = 11; 20: (20 + 4 - 5) / 3 + 1 = 7
        "[conv]\nfilters=8\nsize=5\nstride=3\npad=1\nbatch_normalize=1\n"
        "[maxpool]\nsize=2\nstride=2\n"  # 11: (11 + 1 - 2) / 2 + 1 = 6; 7: (7 + 1 - 2) / 2 + 1 = 4
        "[conv]\nfilters=10\nsize=1\n"
    )
    assert [str(layer.shape) for layer in plan.layers] == ["8x7x11", "8x4x6", "10x4x6"]
    counted = count_plan(plan)
    first, last = 5 * 5 * 3 * 8, 8 * 10
    assert counted.kernel_elements == first + last
    assert counted.parameters == first + 2 * 8 + last + 10
    assert counted.macs == first * 7 * 11 + last * 4 * 6
    assert counted.darknet_flops == 2 * counted.macs + 2 * 2 * 8 * 4 * 6
    assert counted.cio_elements == 3 * 20 * 31 + 8 * 7 * 11 + 8 * 4 * 6 + 10 * 4 * 6
    assert counted.pool_io_elements == 8 * 7 * 11 + 8 * 4 * 6


def test_other_input_sizes_run() -> None:
    """The last pool, 3x3 with padding=1: (16 + 1 - 3) / 1 + 1 = 15 down, (16 + 1 - 3) / 2 + 1 = 8 across."""
    network = build(_plan(SAMPLES["pools"])).eval()
    with torch.inference_mode():
        assert network(torch.zeros(2, 4, 32, 32)).shape == (2, 4, 15, 8)


def test_stages_are_cut_where_the_map_changes_for_good() -> None:
    """A squeeze of four layers and an elastic half do not begin a stage."""
    down = "[conv]\nfilters=4\nsize=3\nstride=2\npad=1\n"
    squeeze = "[avgpool]\n[conv]\nfilters=4\n[scale_channels]\nfrom=-3\n"
    half = "[maxpool]\nsize=2\nstride=2\n[upsample]\nstride=2\n"
    keep = "[conv]\nfilters=4\n" * 8
    net = "[net]\nwidth=32\nheight=32\nchannels=4\n"
    network = build(_plan(net + keep + squeeze + half + down + keep + down + keep))
    assert [len(stage) for stage in network.children()] == [8 + 3 + 2, 1 + 8, 1 + 8]
    assert next(iter(network.stage2)) == "13_conv"
