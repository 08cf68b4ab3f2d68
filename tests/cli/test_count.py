"""`cspanalyze.count()`: what really runs, in any code."""

from __future__ import annotations

import copy
import gc
import io
import weakref
from collections.abc import Iterator
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

import cspanalyze
from cspanalyze.errors import UsageError
from cspanalyze.graph import ModelGraph
from cspanalyze.pipeline.counting import Counted
from cspanalyze.renderers import Style, render

# A convolution 3 -> 8 on 8 x 8, and a linear layer on all of it: multiply-adds for one image.
CONV, LINEAR = 8 * 64 * 27, 8 * 64 * 10
FORWARD = CONV + LINEAR
# Each twice for the gradients of weight and input, but nobody asks for the gradient of the image.
BACKWARD = CONV + 2 * LINEAR


@pytest.fixture
def net() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(3, 8, 3, padding=1), nn.BatchNorm2d(8), nn.ReLU(), nn.Flatten(), nn.Linear(512, 10))


@pytest.fixture
def images() -> Tensor:
    return torch.rand(2, 3, 8, 8, generator=torch.Generator().manual_seed(1))


@pytest.fixture(autouse=True)
def _no_hook_is_left() -> Iterator[None]:
    hooks = torch.nn.modules.module._global_forward_hooks, torch.nn.modules.module._global_forward_pre_hooks
    before = [dict(each) for each in hooks]
    yield
    assert [dict(each) for each in hooks] == before
    assert torch._C._len_torch_dispatch_stack() == 0


def test_a_training_step(net: nn.Sequential, images: Tensor) -> None:
    with cspanalyze.count() as counted:
        loss = net(images).sum()
        loss.backward()
    assert counted.forward_macs == 2 * FORWARD
    assert counted.backward_macs == 2 * BACKWARD
    assert counted.macs == 2 * (FORWARD + BACKWARD)
    assert counted.uncovered == ()
    report = counted.report(["macs", "params", "buffers"], by="module")
    assert report.groups[:2] == ("Sequential.0", "Sequential.1")
    assert report.result("macs").of("Sequential.4") == 2 * 3 * LINEAR
    assert report.result("params").total == sum(parameter.numel() for parameter in net.parameters())
    assert report.result("buffers").total == 8 + 8 + 1
    assert report.subject.inputs == ("2x3x8x8:float32",)
    assert report.subject.mode == "train"


def test_several_steps_with_an_optimiser(net: nn.Sequential, images: Tensor) -> None:
    optimiser = torch.optim.SGD(net.parameters(), lr=0.1, momentum=0.9)
    with cspanalyze.count() as counted:
        for _ in range(3):
            net(images).sum().backward()
            optimiser.step()
            optimiser.zero_grad()
    assert (counted.forward_macs, counted.backward_macs) == (6 * FORWARD, 6 * BACKWARD)
    assert counted.report(["params"]).result("params").total == sum(p.numel() for p in net.parameters())


def test_phases_add_up(net: nn.Sequential, images: Tensor) -> None:
    with cspanalyze.count() as counted:
        net(images).square().mean().backward()
    metrics = ["macs", "elementwise_flops", "unfused_bytes", "operations", "params"]
    whole, forward, backward = (counted.report(metrics, phase=phase) for phase in ("all", "forward", "backward"))
    for metric in ("macs", "elementwise_flops", "operations"):
        parts = [part.result(metric).total or 0 for part in (forward, backward)]
        assert whole.result(metric).total == sum(parts)
        assert all(parts)
    assert whole.result("params") == forward.result("params")
    assert "inside backward passes" in backward.subject.notes[0]
    text = " ".join(render(whole, "table", Style(width=200)).split())
    assert "forward and backward passes together" in text
    assert "counted while it ran" in text
    with pytest.raises(UsageError, match="all, forward or backward"):
        counted.report(phase="sideways")  # type: ignore[arg-type]


def test_the_forward_pass_equals_the_trace(net: nn.Sequential, images: Tensor) -> None:
    net.eval()
    with torch.inference_mode(), cspanalyze.count() as counted:
        net(images)
    traced = cspanalyze.analyze(net, images, by="op")
    for result in counted.report(by="op").results:
        assert result.total == traced.result(result.metric).total, result.metric


def test_what_is_computed_is_what_it_would_be_without(net: nn.Sequential, images: Tensor) -> None:
    twin = copy.deepcopy(net)
    outputs = []
    for model, counting in ((net, False), (twin, True)):
        torch.manual_seed(3)
        optimiser = torch.optim.AdamW(model.parameters())
        with cspanalyze.count() if counting else torch.enable_grad():
            out = nn.functional.dropout(model(images), 0.3)
            out.relu_().sum().backward()
            optimiser.step()
        outputs.append(out)
    assert torch.equal(*outputs)
    for mine, other in zip(net.state_dict().values(), twin.state_dict().values(), strict=True):
        assert torch.equal(mine, other)
    for one, two in zip(net.parameters(), twin.parameters(), strict=True):
        assert one.grad is not None
        assert two.grad is not None
        assert torch.equal(one.grad, two.grad)


