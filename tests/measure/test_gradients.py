"""Measured gradients: ordinary backward passes in parts, checked against autograd on networks cut at every layer."""

from __future__ import annotations

import copy
import random
from collections.abc import Callable
from typing import Any

import pytest
import torch
from edge_nets import EDGE_NETS
from gradients import reference_nets as nets
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from cspanalyze import Csp, Measuring, measure_gradients, to_csp, trace
from cspanalyze.errors import UsageError
from cspanalyze.gradient_flow import GradientFlow, Slice, duplication, gradient_flow
from cspanalyze.gradient_flow.measured import FIGURES, GROUP_FIGURES, Draw, estimate, paired_difference, t_quantile
from cspanalyze.measure.gradients import Batch, digits, given, measure, own_copy, synthetic, train, wake
from cspanalyze.measure.gradients.agreement import SliceProducts, slice_figures
from cspanalyze.measure.gradients.drawing import signal_to_noise
from cspanalyze.measure.gradients.layer_nodes import LayerNode, find_layers, matched
from cspanalyze.measure.gradients.recording import backward_pass
from cspanalyze.measure.gradients.similarity import effective_number, mean_off_diagonal, noise_matrix, sample_gram
from cspanalyze.zoo import create

Seen = dict[int, tuple[Tensor, dict[int, Tensor]]]
BLOCKS: dict[str, Callable[[], nn.Module]] = {
    "dense": lambda: nets.Dense(16, 4, 8, t=24, bottleneck=32),
    "csp": lambda: nets.Dense(16, 4, 8, bypass=8, t=20, u=28),
    "residual": lambda: nets.Residual(16, 4, 2),
    "partial residual": lambda: nets.Residual(16, 4, 2, 8),
    "one-shot": lambda: nets.OneShot(16, 5, 8),
    "elan": lambda: nets.Elan(16, 8),
    "squeeze and excitation": nets.SqueezeExcitation,
    "spatial attention": nets.SpatialAttention,
    "chunk": lambda: nets.Chunked(kept=True),
    "one layer twice": nets.Reused,
    "detach": nets.Detached,
}


def maps(size: int = 8, batch: int = 6) -> Tensor:
    return torch.randn(batch, 3, size, size, generator=torch.Generator().manual_seed(0))


def names_of(model: nn.Module) -> dict[int, frozenset[str]]:
    found: dict[int, frozenset[str]] = {}
    for name, parameter in model.named_parameters(remove_duplicate=False):
        found[id(parameter)] = found.get(id(parameter), frozenset()) | {name}
    return found


def seen_in_parts(model: nn.Module, *inputs: Tensor) -> tuple[GradientFlow, Seen, bool]:
    """Every layer's gradient and its parts, and whether the weights' gradients are those of an ordinary pass."""
    flow = gradient_flow(trace(model, *inputs, mode="train"))
    model.train()
    asking = [x.clone().requires_grad_(x.is_floating_point()) for x in inputs]
    output = model(*asking)
    layers: dict[int, LayerNode] = matched(find_layers([output], names_of(model)), flow)
    loss = (output * torch.randn(output.shape, generator=torch.Generator().manual_seed(1))).sum()
    parameters = list(model.parameters())
    ordinary = torch.autograd.grad(loss, parameters, retain_graph=True, allow_unused=True)
    seen: Seen = {}
    ours = backward_pass(loss, parameters, layers, lambda i, whole, parts: seen.__setitem__(i, (whole, parts)))
    same = all((a is None and b is None) or torch.equal(a, b) for a, b in zip(ours, ordinary, strict=True))
    return flow, seen, same


def check_parts(flow: GradientFlow, seen: Seen, same: bool) -> None:
    assert same  # bit for bit
    assert set(seen) == set(range(len(flow.layers)))
    for layer, (whole, parts) in seen.items():
        assert set(parts) == set(flow.consumers[layer])  # structure and autograd agree on who reads it
        if layer not in flow.feeding_loss:
            torch.testing.assert_close(sum(parts.values()), whole, rtol=1e-4, atol=1e-5 * float(whole.abs().max()))


@pytest.mark.parametrize("name", BLOCKS)
def test_parts_make_the_whole_and_weights_get_ordinary_gradients(name: str) -> None:
    check_parts(*seen_in_parts(BLOCKS[name](), maps(4)))


@pytest.mark.parametrize("name", ["functional", "split", "view_write", "residual", "transposed", "channels_last"])
def test_edge_nets(name: str) -> None:
    net = next(net for net in EDGE_NETS if net.name == name)
    check_parts(*seen_in_parts(net.build(), *net.inputs()))


