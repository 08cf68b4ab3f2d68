"""What the recorder must know of an operator, read once from its schema."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import torch
from torch._ops import OpOverload

ATOMIC = frozenset(
    {
        "conv1d", "conv2d", "conv3d", "conv_transpose1d", "conv_transpose2d", "conv_transpose3d", "linear", "bilinear",
        "batch_norm", "layer_norm", "group_norm", "instance_norm", "rms_norm", "scaled_dot_product_attention",
        "lstm", "gru", "rnn_tanh", "rnn_relu", "lstm_cell", "gru_cell", "rnn_tanh_cell", "rnn_relu_cell",
        "adaptive_avg_pool1d", "adaptive_avg_pool2d", "adaptive_avg_pool3d", "silu_backward", "mish_backward",
    }
)  # fmt: skip
"""Composite operators that stay one node. Every other composite is replaced by the operations that it is made of."""

RUNNING_STATISTICS = frozenset({"batch_norm", "instance_norm", "native_batch_norm", "_native_batch_norm_legit"})
"""In training mode these write their arguments 3 and 4, which their schemas do not say."""


@dataclass(frozen=True, slots=True)
class Operator:
    """Facts about one operator overload.

    `composite` says that the recorder takes it apart; `view` that its outputs alias an input without writing it;
    `writes` are the schema positions of mutated arguments; `in_place` that it returns its first argument, elements
    changed, shape not.
    """

    target: str
    name: str
    overload: str
    composite: bool
    view: bool
    writes: tuple[int, ...]
    in_place: bool
    argument_names: tuple[str, ...]


def higher_order(name: str) -> Operator:
    """An operator whose arguments are functions: flexible attention, `torch.cond`. None of them writes in place."""
    return Operator(f"higher_order.{name}", name, "default", False, False, (), False, ())


@cache
def operator_of(overload: OpOverload) -> Operator:
    """Facts about an overload, from its schema and its registered kernels."""
    schema = overload._schema
    namespace, _, name = schema.name.partition("::")
    writes = tuple(i for i, argument in enumerate(schema.arguments) if argument.is_write)
    aliased = any(output.alias_info is not None for output in schema.returns)
    reshaped = torch.Tag.inplace_view in overload.tags
    # Not overload.has_kernel_for_dispatch_key: that also counts Python decompositions of operators that have a kernel.
    implicit = torch._C._dispatch_has_kernel_for_dispatch_key(overload._name, "CompositeImplicitAutograd")
    return Operator(
        target=f"{namespace}.{name}",
        name=name,
        overload=schema.overload_name or "default",
        composite=implicit and namespace == "aten" and name not in ATOMIC,
        view=(aliased and not writes) or reshaped,
        writes=() if reshaped else writes,
        in_place=writes == (0,) and aliased and not reshaped and len(schema.returns) == 1,
        argument_names=tuple(argument.name for argument in schema.arguments),
    )
