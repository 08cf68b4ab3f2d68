"""Layers that read their own last state. N images are N / steps sequences: all first steps, all second ones, ..."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import torch
from torch import Tensor, nn

from cspanalyze.darknet import layers
from cspanalyze.darknet.modules.activations import activation
from cspanalyze.darknet.modules.convolution import Connected, convolution


def _over_time(x: Tensor, steps: int, step: Callable[[Tensor], Tensor]) -> Tensor:
    """Call `step` on each time step and put the results together again."""
    if x.shape[0] % steps:
        raise ValueError(f"{x.shape[0]} images are no whole number of sequences of {steps} steps")
    return torch.cat([step(part) for part in x.chunk(steps)])


def _connected(inputs: int, outputs: int, normalised: bool, activation: str = "linear") -> Connected:
    return Connected(layers.Connected(outputs, normalised, activation), inputs)


class PlainRecurrence(nn.Module):
    """state = input(x) + recurrent(state), plus the old state if `shortcut`; the result is output(state)."""

    def __init__(self, parts: tuple[nn.Module, nn.Module, nn.Module], steps: int, shortcut: bool) -> None:
        super().__init__()
        self.input, self.recurrent, self.output = parts
        self._steps, self._shortcut = steps, shortcut

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) -> (N, outputs, H', W'); the first state is 0."""
        state: Tensor | None = None

        def step(part: Tensor) -> Tensor:
            nonlocal state
            fresh: Tensor = self.input(part)
            old = torch.zeros_like(fresh) if state is None else state
            # The first step goes through the recurrent part, too: with a bias, f(0) is not 0.
            state = fresh + self.recurrent(old) + (old if self._shortcut else 0)
            out: Tensor = self.output(state)
            return out

        return _over_time(x, self._steps, step)


class GatedUnit(nn.Module):
    """z, r = logistic(U x + W h); h' = f(U x + W (r h)); the state becomes z h + (1 - z) h'."""

    def __init__(self, kind: layers.Recurrence, inputs: int) -> None:
        super().__init__()
        outputs, normalised = kind.outputs, kind.normalised
        self.from_input = nn.ModuleDict({gate: _connected(inputs, outputs, normalised) for gate in "zrh"})
        self.from_state = nn.ModuleDict({gate: _connected(outputs, outputs, normalised) for gate in "zrh"})
        self._candidate = torch.tanh if kind.hyperbolic else torch.sigmoid
        self._kind = kind

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) -> (N, outputs, 1, 1)."""
        state = x.new_zeros(x.shape[0] // self._kind.steps, self._kind.outputs, 1, 1)

        def step(part: Tensor) -> Tensor:
            nonlocal state
            update = torch.sigmoid(self.from_input["z"](part) + self.from_state["z"](state))
            reset = torch.sigmoid(self.from_input["r"](part) + self.from_state["r"](state))
            candidate = self._candidate(self.from_input["h"](part) + self.from_state["h"](reset * state))
            state = update * state + (1 - update) * candidate
            return state

        return _over_time(x, self._kind.steps, step)


class LongShortTermMemory(nn.Module):
    """f, i, o = logistic(U x + W h), g = tanh(U x + W h); the cell becomes f c + i g, the state o tanh(c).

    `from_cell` adds the cell to the gates f and i, and the new cell to o (peepholes).
    """

    def __init__(
        self, from_input: nn.ModuleDict, from_state: nn.ModuleDict, from_cell: nn.ModuleDict, steps: int, cell: str
    ) -> None:
        super().__init__()
        self.from_input, self.from_state, self.from_cell = from_input, from_state, from_cell
        self.cell_act = activation(cell)
        self._steps = steps

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) -> (N, outputs, H', W')."""
        state: Tensor | None = None
        cell: Tensor | None = None

        def step(part: Tensor) -> Tensor:
            nonlocal state, cell
            fresh = {gate: module(part) for gate, module in self.from_input.items()}
            old_state = torch.zeros_like(fresh["f"]) if state is None else state
            old_cell = torch.zeros_like(fresh["f"]) if cell is None else cell
            sums = {gate: fresh[gate] + module(old_state) for gate, module in self.from_state.items()}
            forget, take = (torch.sigmoid(self._peep(gate, sums[gate], old_cell)) for gate in "fi")
            cell = forget * old_cell + take * self.cell_act(sums["g"])
            out = torch.sigmoid(self._peep("o", sums["o"], cell))
            state = out * self.cell_act(cell)
            return state

        return _over_time(x, self._steps, step)

    def _peep(self, gate: str, value: Tensor, cell: Tensor) -> Tensor:
        if gate not in self.from_cell:
            return value
        seen: Tensor = self.from_cell[gate](cell)
        return value + seen


def recurrence(kind: layers.Recurrence, inputs: int) -> nn.Module:
    """The layer on vectors."""
    outputs, normalised = kind.outputs, kind.normalised
    if kind.cell == "gru":
        return GatedUnit(kind, inputs)
    if kind.cell == "lstm":
        from_input = nn.ModuleDict({gate: _connected(inputs, outputs, normalised) for gate in "figo"})
        from_state = nn.ModuleDict({gate: _connected(outputs, outputs, normalised) for gate in "figo"})
        return LongShortTermMemory(from_input, from_state, nn.ModuleDict(), kind.steps, "tanh")
    parts = (
        _connected(inputs, kind.hidden, normalised, kind.activation),
        _connected(kind.hidden, kind.hidden, normalised, kind.state_activation),
        _connected(kind.hidden, outputs, normalised, kind.activation),
    )
    return PlainRecurrence(parts, kind.steps, kind.shortcut)


def convolutional_recurrence(kind: layers.ConvolutionalRecurrence, channels: int) -> nn.Module:
    """The layer on maps."""
    inner = kind.inner
    if kind.cell == "crnn":
        last = convolution(replace(inner, filters=kind.outputs), inner.filters)
        parts = (convolution(inner, channels), convolution(inner, inner.filters), last)
        return PlainRecurrence(parts, kind.steps, kind.shortcut)
    from_input = nn.ModuleDict({gate: convolution(inner, channels) for gate in "figo"})
    from_state = nn.ModuleDict({gate: convolution(inner, inner.filters) for gate in "figo"})
    from_cell = nn.ModuleDict({gate: convolution(inner, inner.filters) for gate in "fio"} if kind.peephole else {})
    return LongShortTermMemory(from_input, from_state, from_cell, kind.steps, kind.cell_activation)