@pytest.mark.parametrize("name", ["resnet50", "cspresnet50", "seresnet50"])
def test_zoo(name: str) -> None:
    check_parts(*seen_in_parts(create(name), maps(64, 2)))


def test_partial_densenet() -> None:
    check_parts(*seen_in_parts(to_csp(create("densenet121", depths=(2, 3, 2, 2))).model, maps(64, 2)))


@pytest.mark.parametrize("name", ["dense", "csp", "partial residual", "squeeze and excitation", "chunk"])
def test_each_part_is_that_of_a_network_cut_at_every_layer(name: str) -> None:
    """The second route: every layer hands out a fresh leaf, so autograd itself goes no further than the next layers."""
    model, x = BLOCKS[name]().double(), maps(4).double()
    flow, seen, _ = seen_in_parts(model, x)
    index = {layer.name: number for number, layer in enumerate(flow.layers)}
    leaves: dict[int, Tensor] = {}
    reads: dict[int, Tensor] = {}

    def cut(path: str) -> Callable[..., Tensor]:
        def hook(module: nn.Module, args: tuple[Tensor, ...], output: Tensor) -> Tensor:
            reads[index[path]] = args[0]
            leaves[index[path]] = output.detach().requires_grad_()
            return leaves[index[path]].clone()

        return hook

    handles = [m.register_forward_hook(cut(p)) for p, m in model.named_modules() if isinstance(m, nn.Conv2d)]
    model(x)
    for handle in handles:
        handle.remove()
    modules = dict(model.named_modules())
    for consumer, read in reads.items():
        if not read.requires_grad:
            continue
        alone = read.detach().requires_grad_()
        output = modules[flow.layers[consumer].name](alone)
        (sent,) = torch.autograd.grad(output, alone, seen[consumer][0])
        parts = torch.autograd.grad(read, list(leaves.values()), sent, allow_unused=True, retain_graph=True)
        for producer, part in zip(leaves, parts, strict=True):
            if part is not None and bool(part.any()):
                torch.testing.assert_close(seen[producer][1][consumer], part)


def test_transformer(timm: object) -> None:
    """Products of two activations are no layers; what is read through them is."""
    model = timm.create_model("vit_tiny_patch16_224", img_size=32, depth=2)  # type: ignore[attr-defined]
    flow, seen, same = seen_in_parts(model, maps(32, 2))
    assert same
    assert set(seen) == set(range(len(flow.layers)))


# -- figures -----------------------------------------------------------------------------------------------------------


def draw_of(model: nn.Module, batch: Batch | None = None, seed: int = 0) -> tuple[Draw, GradientFlow]:
    batch = batch or Batch((maps(4, 8),), {})
    graph = trace(model, *batch.args, mode="train")
    flow = gradient_flow(graph)
    return measure(model, batch, graph, flow, seed=seed), flow


class Pair(nn.Module):
    """One map read by two 1x1 convolutions, whose results are added or stand beside each other."""

    def __init__(self) -> None:
        super().__init__()
        self.stem, self.one, self.two = mixing(3, 8), mixing(8, 4), mixing(8, 4)

    def forward(self, x: Tensor) -> Tensor:
        x = self.stem(x)
        return self.one(x) + self.two(x)


def mixing(i: int, o: int) -> nn.Conv2d:
    return nn.Conv2d(i, o, 1, bias=False)


class Doubled(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        ctx.save_for_backward(x)
        return x * x

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Tensor:
        (x,) = ctx.saved_tensors
        return 2 * x * gradient


class Custom(Pair):
    """An operation of the user's own between layers, and a checkpoint around one."""

    reentrant = False

    def forward(self, x: Tensor) -> Tensor:
        x = Doubled.apply(self.stem(x))
        y = checkpoint(self.one, x, use_reentrant=self.reentrant)
        return y + self.two(x)


class Shifting(Pair):
    """Writes to its own input."""

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x.sub_(1))


def test_inputs_may_be_written() -> None:
    batch = Batch((maps(4),), {})
    before = batch.args[0].clone()
    assert draw_of(Shifting(), batch)[0].figures["realised_duplication"] is not None
    assert torch.equal(batch.args[0], before)


def test_own_functions_and_checkpoints() -> None:
    flow, seen, same = seen_in_parts(Custom(), maps(4))
    check_parts(flow, seen, same)


def test_reentrant_checkpoints_are_refused() -> None:
    model, batch = Custom(), Batch((maps(4),), {})
    graph = trace(model, *batch.args)
    model.reentrant = True
    with pytest.raises(UsageError, match=r"cannot be differentiated: .*heckpoint"):
        measure(model, batch, graph, gradient_flow(graph))


