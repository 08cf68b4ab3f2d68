"""Peak memory against the allocation events of real runs, inference and training."""

from __future__ import annotations

from types import ModuleType
from typing import Any

import pytest
import torch
from allocations import Block, Total, blocks, peak
from torch import Tensor, nn

from cspanalyze import trace
from cspanalyze.analyses import Grouping, run

# Names beginning with "tv:" are torchvision's, the others timm's.
PLAIN = (
    "tv:resnet18 tv:googlenet resnet50 resnext50_32x4d densenet121 vit_small_patch16_224 deit_tiny_patch16_224 "
    "swin_tiny_patch4_window7_224 convnext_atto darknet53 cspresnet50 nf_resnet26 levit_128s"
)
WITH_WORKSPACE = (
    "mixer_s32_224 regnety_002 efficientnet_b0 mobilenetv3_small_100 hrnet_w18_small res2net50_14w_8s tv:vgg11 "
    "tv:mobilenet_v2 tv:squeezenet1_0"
)
TRAINED = "tv:resnet18 densenet121 vit_tiny_patch16_224 convnext_atto efficientnet_b0 mobilenetv3_small_100 levit_128s"


@pytest.fixture(autouse=True)
def _one_thread():
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture
def create(timm: ModuleType, torchvision_models: ModuleType) -> Any:
    def created(name: str) -> tuple[nn.Module, Tensor]:
        if name.startswith("tv:"):
            options = {"init_weights": False} if name == "tv:googlenet" else {}
            return getattr(torchvision_models, name[3:])(**options), torch.rand(2, 3, 224, 224)
        model = timm.create_model(name)
        return model, torch.rand(2, *model.pretrained_cfg["input_size"])

    return created


def predicted(graph, metric: str = "peak_bytes") -> int:
    return run(graph, [metric], Grouping.of(graph))[0].total


def run_forward(model: nn.Module, x: Tensor) -> list[Block]:
    with torch.inference_mode():
        return blocks(lambda: model(x))


def without_workspace(made: list[Block]) -> list[Block]:
    return [block for block in made if not block.is_workspace]


@pytest.mark.skipif(
    torch.backends.cpu.get_cpu_capability() not in ("AVX2", "AVX512"), reason="other convolution kernels"
)
@pytest.mark.parametrize("name", PLAIN.split())
def test_the_peak_is_that_of_the_allocation_events(create, name) -> None:
    model, x = create(name)
    graph = trace(model.eval(), x)
    measured = peak(run_forward(model, x)) + x.nbytes
    assert predicted(graph) == pytest.approx(measured, rel=0.01)


@pytest.mark.parametrize("name", WITH_WORKSPACE.split())
def test_what_is_beyond_the_peak_is_workspace_of_convolutions(create, name) -> None:
    """Blocks that one convolution allocates and frees again: reordered weights and maps, unfolded windows."""
    model, x = create(name)
    graph = trace(model.eval(), x)
    made = run_forward(model, x)
    assert predicted(graph) == pytest.approx(peak(without_workspace(made)) + x.nbytes, rel=0.002)
    assert predicted(graph) <= peak(made) + x.nbytes


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
@pytest.mark.parametrize("name", ["densenet121", "vit_small_patch16_224"])
def test_half_precision_needs_half(create, name, dtype) -> None:
    model, x = create(name)
    full = predicted(trace(model.eval(), x))
    half = predicted(trace(model.to(dtype), x.to(dtype)))
    assert 2 * half == full


def test_half_precision_as_measured(create) -> None:
    model, x = create("convnext_atto")
    model, x = model.eval().bfloat16(), x.bfloat16()
    made = without_workspace(run_forward(model, x))
    assert predicted(trace(model, x)) == pytest.approx(peak(made) + x.nbytes, rel=0.01)


class Lives(nn.Module):
    """The second tensor is freed before the fourth is made, the first one after."""

    def forward(self, x: Tensor) -> Tensor:
        first = x + x
        second = torch.cat([first, first])
        second = second[:3].exp()
        third = torch.cat([first, second])
        del first
        return third.exp()


