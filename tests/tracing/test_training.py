"""The recorded backward pass: whose gradient an operation computes, what autograd keeps, which gradients there are."""

from __future__ import annotations

import subprocess
import sys

import pytest
import torch
from edge_nets import EDGE_NETS
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from cspanalyze import ModelGraph, trace
from cspanalyze.errors import TraceError


def stack(*layers: nn.Module) -> nn.Sequential:
    return nn.Sequential(*layers)


def step(model: nn.Module, *inputs: object, **options: object) -> ModelGraph:
    return trace(model, *inputs, **{"mode": "train", "backward": True, **options})


def backward_ops(graph: ModelGraph) -> list[tuple[str, str]]:
    return [(op.name, op.module) for op in graph.ops if op.phase == "backward"]


def layouts(graph: ModelGraph) -> list:
    return [
        (
            *(op.target, op.module, op.phase, op.writes),
            *((s.shape, s.dtype, [d for n, d in zip(s.shape, s.strides, strict=True) if n > 1]) for s in specs),
        )
        for op, specs in ((op, graph.output_specs(op)) for op in graph.ops)
    ]


def test_every_gradient_belongs_to_the_layer_that_it_differentiates() -> None:
    net = stack(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.Flatten(), nn.Linear(144, 2))
    graph = step(net, torch.rand(2, 3, 8, 8))
    named = [(name, module) for name, module in backward_ops(graph) if name.endswith("backward") or name == "mm"]
    assert named == [
        ("mm", "4"), ("mm", "4"), ("threshold_backward", "2"), ("native_batch_norm_backward", "1"),
        ("convolution_backward", "0"),
    ]  # fmt: skip
    assert not any(name == "detach" for name, _ in backward_ops(graph))
    forward = {op.module: op.call for op in graph.ops if op.phase == "forward"}
    assert all(op.call == forward[op.module] for op in graph.ops if op.module)


