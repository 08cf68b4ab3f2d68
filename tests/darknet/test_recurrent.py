"""Layers with a state, against torch's own and against the equations written out."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from cspanalyze.darknet import build, plan_network, read_text
from cspanalyze.darknet.network import DarknetNet

STEPS, BATCH, INPUTS = 3, 2, 5


def _network(layers: str, net: str = f"inputs={INPUTS}") -> DarknetNet:
    text = f"[net]\n{net}\ntime_steps={STEPS}\n{layers}"
    network = build(plan_network(read_text(text, "a.cfg"), "a.cfg")).eval()
    torch.manual_seed(0)
    for parameter in network.parameters():
        nn.init.uniform_(parameter, -1, 1)
    return network


def _sequence(*shape: int) -> Tensor:
    return torch.randn(STEPS * BATCH, *shape, generator=torch.Generator().manual_seed(1))


def _joined(modules: nn.ModuleDict, gates: str) -> tuple[Tensor, Tensor]:
    """Weights and biases of several gates, one after the other as torch has them."""
    linear = [modules[gate].linear for gate in gates]
    return torch.cat([layer.weight for layer in linear]), torch.cat([layer.bias for layer in linear])


def test_lstm_is_torchs() -> None:
    network = _network("[lstm]\noutput=4")
    (layer,) = network.layer_modules()
    peer = nn.LSTM(INPUTS, 4)
    with torch.no_grad():
        for modules, key in ((layer.from_input, "ih"), (layer.from_state, "hh")):
            weight, bias = _joined(modules, "ifgo")
            getattr(peer, f"weight_{key}_l0").copy_(weight)
            getattr(peer, f"bias_{key}_l0").copy_(bias)
    x = _sequence(INPUTS)
    torch.testing.assert_close(network(x).reshape(STEPS, BATCH, 4), peer(x.reshape(STEPS, BATCH, INPUTS))[0])


def test_rnn_is_torchs_with_a_linear_layer_behind() -> None:
    """torch adds inside its activation, Darknet outside: they agree where the activation is linear."""
    network = _network("[rnn]\nhidden=4\noutput=3\nactivation=linear")
    (layer,) = network.layer_modules()
    x = _sequence(INPUTS)
    state, outputs = torch.zeros(BATCH, 4), []
    for part in x.reshape(STEPS, BATCH, INPUTS):
        state = layer.input.linear(part) + layer.recurrent.linear(state)
        outputs.append(layer.output.linear(state))
    torch.testing.assert_close(network(x), torch.cat(outputs))


@pytest.mark.parametrize("options", ["shortcut=1", "logistic=1", "logistic=2"])
def test_rnn_options(options: str) -> None:
    network = _network(f"[rnn]\nhidden=4\noutput=3\nactivation=relu\n{options}")
    (layer,) = network.layer_modules()
    inner = {"shortcut=1": torch.relu, "logistic=1": torch.sigmoid, "logistic=2": lambda x: 2 * torch.sigmoid(x) - 1}
    x = _sequence(INPUTS)
    state, outputs = torch.zeros(BATCH, 4), []
    for part in x.reshape(STEPS, BATCH, INPUTS):
        fresh = layer.input.linear(part).relu() + inner[options](layer.recurrent.linear(state))
        state = fresh + state if options == "shortcut=1" else fresh
        outputs.append(layer.output.linear(state).relu())
    torch.testing.assert_close(network(x), torch.cat(outputs))


@pytest.mark.parametrize(("option", "f"), [("", torch.sigmoid), ("tanh=1", torch.tanh)])
def test_gru(option: str, f: torch.nn.Module) -> None:
    network = _network(f"[gru]\noutput=4\n{option}")
    (layer,) = network.layer_modules()
    u, w = ({gate: modules[gate].linear for gate in "zrh"} for modules in (layer.from_input, layer.from_state))
    x = _sequence(INPUTS)
    state, outputs = torch.zeros(BATCH, 4), []
    for part in x.reshape(STEPS, BATCH, INPUTS):
        z, r = (torch.sigmoid(u[gate](part) + w[gate](state)) for gate in "zr")
        state = z * state + (1 - z) * f(u["h"](part) + w["h"](r * state))
        outputs.append(state)
    torch.testing.assert_close(network(x), torch.cat(outputs))


def test_convolutional_lstm_on_one_position_is_an_lstm() -> None:
    network = _network("[conv_lstm]\noutput=4\nsize=1", f"width=1\nheight=1\nchannels={INPUTS}")
    plain = _network("[lstm]\noutput=4")
    (layer,), (peer,) = network.layer_modules(), plain.layer_modules()
    with torch.no_grad():
        for ours, theirs in ((layer.from_input, peer.from_input), (layer.from_state, peer.from_state)):
            for gate in "figo":
                theirs[gate].linear.weight.copy_(ours[gate].conv.weight.flatten(1))
                theirs[gate].linear.bias.copy_(ours[gate].conv.bias)
    x = _sequence(INPUTS)
    torch.testing.assert_close(network(x[:, :, None, None]), plain(x))


def test_peepholes() -> None:
    """The gates f and i see the cell before the step, the gate o the cell after it (arXiv 1506.04214, eq. 3)."""
    network = _network("[conv_lstm]\noutput=4\nsize=3\npad=1\npeephole=1", "width=5\nheight=4\nchannels=2")
    (layer,) = network.layer_modules()
    x = _sequence(2, 4, 5)
    state = cell = torch.zeros(BATCH, 4, 4, 5)
    outputs = []
    for part in x.chunk(STEPS):
        sums = {gate: layer.from_input[gate](part) + layer.from_state[gate](state) for gate in "figo"}
        f, i = (torch.sigmoid(sums[gate] + layer.from_cell[gate](cell)) for gate in "fi")
        cell = f * cell + i * sums["g"].tanh()
        state = torch.sigmoid(sums["o"] + layer.from_cell["o"](cell)) * cell.tanh()
        outputs.append(state)
    torch.testing.assert_close(network(x), torch.cat(outputs))


def test_convolutional_rnn() -> None:
    network = _network(
        "[crnn]\nhidden=4\noutput=6\nsize=3\npad=1\ngroups=2\nactivation=leaky", "width=5\nheight=4\nchannels=2"
    )
    (layer,) = network.layer_modules()
    x = _sequence(2, 4, 5)
    state, outputs = torch.zeros(BATCH, 4, 4, 5), []
    for part in x.chunk(STEPS):
        state = layer.input(part) + layer.recurrent(state)
        outputs.append(layer.output(state))
    torch.testing.assert_close(network(x), torch.cat(outputs))


def test_a_batch_is_whole_sequences() -> None:
    network = _network("[lstm]\noutput=4")
    assert network.input_shape == (STEPS, INPUTS)
    with pytest.raises(ValueError, match="4 images are no whole number of sequences of 3 steps"):
        network(torch.zeros(4, INPUTS))
