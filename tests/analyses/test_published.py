"""Totals of real networks against published figures, to the printed digit."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest
import torch
from torch import nn

from cspanalyze import trace, zoo
from cspanalyze.analyses import Grouping, run
from cspanalyze.tracing import building

REFERENCE = Path(__file__).parents[1] / "reference"


def rows_of(name: str) -> list[dict[str, str]]:
    with (REFERENCE / name).open() as file:
        return list(csv.DictReader(file))


def totals(model: nn.Module, size: tuple[int, ...], *metrics: str) -> list[float]:
    graph = trace(model, torch.empty(1, *size, device="meta"))
    return [result.total for result in run(graph, metrics, Grouping.of(graph))]


def built(name: str) -> nn.Module:
    with building():
        return zoo.create(name)


# HarDNet, ICCV 2019, table of CIO (column published_cio_M), all at 224x224 and batch 1.
HARDNET = {row["model"]: row for row in rows_of("hardnet_cio.csv")}


def stride_on_first_1x1(model: nn.Module) -> nn.Module:
    """The ResNet of the original paper: HarDNet counted it, torchvision and this zoo put the stride on the 3x3."""
    for module in model.modules():
        if hasattr(module, "conv3"):
            module.conv1.stride, module.conv2.stride = module.conv2.stride, (1, 1)
    return model


@pytest.mark.parametrize(("name", "row"), [
    ("resnet18", "ResNet-18"), ("resnet50", "ResNet-50"), ("resnet101", "ResNet-101"), ("resnet152", "ResNet-152"),
    ("densenet121", "DenseNet-121"), ("densenet201", "DenseNet-201"),
])  # fmt: skip
def test_cio_of_hardnets_table(name, row) -> None:
    model = stride_on_first_1x1(built(name))
    (cio,) = totals(model, (3, 224, 224), "cio")
    assert HARDNET[row]["published_cio_M"] in one_decimal(cio)
    assert f"{cio / 1e6:.3f}" == HARDNET[row]["recomputed_cio_M"]


def one_decimal(elements: float) -> tuple[str, str]:
    """In millions, rounded and cut: the table cuts ResNet-101's 30.959 to 30.9 and rounds ResNet-18's 4.666 to 4.7."""
    return f"{elements / 1e6:.1f}", f"{int(elements / 1e5) / 10:.1f}"


@pytest.mark.parametrize(
    ("name", "elements"), [("resnet50", "21.776"), ("resnet101", "32.012"), ("resnet152", "44.657")]
)
def test_the_stride_on_the_3x3_explains_the_difference_of_resnets(name, elements) -> None:
    """Each of the three strided stages reads its first 3x3's input at four times the positions: +1.053 M elements.

    u = 128, 256, 512 at 28², 14², 7² output positions: the 1x1 writes and the 3x3 reads 4 u instead of u, 2 · 3 u each.
    """
    (on_3x3,) = totals(built(name), (3, 224, 224), "cio")
    (on_1x1,) = totals(stride_on_first_1x1(built(name)), (3, 224, 224), "cio")
    assert f"{on_3x3 / 1e6:.3f}" == elements
    writes_and_reads = sum(2 * 3 * u * side * side for u, side in ((128, 28), (256, 14), (512, 7)))
    assert on_3x3 - on_1x1 == writes_and_reads


@pytest.mark.parametrize(("name", "row"), [("vgg16", "VGG-16"), ("mobilenet_v2", "MobileNetV2")])
def test_cio_of_hardnets_table_with_torchvision(torchvision_models, name, row) -> None:
    with building():
        model = getattr(torchvision_models, name)()
    (cio,) = totals(model, (3, 224, 224), "cio")
    assert HARDNET[row]["published_cio_M"] in one_decimal(cio)


def test_conventions_of_resnet50() -> None:
    """fvcore prints 4.111 G; 2 x MACs; BN at 11,113,... elements is in the fvcore figure only."""
    macs, flops, fvcore, params = totals(built("resnet50"), (3, 224, 224), "macs", "flops", "flops_fvcore", "params")
    assert f"{macs / 1e9:.4f}" == "4.0892"
    assert flops == 2 * macs
    assert f"{fvcore / 1e9:.3f}" == "4.112"
    assert params == 25_557_032


# GFLOPs = 2 x MACs of convolutions and linear layers at 256x256; CIO of the merged entry convolution.
@pytest.mark.parametrize(("name", "params", "gflops", "cio"), [
    ("resnet50", 25_557_032, "10.681", None), ("resnext50_32x4d", 25_028_904, "11.050", None),
    ("darknet53", 41_609_928, "18.570", "24.904"), ("cspresnet50", 21_616_168, "9.0345", "22.348"),
    ("cspresnext50", 20_569_896, "8.0299", "30.999"), ("cspdarknet53", 27_642_184, "13.0673", "33.751"),
])  # fmt: skip
def test_csp_references_at_256(name, params, gflops, cio) -> None:
    counted = totals(built(name), (3, 256, 256), "params", "flops", "cio")
    assert counted[0] == params
    digits = len(gflops.partition(".")[2])
    assert f"{counted[1] / 1e9:.{digits}f}" == gflops
    assert cio is None or f"{counted[2] / 1e6:.3f}" == cio


TIMM = rows_of("timm_sample.csv")


@pytest.mark.parametrize("row", TIMM, ids=lambda row: row["model"])
def test_macs_and_cio_of_a_sample_of_timm(timm, row) -> None:
    """Integers, column by column (`macs_conv_linear_matmul_attention`, `cio_elements_conv`)."""
    if row["model"].startswith("repvgg"):  # its rows are of the network with its branches merged
        model = timm.utils.reparameterize_model(timm.create_model(row["model"]))
    else:
        with building():
            model = timm.create_model(row["model"])
    size = int(row["image_size"])
    macs, cio = totals(model, (3, size, size), "macs", "cio")
    assert (macs, cio) == (int(row["macs_conv_linear_matmul_attention"]), int(row["cio_elements_conv"]))