def test_a_module_called_twice_keeps_its_calls_apart() -> None:
    class Twice(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layer = nn.Linear(4, 4)

        def forward(self, x: Tensor) -> Tensor:
            return self.layer(torch.tanh(self.layer(x)))

    graph = step(Twice(), torch.rand(3, 4))
    calls = [graph.calls[op.call].ordinal for op in graph.ops if op.phase == "backward" and op.name == "mm"]
    # The second call has a gradient of its input, the first one none.
    assert calls == [1, 1, 0]


def test_in_the_custom_function_and_behind_a_written_view() -> None:
    class Doubled(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            ctx.save_for_backward(x)
            return x * 2

        @staticmethod
        def backward(ctx, gradient):
            return gradient.sigmoid() * ctx.saved_tensors[0]

    class Custom(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return Doubled.apply(x)

    class Sliced(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            y = x.clone()
            y[:, :2].mul_(3)
            return y

    graph = step(stack(nn.Linear(4, 4), Custom(), Sliced(), nn.Tanh()), torch.rand(2, 4))
    where = dict(backward_ops(graph))
    assert where["sigmoid"] == "1"
    assert {module for name, module in backward_ops(graph) if name in ("copy_", "new_empty_strided")} == {"2"}
    assert where["tanh_backward"] == "3"


@pytest.mark.parametrize("reentrant", [False, True])
def test_what_a_checkpoint_computes_again_is_in_the_backward_pass(reentrant) -> None:
    class Checkpointed(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.first, self.second = nn.Linear(4, 4), nn.Linear(4, 4)

        def forward(self, x: Tensor) -> Tensor:
            return checkpoint(lambda y: self.second(y).tanh(), self.first(x), use_reentrant=reentrant)

    graph = step(Checkpointed(), torch.rand(2, 4))
    assert [op.module for op in graph.ops if op.name == "addmm"] == ["first", "second", "second"]
    assert ("addmm", "second") in backward_ops(graph)
    assert sum(name == "mm" and module == "second" for name, module in backward_ops(graph)) == 2


def test_frozen_layers_get_no_gradient() -> None:
    net = stack(nn.Conv2d(3, 4, 3), nn.Conv2d(4, 4, 3), nn.Conv2d(4, 2, 3))
    net[1].requires_grad_(False)
    graph = step(net, torch.rand(1, 3, 12, 12))
    masks = {op.module: op.args[10] for op in graph.ops if op.name == "convolution_backward"}
    assert masks == {"0": (False, True, True), "1": (True, False, False), "2": (True, True, True)}
    with_gradient = {p.names[0] for p in graph.parameters if p.gradient is not None}
    assert with_gradient == {"0.weight", "0.bias", "2.weight", "2.bias"}
    net.requires_grad_(False)
    assert not backward_ops(step(net, torch.rand(1, 3, 12, 12)))


def test_parameters_that_a_module_holds_twice() -> None:
    """In its own list, in a dict and as a plain attribute, which its forward reads instead of the registered ones."""

    class Holder(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.a, self.b, self.c = (nn.Parameter(torch.rand(4, 4)) for _ in "abc")
            self.listed = [self.a]
            self.named = {"b": self.b}
            vars(self)["bare"] = self.c

        def forward(self, x: Tensor) -> Tensor:
            return x @ self.listed[0] @ self.named["b"] @ self.bare

    model = Holder()
    graph = step(model, torch.rand(2, 4))
    assert [parameter.gradient is not None for parameter in graph.parameters] == [True] * 3
    assert model.listed[0] is model.a
    assert model.named["b"] is model.b
    assert model.bare is model.c


def test_the_gradient_of_the_outputs_is_freed_when_it_is_used() -> None:
    graph = step(stack(nn.Linear(4, 4), nn.ReLU(), nn.Linear(4, 4), nn.ReLU()), torch.rand(2, 4))
    first = next(op for op in graph.ops if op.name == "fill_")
    used = next(op for op in graph.ops if op.name == "threshold_backward")
    assert used.inputs[0] == first.outputs[0]
    assert graph.storages[graph.spec(first.outputs[0]).storage].free == used.index + 1


def test_gradients_have_the_shapes_of_their_parameters() -> None:
    for net in EDGE_NETS:
        graph = step(net.build(), *net.inputs())
        for parameter in graph.parameters:
            if parameter.gradient is not None:
                assert graph.spec(parameter.gradient).shape == parameter.shape, (net.name, parameter.names)
                assert parameter.trainable
                assert graph.storages[graph.spec(parameter.gradient).storage].free is None


def test_what_autograd_keeps_is_with_the_operation_that_needs_it() -> None:
    net = stack(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(4, 2, 1))
    graph = step(net, torch.rand(2, 3, 10, 10))
    made = {value: (graph.ops[graph.values[value].producer].name, op.outputs.index(value))
            for op in graph.ops for value in op.outputs}  # fmt: skip
    kept = {(op.name, op.module): [made.get(v, graph.values[v].kind) for v in op.saved] for op in graph.ops if op.saved}
    # outputs 0 and 1 of the batch norm are its running statistics, 2 the map, 3 and 4 the statistics of the batch
    assert kept == {
        ("convolution", "0"): ["input"],
        ("native_batch_norm", "1"): [("convolution", 0), ("native_batch_norm", 3), ("native_batch_norm", 4)],
        ("relu", "2"): [("relu", 0)],
        ("max_pool2d_with_indices", "3"): [("relu", 0), ("max_pool2d_with_indices", 1)],
        ("convolution", "4"): [("max_pool2d_with_indices", 0)],
    }


@pytest.mark.parametrize("mode", ["eval", "train"])
@pytest.mark.parametrize("net", [net for net in EDGE_NETS if net.name != "recurrent"], ids=lambda net: net.name)
def test_edge_nets_have_the_operations_and_layouts_of_a_real_step(net, mode) -> None:
    """Recurrent layers run as one kernel on a processor, and step by step on meta; all else is the same."""
    model, inputs = net.build(), net.inputs()
    assert layouts(step(model, *inputs, mode=mode)) == layouts(step(model, *inputs, mode=mode, real=True))


REAL = "resnet18 densenet121 vit_tiny_patch16_224 convnext_atto efficientnet_b0 mobilevitv2_050 levit_128s nf_resnet26"


@pytest.mark.parametrize("memory_format", [torch.contiguous_format, torch.channels_last], ids=["nchw", "nhwc"])
@pytest.mark.parametrize("name", REAL.split())
def test_real_networks_have_the_operations_and_layouts_of_a_real_step(timm, name, memory_format) -> None:
    model = timm.create_model(name)
    x = torch.rand(2, *model.pretrained_cfg["input_size"]).contiguous(memory_format=memory_format)
    assert layouts(step(model, x)) == layouts(step(model, x, real=True))


def test_without_shortcuts_the_graph_is_the_same() -> None:
    net = stack(nn.Conv2d(3, 8, 3), nn.GroupNorm(2, 8), nn.GELU(), nn.AvgPool2d(2), nn.Flatten(1), nn.LayerNorm(72))
    x = torch.rand(2, 3, 8, 8)
    assert layouts(step(net, x)) == layouts(step(net, x, shortcuts=False))


@pytest.mark.parametrize("name", ["resnet50", "seresnet50", "densenet121", "darknet53", "cspresnext50"])
def test_a_training_step_of_a_built_in_network_imports_no_compiler(name) -> None:
    code = f"""
import sys, torch
from cspanalyze import trace, zoo
from cspanalyze.tracing import building
with building():
    model = zoo.create({name!r})
trace(model, torch.empty(2, 3, 64, 64, device="meta"), mode="train", backward=True)
print([m for m in ("torch._dynamo", "sympy", "torch._inductor") if m in sys.modules])
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_a_failing_backward_names_the_module() -> None:
    class Refuses(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            return x * 2

        @staticmethod
        def backward(ctx, gradient):
            gradient * 3
            raise ValueError("no gradient here")

    class Broken(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return Refuses.apply(x)

    with pytest.raises(TraceError, match="the backward pass failed in 1: ValueError: no gradient here"):
        step(stack(nn.Linear(3, 3), Broken(), nn.ReLU()), torch.rand(2, 3))