def test_nothing_is_kept_alive_and_nothing_is_marked(net: nn.Sequential, images: Tensor) -> None:
    alive: list[int] = []

    def watch(module: nn.Module, args: Any, output: Tensor) -> None:
        maps.append(weakref.ref(output))
        gc.collect()
        alive.append(sum(reference() is not None for reference in maps))

    for layer in net:
        layer.register_forward_hook(watch)
    peaks = []
    for counting in (False, True):
        maps: list[weakref.ref[Tensor]] = []
        alive.clear()
        with torch.no_grad(), cspanalyze.count() if counting else torch.no_grad():
            out = net(images)
        peaks.append(list(alive))
    assert peaks[0] == peaks[1]
    for tensor in (*net.parameters(), *net.buffers(), images, out):
        assert vars(tensor) == {}
    file = io.BytesIO()
    torch.save([net.state_dict(), out], file)
    file.seek(0)
    assert torch.equal(torch.load(file, weights_only=True)[1], out)


def test_a_model_that_dies_inside_is_not_kept(images: Tensor) -> None:
    with cspanalyze.count() as counted:
        references = []
        for _ in range(3):
            model = nn.Sequential(nn.Conv2d(3, 8, 3))
            model(images)
            references += [weakref.ref(model), weakref.ref(model[0].weight)]
            del model
        gc.collect()
        assert [reference() for reference in references] == [None] * 6
    report = counted.report(["params", "macs"], by="module")
    assert report.result("params").total == 3 * (8 * 27 + 8)
    # "" is the code that made the models: it draws random weights.
    assert report.groups == ("", "Sequential.0", "Sequential(2).0", "Sequential(3).0")


def test_several_models_and_code_outside_of_any() -> None:
    first, second = nn.Linear(4, 6), nn.Linear(6, 2)
    with cspanalyze.count() as counted:
        y = second(first(torch.ones(3, 4)))
        torch.ones(5, 7) @ torch.ones(7, 2)
        second(torch.ones(1, 6))
        y = first(torch.ones(1, 4))
    report = counted.report(["macs"], by="module")
    values = {group: report.result("macs").of(group) for group in report.groups}
    assert values == {"Linear": 4 * 24, "Linear(2)": 4 * 12, "": 70}
    assert report.subject.name == "Linear + Linear(2)"
    assert y.shape == (1, 6)


def test_shared_parameters_count_once() -> None:
    encoder, decoder = nn.Linear(4, 6), nn.Linear(4, 6)
    decoder.weight = encoder.weight
    with cspanalyze.count() as counted:
        encoder(torch.ones(1, 4))
        decoder(torch.ones(1, 4))
    result = counted.report(["params"]).result("params")
    assert result.total == 24 + 6 + 6
    assert "Linear.weight = Linear(2).weight" in result.note


def test_a_forward_that_raises_leaves_the_paths_right() -> None:
    class Fails(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.inner = nn.Linear(2, 2)

        def forward(self, x: Tensor) -> Tensor:
            self.inner(x)
            raise ValueError("no")

    model, other = Fails(), nn.Linear(2, 3)
    with cspanalyze.count() as counted:
        with pytest.raises(ValueError, match="no"):
            model(torch.ones(1, 2))
        other(torch.ones(1, 2))
    report = counted.report(["macs"], by="module")
    values = {group: report.result("macs").of(group) for group in report.groups}
    assert values == {"": 0, "Fails.inner": 4, "Linear": 6}


def test_an_exception_ends_the_counting() -> None:
    def count_and_raise() -> None:
        with cspanalyze.count() as counted:
            kept.append(counted)
            nn.Linear(2, 2)(torch.ones(1, 2))
            raise RuntimeError("boom")

    kept: list[Counted] = []
    with pytest.raises(RuntimeError, match="boom"):
        count_and_raise()
    (counted,) = kept
    assert counted.macs == 4


def test_a_checkpoint_counts_again_what_it_computes_again(net: nn.Sequential, images: Tensor) -> None:
    with cspanalyze.count() as counted:
        checkpoint(net, images.requires_grad_(), use_reentrant=False).sum().backward()
    assert counted.forward_macs == 2 * FORWARD
    # Recomputed up to the last tensor that is needed, the input of the linear layer; the gradient of the image too.
    assert counted.backward_macs == 2 * (CONV + BACKWARD + CONV)


def test_modules_made_on_the_way_get_a_path() -> None:
    class Making(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            made: Tensor = nn.Linear(2, 5)(x)
            return made

    with cspanalyze.count() as counted:
        Making()(torch.ones(1, 2))
    report = counted.report(["macs"], by="module")
    assert report.result("macs").of("Making.Linear") == 10


def test_figures_can_be_asked_for_on_the_way() -> None:
    layer = nn.Linear(2, 2)
    with cspanalyze.count() as counted:
        assert counted.macs == 0
        layer(torch.ones(1, 2))
        assert counted.macs == 4
        layer(torch.ones(1, 2))
    assert counted.macs == 8
    assert isinstance(counted.graph, ModelGraph)


def test_what_has_no_formula_and_what_is_sparse_is_named() -> None:
    with cspanalyze.count() as counted:
        torch.linalg.det(torch.eye(3))
        torch.eye(3).to_sparse() @ torch.ones(3, 3)
    assert "aten._linalg_det" in [gap.op for gap in counted.uncovered]
    assert "operations on sparse tensors are in no figure: " in counted.report(["macs"]).subject.notes[0]


def test_peak_memory_includes_the_inputs_of_a_model() -> None:
    layer = nn.ReLU()
    x = torch.zeros(1000)
    with torch.no_grad(), cspanalyze.count() as counted:
        layer(x)
    assert counted.report(["peak_bytes"]).result("peak_bytes").total == 2 * 4 * 1000


def test_what_it_prints(net: nn.Sequential, images: Tensor) -> None:
    with cspanalyze.count() as counted:
        net(images)
    assert repr(counted) == f"<{2 * FORWARD:,} MACs forward, 0 backward, 0 operations uncovered>"
