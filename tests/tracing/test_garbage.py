"""What a trace leaves behind is freed at once: a collection of cycles is put off while traces run."""

from __future__ import annotations

import gc

import pytest
import torch
from torch import nn

from cspanalyze.analyses import ANALYSES, Grouping, run
from cspanalyze.garbage import young_collections_only
from cspanalyze.tracing import trace


@pytest.mark.parametrize("backward", [False, True])
def test_no_cycles(backward: bool) -> None:
    model, x = nn.Sequential(nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8), nn.ReLU(), nn.Flatten()), torch.rand(1, 3, 8, 8)

    def work() -> None:
        graph = trace(model, x, backward=backward)
        run(graph, ANALYSES, Grouping.of(graph))

    work()  # what is made once and kept
    gc.collect()
    gc.disable()
    try:
        work()
        gc.set_debug(gc.DEBUG_SAVEALL)
        gc.collect()
        left = {type(found).__name__ for found in gc.garbage}
    finally:
        gc.set_debug(0)
        gc.garbage.clear()
        gc.enable()
    assert not left & {"ModelGraph", "Recorder", "ValueTable", "View", "OpNode", "Value"}


def test_thresholds_come_back_and_frozen_objects_stay_frozen() -> None:
    before = gc.get_threshold()
    gc.freeze()
    try:
        frozen = gc.get_freeze_count()
        with young_collections_only():
            assert gc.get_threshold() != before
        assert gc.get_freeze_count() == frozen
    finally:
        gc.unfreeze()
    assert gc.get_threshold() == before
