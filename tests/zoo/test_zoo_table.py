"""The table of networks and `create`."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import FrozenInstanceError, fields

import pytest
import torch

from cspanalyze import zoo
from cspanalyze.zoo.tables import ROWS

OWN = [name for name, entry in zoo.NETWORKS.items() if entry.family != "darknet_cfgs"]
"""Those written as torch modules; those of Darknet layers have their tests in tests/darknet and test_zoo_pelee."""

DETECTORS = ("centernet-resnet18", "snet49-thundernet")


def test_names_are_unique_and_sorted() -> None:
    assert len(ROWS) == len(zoo.NETWORKS)
    assert list(zoo.names()) == sorted(zoo.NETWORKS)
    assert all(entry.name == name for name, entry in zoo.NETWORKS.items())


def test_networks_cannot_be_changed() -> None:
    with pytest.raises(TypeError):
        zoo.NETWORKS["resnet18"] = zoo.NETWORKS["resnet50"]  # type: ignore[index]


@pytest.mark.parametrize("name", OWN)
def test_entry_is_frozen_and_says_where_it_comes_from(name: str) -> None:
    entry = zoo.NETWORKS[name]
    hash(entry)
    with pytest.raises(FrozenInstanceError):
        entry.note = ""  # type: ignore[misc]
    with pytest.raises(FrozenInstanceError):
        setattr(entry.config, fields(entry.config)[0].name, 10)
    assert "arXiv" in entry.source
    assert "\n" not in entry.source + entry.note
    if name not in DETECTORS and name != "cspdenseblock":
        side = 256 if entry.family in ("cspnet", "darknet") else 224
        assert entry.input_size == (3, side, side)


def test_importing_the_zoo_does_not_import_torch() -> None:
    program = "import sys, cspanalyze.zoo as z; z.NETWORKS, z.names(); sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0


@pytest.mark.parametrize("name", [name for name in OWN if name not in (*DETECTORS, "cspdenseblock")])
def test_num_classes_can_be_overridden(name: str) -> None:
    with torch.device("meta"):
        network = zoo.create(name, num_classes=10)
        assert network(torch.empty(2, *zoo.NETWORKS[name].input_size)).shape == (2, 10)


def test_unknown_name_is_a_key_error() -> None:
    with pytest.raises(KeyError, match="resnet51"):
        zoo.create("resnet51")


@pytest.mark.parametrize("name", ["cspdarknet53", "darknet53", "densenet121", "resnet18"])
def test_unknown_override_lists_the_fields(name: str) -> None:
    with pytest.raises(ValueError, match=rf"^{name} has no option width; its options are .*num_classes"):
        zoo.create(name, width=2)


@pytest.mark.parametrize(
    ("name", "overrides", "message"),
    [
        ("resnet50", {"num_classes": 0}, "num_classes must be at least 1"),
        ("densenet121", {"num_classes": 0}, "num_classes must be at least 1"),
        ("darknet53", {"num_classes": 0}, "num_classes must be at least 1"),
        ("cspresnet50", {"num_classes": 0}, "num_classes must be at least 1"),
        ("resnet50", {"depths": (3, 4, 6)}, "depths must have four numbers"),
        ("resnet50", {"block": "wide"}, "block must be"),
        ("resnet18", {"groups": 32}, "a basic block has no groups"),
        ("darknet53", {"depths": (1, 2)}, "2 depths but 5 widths"),
        ("cspresnet50", {"stem": "vgg"}, "stem must be"),
        ("cspresnet50", {"block": "basic"}, "block must be"),
        ("cspdarknet53", {"groups": 2}, "a dark block has no groups"),
        ("densenet121", {"gamma": 1.0}, "gamma is the share of channels that bypasses"),
        ("vovnet39", {"blocks": (1, 1)}, "as many numbers as there are stages"),
        ("hardnet68", {"depths": (8, 16)}, "as many numbers as there are blocks"),
        ("csppeleenet", {"gamma": 0.3}, "gamma must be 0.25, 0.5 or 0.75"),
        ("csppeleenet", {"fusion": "both"}, "fusion must be csp, first or last"),
        ("cspdenseblock", {"channels": 5}, "channels must be even"),
    ],
)
def test_impossible_configs_are_refused(name: str, overrides: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        zoo.create(name, **overrides)


@pytest.mark.parametrize(
    ("name", "key", "fan"),
    [
        ("resnet50", "layer2.0.conv1.weight", 128),  # 256 -> 128, 1x1: fan out
        ("densenet121", "features.denseblock1.denselayer6.conv1.weight", 224),  # 224 -> 128, 1x1: fan in
        ("densenet121", "features.denseblock1.denselayer2.conv2.weight", 128 * 9),  # 128 -> 32, 3x3: fan in
        ("darknet53", "stages.1.conv_down.conv.weight", 128 * 9),  # 64 -> 128, 3x3: fan out
        ("cspresnet50", "stages.0.conv_exp.conv.weight", 256),  # 64 -> 256, 1x1: fan out
    ],
)
def test_initial_weights_follow_he(name: str, key: str, fan: int) -> None:
    """Normal with standard deviation sqrt(2 / fan): 16,384 draws or more estimate it within 3 % at 5 sigma."""
    torch.manual_seed(0)
    weight = zoo.create(name).state_dict()[key]
    assert weight.numel() >= 16_384
    assert weight.std().item() == pytest.approx((2 / fan) ** 0.5, rel=0.03)
    assert weight.abs().max() > 3 * weight.std()  # a uniform distribution ends at 1.73


@pytest.mark.parametrize("name", ["cspresnet50", "darknet53", "densenet121", "resnet18"])
def test_meta_parameters_are_not_initialised(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("initial weights drawn on the meta device")

    monkeypatch.setattr(torch.nn.init, "kaiming_normal_", refuse)
    with torch.device("meta"):
        zoo.create(name)
