"""The same weights give the same outputs as in torchvision and timm."""

from __future__ import annotations

from collections.abc import Callable
from types import ModuleType
from typing import cast

import pytest
import torch
from torch import Tensor, nn

from cspanalyze import zoo

TORCHVISION = [
    *("densenet121", "densenet169", "densenet201"),
    *("resnet18", "resnet34", "resnet50", "resnet101", "resnet152", "resnext50_32x4d", "resnext101_32x8d"),
]
TIMM = {name: name for name in ("cspdarknet53", "cspresnet50", "cspresnext50", "darknet53", "seresnet50")}
TIMM |= {"vovnet39": "vovnet39a", "vovnet57": "vovnet57a"}


@pytest.fixture(autouse=True)
def _two_threads() -> None:
    torch.set_num_threads(2)


def _random_state(network: nn.Module) -> dict[str, Tensor]:
    """Seeded values for every tensor of a meta network, such that no norm is the identity and nothing explodes."""
    generator = torch.Generator().manual_seed(0)
    state = {}
    for key, tensor in network.state_dict().items():
        if key.endswith("num_batches_tracked"):
            state[key] = torch.tensor(1)
        elif tensor.dim() > 1:
            fan = tensor[0].numel()
            state[key] = torch.randn(tensor.shape, generator=generator) * (2 / fan) ** 0.5
        elif key.endswith(("bias", "running_mean")):
            state[key] = torch.randn(tensor.shape, generator=generator) * 0.1
        else:  # scale and running variance of a norm
            state[key] = torch.rand(tensor.shape, generator=generator) * 0.5 + 0.5
    return state


def _compare(name: str, build_peer: Callable[[], nn.Module]) -> tuple[nn.Module, nn.Module]:
    """Build both on meta (no time goes into initial weights), give both one state, compare the outputs."""
    with torch.device("meta"):
        ours, peer = zoo.create(name).eval(), build_peer().eval()
    assert sum(p.numel() for p in ours.parameters()) == sum(p.numel() for p in peer.parameters())
    state = _random_state(peer)
    peer.load_state_dict(state, strict=True, assign=True)
    ours.load_state_dict(peer.state_dict(), strict=True, assign=True)
    x = torch.randn(2, 3, 64, 64, generator=torch.Generator().manual_seed(1))
    with torch.inference_mode():
        expected = peer(x)
        actual = ours(x)
    # Outputs that overflow or do not vary would agree whatever the network does.
    assert 0.01 < expected.std() < 1e6
    assert (expected[0] - expected[1]).abs().max() > 1e-3 * expected.abs().max()
    torch.testing.assert_close(actual, expected, rtol=1e-4, atol=1e-5 * expected.std().item())
    return ours, peer


@pytest.mark.parametrize("name", TORCHVISION)
def test_torchvision(name: str, torchvision_models: ModuleType) -> None:
    ours, peer = _compare(name, lambda: torchvision_models.get_model(name, weights=None))
    # Here the last ReLU and pooling of a densenet are modules.
    extra = {"relu", "avgpool"} if name.startswith("densenet") else set()
    assert {path for path, _ in ours.named_modules()} == {path for path, _ in peer.named_modules()} | extra


@pytest.mark.parametrize("name", TIMM)
def test_timm(name: str, timm: ModuleType) -> None:
    _, peer = _compare(name, lambda: timm.create_model(TIMM[name], pretrained=False))
    defaults = cast(dict[str, object], peer.pretrained_cfg)
    assert cast(tuple[int, ...], defaults["input_size"]) == zoo.NETWORKS[name].input_size


def test_every_network_has_a_peer_but_those_without() -> None:
    own = {name for name, entry in zoo.NETWORKS.items() if entry.family != "darknet_cfgs"}
    without = {"densenet264", "densenet201-elastic", "hardnet68", "hardnet85", "cspdenseblock", "centernet-resnet18"}
    assert {*TORCHVISION, *TIMM, *without} == {name for name in own if not zoo.NETWORKS[name].reconstruction}
