"""The second route to who reads what: autograd itself, on networks cut at the output of every layer."""

from __future__ import annotations

from copy import deepcopy

import pytest
import torch
from edge_nets import EDGE_NETS
from gradients import reference_nets as nets
from gradients.test_reference_values import CASES
from torch import Tensor, nn

from cspanalyze import to_csp, trace
from cspanalyze.gradient_flow import gradient_flow
from cspanalyze.zoo import create

LAYERS = (nn.Conv1d, nn.Conv2d, nn.Conv3d, nn.ConvTranspose2d, nn.Linear, nn.Embedding)
Intakes = dict[str, dict[str, set[int]]]


def by_autograd(model: nn.Module, *inputs: Tensor) -> Intakes:
    """For every layer call the channels of every other whose value changes what it reads: a non-zero derivative.

    Every layer hands out a fresh leaf, so that a derivative crosses no weight. Activations that can be flat are
    replaced by ones that are not.
    """
    model = _never_flat(deepcopy(model)).double().eval()
    names = {id(module): path for path, module in model.named_modules()}
    leaves: dict[str, Tensor] = {}
    reads: dict[str, Tensor] = {}

    def cut(module: nn.Module, args: tuple[Tensor, ...], output: Tensor) -> Tensor:
        path = names[id(module)]
        calls = sum(name.partition("#")[0] == path for name in reads)
        name = f"{path}#{calls + 1}" if calls else path
        reads[name] = args[0]
        leaves[name] = output.detach().requires_grad_()
        return leaves[name].clone()

    handles = [m.register_forward_hook(cut) for m in model.modules() if isinstance(m, LAYERS)]
    model(*inputs)
    for handle in handles:
        handle.remove()
    return {name: _reached(read, leaves) for name, read in reads.items()}


def _reached(read: Tensor, leaves: dict[str, Tensor]) -> dict[str, set[int]]:
    if not read.requires_grad:
        return {}
    total = (read * torch.randn_like(read)).sum()
    gradients = torch.autograd.grad(total, list(leaves.values()), allow_unused=True, retain_graph=True)
    found = {}
    for name, gradient in zip(leaves, gradients, strict=True):
        if gradient is not None:
            axis = 1 if gradient.dim() > 3 else gradient.dim() - 1
            others = [dim for dim in range(gradient.dim()) if dim != axis]
            channels = (gradient.abs().sum(others) > 0).nonzero().flatten().tolist()
            if channels:
                found[name] = set(channels)
    return found


def _never_flat(model: nn.Module) -> nn.Module:
    for module in list(model.modules()):
        for name, child in module.named_children():
            if isinstance(child, nn.ReLU | nn.LeakyReLU | nn.ReLU6):
                setattr(module, name, nn.LeakyReLU(0.5))
    return model


def by_trace(model: nn.Module, *inputs: Tensor) -> Intakes:
    flow = gradient_flow(trace(model, *inputs))
    names = [layer.name for layer in flow.layers]
    return {
        name: {names[i]: {c for low, high in where for c in range(low, high)} for i, where in intake.items()}
        for name, intake in zip(names, flow.intakes, strict=True)
    }


@pytest.mark.parametrize("name", CASES)
def test_reference_blocks(name) -> None:
    model = CASES[name].model
    assert by_trace(model, nets.image()) == by_autograd(model, nets.image().double())


@pytest.mark.parametrize("name", ["channels_last", "residual", "split", "transposed", "view_write", "shared"])
def test_edge_nets(name) -> None:
    net = next(net for net in EDGE_NETS if net.name == name)
    model, inputs = net.build(), net.inputs()
    expected = by_autograd(model, *(x.double() if x.is_floating_point() else x for x in inputs))
    if name == "shared":  # the hook knows the tied weight by the module that runs
        assert set(expected) == {"embed", "twice", "twice#2", "head"}
    assert by_trace(model, *inputs) == expected


@pytest.mark.parametrize("name", ["resnet50", "cspresnet50", "cspdarknet53", "seresnet50"])
def test_zoo(name) -> None:
    model, x = create(name), torch.rand(1, 3, 64, 64)
    assert by_trace(model, x) == by_autograd(model, x.double())


@pytest.mark.parametrize("fusion", ["csp", "first", "last"])
def test_partial_densenet(fusion) -> None:
    model = to_csp(create("densenet121", depths=(2, 3, 2, 2)), fusion=fusion).model
    x = torch.rand(1, 3, 64, 64)
    assert by_trace(model, x) == by_autograd(model, x.double())


def test_shuffled_channels(torchvision_models) -> None:
    model, x = torchvision_models.shufflenet_v2_x0_5(weights=None), torch.rand(1, 3, 64, 64)
    assert by_trace(model, x) == by_autograd(model, x.double())
