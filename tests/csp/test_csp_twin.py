"""The twin as a module: it runs, it learns, it is like its original, and the original is as it was."""

from __future__ import annotations

import copy
import random
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import nn

from cspanalyze.csp import CSPStage, to_csp

Small = Callable[[str], Any]

FAMILIES = ["resnet18", "resnet50", "seresnet50", "resnext50_32x4d", "darknet53", "densenet121"]
CHOICES = [
    *((name, preset) for name in FAMILIES[:-1] for preset in ("paper", "dropin")),
    ("densenet121", "densenet"),
]


def _image(seed: int = 1) -> torch.Tensor:
    return torch.randn(2, 3, 64, 64, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("fusion", ["csp", "first", "last"])
@pytest.mark.parametrize(("name", "preset"), CHOICES)
def test_every_parameter_gets_a_gradient(name: str, preset: Any, fusion: Any, small: Small) -> None:
    twin = to_csp(small(name), preset=preset, fusion=fusion).model
    logits = twin(_image())
    assert logits.shape == (2, 10)
    (logits * torch.randn(2, 10, generator=torch.Generator().manual_seed(2))).sum().backward()
    for path, parameter in twin.named_parameters():
        assert parameter.grad is not None, path
        assert parameter.grad.isfinite().all(), path
        assert parameter.grad.abs().sum() > 0, path


@pytest.mark.parametrize(
    ("gamma", "inner", "init"), [(0.01, "keep", "slice"), (0.3, "scale", "slice"), (0.99, "scale", "reset")]
)
@pytest.mark.parametrize("name", FAMILIES)
def test_any_gamma_runs(name: str, gamma: float, inner: Any, init: Any, small: Small) -> None:
    twin = to_csp(small(name), gamma=gamma, inner=inner, init=init)
    assert twin.model.eval()(_image()).shape == (2, 10)
    assert all(change.gamma == gamma and not change.skipped for change in twin.changes)


def test_the_stage_says_what_it_is(small: Small) -> None:
    twin = to_csp(small("resnet50"), gamma=0.3, preset="dropin", fusion="first")
    stage = twin.model.get_submodule("layer2")
    assert isinstance(stage, CSPStage)
    assert (stage.gamma, stage.fusion, stage.preset) == (0.3, "first", "dropin")
    assert (stage.c1, stage.c2) == (152, 360)  # 512 · .7 / 8 = 44.8 -> 45 steps
    assert stage.gamma_effective == 152 / 512
    assert stage.source_names == ("layer2.0", "layer2.1")
    assert type(stage.down) is type(small("resnet50").get_submodule("layer2.0"))
    absent = ("part1", "part2_in", "transition1")
    assert all(isinstance(stage.get_submodule(name), nn.Identity) for name in absent)
    assert [name for name, _ in stage.part2.named_children()] == ["0"]
    change = twin.changes[1]
    assert (change.stage, change.bypass_channels, change.block_channels) == ("layer2", 152, 360)
    assert change.gamma_effective == stage.gamma_effective
    assert "c1=152" in repr(stage)


def test_the_forward_pass_is_the_papers_equation(small: Small) -> None:
    stage = to_csp(small("darknet53"), preset="dropin").model.eval().get_submodule("stages.1")
    assert isinstance(stage, CSPStage)
    x = torch.randn(1, 64, 16, 16)
    with torch.no_grad():
        first, second = stage.down(x).split((stage.c1, stage.c2), dim=1)
        expected = stage.transition2(torch.cat((first, stage.transition1(stage.part2(second))), 1))
        torch.testing.assert_close(stage(x), expected)


@pytest.mark.parametrize("preset", ["paper", "dropin"])
def test_the_original_is_left_alone(preset: Any, small: Small) -> None:
    model = small("resnet18").train()
    model.get_submodule("layer1").eval()
    model.get_submodule("bn1").requires_grad_(False)
    ran: list[str] = []
    model.get_submodule("layer2.1").register_forward_hook(lambda *_: ran.append("ran"))
    before = copy.deepcopy(model)
    torch.manual_seed(5)
    random.seed(5)
    state = (torch.get_rng_state(), random.getstate())
    twin = to_csp(model, preset=preset).model
    assert torch.equal(torch.get_rng_state(), state[0])
    assert random.getstate() == state[1]
    assert not ran
    assert list(model.state_dict()) == list(before.state_dict())
    for one, other in zip(model.state_dict().values(), before.state_dict().values(), strict=True):
        assert torch.equal(one, other)
    for one, other in zip(model.modules(), before.modules(), strict=True):
        assert type(one) is type(other)
        assert one.training == other.training
        assert len(one._forward_hooks) == len(other._forward_hooks)
        assert not one._forward_pre_hooks
        assert "forward" not in vars(one)
    shared = {tensor.data_ptr() for tensor in model.state_dict().values()}
    assert all(tensor.data_ptr() not in shared for tensor in twin.state_dict().values())


def test_new_modules_take_after_the_old(small: Small) -> None:
    model = small("resnet50").double().eval().requires_grad_(False)
    for preset in ("paper", "dropin"):
        twin = to_csp(model, preset=preset).model
        assert not any(module.training for module in twin.modules())
        assert {tensor.dtype for tensor in twin.state_dict().values()} == {torch.float64, torch.int64}
        norm = twin.get_submodule("layer1.transition1.norm")
        assert isinstance(norm, nn.BatchNorm2d)
    model.train().requires_grad_(True)
    assert all(module.training for module in to_csp(model).model.modules())


def test_transitions_copy_the_settings_of_the_norm_and_the_activation(small: Small) -> None:
    model = small("resnet18")
    for module in list(model.modules()):
        if isinstance(module, nn.BatchNorm2d):
            module.eps, module.momentum = 0.5, 0.25
        for name, child in module.named_children():
            if isinstance(child, nn.ReLU):
                setattr(module, name, nn.LeakyReLU(0.3))
    unit = to_csp(model).model.get_submodule("layer2.transition2")
    norm, act = unit.get_submodule("norm"), unit.get_submodule("act")
    assert isinstance(norm, nn.BatchNorm2d)
    assert (norm.eps, norm.momentum) == (0.5, 0.25)
    assert isinstance(act, nn.LeakyReLU)
    assert act.negative_slope == 0.3


def test_a_network_without_norms_gets_biases(small: Small) -> None:
    model = small("resnet18")
    for module in list(model.modules()):
        for name, child in module.named_children():
            if isinstance(child, nn.BatchNorm2d):
                setattr(module, name, nn.Identity())
    unit = to_csp(model).model.get_submodule("layer2.transition2")
    assert [type(layer) for layer in unit.children()] == [nn.Conv2d, nn.ReLU]
    assert unit.get_submodule("conv").bias is not None


@pytest.mark.parametrize("name", FAMILIES)
def test_meta_networks_stay_meta_and_like_the_real_ones(name: str, small: Small) -> None:
    real = small(name)
    twin = to_csp(real.to("meta")).model
    assert all(tensor.is_meta for tensor in twin.state_dict().values())
    shapes = {key: tensor.shape for key, tensor in to_csp(small(name)).model.state_dict().items()}
    assert {key: tensor.shape for key, tensor in twin.state_dict().items()} == shapes


def test_the_seed_decides_the_new_weights(small: Small) -> None:
    one, same, other = (to_csp(small("resnet18"), seed=seed).model.state_dict() for seed in (3, 3, 4))
    assert all(torch.equal(one[key], same[key]) for key in one)
    assert not torch.equal(one["layer3.transition1.conv.weight"], other["layer3.transition1.conv.weight"])
    assert not torch.equal(one["layer3.part2.0.conv1.weight"], other["layer3.part2.0.conv1.weight"])
    assert torch.equal(one["conv1.weight"], other["conv1.weight"])


@pytest.mark.parametrize("name", ["resnet18", "resnet50", "seresnet50", "resnext50_32x4d"])
def test_slice_keeps_what_the_block_does_to_the_last_channels(name: str, small: Small) -> None:
    model = small(name).eval()
    for norm in (module for module in model.modules() if isinstance(module, nn.BatchNorm2d)):
        assert norm.running_mean is not None
        assert norm.running_var is not None
        nn.init.uniform_(norm.running_mean)
        nn.init.uniform_(norm.running_var, 0.5, 1.5)
    if name == "seresnet50":  # the gate sees the mean of all channels, so only the part before it compares
        for module in model.modules():
            if hasattr(module, "se"):
                module.se = None
    stage = to_csp(model, gamma=0.3, preset="dropin", init="slice").model.get_submodule("layer3")
    assert isinstance(stage, CSPStage)
    x = torch.randn(1, stage.c1 + stage.c2, 8, 8)
    x[:, : stage.c1] = 0
    with torch.no_grad():
        whole = model.get_submodule("layer3.1")(x)[:, stage.c1 :]
        torch.testing.assert_close(stage.part2(x[:, stage.c1 :]), whole)


def test_slice_keeps_the_weights_of_the_gate(small: Small) -> None:
    model = small("seresnet50")
    stage = to_csp(model, preset="dropin", init="slice").model.get_submodule("layer1")
    assert isinstance(stage, CSPStage)
    old: Any = model.get_submodule("layer1.1.se")
    new: Any = stage.get_submodule("part2.0.se")
    for layer, part in (("fc1", (slice(None), slice(128, 256))), ("fc2", (slice(128, 256), slice(None)))):
        assert torch.equal(new.get_submodule(layer).weight, old.get_submodule(layer).weight[part])
    assert torch.equal(new.get_submodule("fc2").bias, old.get_submodule("fc2").bias[128:])


def test_slice_of_grouped_convolutions_takes_the_last_of_every_group(small: Small) -> None:
    model = small("resnext50_32x4d")
    twin: Any = to_csp(model, inner="scale", preset="dropin", init="slice").model
    old, new = (net.get_submodule(path) for net, path in ((model, "layer1.1"), (twin, "layer1.part2.0")))
    kept = [index for index in range(128) if index % 4 >= 2]
    assert torch.equal(new.conv1.weight, old.conv1.weight[kept][:, 128:])
    assert torch.equal(new.conv2.weight, old.conv2.weight[kept][:, 2:])
    assert torch.equal(new.conv3.weight, old.conv3.weight[128:][:, kept])


@pytest.mark.parametrize("wanted", [[2, 3], ["layer2", "layer3"], ["2", "layer3"]])
def test_only_the_chosen_stages_change(wanted: list[int | str], small: Small) -> None:
    model = small("resnet50")
    for preset in ("paper", "dropin"):
        twin = to_csp(model, preset=preset, stages=wanted)
        assert [change.skipped for change in twin.changes] == ["not selected", "", "", "not selected"]
        kinds = [type(twin.model.get_submodule(f"layer{number}")) for number in (1, 2, 3, 4)]
        assert kinds == [nn.Sequential, CSPStage, CSPStage, nn.Sequential]
        assert twin.model(_image()).shape == (2, 10)
    entry: Any = to_csp(model, stages=wanted).model.get_submodule("layer4.0")
    assert entry.conv1.in_channels == entry.downsample[0].in_channels == 512  # follows theta = 1/2 of 1024


def test_the_narrower_outputs_of_paper_stages_are_followed_by_the_classifier(small: Small) -> None:
    model = small("resnet50")
    classifier = to_csp(model, preset="paper", init="slice").model.get_submodule("fc")
    assert isinstance(classifier, nn.Linear)
    assert classifier.in_features == 1024
    assert torch.equal(classifier.weight, model.get_submodule("fc").weight[:, 1024:])
    assert torch.equal(classifier.bias, model.get_submodule("fc").bias)


def test_group_norms_keep_their_groups_whole(small: Small) -> None:
    model = small("resnet50")
    for module in list(model.modules()):
        for name, child in module.named_children():
            if isinstance(child, nn.BatchNorm2d):
                setattr(module, name, nn.GroupNorm(32, child.num_features))
    for preset in ("paper", "dropin"):
        twin = to_csp(model, gamma=0.3, inner="scale", preset=preset)
        assert [change.block_channels for change in twin.changes] == [
            192,
            352,
            704,
            1440,
        ]  # multiples of 32 near .7 · C
        assert twin.model(_image()).shape == (2, 10)


class Sloped(nn.Module):
    """A residual block with a slope for every channel, as in networks that recognise faces."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.act = nn.Conv2d(32, 32, 3, padding=1), nn.PReLU(32, init=0.1)
        self.last = nn.Conv2d(32, 32, 3, padding=1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        made: torch.Tensor = self.act(x + self.last(self.conv(x)))
        return made


def test_activations_with_a_slope_per_channel_follow_the_widths() -> None:
    model = nn.Sequential(nn.Conv2d(3, 32, 3), Sloped(), Sloped())
    stage: Any = to_csp(model, torch.empty(1, 3, 12, 12, device="meta"), gamma=0.25).model[1]
    slopes = [each for each in stage.modules() if isinstance(each, nn.PReLU)]
    assert [(each.num_parameters, each.weight.numel()) for each in slopes] == [(24, 24)] * 3 + [(32, 32)]
    assert all(bool((each.weight == 0.1).all()) for each in slopes)
    assert stage(torch.rand(2, 32, 8, 8)).shape == (2, 32, 8, 8)
