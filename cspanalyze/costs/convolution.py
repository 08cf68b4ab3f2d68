"""Convolutions of every dimension, grouped, dilated, transposed and deformable, and their backward passes."""

from __future__ import annotations

from math import prod

from cspanalyze.costs.registry import Call, Cost, formula
from cspanalyze.graph import Argument


def _cost(macs: int, call: Call) -> Cost:
    return Cost("convolution", macs=macs, activations=call.out.numel)


@formula(
    "aten.conv1d", "aten.conv2d", "aten.conv3d", "aten.mkldnn_convolution", "aten.cudnn_convolution",
    "aten.thnn_conv2d", "aten._conv_depthwise2d", "aten.conv_depthwise3d", "aten.slow_conv3d",
    "aten.slow_conv_dilated2d", "aten.slow_conv_dilated3d", "aten.miopen_convolution",
)  # fmt: skip
def convolution(call: Call) -> Cost:
    """MACs = output elements x (input channels / groups) x kernel elements.

    The weight is (out, in / groups, *kernel), so the product of its dimensions but the first is the work per output.
    """
    return _cost(call.out.numel * prod(call.shape(1)[1:]), call)


@formula("aten.conv_transpose1d", "aten.conv_transpose2d", "aten.conv_transpose3d", "aten.slow_conv_transpose2d")
def transposed_convolution(call: Call) -> Cost:
    """MACs = input elements x (output channels / groups) x kernel elements: every input element is spread once.

    The weight is (in, out / groups, *kernel).
    """
    return _cost(prod(call.shape(0)) * prod(call.shape(1)[1:]), call)


@formula("aten.convolution", "aten._convolution", "aten.convolution_overrideable")
def any_convolution(call: Call) -> Cost:
    """The general operator: argument 6 says whether it is transposed."""
    return transposed_convolution(call) if call.argument(6, "transposed") else convolution(call)


@formula("aten.convolution_backward")
def convolution_backward(call: Call) -> Cost:
    """One forward's MACs for the gradient of the input, and one for that of the weight, each if asked for.

    Arguments: (grad_output, input, weight, bias_sizes, stride, padding, dilation, transposed, output_padding, groups,
    output_mask). Grouped convolutions need no correction: the weight's second dimension is already per group.
    """
    grad_output, inputs, weight = call.shape(0), call.shape(1), call.shape(2)
    forward = prod(inputs if call.argument(7, "transposed") else grad_output) * prod(weight[1:])
    mask: Argument = call.argument(10, "output_mask", (True, True, True))
    asked = sum(1 for wanted in mask[:2] if wanted) if isinstance(mask, tuple) else 2
    bias = prod(grad_output) if isinstance(mask, tuple) and len(mask) > 2 and mask[2] else 0
    return Cost("convolution", macs=forward * asked, elementwise_flops=bias)


@formula("torchvision.deform_conv2d")
def deformable_convolution(call: Call) -> Cost:
    """MACs as of a plain convolution (arguments: input, weight, offset, mask, bias, ...).

    Sampling each of the in_channels x kernel x output positions bilinearly costs 4 multiply-adds: 8 element-wise FLOPs,
    and one more for the modulation mask.
    """
    weight, out = call.shape(1), call.out
    batch, *spatial = out.shape[0], *out.shape[2:]
    samples = batch * prod(spatial) * call.shape(0)[1] * prod(weight[2:])
    modulated = call.argument(13, "use_mask", True)
    return Cost(
        "convolution",
        macs=out.numel * prod(weight[1:]),
        elementwise_flops=samples * (9 if modulated else 8),
        activations=out.numel,
    )
