"""The networks of the zoo that are made of Darknet layers."""

from __future__ import annotations

from dataclasses import FrozenInstanceError

import pytest
import torch

from cspanalyze import zoo
from cspanalyze.darknet import plan_network
from cspanalyze.zoo.darknet_programs import sections

ENTRIES = [entry for entry in zoo.NETWORKS.values() if entry.family == "darknet_cfgs"]


@pytest.mark.parametrize("entry", ENTRIES, ids=lambda entry: entry.name)
def test_entry_is_frozen_and_says_where_it_comes_from(entry: zoo.Entry) -> None:
    hash(entry)
    with pytest.raises(FrozenInstanceError):
        entry.config.num_classes = 10
    assert "arXiv" in entry.source
    assert "\n" not in entry.source + entry.note
    assert entry.input_size == (3, entry.config.side, entry.config.side)


@pytest.mark.parametrize("entry", ENTRIES, ids=lambda entry: entry.name)
def test_options(entry: zoo.Entry) -> None:
    """Another number of classes, another image size, another activation."""
    with torch.device("meta"):
        network = zoo.create(entry.name, num_classes=10, side=64, activation="mish").eval()
        out = network(torch.empty(2, *network.input_shape[1:]))
    assert network.input_shape == (1, 3, 64, 64)
    written = {section.find("activation").value for section in network.plan.sections if section.find("activation")}
    assert "mish" in written
    assert not written & {"leaky", "relu", "swish"}
    if isinstance(out, torch.Tensor):
        assert out.shape == (2, 10)
    else:
        assert {tuple(map.shape[:2]) for map in out} == {(2, 3 * (10 + 5))}


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        ({"num_classes": 0}, "num_classes must be at least 1"),
        ({"side": 0}, "side must be at least 1"),
        ({"activation": "sine"}, "activation must be one of leaky, mish, swish, relu"),
        ({"width": 2}, "has no option width; its options are .*num_classes"),
    ],
)
def test_impossible_configs_are_refused(overrides: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        zoo.create("darknet/cspresnet50", **overrides)


def test_probabilities_sum_to_one() -> None:
    torch.manual_seed(0)
    network = zoo.create("darknet/darknet-ref", side=64).eval()
    with torch.inference_mode():
        torch.testing.assert_close(network(torch.randn(2, 3, 64, 64)).sum(1), torch.ones(2))


@pytest.mark.parametrize(
    ("name", "layer", "shape"),
    [
        # The positions are those that the published files write out in their routes.
        ("cspresnext50-panet-spp", 65, "1024x38x38"),
        ("cspresnext50-panet-spp", 38, "512x76x76"),
        ("cspdarknet53m-panet-spp", 85, "512x38x38"),
        ("cspdarknet53s-panet-spp", 48, "256x76x76"),
        ("cspdarknet53-yolo-spp", 54, "256x76x76"),
        ("yolov3-spp", 61, "512x38x38"),
    ],
)
def test_necks_read_the_layers_that_the_files_name(name: str, layer: int, shape: str) -> None:
    plan = plan_network(sections(zoo.NETWORKS[f"darknet/{name}"].config), name)
    assert str(plan.layers[layer].shape) == shape
    assert [other.title for other in plan.layers[layer + 2 :] if layer in other.reads] == ["route"]
