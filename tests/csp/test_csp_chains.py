"""Chains of blocks of any make: what is found, what the guards refuse, and twins that run and learn."""

from __future__ import annotations

import copy
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from cspanalyze.csp import CSPStage, find_stages, register_csp_adapter, to_csp
from cspanalyze.errors import CspError
from cspanalyze.sources import load

IMAGE = torch.empty(1, 3, 34, 34, device="meta")


class Block(nn.Module):
    """An inverted residual block of 32 channels."""

    def __init__(self, channels: int = 32) -> None:
        super().__init__()
        self.deep = nn.Conv2d(channels, channels, 3, padding=1, groups=channels)
        self.norm = nn.LayerNorm(channels)
        self.wide = nn.Linear(channels, 64)
        self.back = nn.Linear(64, channels)
        self.scale = nn.Parameter(torch.ones(channels))

    def forward(self, x: Tensor) -> Tensor:
        y = self.norm(self.deep(x).permute(0, 2, 3, 1))
        y = self.scale * self.back(nn.functional.gelu(self.wide(y)))
        made: Tensor = x + y.permute(0, 3, 1, 2)
        return made


class Net(nn.Module):
    """Two blocks, run as a test wants it."""

    def __init__(self, kind: str) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, 32, 3)
        self.blocks = nn.ModuleList([Block(), Block()])
        self.kind = kind

    def forward(self, x: Tensor) -> Any:
        x = self.stem(x)
        first, second = self.blocks
        if self.kind == "chain":
            return second(first(x))
        if self.kind == "shared":
            return first(first(second(x)))
        y = first(x)
        if self.kind == "read elsewhere":
            return second(y) + y
        if self.kind == "changed in place":
            y += 1
            return second(y)
        return y, second(y)


def _found(model: nn.Module) -> list[tuple[str, ...]]:
    return [stage.source_names for stage in find_stages(model, (IMAGE,)).stages]


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        ("chain", [("blocks.0", "blocks.1")]),
        ("shared", [("blocks.1",)]),  # the other block runs twice
        ("read elsewhere", [("blocks.0",), ("blocks.1",)]),  # each by itself: between them all channels are needed
        ("changed in place", [("blocks.0",), ("blocks.1",)]),  # the object is handed on, its value is not
        ("returned", [("blocks.0",), ("blocks.1",)]),
    ],
)
def test_only_what_is_read_by_the_next_block_alone_is_a_chain(kind: str, expected: list[tuple[str, ...]]) -> None:
    assert _found(Net(kind)) == expected
    twin = to_csp(Net(kind), IMAGE).model
    stages = [module for module in twin.modules() if isinstance(module, CSPStage)]
    assert [(stage.c1, stage.c2, stage.preset) for stage in stages] == [(16, 16, "dropin")] * len(expected)


def test_a_refusal_names_the_reason() -> None:
    refusals = {each.path: each.reason for each in find_stages(Net("shared"), (IMAGE,)).refusals}
    assert refusals["blocks.0"] == "runs 2 times"


def test_a_block_is_narrowed_in_all_that_its_stream_reaches() -> None:
    """With 16 of 32 channels: depthwise 16 x 9 + 16, norm 2 x 16, linear 16 x 64 + 64 and 64 x 16 + 16, scale 16."""
    twin = to_csp(Net("chain"), IMAGE)
    stage: Any = twin.model.get_submodule("blocks.0")
    assert isinstance(twin.model.get_submodule("blocks.1"), nn.Identity)
    for block in stage.part2:
        assert sum(p.numel() for p in block.parameters()) == 160 + 32 + 1088 + 1040 + 16
        assert (block.deep.in_channels, block.deep.groups, block.norm.normalized_shape) == (16, 16, (16,))
    scaled: Any = to_csp(Net("chain"), IMAGE, inner="scale").model.get_submodule("blocks.0.part2.0")
    assert (scaled.wide.out_features, scaled.back.in_features) == (32, 32)


def test_slice_keeps_the_last_channels() -> None:
    model = Net("chain")
    block: Any = to_csp(model, IMAGE, init="slice").model.get_submodule("blocks.0.part2.1")
    old: Any = model.blocks[1]
    assert torch.equal(block.deep.weight, old.deep.weight[16:])
    assert torch.equal(block.wide.weight, old.wide.weight[:, 16:])
    assert torch.equal(block.back.weight, old.back.weight[16:])
    assert torch.equal(block.scale, old.scale[16:])


