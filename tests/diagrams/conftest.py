"""Graphs of real networks and of their twins, traced once."""

from __future__ import annotations

from functools import cache

import pytest

from cspanalyze.graph import ModelGraph
from cspanalyze.pipeline import Csp
from cspanalyze.pipeline.drawing import shown_networks


@cache
def _graphs(name: str, fusion: str) -> tuple[ModelGraph, ...]:
    return tuple(each.graph for _, each in shown_networks(name, Csp(fusion=fusion) if fusion else None, None))


@pytest.fixture(scope="session")
def graph_of():
    return lambda name: _graphs(name, "")[0]


@pytest.fixture(scope="session")
def twin_of():
    return lambda name, fusion="csp": _graphs(name, fusion)[1]
