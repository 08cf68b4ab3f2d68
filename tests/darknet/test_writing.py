"""A network written and read again is the same network."""

from __future__ import annotations

import pytest
import torch
from darknet.samples import SAMPLES
from torch import nn

from cspanalyze import trace, zoo
from cspanalyze.darknet import build, cfg_text, plan_network, read_text, write_sections
from cspanalyze.errors import UsageError

NAMES = [name for name, entry in zoo.NETWORKS.items() if entry.family == "darknet_cfgs"]


def _again(text: str) -> nn.Module:
    with torch.device("meta"):
        return build(plan_network(read_text(text, "again.cfg"), "again.cfg")).eval()


@pytest.mark.parametrize("name", SAMPLES)
def test_samples(name: str) -> None:
    sections = read_text(SAMPLES[name], "a.cfg")
    network = build(plan_network(sections, "a.cfg"))
    text = cfg_text(network)
    assert read_text(text, "b.cfg") == sections
    assert cfg_text(_again(text)) == text
    assert text.endswith("\n")
    assert not text.endswith("\n\n")


@pytest.mark.parametrize("name", NAMES)
def test_built_in_networks(name: str) -> None:
    with torch.device("meta"):
        network = zoo.create(name).eval()
    again = _again(cfg_text(network))
    sizes = {key: tensor.shape for key, tensor in network.state_dict().items()}
    assert sizes == {key: tensor.shape for key, tensor in again.state_dict().items()}
    assert network.plan.layers == again.plan.layers


def test_the_graph_is_the_same() -> None:
    with torch.device("meta"):
        network = zoo.create("darknet/cspresnext50-panet-spp", side=64).eval()
    x = torch.empty(1, 3, 64, 64, device="meta")
    first, second = trace(network, x), trace(_again(cfg_text(network)), x)
    assert (first.ops, first.values, first.parameters) == (second.ops, second.values, second.parameters)


def test_weights_move_to_the_network_read_again() -> None:
    """Same names, same order of layers: the weights fit, and the outputs are the same."""
    torch.manual_seed(0)
    network = zoo.create("darknet/yolov3-tiny-prn", side=64).eval()
    again = build(plan_network(read_text(cfg_text(network), ""), "")).eval()
    again.load_state_dict(network.state_dict())
    x = torch.randn(1, 3, 64, 64)
    with torch.inference_mode():
        for ours, theirs in zip(network(x), again(x), strict=True):
            assert torch.equal(ours, theirs)


def test_other_networks_cannot_be_written() -> None:
    with pytest.raises(UsageError, match="ReLU is not made of Darknet layers"):
        cfg_text(nn.ReLU())


def test_changed_networks_cannot_be_written() -> None:
    network = build(plan_network(read_text(SAMPLES["plain"], ""), ""))
    network.stage1["0_convolutional"].act = nn.ReLU()
    with pytest.raises(UsageError, match=r"^stage1\.0_convolutional\.act is no longer as the network was built"):
        cfg_text(network)
    network = build(plan_network(read_text(SAMPLES["plain"], ""), ""))
    network.stage1["0_convolutional"].conv = nn.Conv2d(4, 6, 3, 2, 0, bias=False)
    with pytest.raises(UsageError, match=r"^stage1\.0_convolutional\.conv is"):
        cfg_text(network)


def test_sections_as_text() -> None:
    text = "[net]\ninputs=3\n\n[connected]\noutput=2\nactivation=relu\n"
    assert write_sections(read_text(text, "")) == text
