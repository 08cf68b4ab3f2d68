"""Edges lead to the operation that really made the data: in-place writes, views, splits, shared modules."""

from __future__ import annotations

import pytest
import torch
from edge_nets import EDGE_NETS, Residual, Shared, Split, ViewWrite
from torch import Tensor, nn

from cspanalyze import ModelGraph, trace
from cspanalyze.errors import TraceError
from cspanalyze.graph import UPDATE


def producer(graph: ModelGraph, value: int) -> str:
    index = graph.values[value].producer
    return graph.ops[index].name if index >= 0 else graph.values[value].kind


def only(graph: ModelGraph, name: str, module: str | None = None) -> list:
    return [op for op in graph.ops if op.name == name and (module is None or op.module == module)]


def test_an_in_place_operation_makes_a_new_value_in_the_same_storage() -> None:
    graph = trace(Residual(), torch.rand(1, 4, 8, 8))
    add, relu = only(graph, "add_")[0], only(graph, "relu_")[0]
    assert add.writes == (0,)
    assert producer(graph, add.inputs[0]) == "batch_norm"
    assert producer(graph, add.inputs[1]) == "input"
    assert relu.inputs == add.outputs
    assert graph.outputs == relu.outputs
    assert {graph.spec(v).storage for v in (*add.outputs, *relu.outputs)} == {graph.spec(add.inputs[0]).storage}


def test_a_write_through_a_slice_reaches_the_reader_of_the_whole() -> None:
    graph = trace(ViewWrite(), torch.rand(2, 3, 8, 8))
    head = only(graph, "conv2d", "head")[0]
    update = graph.ops[graph.values[head.inputs[0]].producer]
    assert update.target == UPDATE
    # `y[:, :4] += z` is an in-place add on the slice, then a copy of the slice onto itself: two writes.
    second, copied = update.inputs
    assert producer(graph, copied) == "copy_"
    first = graph.ops[graph.values[second].producer]
    assert first.target == UPDATE
    base, added = first.inputs
    assert (producer(graph, base), producer(graph, added)) == ("conv2d", "add_")
    assert graph.spec(added).shape == (2, 4, 8, 8)
    assert graph.spec(update.outputs[0]) == graph.spec(base)


