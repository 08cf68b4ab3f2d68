"""The caller's model, and torch itself, are exactly as before: also when the forward raises in the middle."""

from __future__ import annotations

import copy
import random

import pytest
import torch
from edge_nets import EDGE_NETS, Caching
from torch import nn
from torch.nn.modules import module as module_hooks

from cspanalyze import trace
from cspanalyze.errors import TraceError


def state(model: nn.Module) -> dict:
    return {
        "tensors": {key: (id(t), t._version, t.clone()) for key, t in model.state_dict(keep_vars=True).items()},
        "attributes": {
            path: {key: (id(value), copy.copy(value)) for key, value in vars(m).items()}
            for path, m in model.named_modules()
        },
        "flags": [m.training for m in model.modules()],
        "devices": [p.device for p in model.parameters()],
        "gradients": [(p.requires_grad, p.grad) for p in model.parameters()],
        "rng": torch.get_rng_state(),
        "python": random.getstate(),
        "hooks": (len(module_hooks._global_forward_hooks), len(module_hooks._global_forward_pre_hooks)),
        "modes": (
            torch.is_grad_enabled(),
            torch.is_inference_mode_enabled(),
            torch.get_default_dtype(),
            torch.get_default_device(),
            len(torch.utils._python_dispatch._get_current_dispatch_mode_stack()),
            len(torch.overrides._get_current_function_mode_stack()),
        ),
    }


def assert_same(before: dict, after: dict) -> None:
    assert before["tensors"].keys() == after["tensors"].keys()
    for key, (identity, version, tensor) in before["tensors"].items():
        assert (identity, version) == after["tensors"][key][:2], key
        assert torch.equal(tensor, after["tensors"][key][2]), key
    for path, attributes in before["attributes"].items():
        assert list(attributes) == list(after["attributes"][path]), path
        for key, (identity, value) in attributes.items():
            assert identity == after["attributes"][path][key][0], (path, key)
            if isinstance(value, (list, set, int, float, str)):
                assert value == after["attributes"][path][key][1], (path, key)
    assert torch.equal(before["rng"], after["rng"])
    for key in ("flags", "devices", "gradients", "python", "hooks", "modes"):
        assert before[key] == after[key], key


@pytest.mark.parametrize("backward", [False, True], ids=["forward", "step"])
@pytest.mark.parametrize("mode", ["eval", "train"])
@pytest.mark.parametrize("net", EDGE_NETS, ids=lambda net: net.name)
def test_edge_nets(net, mode, backward) -> None:
    model, inputs = net.build(), net.inputs()
    list(model.modules())[-1].training = False  # a mixture of flags, as after freezing a part
    before = state(model)
    trace(model, *inputs, mode=mode, backward=backward)
    assert_same(before, state(model))


@pytest.mark.parametrize("real", [False, True], ids=["meta", "real"])
@pytest.mark.parametrize("net", EDGE_NETS, ids=lambda net: net.name)
def test_a_training_step_between_the_callers_own(net, real) -> None:
    """Gradients that the caller has accumulated, hooks on parameters and a pending backward pass stay as they are."""
    model, inputs = net.build(), net.inputs()
    fired: list[int] = []
    own = []
    for index, parameter in enumerate(model.parameters()):
        parameter.grad = torch.full_like(parameter, index)
        parameter.register_hook(lambda _, index=index: fired.append(index))
        own.append((parameter.grad, parameter.grad.clone()))
    pending = sum((parameter.square().sum() for parameter in model.parameters()), torch.zeros(()))
    before = state(model)
    trace(model, *inputs, mode="train", backward=True, real=real)
    assert_same(before, state(model))
    assert not fired
    for parameter, (gradient, content) in zip(model.parameters(), own, strict=True):
        assert parameter.grad is gradient
        assert torch.equal(gradient, content)
    if own:
        pending.backward()


def test_a_training_step_inside_inference_mode() -> None:
    model = nn.Sequential(nn.Conv2d(3, 3, 1), nn.BatchNorm2d(3), nn.Conv2d(3, 3, 1))
    with torch.inference_mode():
        graph = trace(model, torch.rand(2, 3, 4, 4), mode="train", backward=True)
        assert torch.is_inference_mode_enabled()
    assert sum(op.name == "convolution_backward" for op in graph.ops) == 2


REAL = (
    "resnet18 resnet50 seresnet50 densenet121 darknet53 cspresnet50 vit_tiny_patch16_224 convnext_atto "
    "efficientnet_b0 mobilenetv3_small_100 hrnet_w18_small regnety_002 ghostnet_100 levit_128s xcit_nano_12_p16_224 "
    "mobilevit_xxs nf_resnet26 res2net50_14w_8s dla46_c selecsls42"
)


@pytest.mark.parametrize("name", REAL.split())
def test_real_networks(timm, name) -> None:
    model = timm.create_model(name)
    size = model.pretrained_cfg["input_size"]
    before = state(model)
    trace(model, torch.empty(1, *size, device="meta"))
    trace(model, torch.empty(2, *size, device="meta"), mode="train", backward=True)
    assert_same(before, state(model))


@pytest.mark.parametrize("backward", [False, True], ids=["forward", "step"])
def test_a_raising_forward(backward) -> None:
    class Raises(Caching):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            super().forward(x)
            torch.rand(3)
            random.random()
            raise ValueError("in the middle")

    model = nn.Sequential(nn.Conv2d(3, 3, 1), Raises())
    x = torch.rand(1, 3, 4, 4)
    before = state(model)
    with pytest.raises(TraceError, match="failed in 1: ValueError: in the middle"):
        trace(model, x, backward=backward)
    assert_same(before, state(model))
    assert model[1].log == []


def test_gradients_still_flow_afterwards() -> None:
    model = nn.Sequential(nn.Conv2d(3, 3, 1), nn.ReLU(inplace=True), nn.Conv2d(3, 3, 1))
    trace(model, torch.rand(1, 3, 4, 4))
    model(torch.rand(1, 3, 4, 4)).sum().backward()
    assert all(p.grad is not None for p in model.parameters())
