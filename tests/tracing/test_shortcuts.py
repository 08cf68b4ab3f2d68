"""The layouts computed here equal those of torch's own kernels, and the trace loads none of torch's compilers."""

from __future__ import annotations

import subprocess
import sys

import pytest
import torch
from edge_nets import EDGE_NETS

from cspanalyze import trace, zoo
from cspanalyze.tracing import building

LAYOUT_NETS = (
    "resnet50 densenet121 vit_tiny_patch16_224 convnext_atto efficientnet_b0 hrnet_w18_small regnety_002 "
    "mobilevitv2_050 swin_tiny_patch4_window7_224 levit_128s ghostnet_100 res2net50_14w_8s nf_resnet26 coat_lite_tiny"
)


def layouts(graph) -> list:
    """Shape, dtype and the strides that matter (a dimension of one element has none) of every output."""
    return [
        (op.target, op.module, [(s.shape, s.dtype, [d for n, d in zip(s.shape, s.strides, strict=True) if n > 1])])
        for op in graph.ops
        for s in graph.output_specs(op)
    ]


# torch's fused attention kernels run on real tensors only; that their cost is the same is tested with the formulas.
@pytest.mark.parametrize("net", [net for net in EDGE_NETS if net.name != "attention"], ids=lambda net: net.name)
def test_edge_nets_have_the_layouts_of_a_real_run(net) -> None:
    model, inputs = net.build(), net.inputs()
    assert layouts(trace(model, *inputs)) == layouts(trace(model, *inputs, real=True))


@pytest.mark.parametrize("memory_format", [torch.contiguous_format, torch.channels_last], ids=["nchw", "nhwc"])
@pytest.mark.parametrize("name", LAYOUT_NETS.split())
def test_real_networks_have_the_layouts_of_a_real_run(timm, name, memory_format) -> None:
    """Every shape, dtype and stride of every operation, against the same network computing on the processor."""
    model = timm.create_model(name)
    size = model.pretrained_cfg["input_size"]
    x = torch.rand(2, *size).contiguous(memory_format=memory_format)
    assert layouts(trace(model, x)) == layouts(trace(model, x, real=True))


@pytest.mark.parametrize("name", ["resnet50", "seresnet50", "densenet121", "darknet53", "cspresnext50"])
def test_tracing_a_built_in_network_imports_no_compiler(name) -> None:
    """Each of these modules costs up to a second of start-up time; `_should_skip_dynamo` keeps the first two out."""
    code = f"""
import sys, torch
from cspanalyze import trace, zoo
from cspanalyze.tracing import building
with building():
    model = zoo.create({name!r})
trace(model, torch.empty(1, 3, 64, 64, device="meta"))
print([m for m in ("torch._dynamo", "sympy", "torch._inductor") if m in sys.modules])
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_building_skips_initialisation_and_memory() -> None:
    with building():
        model = zoo.create("resnet18")
    assert all(p.is_meta for p in model.parameters())
