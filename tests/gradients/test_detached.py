"""Where gradient stops: `torch.no_grad()`, `detach`, outputs that nothing is asked of; and nets of other shapes."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from gradients import reference_nets as nets
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from cspanalyze import trace
from cspanalyze.errors import UsageError
from cspanalyze.gradient_flow import duplication, gradient_flow
from cspanalyze.gradient_flow.conclusions import flow_notes
from cspanalyze.measure.gradients import Batch, measure
from cspanalyze.pipeline.gradients import gradients


class Branched(nn.Module):
    """a, then b beside a, then c over the sum; how b is switched off differs."""

    def __init__(self) -> None:
        super().__init__()
        self.a, self.b, self.c = nn.Conv2d(3, 8, 1), nn.Conv2d(8, 8, 1), nn.Conv2d(8, 8, 1)

    def side(self, a: Tensor) -> Tensor:
        with torch.no_grad():
            return self.b(a)

    def forward(self, x: Tensor) -> Tensor:
        a = self.a(x)
        return self.c(a + self.side(a))


class Decorated(Branched):
    @torch.no_grad()
    def side(self, a: Tensor) -> Tensor:
        return self.b(a)


class Inferred(Branched):
    def side(self, a: Tensor) -> Tensor:
        with torch.inference_mode():
            b = self.b(a)
        return b.clone()


class Switched(Branched):
    def side(self, a: Tensor) -> Tensor:
        torch.set_grad_enabled(False)
        b = self.b(a)
        torch.set_grad_enabled(True)
        return b


class Nested(Branched):
    def side(self, a: Tensor) -> Tensor:
        with torch.no_grad():
            with torch.enable_grad():
                a = a * 2
            return self.b(a)


class Cut(Branched):
    def side(self, a: Tensor) -> Tensor:
        return self.b(a).detach()


class Unused(Branched):
    def side(self, a: Tensor) -> Tensor:
        self.b(a)
        return a.detach()


CUT = [Branched, Decorated, Inferred, Switched, Nested, Cut, Unused]


@pytest.mark.parametrize("build", CUT, ids=lambda build: build.__name__)
def test_no_term_crosses_what_is_switched_off(build: Any) -> None:
    """c reads a, and that is all: one term of 8 channels, one path. Layer b is there, and no gradient reaches it."""
    flow = gradient_flow(trace(build(), nets.image()))
    whole = duplication(flow)
    assert [(layer.name, layer.reached) for layer in flow.layers] == [("a", True), ("b", False), ("c", True)]
    assert (whole.terms, whole.distinct, whole.term_channels, whole.read_channels, whole.paths) == (1, 1, 8, 8, 1)
    assert "1 of 3 layers (b)" in flow_notes(flow)[0]


@pytest.mark.parametrize("build", CUT, ids=lambda build: build.__name__)
def test_what_is_switched_off_is_measured_as_such(build: Any) -> None:
    model, batch = build(), Batch((torch.rand(4, 3, 4, 4),), {})
    if build is Inferred:  # autograd itself refuses to save what inference mode made
        return
    graph = trace(model, *batch.args, mode="train")
    draw = measure(model, batch, graph, gradient_flow(graph))
    assert [layer.gradient_norm is None for layer in draw.layers] == [False, True, False]
    assert draw.figures["realised_duplication"] == 0


class Double(torch.autograd.Function):
    """Its forward runs without gradients and has a backward pass of its own."""

    @staticmethod
    def forward(context: Any, x: Tensor) -> Tensor:
        with torch.no_grad():
            return 2 * x

    @staticmethod
    def backward(context: Any, gradient: Tensor) -> Tensor:
        return 2 * gradient


class Checkpointed(Branched):
    def side(self, a: Tensor) -> Tensor:
        return checkpoint(lambda x: Double.apply(self.b(x)), a, use_reentrant=True)


@pytest.mark.filterwarnings("ignore:None of the inputs")
def test_own_functions_and_checkpoints_switch_nothing_off() -> None:
    """b and c read a, c reads b: T 3, U 2."""
    whole = duplication(gradient_flow(trace(Checkpointed(), nets.image())))
    assert (whole.terms, whole.distinct) == (3, 2)


class Written(Branched):
    def side(self, a: Tensor) -> Tensor:
        with torch.no_grad():
            a.mul_(2)
            a[:, :2].zero_()
        return self.b(a)


def test_writes_without_gradient_leave_autograds_record() -> None:
    """As without them: b and c read all of a, c reads b."""
    whole = duplication(gradient_flow(trace(Written(), nets.image())))
    assert (whole.terms, whole.term_channels) == (3, 24)


def test_torch_is_as_it_was() -> None:
    names = [(torch.no_grad, "__enter__"), (torch.set_grad_enabled, "__init__"), (torch.autograd.Function, "apply")]
    before = [vars(owner)[name] for owner, name in names]
    with pytest.raises(Exception, match="forward pass failed"):
        trace(Branched(), torch.rand(1, 4, 4, 4))
    trace(Decorated(), nets.image())
    assert [vars(owner)[name] for owner, name in names] == before
    assert torch.is_grad_enabled()


class Heads(nn.Module):
    """a; heads b and c; and b again, of which only the class is told."""

    def __init__(self) -> None:
        super().__init__()
        self.a, self.b, self.c = nn.Conv2d(3, 8, 1), nn.Conv2d(8, 4, 1), nn.Conv2d(8, 5, 1)

    def forward(self, x: Tensor) -> dict[str, Any]:
        a = self.a(x)
        return {"b": self.b(a), "c": [self.c(a)], "class": self.b(a).argmax(1), "name": "heads"}


def test_several_outputs_are_one_loss() -> None:
    """b and c read the 8 channels of a, both end in the loss; the second use of b gets no gradient."""
    flow = gradient_flow(trace(Heads(), nets.image()))
    whole = duplication(flow)
    assert (flow.heads, whole.terms, whole.distinct) == (2, 2, 1)
    assert "2 outputs count as one loss" in flow_notes(flow)[0]
    assert [layer.name for layer in flow.layers if not layer.reached] == ["b#2"]


def test_frozen_layers_are_told() -> None:
    model = Branched()
    model.a.requires_grad_(False)
    notes = gradients(model, nets.image()).figures().subject.notes
    assert any(note.startswith("frozen (requires_grad False): 1 of 3 layers (a)") for note in notes)


class Classes(Heads):
    def forward(self, x: Tensor) -> Tensor:  # type: ignore[override]
        return super().forward(x)["class"]


class Word(Heads):
    def forward(self, x: Tensor) -> str:  # type: ignore[override]
        return str(super().forward(x)["name"])


class Silent(Branched):
    @torch.no_grad()
    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x)


@pytest.mark.parametrize(
    ("model", "words"),
    [
        (nn.ReLU(), "no layer with a weight"),
        (Classes(), "no gradient reaches a layer"),
        (Word(), "no gradient reaches a layer"),
        (Silent(), "no gradient reaches a layer"),
    ],
)
def test_networks_without_gradient_are_refused(model: nn.Module, words: str) -> None:
    with pytest.raises(UsageError, match=words):
        gradients(model, nets.image())


class Einsum(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.a, self.c, self.weight = nn.Linear(8, 8), nn.Linear(6, 4), nn.Parameter(torch.rand(8, 6))

    def forward(self, x: Tensor) -> Tensor:
        return self.c(torch.einsum("btc,cd->btd", self.a(x), self.weight))


class Recurrent(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.a, self.gru, self.c = nn.Linear(8, 8), nn.GRU(8, 6, 2, batch_first=True), nn.Linear(6, 4)

    def forward(self, x: Tensor) -> Tensor:
        return self.c(self.gru(self.a(x))[0][:, -1])


@pytest.mark.parametrize(("build", "middle"), [(Einsum, "weight"), (Recurrent, "gru")])
def test_a_chain_of_other_layers(build: Any, middle: str) -> None:
    """a makes 8 channels, the layer between 6: two terms, 14 channels."""
    flow = gradient_flow(trace(build(), torch.rand(2, 5, 8)))
    whole = duplication(flow)
    assert [layer.name for layer in flow.layers] == ["a", middle, "c"]
    assert (whole.terms, whole.distinct, whole.term_channels) == (2, 2, 14)


def test_recurrent_layers_are_not_measured() -> None:
    model, batch = Recurrent(), Batch((torch.rand(4, 5, 8),), {})
    graph = trace(model, *batch.args, mode="train")
    with pytest.raises(UsageError, match="recurrent layers are not measured: gru"):
        measure(model, batch, graph, gradient_flow(graph))
