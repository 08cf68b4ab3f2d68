"""What the transform refuses, and how it says so."""

from __future__ import annotations

from collections.abc import Callable
from types import ModuleType
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from cspanalyze import zoo
from cspanalyze.csp import register_csp_adapter, to_csp
from cspanalyze.errors import CspError


def _resnet10() -> nn.Module:
    with torch.device("meta"):
        return zoo.create("resnet18", depths=(1, 1, 1, 1))


@pytest.mark.parametrize("gamma", [0, 1, 2, -1, float("nan"), "a", "0.5", None])
def test_gamma(gamma: Any, meta_zoo: Callable[[str], nn.Module]) -> None:
    with pytest.raises(CspError, match="need 0 < gamma < 1, got"):
        to_csp(meta_zoo("resnet18"), gamma=gamma)


@pytest.mark.parametrize(
    ("option", "message"),
    [
        ({"fusion": "late"}, "unknown fusion 'late'; choose one of csp, first, last"),
        ({"preset": "mine"}, "unknown preset 'mine'; choose one of auto, paper, dropin, densenet"),
        ({"inner": "half"}, "unknown inner 'half'; choose one of keep, scale"),
        ({"init": "zero"}, "unknown init 'zero'; choose one of reset, slice"),
        (
            {"stages": ["layer9"]},
            "there is no stage 'layer9'; the stages are 1 = layer1, 2 = layer2, 3 = layer3, 4 = la",
        ),
        ({"stages": [0]}, "there is no stage 0; the stages are 1 = layer1"),
        ({"stages": [5]}, "there is no stage 5"),
        ({"stages": []}, "no stage can be made partial: not selected"),
        (
            {"preset": "densenet"},
            r"preset densenet does not fit stage layer1 \(resnet\); choose one of auto, paper, dr",
        ),
    ],
)
def test_words(option: dict[str, Any], message: str, meta_zoo: Callable[[str], nn.Module]) -> None:
    with pytest.raises(CspError, match=message):
        to_csp(meta_zoo("resnet18"), **option)


def test_paper_on_a_densenet(meta_zoo: Callable[[str], nn.Module]) -> None:
    with pytest.raises(CspError, match=r"preset paper does not fit stage features.denseblock1 \(densenet\)"):
        to_csp(meta_zoo("densenet121"), preset="paper")


@pytest.mark.parametrize("name", ["alexnet", "vit_b_16", "swin_t"])
def test_networks_without_stages(name: str, torchvision_models: ModuleType) -> None:
    with torch.device("meta"):
        model = getattr(torchvision_models, name)()
    with pytest.raises(CspError, match="no staged convolution chain found; CSP splits the channels of N,C,H,W maps"):
        to_csp(model)


@pytest.mark.parametrize("name", ["cspresnet50", "cspdarknet53"])
def test_a_network_that_is_partial_already(name: str, meta_zoo: Callable[[str], nn.Module]) -> None:
    with pytest.raises(CspError, match="cross stage partial already"):
        to_csp(meta_zoo(name))


@pytest.mark.parametrize("name", ["resnet50", "darknet53", "densenet121"])
def test_a_twin_has_no_twin(name: str, meta_zoo: Callable[[str], nn.Module]) -> None:
    with pytest.raises(CspError, match="cross stage partial already"):
        to_csp(to_csp(meta_zoo(name)).model)


@pytest.mark.parametrize("preset", ["auto", "paper", "dropin"])
def test_stages_of_one_block(preset: Any) -> None:
    with pytest.raises(CspError, match="stage layer1 has only its entry block, nothing remains to make partial; st"):
        to_csp(_resnet10(), preset=preset)


@pytest.mark.parametrize("preset", ["paper", "dropin"])
def test_a_stage_of_one_block_among_others_is_skipped(preset: Any) -> None:
    model = zoo.create("resnet50", depths=(2, 1, 2, 1), num_classes=7)
    twin = to_csp(model, preset=preset)
    assert [bool(change.skipped) for change in twin.changes] == [False, True, False, True]
    assert "layer2 has only its entry block" in twin.changes[1].skipped
    assert twin.changes[1].gamma_effective is None
    assert twin.model(torch.randn(2, 3, 64, 64)).shape == (2, 7)


class Pyramid(nn.Module):
    """A ResNet whose last two stages are both read."""

    def __init__(self, trunk: Any) -> None:
        super().__init__()
        self.trunk = trunk
        self.lateral = nn.Conv2d(256, 8, 1)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        net: Any = self.trunk
        x = net.layer2(net.layer1(net.maxpool(net.relu(net.bn1(net.conv1(x))))))
        third = net.layer3(x)
        return self.lateral(third), net.fc(net.avgpool(net.layer4(third)).flatten(1))


class Added(Pyramid):
    """A ResNet in which a stage's output is used by a function beside the next stage."""

    def forward(self, x: Tensor) -> Tensor:  # type: ignore[override]
        net: Any = self.trunk
        x = net.layer2(net.layer1(net.maxpool(net.relu(net.bn1(net.conv1(x))))))
        third = net.layer3(x)
        logits: Tensor = net.fc(net.avgpool(net.layer4(third)).flatten(1))
        return logits + torch.amax(third)


