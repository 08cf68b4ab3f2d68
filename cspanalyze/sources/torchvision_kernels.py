"""Plain torch kernels for the two compiled operators of torchvision that its detectors run: `nms` and `roi_align`.

Meant for the counting of one forward pass, not for speed. `torchvision_import` registers them where torchvision's own
do not load, and only there.
"""

from __future__ import annotations

import torch
from torch import Tensor


def nms(boxes: Tensor, scores: Tensor, iou_threshold: float) -> Tensor:
    """Indices of the boxes that no better one overlaps by more than the threshold, best first.

    Args:
        boxes: N x 4, corners (x1, y1, x2, y2).
        scores: N.
        iou_threshold: largest intersection over union with a box that is kept.
    """
    order = scores.sort(stable=True, descending=True).indices
    x1, y1, x2, y2 = boxes[order].unbind(1)
    areas = (x2 - x1) * (y2 - y1)
    left = torch.ones(len(order), dtype=torch.bool)
    for box in range(len(order)):
        if not left[box]:
            continue
        width = (torch.minimum(x2[box], x2) - torch.maximum(x1[box], x1)).clamp(min=0)
        height = (torch.minimum(y2[box], y2) - torch.maximum(y1[box], y1)).clamp(min=0)
        overlap = width * height
        beaten = overlap / (areas[box] + areas - overlap) > iou_threshold
        beaten[: box + 1] = False
        left &= ~beaten
    return order[left]


def roi_align(
    input: Tensor,
    rois: Tensor,
    spatial_scale: float,
    pooled_height: int,
    pooled_width: int,
    sampling_ratio: int,
    aligned: bool,
) -> Tensor:
    """Features under each region, N x C x pooled height x pooled width (Mask R-CNN, section 3).

    Every bin is the mean of bilinear samples on a regular grid: `sampling_ratio` per side, or as many as the bin is
    pixels long where that is not positive.

    Args:
        input: B x C x H x W.
        rois: N x 5, the image's index in the batch and the corners (x1, y1, x2, y2).
        spatial_scale: pixels of the features per unit of the corners.
        pooled_height: bins along y.
        pooled_width: bins along x.
        sampling_ratio: samples per bin and side; 0 or less for adaptive.
        aligned: shift the corners by half a pixel.
    """
    shift = 0.5 if aligned else 0.0
    pooled = input.new_zeros(len(rois), input.shape[1], pooled_height, pooled_width)
    for index, (image, *corners) in enumerate(rois.tolist()):
        x1, y1, x2, y2 = (corner * spatial_scale - shift for corner in corners)
        # The older variant stretches every region to at least one pixel.
        height, width = (side if aligned else max(side, 1.0) for side in (y2 - y1, x2 - x1))
        ys = _samples(y1, height, pooled_height, sampling_ratio)
        xs = _samples(x1, width, pooled_width, sampling_ratio)
        if len(ys) and len(xs):
            sampled = _bilinear(input[int(image)], ys.to(input.dtype), xs.to(input.dtype))
            grid = (-1, pooled_height, len(ys) // pooled_height, pooled_width, len(xs) // pooled_width)
            pooled[index] = sampled.reshape(grid).mean((2, 4))
    return pooled


def _samples(start: float, length: float, bins: int, ratio: int) -> Tensor:
    """Where along one axis the samples of all bins lie."""
    per_bin = ratio if ratio > 0 else max(0, -int(-(length / bins) // 1))
    return start + (torch.arange(bins * per_bin) + 0.5) * (length / bins / max(per_bin, 1))


def _bilinear(features: Tensor, ys: Tensor, xs: Tensor) -> Tensor:
    """C x len(ys) x len(xs) samples of C x H x W features; 0 more than a pixel outside."""
    y_low, y_high, y_share, y_inside = _neighbours(ys, features.shape[1])
    x_low, x_high, x_share, x_inside = _neighbours(xs, features.shape[2])
    upper = features[:, y_low[:, None], x_low].lerp(features[:, y_low[:, None], x_high], x_share)
    lower = features[:, y_high[:, None], x_low].lerp(features[:, y_high[:, None], x_high], x_share)
    return upper.lerp(lower, y_share[:, None]) * (y_inside[:, None] & x_inside)


def _neighbours(positions: Tensor, size: int) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """The pixels before and after each position, how far it is between them, and whether it is inside at all."""
    inside = (positions >= -1) & (positions <= size)
    clamped = positions.clamp(0, size - 1)
    low = clamped.long()
    return low, (low + 1).clamp(max=size - 1), clamped - low, inside