NETWORKS = [
    "timm:mobilenetv3_small_050", "timm:convnext_atto", "timm:repvgg_a0", "torchvision:shufflenet_v2_x0_5",
    "timm:ghostnet_050", "timm:eca_nfnet_l0", "timm:resnest14d", "timm:ese_vovnet19b_dw", "timm:hrnet_w18_small",
]  # fmt: skip


@pytest.mark.parametrize("name", NETWORKS)
def test_twins_of_other_peoples_networks_learn(name: str) -> None:
    network = load(name).with_data()
    assert network is not None
    model = network.model.train()
    before = copy.deepcopy(model.state_dict())
    x = torch.randn(2, 3, 96, 96, generator=torch.Generator().manual_seed(0))
    twin = to_csp(model, x)
    assert not all(change.skipped for change in twin.changes)
    logits = twin.model(x)
    assert logits.shape == model(x).shape
    logits.square().sum().backward()
    missing = [path for path, each in twin.model.named_parameters() if each.requires_grad and each.grad is None]
    assert missing == [path for path in missing if path in _unread(name)]
    assert model.state_dict().keys() == before.keys()
    assert all(each.grad is None for each in model.parameters())
    assert not any(module._forward_hooks or module._forward_pre_hooks for module in model.modules())
    buffers = {path for path, _ in model.named_buffers()}  # the model's own forward pass above moves its statistics
    assert all(torch.equal(value, before[path]) for path, value in model.state_dict().items() if path not in buffers)


def _unread(name: str) -> frozenset[str]:
    """Parameters that the network itself does not read in its forward pass."""
    from cspanalyze.tracing import trace

    network = load(name)
    graph = trace(network.model, *network.args)
    return frozenset(name for each in graph.parameters if each.value is None for name in each.names)


@pytest.mark.parametrize(
    "name", ["timm:vit_tiny_patch16_224", "timm:swin_tiny_patch4_window7_224", "torchvision:alexnet"]
)
def test_no_stage(name: str) -> None:
    network = load(name)
    with pytest.raises(
        CspError, match=r"no staged convolution chain found; CSP splits the channels of N,C,H,W maps .*: \w"
    ):
        to_csp(network.model, *network.args)


def test_channels_taken_by_position_need_an_adapter() -> None:
    network = load("timm:fasternet_t0")
    with pytest.raises(
        CspError, match=r"a MLPBlock block cannot be narrowed \(.*split_with_sizes in spatial_mixing.*register_csp"
    ):
        to_csp(network.model, *network.args)
    kind = type(network.model.get_submodule("stages.0.blocks.0"))

    def narrow(block: nn.Module, old: int, new: int) -> nn.Module:
        return nn.Sequential(nn.Conv2d(new, new, 3, padding=1, device="meta"), nn.Conv2d(new, new, 1, device="meta"))

    register_csp_adapter(kind, narrow)
    assert not any(change.skipped for change in to_csp(network.model, *network.args).changes)


def test_a_network_that_does_not_run_says_so() -> None:
    with pytest.raises(CspError, match="found by a trace, and the forward pass failed in stem"):
        to_csp(Net("chain"), torch.empty(1, 4, 8, 8))


def test_groups_that_admit_no_gamma() -> None:
    model = nn.Sequential(
        nn.Conv2d(3, 40, 1), nn.Sequential(*(nn.Conv2d(40, 40, 3, padding=1, groups=20) for _ in "ab"))
    )
    with pytest.raises(CspError, match="C = 40 with groups = 20 admits no gamma at all"):
        to_csp(model, IMAGE)


def test_a_twin_stands_beside_its_base_stage_by_stage() -> None:
    from cspanalyze.pipeline import Csp, compare

    made = compare("timm:convnext_atto", csp=Csp(control=True), metrics=["macs", "cio_closed_form"])
    assert {report.groups for report in made.variants} == {made.base.groups}
    twin = made.variants[0]
    assert all(twin.result("macs").of(group) for group in made.base.groups)
    assert "cio_closed_form" not in twin.metrics  # its stages match no known architecture


