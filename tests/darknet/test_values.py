"""What the layers compute, against plain loops and against torch's own layers."""

from __future__ import annotations

from itertools import product

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from cspanalyze.darknet import build, plan_network, read_text
from cspanalyze.darknet.network import DarknetNet


def _network(layers: str, net: str = "width=6\nheight=4\nchannels=8") -> DarknetNet:
    torch.manual_seed(0)
    network = build(plan_network(read_text(f"[net]\n{net}\n{layers}", "a.cfg"), "a.cfg")).eval()
    for parameter in network.parameters():
        nn.init.uniform_(parameter, -1, 1)
    return network


def _input(*shape: int) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(1))


def _maps(network: DarknetNet, x: Tensor) -> list[Tensor]:
    """The map of every layer."""
    maps: list[Tensor] = []
    for module in network.layer_modules():
        module.register_forward_hook(lambda _, __, out: maps.append(out))
    with torch.no_grad():
        network(x)
    return maps


@pytest.mark.parametrize(
    ("section", "size", "stride", "padding"),
    [
        *(("maxpool", size, stride, size - 1) for size, stride in ((2, 2), (2, 1), (3, 2), (5, 1), (4, 3))),
        *(("local_avgpool", size, stride, size - 1) for size, stride in ((2, 2), (2, 1), (3, 2), (4, 3))),
        ("maxpool", 3, 2, 4),
        ("local_avgpool", 3, 1, 3),
        ("maxpool", 3, 2, 0),
    ],
)
def test_pooling_begins_half_of_the_padding_before_the_map(section: str, size: int, stride: int, padding: int) -> None:
    """Output (i, j) sees the positions stride i - padding / 2 and on (half rounded down) that are inside the map."""
    network = _network(f"[{section}]\nsize={size}\nstride={stride}\npadding={padding}", "width=7\nheight=6\nchannels=2")
    x = _input(2, 2, 6, 7)
    (out,) = _maps(network, x)
    for i, j in product(range(out.shape[2]), range(out.shape[3])):
        top, left = stride * i - padding // 2, stride * j - padding // 2
        inside = x[:, :, max(top, 0) : top + size, max(left, 0) : left + size]
        expected = inside.amax((2, 3)) if section == "maxpool" else inside.mean((2, 3))
        torch.testing.assert_close(out[:, :, i, j], expected)


def test_maxout_takes_every_nth_channel() -> None:
    x = _input(2, 8, 4, 6)
    (out,) = _maps(_network("[maxpool]\nmaxpool_depth=1\nout_channels=2"), x)
    assert torch.equal(out[:, 0], x[:, 0::2].amax(1))
    assert torch.equal(out[:, 1], x[:, 1::2].amax(1))


def test_blurs_are_means() -> None:
    """3x3: rows 1 2 1, 2 4 2, 1 2 1 over 16; 2x2: a quarter each."""
    x = _input(1, 2, 4, 6)
    for antialiasing, kernel, padding in ((1, [[1, 2, 1], [2, 4, 2], [1, 2, 1]], 1), (2, [[1, 1], [1, 1]], 0)):
        network = _network(f"[maxpool]\nsize=1\nstride=2\nantialiasing={antialiasing}", "width=6\nheight=4\nchannels=2")
        weight = torch.tensor(kernel, dtype=torch.float32) / sum(map(sum, kernel))
        expected = functional.conv2d(x, weight.repeat(2, 1, 1, 1), stride=2, padding=padding, groups=2)
        torch.testing.assert_close(_maps(network, x)[0], expected)


def test_reorg3d_is_space_to_depth() -> None:
    """Channel (row s + column) C + c holds position (row, column) of each square of channel c."""
    x = _input(2, 8, 4, 6)
    out, back = _maps(_network("[reorg3d]\nstride=2\n[reorg3d]\nstride=2\nreverse=1"), x)
    for row, column, c in product(range(2), range(2), range(8)):
        assert torch.equal(out[:, (2 * row + column) * 8 + c], x[:, c, row::2, column::2])
    assert torch.equal(back, x)


