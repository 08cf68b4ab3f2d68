"""With weights copied over, the `paper` twin computes what the published CSP networks compute."""

from __future__ import annotations

from collections.abc import Iterator
from types import ModuleType

import pytest
import torch
from torch import Tensor, nn

from cspanalyze import zoo
from cspanalyze.csp import to_csp

PAIRS = [("resnet50", "cspresnet50"), ("resnext50_32x4d", "cspresnext50"), ("darknet53", "cspdarknet53")]


def _leaky(base: nn.Module) -> nn.Module:
    """The published CSP networks activate with a leaky ReLU where ResNet has a ReLU; nothing else may differ."""
    for module in list(base.modules()):
        for name, child in module.named_children():
            if isinstance(child, nn.ReLU):
                setattr(module, name, nn.LeakyReLU(0.01, inplace=True))
    return base


def _random_state(network: nn.Module) -> dict[str, Tensor]:
    """Seeded values for every tensor; no norm is the identity and nothing explodes."""
    generator = torch.Generator().manual_seed(0)
    state = {}
    for key, tensor in network.state_dict().items():
        if key.endswith("num_batches_tracked"):
            state[key] = torch.tensor(1)
        elif tensor.dim() > 1:
            state[key] = torch.randn(tensor.shape, generator=generator) * (2 / tensor[0].numel()) ** 0.5
        elif key.endswith(("bias", "running_mean")):
            state[key] = torch.randn(tensor.shape, generator=generator) * 0.1
        else:
            state[key] = torch.rand(tensor.shape, generator=generator) * 0.5 + 0.5
    return state


def _as_two_splits(state: dict[str, Tensor]) -> Iterator[Tensor]:
    """The tensors in order, with the one 1x1 that makes both parts in the published form taken apart into two."""
    merged: list[Tensor] = []
    for key, tensor in state.items():
        if ".conv_exp." in key:
            merged.append(tensor)
            continue
        for half in (0, 1) if merged else ():
            yield from (item.chunk(2)[half] if item.dim() else item for item in merged)
        merged = []
        yield tensor


def _check(base: nn.Module, published: nn.Module) -> None:
    state = _random_state(published)
    published.load_state_dict(state, assign=True)
    twin = to_csp(base, preset="paper").model.eval()
    tensors = list(_as_two_splits(state))
    assert len(tensors) == len(twin.state_dict())
    twin.load_state_dict(dict(zip(twin.state_dict(), tensors, strict=True)), assign=True)
    x = torch.randn(2, 3, 64, 64, generator=torch.Generator().manual_seed(1))
    with torch.inference_mode():
        expected = published.eval()(x)
        actual = twin(x)
    spread = expected.std().item()
    assert 0.01 < spread < 1e6
    assert (expected[0] - expected[1]).abs().max() > 1e-3 * spread
    torch.testing.assert_close(actual, expected, rtol=1e-4, atol=1e-5 * spread)


@pytest.mark.parametrize(("base", "published"), PAIRS)
def test_the_twin_of_ours_equals_our_published_form(base: str, published: str) -> None:
    with torch.device("meta"):
        nets = _leaky(zoo.create(base)), zoo.create(published)
    _check(*nets)


@pytest.mark.parametrize(("base", "published"), PAIRS)
def test_the_twin_of_timms_equals_timms_published_form(base: str, published: str, timm: ModuleType) -> None:
    options = {} if base == "darknet53" else {"act_layer": "leaky_relu"}
    with torch.device("meta"):
        nets = timm.create_model(base, **options), timm.create_model(published)
    _check(*nets)
