"""Parameter counts, to the integer, without a peer installed."""

from __future__ import annotations

import pytest
import torch

from cspanalyze import zoo

OWN = [name for name, entry in zoo.NETWORKS.items() if entry.family != "darknet_cfgs"]
"""Those written as torch modules; those of Darknet layers have their tests in tests/darknet and test_zoo_pelee."""
PARAMETERS = {
    # cspnet: timm 1.0.31, and the authors' cfgs: cspdarknet53 to the integer, the others + 12,416 and + 8,320 for
    # a first part 2 of 128 channels, not 64 (tests below).
    "cspdarknet53": 27_642_184,
    "cspresnet50": 21_616_168,
    "cspresnext50": 20_569_896,
    # The CSPNet authors' darknet53.cfg: 41,573,216 weights (published as 41.57 M) + norms and classifier bias.
    "darknet53": 41_609_928,
    # torchvision's published tables.
    "densenet121": 7_978_856,
    "densenet169": 14_149_480,
    "densenet201": 20_013_928,
    # No published integer: written out in test_densenet264_is_the_sum_of_its_layers.
    "densenet264": 33_337_704,
    # Published as 19.48 M (arXiv 1812.05262, table 1); the partial form: test_a_partial_densenet_is_the_twin.
    "densenet201-elastic": 19_482_824,
    "cspdensenet201-elastic": 18_999_304,
    # Published as 17.6 M and 36.7 M by the authors' code; recomputed there.
    "hardnet68": 17_565_348,
    "hardnet85": 36_670_212,
    # timm 1.0.31.
    "vovnet39": 22_600_296,
    "vovnet57": 36_640_296,
    # One block by hand in test_partial_aggregation_by_hand; no other source.
    "cspvovnet39": 18_320_232,
    "cspvovnet57": 29_249_832,
    # Four layers on 32 channels: norm and 1x1 to 128, norm and 3x3 to 32.
    "cspdenseblock": sum(2 * c + 128 * c + 2 * 128 + 9 * 128 * 32 for c in (32, 64, 96, 128)),
    # ResNet-18 without its classifier, 3 transposed convolutions with norm, 3 heads: arXiv 1904.07850, figure 6a.
    "centernet-resnet18": 11_176_512
    + 16 * 256 * (512 + 2 * 256)
    + 3 * 2 * 256
    + 3 * (9 * 256 * 64 + 64)
    + 65 * (80 + 2 + 2),
    # No other source; its MACs are those of the paper within 1 %, see test_zoo_detectors.
    "snet49-thundernet": 1_148_019,
    # torchvision's published tables.
    "resnet18": 11_689_512,
    "resnet34": 21_797_672,
    "resnet50": 25_557_032,
    "resnet101": 44_549_160,
    "resnet152": 60_192_808,
    "resnext50_32x4d": 25_028_904,
    "resnext101_32x8d": 88_791_336,
    # timm 1.0.31: 28.088 M; the excitations are written out in test_squeeze_and_excitation_adds.
    "seresnet50": 28_088_024,
}


def _parameters(name: str) -> int:
    with torch.device("meta"):
        return sum(parameter.numel() for parameter in zoo.create(name).parameters())


def test_every_network_has_a_count() -> None:
    assert set(PARAMETERS) == set(OWN)


@pytest.mark.parametrize("name", OWN)
def test_parameters(name: str) -> None:
    assert _parameters(name) == PARAMETERS[name]


@pytest.mark.parametrize(("name", "depths"), [("densenet121", (6, 12, 24, 16)), ("densenet264", (6, 12, 64, 48))])
def test_densenet264_is_the_sum_of_its_layers(name: str, depths: tuple[int, ...]) -> None:
    """Table 1 of arXiv 1608.06993 by hand; densenet121, whose count is published, checks the sum itself."""
    growth, width = 32, 4 * 32
    total = 7 * 7 * 3 * 64 + 2 * 64  # stem and its norm
    channels = 64
    for number, depth in enumerate(depths):
        for _ in range(depth):
            total += 2 * channels + channels * width  # norm, 1x1
            total += 2 * width + 3 * 3 * width * growth  # norm, 3x3
            channels += growth
        if number < 3:
            total += 2 * channels + channels * (channels // 2)  # norm, 1x1 of the transition
            channels //= 2
    total += 2 * channels + channels * 1000 + 1000  # last norm, classifier
    assert total == PARAMETERS[name]


def test_squeeze_and_excitation_adds() -> None:
    """Each of the 3, 4, 6, 3 bottlenecks of C channels gains C -> C/16 -> C, both with bias."""
    stages = ((3, 256), (4, 512), (6, 1024), (3, 2048))
    added = sum(depth * (2 * c * (c // 16) + c // 16 + c) for depth, c in stages)
    assert PARAMETERS["seresnet50"] - PARAMETERS["resnet50"] == added


def test_csp_references_differ_from_the_cfgs_as_admitted() -> None:
    """timm's part 2 of stage 1 is 128 wide where the cfg's is 64; the cfg counts are those of the spec's parser.

    64 more channels: entry 1x1 64 * 64, norm 2 * 64, and 64 * inner in the first block's 1x1.
    """
    assert PARAMETERS["cspresnet50"] - 21_607_848 == 64 * 64 + 2 * 64 + 64 * 64
    assert PARAMETERS["cspresnext50"] - 20_557_480 == 64 * 64 + 2 * 64 + 64 * 128
