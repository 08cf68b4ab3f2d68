"""Linear layers and matrix products."""

from __future__ import annotations

from math import prod

from cspanalyze.costs.registry import Call, Cost, formula
from cspanalyze.graph import Argument


@formula("aten.linear", "aten.mkldnn_linear", "mkldnn._linear_pointwise", "aten._addmm_activation")
def linear(call: Call) -> Cost:
    """MACs = output elements x input features, over all leading dimensions."""
    if call.op.name == "_addmm_activation":
        return _product(call, call.shape(1)[-1])
    return Cost("linear", macs=call.out.numel * call.shape(0)[-1], activations=call.out.numel)


def _product(call: Call, inner: int) -> Cost:
    return Cost("matmul", macs=call.out.numel * inner, activations=call.out.numel)


@formula("aten.mm", "aten.bmm", "aten.mv", "aten.matmul", "aten._int_mm", "aten._scaled_mm", "aten.dot", "aten.vdot")
def product(call: Call) -> Cost:
    """MACs = output elements x the contracted dimension (the last one of the first operand)."""
    return _product(call, call.shape(0)[-1])


@formula("aten.addmm", "aten.baddbmm", "aten.addmv", "aten.addmm_", "aten.baddbmm_")
def added_product(call: Call) -> Cost:
    """As the plain product; the operands are arguments 1 and 2. The addition of the bias is not counted."""
    return _product(call, call.shape(1)[-1])


@formula("aten.addbmm")
def summed_product(call: Call) -> Cost:
    """A batch of products summed into one matrix: MACs = b x n x m x k."""
    batch, rows, inner = call.shape(1)
    return Cost("matmul", macs=batch * rows * inner * call.shape(2)[-1], activations=call.out.numel)


@formula("aten.addr", "aten.ger", "aten.outer")
def outer_product(call: Call) -> Cost:
    """MACs = output elements."""
    return _product(call, 1)


@formula("aten.bilinear")
def bilinear(call: Call) -> Cost:
    """y_k = x1 . A_k . x2: MACs = positions x out x (in1 x in2 + in2).

    The inner product with A_k costs in1 x in2, the one with x2 then in2.
    """
    out_features, in1, in2 = call.shape(2)
    positions = prod(call.shape(0)[:-1])
    return Cost("matmul", macs=positions * out_features * (in1 * in2 + in2), activations=call.out.numel)


@formula("aten._trilinear")
def trilinear(call: Call) -> Cost:
    """The fused form of `bilinear`: (i1, i2, i3, expand1, expand2, expand3, sumdim, unroll_dim).

    MACs = the full broadcast product of i1 and i2, and the product of i3 with what is left of it after the summed
    dimensions that i3 does not have.
    """
    sizes: list[int] = []
    lacking: set[int] = set()
    for position in range(3):
        shape = list(call.shape(position))
        lacking = _dimensions(call.argument(3 + position, f"expand{position + 1}"))
        for dim in sorted(lacking):
            shape.insert(dim, 1)
        sizes = [max(a, b) for a, b in zip(sizes, shape, strict=True)] if sizes else shape
    summed_first = lacking & _dimensions(call.argument(6, "sumdim"))
    macs = prod(sizes) + prod(size for dim, size in enumerate(sizes) if dim not in summed_first)
    return Cost("matmul", macs=macs, activations=call.out.numel)


def _dimensions(argument: Argument) -> set[int]:
    return {dim for dim in argument if isinstance(dim, int)} if isinstance(argument, tuple) else set()


@formula("aten._cdist_forward", "aten._euclidean_dist")
def distances(call: Call) -> Cost:
    """Pairwise distances: one subtract-square-add per pair and feature, in the element-wise column."""
    return Cost("elementwise", elementwise_flops=3 * call.out.numel * call.shape(0)[-1])