def test_reorg_reads_the_map_as_a_larger_one() -> None:
    """YOLOv2's layer: position (k, j, i) of the input's own shape gets, in flat order, the element of the larger map.

    That map has C / s^2 channels, s H rows and s W columns; k = (row s + column) C / s^2 + c picks (c, s j + row,
    s i + column) there.
    """
    channels, height, width, s = 8, 4, 6, 2
    x = _input(1, channels, height, width)
    (out,) = _maps(_network("[reorg]\nstride=2"), x)
    flat, result = x.flatten(), out.flatten()
    thin = channels // s**2
    for k, j, i in product(range(channels), range(height), range(width)):
        (row, column), c = divmod(k // thin, s), k % thin
        source = (s * i + column) + s * width * ((s * j + row) + s * height * c)
        assert result[i + width * (j + height * k)] == flat[source]


def test_route_takes_the_same_part_of_each_map() -> None:
    layers = "[conv]\nfilters=4\n[conv]\nfilters=2\n[route]\nlayers=-1,0\ngroups=2\ngroup_id=1\n[route]\nlayers=1,0"
    first, second, parts, whole = _maps(_network(layers), _input(2, 8, 4, 6))
    assert torch.equal(parts, torch.cat((second[:, 1:], first[:, 2:]), 1))
    assert torch.equal(whole, torch.cat((second, first), 1))


def test_shortcut_adds_common_channels_and_positions() -> None:
    """A larger map gives every second position, a smaller one goes to every second."""
    layers = "[conv]\nfilters=6\n[conv]\nfilters=9\nsize=3\nstride=2\npad=1\n[shortcut]\nfrom=0\n[conv]\nfilters=3\n"
    maps = _maps(_network(f"{layers}[upsample]\nstride=2\n[shortcut]\nfrom=1\nactivation=leaky"), _input(2, 8, 4, 6))
    large, small, added, _, up, spread = maps
    expected = small.clone()
    expected[:, :6] += large[:, :, ::2, ::2]
    assert torch.equal(added, expected)
    expected = up.clone()
    expected[:, :, ::2, ::2] += small[:, :3]
    torch.testing.assert_close(spread, functional.leaky_relu(expected, 0.1))


@pytest.mark.parametrize("kind", ["per_feature", "per_channel"])
@pytest.mark.parametrize("normalisation", ["none", "relu", "softmax"])
def test_shortcut_weights(kind: str, normalisation: str) -> None:
    layers = "[conv]\nfilters=4\n[conv]\nfilters=3\n[conv]\nfilters=4\n"
    network = _network(
        f"{layers}[shortcut]\nfrom=0,1\nweights_type={kind}\nweights_normalization={normalisation}",
        "width=6\nheight=4\nchannels=8",
    )
    first, second, third, out = _maps(network, _input(2, 8, 4, 6))
    weight = network.get_submodule("stage1.3_shortcut").weight.detach()
    assert weight.shape == ((3, 1) if kind == "per_feature" else (3, 4))
    if normalisation == "relu":
        weight = weight.clamp(min=0) / (weight.clamp(min=0).sum(0) + 1e-4)
    elif normalisation == "softmax":
        weight = (weight - weight.amax(0)).exp() / ((weight - weight.amax(0)).exp().sum(0) + 1e-4)
    factors = weight.expand(3, 4)[:, None, :, None, None]
    padded = torch.cat((second, torch.zeros_like(second[:, :1])), 1)
    torch.testing.assert_close(out, third * factors[0] + first * factors[1] + padded * factors[2])


def test_gates() -> None:
    layers = "[conv]\nfilters=5\n[avgpool]\n[conv]\nfilters=5\n[scale_channels]\nfrom=0\n[conv]\nfilters=1\n"
    maps = _maps(
        _network(f"{layers}[scale_channels]\nfrom=3\nscale_wh=1\nactivation=relu\n[sam]\nfrom=0"), _input(2, 8, 4, 6)
    )
    first, mean, vector, scaled, gate, gated, product_ = maps
    torch.testing.assert_close(mean, first.mean((2, 3), keepdim=True))
    torch.testing.assert_close(scaled, first * vector)
    torch.testing.assert_close(gated, (scaled * gate).relu())
    torch.testing.assert_close(product_, gated * first)


def test_implicit_layers() -> None:
    layers = "[implicit_add]\nfilters=8\n[implicit_mul]\nfilters=8\n[conv]\nfilters=8\n"
    network = _network(
        layers.replace("[conv]", "[route]\nlayers=0\n[upsample]\nstride=2\n[conv]") + "[shift_channels]\nfrom=0\n"
        "[control_channels]\nfrom=1\n[select_channels]\nfrom=1\n[alternate_channels]\nfrom=0"
    )
    a, m, *_, x, shifted, controlled, selected, joined = _maps(network, _input(2, 8, 4, 6))
    assert a.shape == (2, 8, 1, 1)
    torch.testing.assert_close(shifted, x + a)
    torch.testing.assert_close(controlled, shifted * m)
    torch.testing.assert_close(selected, controlled * m.sigmoid())
    torch.testing.assert_close(joined, torch.cat((a.expand(-1, -1, 2, 2), selected), 1))


def test_shared_weights_are_the_same_parameters() -> None:
    layers = "[conv]\nfilters=8\nsize=3\npad=1\nbatch_normalize=1\nactivation=linear\n"
    network = _network(f"{layers}[route]\nlayers=0\n{layers}dilation=2\nshare_index=0")
    first, _, second = network.layer_modules()
    assert second.conv.weight is first.conv.weight
    assert second.bn.bias is first.bn.bias
    assert second.bn.running_var is first.bn.running_var
    assert second.conv.dilation == (2, 2)
    assert len(list(network.parameters())) == 3


def test_local_has_weights_for_each_position() -> None:
    network = _network(
        "[local]\nfilters=3\nsize=3\nstride=2\npad=1\nactivation=linear", "width=5\nheight=4\nchannels=2"
    )
    x = _input(2, 2, 4, 5)
    (out,) = _maps(network, x)
    padded = functional.pad(x, (1, 1, 1, 1))
    (module,) = network.layer_modules()
    for position, (i, j) in enumerate(product(range(2), range(3))):
        window = padded[:, :, 2 * i : 2 * i + 3, 2 * j : 2 * j + 3].reshape(2, -1)
        torch.testing.assert_close(out[:, :, i, j], window @ module.weight[position].T + module.bias[:, i, j])


def test_small_layers() -> None:
    x = _input(2, 8, 4, 6)
    layers = "[upsample]\nstride=2\nscale=.5\n[crop]\ncrop_height=5\ncrop_width=6\n"
    layers += "[crop]\ncrop_height=2\ncrop_width=2\nnoadjust=1\n"
    up, cropped, plain, softmax, spatial = _maps(
        _network(f"{layers}[softmax]\ngroups=4\ntemperature=2\n[softmax]\nspatial=1"), x
    )
    torch.testing.assert_close(up, x.repeat_interleave(2, 2).repeat_interleave(2, 3) / 2)
    torch.testing.assert_close(
        cropped, up[:, :, 1:6, 3:9] * 2 - 1
    )  # (8 - 5) / 2 = 1 above, (12 - 6) / 2 = 3 to the left
    torch.testing.assert_close(plain, cropped[:, :, 1:3, 2:4])
    torch.testing.assert_close(softmax, (plain / 2).reshape(2, 4, 8).softmax(2).reshape(plain.shape))
    torch.testing.assert_close(spatial, softmax.softmax(1))


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("leaky", [-0.3, -0.1, 0.0, 2.0]),
        ("hard_mish", [0.0, -0.5, 0.0, 2.0]),  # x^2 / 2 + x between -2 and 0: 1 / 2 - 1
        ("loggy", [-0.905148, -0.462117, 0.0, 0.761594]),  # tanh(x / 2)
        ("ramp", [-0.3, -0.1, 0.0, 2.2]),
        ("relie", [-0.03, -0.01, 0.0, 2.0]),
        ("hardtan", [-1.0, -1.0, 0.0, 1.0]),
        ("swish", [-0.142278, -0.268941, 0.0, 1.761594]),
    ],
)
def test_activations(name: str, values: list[float]) -> None:
    x = torch.tensor([-3.0, -1.0, 0.0, 2.0]).reshape(1, 4, 1, 1)
    (out,) = _maps(_network(f"[activation]\nactivation={name}", "width=1\nheight=1\nchannels=4"), x)
    torch.testing.assert_close(out.flatten(), torch.tensor(values), atol=1e-5, rtol=1e-5)


def test_outputs_are_the_maps_that_the_heads_get() -> None:
    yolo = "[conv]\nfilters=7\nactivation=linear\n[yolo]\nmask=0\nclasses=2\n"
    network = _network(f"{yolo}[route]\nlayers=0\n[maxpool]\nsize=2\nstride=2\n{yolo}")
    x = _input(2, 8, 4, 6)
    out = network(x)
    maps = _maps(network, x)
    assert isinstance(out, list)
    assert torch.equal(out[0], maps[0])
    assert torch.equal(out[1], maps[4])
    vector = _network("[avgpool]\n[softmax]")(x)
    assert isinstance(vector, Tensor)
    assert vector.shape == (2, 8)
