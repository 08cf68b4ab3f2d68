"""timm and torchvision: by prefix, by bare name, without weights and without a network connection."""

from __future__ import annotations

import socket
from types import ModuleType

import pytest
import torch

from cspanalyze.errors import SourceError
from cspanalyze.pipeline import analyze
from cspanalyze.sources import Request, in_one_sentence, load
from cspanalyze.sources.torchvision import SOURCE as TORCHVISION
from cspanalyze.sources.torchvision_import import with_torchvision


@pytest.fixture(autouse=True)
def _offline(monkeypatch: pytest.MonkeyPatch, timm: ModuleType, torchvision_models: ModuleType) -> None:
    def refuse(*args: object, **kwargs: object) -> None:
        raise AssertionError("a source tried to reach the network")

    monkeypatch.setattr(socket, "create_connection", refuse)
    monkeypatch.setattr(socket.socket, "connect", refuse)


@pytest.mark.parametrize(
    ("name", "inputs"),
    [
        ("timm:resnet50", ("1x3x224x224:float32",)),
        ("timm:resnet50.a1_in1k", ("1x3x224x224:float32",)),
        ("timm:cspdarknet53", ("1x3x256x256:float32",)),
        ("torchvision:vgg16", ("1x3x224x224:float32",)),
        ("torchvision:inception_v3", ("1x3x299x299:float32",)),
        ("torchvision:fcn_resnet50", ("1x3x520x520:float32",)),
        ("torchvision:r3d_18", ("1x3x16x112x112:float32",)),
        ("torchvision:ssd300_vgg16", ("3x300x300:float32",)),
        ("torchvision:raft_small", ("1x3x512x512:float32", "1x3x512x512:float32")),
    ],
)
@pytest.mark.filterwarnings("ignore:The default weight initialization:FutureWarning")
def test_a_network_comes_with_its_own_input_size(name: str, inputs: tuple[str, ...]) -> None:
    loaded = load(name)
    assert loaded.inputs == inputs
    assert not loaded.guessed
    assert all(parameter.is_meta for parameter in loaded.model.parameters())


def test_a_detector_takes_a_list_of_images() -> None:
    loaded = load(Request("torchvision:fcos_resnet50_fpn", batch=2))
    assert len(loaded.args) == 1
    assert [tuple(image.shape) for image in loaded.args[0]] == [(3, 800, 800)] * 2


def test_arguments_change_the_default_input() -> None:
    assert load(Request("timm:resnet18", {"in_chans": 1})).inputs == ("1x1x224x224:float32",)
    assert load(Request("timm:vit_tiny_patch16_224", {"img_size": 256})).inputs == ("1x3x256x256:float32",)


def test_a_bare_name_says_which_source_served_it() -> None:
    loaded = load("resnet26")
    assert loaded.source == "timm"
    assert loaded.notes == ("resnet26 is not built in: this is timm:resnet26",)
    assert load("squeezenet1_0").notes == ("squeezenet1_0 is not built in: this is torchvision:squeezenet1_0",)


def test_a_built_in_name_stays_built_in() -> None:
    assert load("resnet50").source == "built in"


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("resnet5", "did you mean resnet50"),
        ("timm:resnet5", "did you mean resnet50"),
        ("torchvision:resnt50", "did you mean resnet50"),
        ("timm:hf-hub:someone/something", "has no network"),
    ],
)
def test_wrong_names(name: str, sentence: str) -> None:
    with pytest.raises(SourceError, match=sentence):
        load(name)


def test_weights_are_refused() -> None:
    with pytest.raises(SourceError, match="no weights are ever downloaded"):
        load(Request("timm:resnet18", {"pretrained": True}))
    with pytest.raises(SourceError, match="no weights are ever downloaded"):
        load(Request("torchvision:resnet18", {"weights": "DEFAULT"}))


def test_every_listed_network_of_torchvision_has_an_input_size() -> None:
    assert TORCHVISION.listing is not None
    sizes = {TORCHVISION.listing(name).input_size for name in TORCHVISION.names()}
    assert {"3x224x224", "3x299x299", "3x16x112x112", "3x800x800", "3x512x512"} <= sizes


def test_other_failures_of_an_import_are_passed_on() -> None:
    calls = []

    def failing() -> None:
        calls.append(1)
        raise RuntimeError("something else")

    with pytest.raises(RuntimeError, match="something else"):
        with_torchvision(failing)
    assert calls == [1]


@pytest.mark.parametrize(
    "name", ["googlenet", "inception_v3", "fcn_resnet50", "vit_h_14", "quantized_resnet18", "raft_small", "swin3d_t"]
)
def test_a_network_is_the_one_that_torchvision_publishes(torchvision_models: ModuleType, name: str) -> None:
    """Auxiliary heads, image sizes and frozen norms are in the weights' hands in torchvision."""
    meta = torchvision_models.get_model_weights(name).DEFAULT.meta
    report = analyze(f"torchvision:{name}", metrics=["macs", "params"])
    assert report.result("params").total == meta["num_params"]
    assert round((report.result("macs").total or 0) / 1e9, 3) == meta["_ops"]


def test_arguments_make_another_network_than_the_published_one() -> None:
    loaded = load(Request("torchvision:fcn_resnet50", {"num_classes": 3}))
    assert "built with arguments of its own" in loaded.notes[0]
    assert load(Request("torchvision:alexnet")).notes == ()


def test_loading_weights_works_again_afterwards(torchvision_models: ModuleType) -> None:
    before = torch.nn.Module.load_state_dict, torchvision_models.WeightsEnum.get_state_dict
    load("torchvision:resnet18")
    with pytest.raises(SourceError):
        load(Request("torchvision:resnet18", {"nosuch": 1}))
    assert before == (torch.nn.Module.load_state_dict, torchvision_models.WeightsEnum.get_state_dict)
    linear = torch.nn.Linear(2, 2)
    linear.load_state_dict({"weight": torch.ones(2, 2), "bias": torch.ones(2)})
    assert float(linear.weight.sum().detach()) == 4


@pytest.mark.filterwarnings("ignore::UserWarning", "ignore::DeprecationWarning")
def test_quantised_operators_without_a_formula_are_named() -> None:
    report = analyze(Request("torchvision:quantized_mobilenet_v2", {"quantize": True}), metrics=["macs"])
    assert "quantized.conv2d" in [gap.op for gap in report.result("macs").uncovered]


def test_long_messages_become_one_sentence() -> None:
    said = in_one_sentence(
        "Could not run 'a::b' with arguments from the 'C' backend. This could be because " + 200 * "x "
    )
    assert said == "Could not run 'a::b' with arguments from the 'C' backend"
    assert (
        in_one_sentence("Wrong height! Expected 224 but got 518!\nsecond") == "Wrong height! Expected 224 but got 518!"
    )
    assert len(in_one_sentence("x" * 1000)) == 300