def test_equal_contributions_realise_all_duplication() -> None:
    model = Pair()
    model.two.weight = nn.Parameter(2 * model.one.weight.detach())  # parallel, of another length
    draw, flow = draw_of(model)
    figures = draw.figures
    assert figures["realised_duplication"] == pytest.approx(float(duplication(flow).ratio or 0))  # D = 1 - 1/2
    assert figures["realised_share"] == pytest.approx(1)
    assert figures["consumer_cosine"] == pytest.approx(1)
    assert figures["coherence"] == pytest.approx(9 / 5)  # |1 + 2|^2 / (1 + 4)


def test_orthogonal_contributions_realise_none() -> None:
    model = Pair()
    with torch.no_grad():
        model.one.weight[:, :4] = 0
        model.two.weight[:, 4:] = 0
    figures = draw_of(model)[0].figures
    assert figures["realised_duplication"] == pytest.approx(0, abs=1e-6)
    assert figures["consumer_cosine"] == pytest.approx(0, abs=1e-6)
    assert figures["coherence"] == pytest.approx(1)


@pytest.mark.parametrize("name", BLOCKS)
def test_realised_is_at_most_possible(name: str) -> None:
    draw, flow = draw_of(BLOCKS[name]())
    possible = duplication(flow).ratio or 0
    assert -1e-6 <= (draw.figures["realised_duplication"] or 0) <= float(possible) + 1e-6
    assert len(draw.layers) == len(draw.similarity) == len(flow.layers)
    assert set(draw.figures) <= set(FIGURES)
    for number, row in enumerate(draw.similarity):
        assert row[number] is None or row[number] == pytest.approx(1)


@pytest.mark.parametrize("name", ["dense", "residual", "partial residual"])
def test_a_group_of_all_layers_is_the_network(name: str) -> None:
    """Also where slices are put together again: only the layers inside divide the channels."""
    model, batch = BLOCKS[name](), Batch((maps(4, 8),), {})
    graph = trace(model, *batch.args, mode="train")
    flow = gradient_flow(graph)
    everything, last = range(len(flow.layers)), range(len(flow.layers) // 2, len(flow.layers))
    draw = measure(model, batch, graph, flow, groups={"all": everything, "last": last})
    assert set(draw.groups["all"]) == set(GROUP_FIGURES)
    for metric, value in draw.groups["all"].items():
        assert value == pytest.approx(draw.figures[metric], abs=1e-6)
    possible = float(duplication(flow, last).ratio or 0)
    assert -1e-6 <= (draw.groups["last"]["realised_duplication"] or 0) <= possible + 1e-6


def test_readers_outside_of_a_group_do_not_divide_a_slice() -> None:
    """Channels 0 and 1 are read by layers 1 and 2, channel 1 by 3 as well."""
    first = SliceProducts(Slice(0, ((0, 1),), (1, 2)), (1, 2), torch.ones(2, 2, dtype=torch.float64), 4)
    second = SliceProducts(Slice(0, ((1, 2),), (1, 2, 3)), (1, 2, 3), torch.eye(3, dtype=torch.float64) + 1, 4)
    (alone,) = slice_figures([first, second], [1, 2])
    # products 1 + 2 on the diagonal and 1 + 1 beside it: cosine 2/3, coherence (3 + 3 + 2 + 2)/6
    assert (alone.channels, alone.terms, alone.elements) == (2, 2, 8)
    assert (alone.cosine, alone.coherence) == (pytest.approx(2 / 3), pytest.approx(10 / 6))
    assert [piece.terms for piece in slice_figures([first, second])] == [2, 3]


def test_a_draw_is_determined_by_its_seed() -> None:
    model = nn.Sequential(nn.Conv2d(3, 8, 3), nn.ReLU(), nn.Dropout(0.5), nn.Conv2d(8, 4, 1))
    assert draw_of(model, seed=3)[0] == draw_of(model, seed=3)[0]
    assert draw_of(model, seed=3)[0] != draw_of(model, seed=4)[0]


def test_signal_to_noise_by_hand() -> None:
    """Loss = w x y, mean over the part: gradients of the four parts are the means of x times their y, here 1 to 4."""
    model = nn.Linear(1, 1, bias=False)
    direction = torch.randn((2, 1), generator=torch.Generator().manual_seed(0))
    values = torch.cat([k * torch.ones(2, 1) for k in (1.0, 2.0, 3.0, 4.0)])
    found = signal_to_noise(model, Batch((values,), {}), seed=0)["weight"]
    scale = float(direction.sum() / 2)  # of all four gradients, and not of the ratio
    assert scale != 0
    # mean 2.5, s^2 = (2.25 + .25 + .25 + 2.25)/3 = 5/3: (6.25 - 5/12)/(5/3) = 3.5
    assert found == pytest.approx(3.5, rel=1e-4)


def test_dead_layers_and_waking() -> None:
    model = create("resnet18")
    nn.init.zeros_(model.layer1[0].bn2.weight)
    batch = Batch((maps(32, 4),), {})
    draw, flow = draw_of(model, batch)
    dead = [layer.name for layer, own in zip(flow.layers, draw.layers, strict=True) if own.dead]
    assert dead == ["layer1.0.conv1", "layer1.0.conv2"]
    copied = own_copy(model)
    assert wake(copied) == ("layer1.0.bn2",)
    assert not any(own.dead for own in draw_of(copied, batch)[0].layers)
    assert not model.layer1[0].bn2.weight.any()


def test_the_model_is_left_as_it_was() -> None:
    model = nn.Sequential(
        nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8), nn.ReLU(inplace=True), nn.Dropout(), nn.Conv2d(8, 4, 1)
    )
    model.eval()
    model[0].weight.requires_grad_(False)
    state = copy.deepcopy(model.state_dict())
    before = torch.get_rng_state(), random.getstate()
    draw_of(model)
    assert all(torch.equal(value, state[name]) for name, value in model.state_dict().items())
    assert not any(module.training for module in model.modules())
    assert [p.requires_grad for p in model.parameters()] == [False, *[True] * 5]
    assert all(p.grad is None for p in model.parameters())
    assert not any(m._forward_hooks or m._forward_pre_hooks or m._backward_hooks for m in model.modules())
    assert torch.equal(torch.get_rng_state(), before[0])
    assert random.getstate() == before[1]