class Split(nn.Module):
    """Makes two maps of one, as the blocks of dual path networks do."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1, self.conv2 = nn.Conv2d(32, 32, 3, padding=1), nn.Conv2d(32, 32, 3, padding=1)

    def forward(self, x: Any) -> tuple[Tensor, Tensor]:
        x = x[0] + x[1] if isinstance(x, tuple) else x
        return self.conv1(x), self.conv2(x)


def test_tuples_in_and_out_are_told() -> None:
    model = nn.Sequential(nn.Conv2d(3, 32, 3), Split(), Split())
    with pytest.raises(
        CspError, match=r"no staged .* 1 \(Split\) takes 1 tensors and makes 2, not one and one; 2 \(Split\) takes 2"
    ):
        to_csp(model, IMAGE)


def test_dual_path_networks_are_refused_with_reasons() -> None:
    network = load("timm:dpn48b")
    with pytest.raises(CspError, match=r"no staged .*conv2_1 \(DualPathBlock\) makes 112x56x56 of 10x56x56"):
        to_csp(network.model, *network.args)


class Dropping(Block):
    """The block with stochastic depth on its branch, as timm writes it."""

    def __init__(self) -> None:
        super().__init__()
        self.drop_path = DropPath(0.5)

    def forward(self, x: Tensor) -> Tensor:
        return x + self.drop_path(super().forward(x) - x)


class DropPath(nn.Module):
    """Drops whole samples while training."""

    def __init__(self, drop_prob: float) -> None:
        super().__init__()
        self.drop_prob = drop_prob

    def forward(self, x: Tensor) -> Tensor:
        if not self.training:
            return x
        kept = 1 - self.drop_prob
        return x * torch.empty(len(x), 1, 1, 1).bernoulli_(kept) / kept


def test_stochastic_depth_goes_along() -> None:
    model = nn.Sequential(nn.Conv2d(3, 32, 3), Dropping(), Dropping()).train()
    twin = to_csp(model, IMAGE).model
    rates = [each.drop_prob for each in twin.modules() if isinstance(each, DropPath)]
    assert rates == [0.5, 0.5]
    x = torch.rand(8, 3, 9, 9)
    assert not torch.equal(twin(x), twin(x))
    assert torch.equal(twin.eval()(x), twin(x))


def test_blocks_that_run_several_times_are_no_block_together() -> None:
    block = Block()
    model = nn.Sequential(nn.Conv2d(3, 32, 3), nn.Sequential(block, block, block), nn.Sequential(Block(), Block()))
    found = find_stages(model, (IMAGE,))
    assert [stage.source_names for stage in found.stages] == [("2.0", "2.1")]
    assert {each.path: each.reason for each in found.refusals}["1"] == "runs 1.0 3 times"


def test_a_stage_is_called_like_what_holds_it() -> None:
    model = nn.Sequential(nn.Conv2d(3, 32, 3), nn.Sequential(Block(), Block()), Block(), Block())
    assert [stage.path for stage in find_stages(model, (IMAGE,)).stages] == ["1", "2..3"]
    for name in ("1", "stage1", "1.0", "1.1"):
        assert [bool(each.skipped) for each in to_csp(model, IMAGE, stages=[name]).changes] == [False, True]
    assert [bool(each.skipped) for each in to_csp(model, IMAGE, stages=["2..3"]).changes] == [True, False]
    with pytest.raises(CspError, match=r"no stage 'block'; the stages are 1 = blocks; did you mean blocks"):
        to_csp(Net("chain"), IMAGE, stages=["block"])


def test_rows_of_a_stage_are_its_own_in_base_and_twin() -> None:
    from cspanalyze.pipeline import Csp, compare

    model = nn.Sequential(nn.Conv2d(3, 32, 3), Block(), Block(), nn.Conv2d(32, 64, 3, 2), Block(64), Block(64))
    made = compare(model, torch.empty(1, 3, 34, 34, device="meta"), metrics=["macs"], csp=Csp(stages=("1..2",)))
    assert made.base.groups == made.variants[0].groups == ("stem", "1..2", "3", "4..5")
    assert made.base.result("macs").of("4..5") == made.variants[0].result("macs").of("4..5")