SMALL = [
    ("pooling indices", nn.Sequential(nn.ReLU(), nn.MaxPool2d(2, return_indices=False)), (2, 4, 16, 16)),
    ("in place", nn.Sequential(nn.Softplus(), nn.ReLU(inplace=True), nn.Sigmoid()), (2, 4, 16, 16)),
    ("not in place", nn.Sequential(nn.Softplus(), nn.ReLU(), nn.Sigmoid()), (2, 4, 16, 16)),
    ("order of frees", Lives(), (4, 1000)),
    ("views", nn.Sequential(nn.Softplus(), nn.Flatten(), nn.Unflatten(1, (16, 64)), nn.Tanh()), (2, 4, 16, 16)),
    ("linear", nn.Sequential(nn.Linear(64, 256), nn.GELU(), nn.Linear(256, 64)), (32, 64)),
]


@pytest.mark.parametrize(("module", "shape"), [row[1:] for row in SMALL], ids=[row[0] for row in SMALL])
def test_small_networks_to_the_byte(module, shape) -> None:
    x = torch.rand(shape)
    assert predicted(trace(module, x)) == peak(run_forward(module, x)) + x.nbytes


def test_pooling_indices_and_in_place_by_hand() -> None:
    """2048 floats; a quarter of them after pooling, with an index of 8 bytes for each."""
    pooled = trace(nn.Sequential(nn.Softplus(), nn.MaxPool2d(2)), torch.rand(2, 4, 16, 16))
    assert predicted(pooled) == 2 * 2048 * 4 + 512 * (4 + 8)
    in_place = trace(nn.Sequential(nn.Softplus(), nn.ReLU(inplace=True)), torch.rand(2, 4, 16, 16))
    assert predicted(in_place) == 2 * 2048 * 4


def run_step(model: nn.Module, x: Tensor) -> tuple[list[Block], int]:
    """The blocks of a training step, without the gradients of the parameters, and the bytes of those."""

    def step() -> None:
        output = model(x)
        Total.apply(output).backward()

    made = blocks(step)
    return [block for block in made if block.stop is not None], sum(b.nbytes for b in made if b.stop is None)


@pytest.mark.parametrize("name", TRAINED.split())
def test_training_as_measured(create, name) -> None:
    model, x = create(name)
    model.train()
    graph = trace(model, x, mode="train", backward=True)
    made, gradients = run_step(model, x)
    assert predicted(graph, "gradient_bytes") == pytest.approx(gradients, rel=0.001)
    measured = peak(without_workspace(made)) + x.nbytes
    assert predicted(graph, "training_peak_bytes") == pytest.approx(measured, rel=0.005)
    model.zero_grad()
    assert predicted(graph, "saved_bytes") == saved_by_autograd(model, x)


def saved_by_autograd(model: nn.Module, x: Tensor) -> int:
    weights = {tensor.untyped_storage()._cdata for tensor in (*model.parameters(), *model.buffers())}
    kept: dict[int, Any] = {}

    def keep(tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        if storage._cdata not in weights:
            kept[storage._cdata] = storage
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        output = model(x)
    del output
    return sum(storage.nbytes() for storage in kept.values())


class Joins(nn.Module):
    """Gradients of four paths meet in one tensor: the first sum needs memory of its own, the others do not."""

    def __init__(self) -> None:
        super().__init__()
        self.entry, self.gate, self.branch = nn.Linear(64, 64), nn.Linear(64, 64), nn.Linear(64, 64)

    def forward(self, x: Tensor) -> Tensor:
        x = self.entry(x)
        return x * self.gate(x.mean(0, keepdim=True)).sigmoid() + self.branch(x) + x


def test_sums_where_gradients_meet_allocate_what_they_do_in_an_ordinary_run() -> None:
    model, x = Joins(), torch.rand(512, 64)
    graph = trace(model, x, mode="train", backward=True)
    made, _ = run_step(model, x)
    large = sorted(block.nbytes for block in made if block.nbytes >= x.nbytes)
    assert sorted(s.nbytes for s in graph.storages if s.kind == "activation" and s.nbytes >= x.nbytes) == large
    sums = [op.name for op in graph.ops if op.phase == "backward" and op.name in ("add", "add_")]
    assert sums == ["add", "add_", "add_"]