def test_modes_differ_in_what_norms_do() -> None:
    model, x = nn.Sequential(nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8), nn.Conv2d(8, 4, 1)), Batch((maps(6, 8),), {})
    graph = trace(model, *x.args)
    found = measure(model, x, graph, gradient_flow(graph), mode="eval")
    assert found.layers[0].gradient_norm != draw_of(model, x)[0].layers[0].gradient_norm


def test_few_samples_have_no_similarity() -> None:
    draw, _ = draw_of(BLOCKS["dense"](), Batch((maps(4, 3),), {}))
    assert draw.figures.get("layer_similarity") is None
    assert draw.figures["realised_duplication"] is not None


@pytest.mark.parametrize(
    ("model", "words"),
    [
        (nn.Conv2d(4, 8, 3), "cannot run"),
        (nn.Conv2d(3, 8, 3, device="meta"), "meta device"),
    ],
)
def test_what_cannot_be_measured_is_told(model: nn.Module, words: str) -> None:
    batch = Batch((maps(8),), {})
    fitting = nn.Conv2d(3, 8, 3)
    graph = trace(fitting, *batch.args)
    with pytest.raises(UsageError, match=words):
        measure(model, batch, graph, gradient_flow(graph))


# -- similarity and intervals ------------------------------------------------------------------------------------------


def test_effective_number_of_equal_and_different_items() -> None:
    assert effective_number(torch.ones(5, 5)) == pytest.approx(1)
    assert effective_number(torch.eye(5)) == pytest.approx(5)
    # Two groups of equal ones, 2 and 2 of four: exp H(1/2, 1/2) = 2.
    assert effective_number(torch.block_diag(torch.ones(2, 2), torch.ones(2, 2))) == pytest.approx(2)


def test_similarity_of_noise_is_zero_and_of_itself_one() -> None:
    """Biased CKA of noise is 0.99 at 8 samples; debiased it is 0, for drawn vectors as for the short cut."""
    generator = torch.Generator().manual_seed(0)
    grams = [sample_gram(torch.randn(8, 2000, generator=generator), 8) for _ in range(40)]
    stacked = torch.stack([gram for gram in grams if gram is not None])
    found = stacked @ stacked.T
    assert mean_off_diagonal(found) == pytest.approx(0, abs=0.03)
    assert mean_off_diagonal(noise_matrix(40, 8, generator)) == pytest.approx(0, abs=0.03)
    assert torch.allclose(found.diagonal(), torch.ones(40, dtype=torch.float64))


@pytest.mark.parametrize(("batch", "expected"), [(8, 13.7), (16, 23.8), (32, 26.2), (64, 26.8)])
def test_effective_number_of_layers_under_noise(batch: int, expected: float) -> None:
    """Of 27 independent layers few samples can tell apart only some: the null has to be given with the figure."""
    generator = torch.Generator().manual_seed(0)
    found = [effective_number(noise_matrix(27, batch, generator)) for _ in range(5)]
    assert sum(found) / 5 == pytest.approx(expected, abs=0.5)