def test_disjoint_slices_do_not_depend_on_each_other() -> None:
    class Halves(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            y = x.clone()
            a, b = y.chunk(2, 1)
            a.mul_(2)
            return b + 1

    graph = trace(Halves(), torch.rand(2, 4, 3, 3))
    add = only(graph, "add")[0]
    assert producer(graph, add.inputs[0]) == "split"
    assert not only(graph, "update")


def test_chunk_and_cat() -> None:
    graph = trace(Split(), torch.rand(1, 3, 8, 8))
    split, cat = only(graph, "split")[0], only(graph, "cat")[0]
    assert split.view
    assert len(split.outputs) == 2
    assert cat.inputs[0] == split.outputs[0]
    assert producer(graph, cat.inputs[1]) == "conv2d"
    assert [graph.spec(v).offset for v in split.outputs] == [0, 4 * 6 * 6]


def test_a_module_called_twice_is_two_calls_with_one_set_of_parameters() -> None:
    graph = trace(Shared(), torch.zeros(2, 3, dtype=torch.long))
    assert [call.ordinal for call in graph.calls_of("twice")] == [0, 1]
    first, second = only(graph, "linear", "twice")
    assert first.inputs[1:] == second.inputs[1:]
    tied = next(p for p in graph.parameters if len(p.names) > 1)
    assert tied.names == ("embed.weight", "head.weight")
    assert len(graph.parameters) == 3


def test_calls_nest_and_know_their_tensors() -> None:
    net = nn.Sequential(nn.Sequential(nn.Conv2d(3, 4, 1), nn.ReLU()), nn.Conv2d(4, 2, 1))
    graph = trace(net, torch.rand(1, 3, 5, 5))
    assert [call.module for call in graph.calls] == ["", "0", "0.0", "0.1", "1"]
    assert [call.parent for call in graph.calls] == [-1, 0, 1, 1, 0]
    assert [(call.start, call.stop) for call in graph.calls] == [(0, 3), (0, 2), (0, 1), (1, 2), (2, 3)]
    assert graph.calls[1].outputs == graph.calls[4].inputs
    assert graph.calls[0].inputs == graph.inputs
    assert graph.calls[0].outputs == graph.outputs


@pytest.mark.parametrize("net", EDGE_NETS, ids=lambda net: net.name)
def test_the_graph_is_consistent(net) -> None:
    graph = trace(net.build(), *net.inputs())
    assert hash(graph) == hash(trace(net.build(), *net.inputs()))
    for op in graph.ops:
        assert all(graph.values[v].producer < op.index for v in op.inputs)
        assert all(graph.values[v].producer == op.index for v in op.outputs)
    for value in graph.values:
        storage = graph.storages[value.spec.storage]
        assert storage.alloc <= max(value.producer, -1) or value.producer < 0
        assert storage.free is None or storage.free > value.producer
    assert [value.index for value in graph.values] == list(range(len(graph.values)))
    assert all(graph.values[v].kind == "input" for v in graph.inputs)


@pytest.mark.parametrize("net", EDGE_NETS, ids=lambda net: net.name)
def test_shapes_are_those_of_a_real_run(net) -> None:
    model, inputs = net.build().eval(), net.inputs()
    graph = trace(model, *inputs)
    with torch.no_grad():
        output = model(*inputs)
    flat = torch.utils._pytree.tree_leaves(output)
    assert [graph.spec(v).shape for v in graph.outputs] == [tuple(t.shape) for t in flat]
    assert [graph.spec(v).dtype for v in graph.outputs] == [str(t.dtype).removeprefix("torch.") for t in flat]
    assert [graph.spec(v).strides for v in graph.outputs] == [t.stride() for t in flat]


def test_networkx_has_the_same_edges() -> None:
    graph = trace(Split(), torch.rand(1, 3, 8, 8))
    nx = graph.to_networkx()
    assert nx.number_of_nodes() == len(graph.ops)
    assert {(s, t, k) for s, t, k in nx.edges(keys=True)} == set(graph.edges())


def test_a_failing_forward_is_one_sentence_that_names_the_module() -> None:
    net = nn.Sequential(nn.Conv2d(3, 4, 1), nn.Conv2d(5, 4, 1))
    with pytest.raises(TraceError, match=r"failed in 1: .*5 channels"):
        trace(net, torch.rand(1, 3, 5, 5))


@pytest.mark.parametrize(
    ("build", "inputs", "sentence"),
    [
        (lambda: nn.Sequential(nn.LazyConv2d(4, 3)), (torch.rand(1, 3, 8, 8),), "0.weight has no shape yet"),
        (lambda: nn.Sequential(nn.Conv2d(3, 4, 1), nn.BatchNorm2d(5)), (torch.rand(1, 3, 8, 8),), "failed in 1: "),
        (lambda: nn.Conv2d(3, 4, 1, bias=False), (torch.zeros(1, 3, 8, 8).long(),), "float32 weights.*int64"),
        (lambda: nn.Linear(3, 4, bias=False), (torch.rand(1, 3, dtype=torch.float64),), "float32 weights.*float64"),
        (lambda: nn.Conv2d(3, 4, 9), (torch.rand(1, 3, 8, 8),), "a map of 8x8 is too small for the 9x9 convolution"),
    ],
)
def test_what_no_real_run_takes_is_refused(build, inputs, sentence) -> None:
    with pytest.raises(TraceError, match=sentence):
        trace(build(), *inputs)


@pytest.mark.parametrize("shapes", [((1, 8, 4, 4), (1, 4, 4, 4)), ((1, 8, 4, 4), (1, 8, 7, 7)), ((1, 1), (1, 3))])
def test_an_in_place_sum_of_maps_that_do_not_fit_is_refused(shapes) -> None:
    """The projection that was forgotten: `out += identity`."""

    class Add(nn.Module):
        def forward(self, x: Tensor, y: Tensor) -> Tensor:
            x = x * 1
            x += y
            return x

    with pytest.raises(TraceError, match="failed in Add"):
        trace(Add(), *(torch.rand(shape) for shape in shapes))


def test_an_exit_in_the_forward_is_no_exit_of_the_caller() -> None:
    class Leaves(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            raise SystemExit(3)

    with pytest.raises(TraceError, match="SystemExit: 3"):
        trace(Leaves(), torch.rand(1))


def test_autocast_is_noted() -> None:
    class Mixed(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv = nn.Conv2d(3, 4, 1)

        def forward(self, x: Tensor) -> Tensor:
            with torch.autocast("cpu", torch.bfloat16):
                return self.conv(x)

    (note,) = trace(Mixed(), torch.rand(1, 3, 4, 4)).notes
    assert "autocast" in note