@pytest.mark.parametrize(
    ("network", "reader"),
    [(Pyramid, "read by stage 4, lateral, not"), (Added, "read by stage 4, the function amax, not")],
)
def test_paper_is_refused_where_a_stage_has_other_readers(
    network: type[Pyramid], reader: str, meta_zoo: Callable[[str], nn.Module]
) -> None:
    with torch.device("meta"):
        model = network(meta_zoo("resnet18"))
    with pytest.raises(CspError, match=f"preset paper does not fit: the output of stage trunk.layer3 is {reader}"):
        to_csp(model, preset="paper")
    twin = to_csp(model)
    assert {change.preset for change in twin.changes} == {"dropin"}
    assert "the output of stage trunk.layer3" in twin.notes[0]
    chosen = to_csp(model, preset="paper", stages=["trunk.layer1"])  # its own output has one reader
    assert [bool(change.skipped) for change in chosen.changes] == [False, True, True, True]


def test_paper_is_refused_for_feature_extractors(timm: ModuleType, torchvision_models: ModuleType) -> None:
    from torchvision.models._utils import IntermediateLayerGetter

    with torch.device("meta"):
        getter = IntermediateLayerGetter(torchvision_models.resnet18(), {"layer2": "a", "layer4": "b"})
        features = timm.create_model("resnet18", features_only=True)
    for model in (getter, features):
        with pytest.raises(CspError, match=r"preset paper does not fit: .* is read by .*the caller of the model"):
            to_csp(model, preset="paper")
        assert to_csp(model).changes[1].preset == "dropin"


def test_paper_is_refused_where_a_hook_reads_a_stage(meta_zoo: Callable[[str], nn.Module]) -> None:
    model = meta_zoo("resnet18")
    model.get_submodule("layer2").register_forward_hook(lambda *_: None)
    with pytest.raises(CspError, match="the output of stage layer2 is read by stage 3, a forward hook"):
        to_csp(model, preset="paper")


def test_paper_is_refused_where_the_network_does_not_run(meta_zoo: Callable[[str], nn.Module]) -> None:
    model = meta_zoo("resnet18")
    model.fc = nn.Linear(100, 10, device="meta")
    with pytest.raises(CspError, match=r"could not be found out \(a Linear for 100 channels is given 512"):
        to_csp(model, preset="paper")


class Constant(nn.Module):
    """Takes its result apart by widths that are attributes, which no narrowing of layers changes."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.sizes = [channels - 16, 16]
        self.conv1 = nn.Conv2d(channels, channels, 3, padding=1)
        self.conv2 = nn.Conv2d(channels, channels, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        one, other = torch.split(self.conv2(torch.relu(self.conv1(x))), self.sizes, 1)
        return x + torch.cat((other, one), 1)


def _custom() -> nn.Module:
    torch.manual_seed(0)
    down = nn.Sequential(nn.Conv2d(3, 64, 3, 2, 1), nn.ReLU())
    return nn.Sequential(nn.Sequential(down, Constant(64), Constant(64)), nn.AdaptiveAvgPool2d(1), nn.Flatten())


def test_blocks_that_cannot_be_narrowed_need_an_adapter() -> None:
    with pytest.raises(
        CspError, match=r"stage 0: a Constant block cannot be narrowed to 32 channels .*register_csp_ad"
    ):
        to_csp(_custom(), preset="dropin")

    def narrow(block: nn.Module, old: int, new: int) -> nn.Module:
        assert isinstance(block, Constant)
        assert (old, new) == (64, 32)
        return Constant(new)

    register_csp_adapter(Constant, narrow)
    twin = to_csp(_custom(), preset="dropin").model
    assert twin(torch.randn(1, 3, 32, 32)).shape == (1, 64)


def test_a_block_that_runs_twice_is_left_alone() -> None:
    model = zoo.create("resnet50", depths=(2, 3, 2, 2), num_classes=3)
    layer = model.get_submodule("layer2")
    assert isinstance(layer, nn.Sequential)
    layer[2] = layer[1]
    twin = to_csp(model, preset="dropin")
    assert twin.changes[1].skipped
    assert not twin.changes[2].skipped


def test_regnets_are_no_resnets_for_auto(timm: ModuleType) -> None:
    with torch.device("meta"):
        model = timm.create_model("regnetx_002")
    assert {change.preset for change in to_csp(model).changes} == {"dropin"}
    with pytest.raises(CspError, match="stage s3 would have 56 channels, no multiple of its 19 groups; choose dropin"):
        to_csp(model, preset="paper")


def test_auto_falls_back_where_widths_do_not_fit_the_groups(meta_zoo: Callable[..., nn.Module]) -> None:
    model = meta_zoo("resnext50_32x4d", groups=24)
    assert to_csp(model).changes[0].preset == "paper"  # theta is 2 · 96 / 256: 192 channels leave stage 1
    twin = to_csp(model, fusion="last")  # all 256 leave it
    assert {change.preset for change in twin.changes} == {"dropin"}
    reason = "the strided convolution of stage layer2 would have 256 channels, no multiple of its 24 groups"
    assert twin.notes == (f"preset paper does not fit: {reason}",)