@pytest.mark.parametrize(
    ("freedom", "expected"), [(1, 12.706), (3, 3.182), (5, 2.571), (9, 2.262), (19, 2.093), (30, 2.042), (120, 1.980)]
)
def test_quantiles_of_student(freedom: int, expected: float) -> None:
    """Any printed table of the t distribution."""
    assert t_quantile(freedom) == pytest.approx(expected, abs=6e-4)


def test_intervals() -> None:
    found = estimate([1.0, 2.0, 3.0, 4.0])
    # standard deviation sqrt(5/3), over sqrt(4), times 3.182
    assert (found.mean, found.half_width) == (2.5, pytest.approx(3.182 * (5 / 3) ** 0.5 / 2))
    assert estimate([1.0, None]).mean is None  # unknown in one draw is unknown
    draw, _ = draw_of(BLOCKS["dense"]())
    same = dict(paired_difference("a", "b", [draw, draw], [draw, draw]).figures)
    assert (same["layer_similarity"].mean, same["layer_similarity"].half_width) == (0, 0)


# -- data and training -------------------------------------------------------------------------------------------------


def test_digits_are_drawn_by_seed() -> None:
    pytest.importorskip("sklearn")
    batches = digits((3, 16, 16), 12)
    one, again, other = batches.draw(1), batches.draw(1), batches.draw(2)
    assert one.args[0].shape == (12, 3, 16, 16)
    assert torch.equal(one.args[0], again.args[0])
    assert not torch.equal(one.args[0], other.args[0])
    assert one.target is not None
    assert set(one.target.tolist()) <= set(range(10))


def test_synthetic_input_keeps_integers_and_nesting() -> None:
    batches = synthetic(({"x": torch.empty(4, 3, device="meta"), "n": torch.arange(4)},), {})
    batch = batches.draw(5)
    assert torch.equal(batch.args[0]["n"], torch.arange(4))
    assert batch.args[0]["x"].shape == (4, 3)
    assert torch.equal(batch.args[0]["x"], batches.draw(5).args[0]["x"])


def test_a_loader_begins_again() -> None:
    pairs = [(torch.full((4, 3), float(n)), torch.zeros(4, dtype=torch.long)) for n in range(3)]
    batches = given("mine", lambda: iter(pairs))
    assert batches.labelled
    assert [float(batches.draw(n).args[0][0, 0]) for n in range(5)] == [0, 1, 2, 0, 1]
    with pytest.raises(UsageError, match="no batches"):
        given("mine", lambda: iter(()))
    with pytest.raises(UsageError, match="expected tensors"):
        given("mine", lambda: iter(["text"]))


def test_training_is_seeded_and_lowers_the_loss() -> None:
    pytest.importorskip("sklearn")
    batches = digits((3, 8, 8), 32)
    losses = []
    for steps in (2, 40, 40):
        torch.manual_seed(0)
        model = nn.Sequential(nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8), nn.ReLU(), nn.Flatten(), nn.Linear(288, 10))
        losses.append(train(model, batches, steps, seed=0))
    assert losses[1] == losses[2] < losses[0]
    with pytest.raises(UsageError, match="cannot run on this batch"):
        train(nn.Linear(3, 3), batches, 1, 0)
    with pytest.raises(UsageError, match="needs classes"):
        train(nn.Linear(3, 3), synthetic((torch.rand(4, 3),), {}), 1, 0)


def test_what_memory_does_not_hold_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cspanalyze.room.available_bytes", lambda: 1000)
    with pytest.raises(UsageError, match="smaller input, batch"):
        draw_of(Pair())


class Block(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(8, 8, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        return x + self.conv(x).relu()


class Found(nn.Module):
    """Declares no stages, so that the one there is has to be found."""

    def __init__(self) -> None:
        super().__init__()
        self.stem, self.body = nn.Conv2d(3, 8, 3), nn.Sequential(Block(), Block(), Block())
        self.fc = nn.Linear(8, 4)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.fc(self.body(self.stem(x)).mean((2, 3)))
        return out


def test_what_became_one_stage_is_one_row_of_base_twin_and_control() -> None:
    csp, measuring = Csp(control=True), Measuring(draws=2)
    record = measure_gradients(Found(), torch.rand(4, 3, 8, 8), csp=csp, measuring=measuring)
    base, *others = [{group.name for group in network.groups} for network in record.networks]
    assert others == [base, base]
    assert "body" in base
