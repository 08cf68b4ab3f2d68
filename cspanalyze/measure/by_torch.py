"""torch.utils.flop_counter.FlopCounterMode."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn
from torch.nn.modules.module import register_module_forward_hook, register_module_forward_pre_hook

from cspanalyze.measure.copies import Flat, Run, flat_copy
from cspanalyze.measure.counts import Entry

_FAMILIES = {
    "mm": "matmul",
    "addmm": "matmul",
    "bmm": "matmul",
    "baddbmm": "matmul",
    "_scaled_mm": "matmul",
    "convolution": "convolution",
    "_convolution": "convolution",
}


def version() -> str:
    """Version of torch."""
    return str(torch.__version__)


def count(run: Run) -> tuple[list[Entry], str]:
    """Its FLOPs halved, and on what it ran.

    It runs on the device of the network: on the processor, attention and LSTM layers are single operators that it does
    not know, while on meta tensors they fall apart into matrix products.
    """
    from torch.utils.flop_counter import FlopCounterMode

    with flat_copy(run) as flat:
        counter = FlopCounterMode(display=False)
        ledger = _Ledger(flat, counter)
        handles = [register_module_forward_pre_hook(ledger.enter), register_module_forward_hook(ledger.leave)]
        try:
            with counter:
                flat(*flat.tensors)
        finally:
            for handle in handles:
                handle.remove()
        return ledger.entries(), "on meta tensors" if run.on_meta else "on real tensors"


class _Ledger:
    """Which module was innermost when the counter's total grew; its own table by module adds children to parents."""

    def __init__(self, flat: nn.Module, counter: Any) -> None:
        self._paths = {id(module): path for path, module in flat.named_modules()}
        self._counter = counter
        self._open: list[str] = []
        self._seen: dict[Any, int] = {}
        self._macs: dict[tuple[str, str], int] = {}

    def enter(self, module: nn.Module, _: Any) -> None:
        self._settle()
        inherited = self._open[-1] if self._open else ""
        self._open.append(self._paths.get(id(module), inherited))

    def leave(self, module: nn.Module, _: Any, __: Any) -> None:
        self._settle()
        self._open.pop()

    def entries(self) -> list[Entry]:
        return [
            Entry(Flat.path(path), operator, _family(operator), flops // 2)
            for (path, operator), flops in self._macs.items()
        ]

    def _settle(self) -> None:
        """Book what was counted since the last time on the innermost open module."""
        totals = self._counter.flop_counts["Global"]
        for packet, flops in totals.items():
            grown = flops - self._seen.get(packet, 0)
            if grown:
                key = (self._open[-1] if self._open else "", str(packet).rpartition(".")[2])
                self._macs[key] = self._macs.get(key, 0) + grown
                self._seen[packet] = flops


def _family(operator: str) -> str:
    return "attention" if "attention" in operator else _FAMILIES.get(operator, operator)
