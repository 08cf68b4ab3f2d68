"""Pooling and interpolation: no MACs; their FLOPs are in the element-wise column."""

from __future__ import annotations

from math import prod

from cspanalyze.costs.registry import Call, Cost, formula
from cspanalyze.graph import Argument


def window_elements(kernel: Argument, dims: int) -> int:
    """Elements of a pooling window, from one side for all dimensions or one each."""
    if isinstance(kernel, tuple):
        sides = [side for side in kernel if isinstance(side, int)]
        return prod(sides) if len(sides) > 1 else prod(sides) ** dims
    return int(kernel) ** dims if isinstance(kernel, int) else 1


def _dims(call: Call) -> int:
    return next((n for n in (1, 2, 3) if f"{n}d" in call.op.name), 2)


@formula(
    "aten.max_pool1d", "aten.max_pool2d", "aten.max_pool3d", "aten.max_pool2d_with_indices",
    "aten.max_pool3d_with_indices", "aten.mkldnn_max_pool2d", "aten.mkldnn_max_pool3d",
    "aten.fractional_max_pool2d", "aten.fractional_max_pool3d",
)  # fmt: skip
def max_pool(call: Call) -> Cost:
    """One comparison per element of each window: kernel elements x output elements, as Darknet counts them."""
    return Cost(
        "max pooling", elementwise_flops=window_elements(call.argument(1, "kernel_size"), _dims(call)) * call.out.numel
    )


@formula("aten.avg_pool1d", "aten.avg_pool2d", "aten.avg_pool3d")
def average_pool(call: Call) -> Cost:
    """One addition per element of each window."""
    return Cost(
        "pooling", elementwise_flops=window_elements(call.argument(1, "kernel_size"), _dims(call)) * call.out.numel
    )


@formula(
    "aten.adaptive_avg_pool1d", "aten.adaptive_avg_pool2d", "aten.adaptive_avg_pool3d", "aten._adaptive_avg_pool2d",
    "aten._adaptive_avg_pool3d", "aten.mkldnn_adaptive_avg_pool2d",
)  # fmt: skip
def adaptive_average_pool(call: Call) -> Cost:
    """One addition per input element (windows that overlap by one row or column are not counted twice)."""
    elements = prod(call.shape(0))
    return Cost("pooling", elementwise_flops=elements, fvcore_extra=elements)


@formula("aten.adaptive_max_pool1d", "aten.adaptive_max_pool2d", "aten.adaptive_max_pool3d")
def adaptive_max_pool(call: Call) -> Cost:
    """One comparison per input element."""
    return Cost("max pooling", elementwise_flops=prod(call.shape(0)))


TAPS = {"nearest": 0, "linear": 2, "bilinear": 4, "bicubic": 16, "trilinear": 8}
"""Input elements that are weighted and added for one output element, by the mode in the operator's name."""


@formula(
    *(
        f"aten.{name}"
        for name in (
            "upsample_nearest1d", "upsample_nearest2d", "upsample_nearest3d", "_upsample_nearest_exact1d",
            "_upsample_nearest_exact2d", "_upsample_nearest_exact3d", "upsample_linear1d", "upsample_bilinear2d",
            "upsample_trilinear3d", "upsample_bicubic2d", "_upsample_bilinear2d_aa", "_upsample_bicubic2d_aa",
        )
    )
)  # fmt: skip
def interpolate(call: Call) -> Cost:
    """Two FLOPs per tap and output element: 4 taps bilinear, 16 bicubic, 8 trilinear, none for nearest.

    fvcore counts one per output element, whatever the mode.
    """
    taps = next(taps for mode, taps in sorted(TAPS.items(), key=lambda item: -len(item[0])) if mode in call.op.name)
    return Cost("interpolation", elementwise_flops=2 * taps * call.out.numel, fvcore_extra=call.out.numel)


@formula("aten.grid_sampler_2d", "aten.grid_sampler_3d", "aten.grid_sampler")
def grid_sample(call: Call) -> Cost:
    """Two FLOPs per tap: bilinear (mode 0) 4 taps (8 in 3-D), nearest (1) none, bicubic (2) 16."""
    mode = call.argument(2, "interpolation_mode", 0)
    linear = 2 ** (len(call.shape(0)) - 2)
    taps = {0: linear, 1: 0, 2: 16}.get(mode if isinstance(mode, int) else 0, linear)
    return Cost("interpolation", elementwise_flops=2 * taps * call.out.numel)


@formula("torchvision.roi_align", "torchvision.ps_roi_align")
def roi_align(call: Call) -> Cost:
    """Bilinear samples: 8 FLOPs each, sampling_ratio squared per output element (1 where it is adaptive)."""
    ratio = call.argument(5, "sampling_ratio", 1)
    samples = ratio * ratio if isinstance(ratio, int) and ratio > 0 else 1
    return Cost("interpolation", elementwise_flops=8 * samples * call.out.numel)
