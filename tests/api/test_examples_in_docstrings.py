"""The examples in the docstrings of all public functions are run, and every one has an example."""

from __future__ import annotations

import doctest
import inspect
import sys
from typing import Any

import pytest

import cspanalyze
from cspanalyze.analyses import ANALYSES
from cspanalyze.costs import registry
from cspanalyze.renderers.registry import _RENDERERS

ELSEWHERE = ("register_csp_adapter", "register_source", "simulate_traffic")
"""Shown by the files in examples/, and by the tests that have valgrind."""
FUNCTIONS = [name for name in cspanalyze.__all__ if name[0].islower() and name not in ELSEWHERE]


@pytest.fixture(autouse=True)
def _as_it_was(monkeypatch: pytest.MonkeyPatch) -> None:
    """What the examples register is gone afterwards."""
    monkeypatch.setattr(registry, "_FORMULAS", dict(registry._FORMULAS))
    for known in (ANALYSES, _RENDERERS):
        monkeypatch.setitem(known, "", None)
        monkeypatch.delitem(known, "")


@pytest.mark.parametrize("name", FUNCTIONS)
def test_example(name: str) -> None:
    public: dict[str, Any] = {each: getattr(cspanalyze, each) for each in cspanalyze.__all__}
    function = inspect.unwrap(public[name])
    known = {**vars(sys.modules[function.__module__]), **public}
    test = doctest.DocTestParser().get_doctest(inspect.getdoc(function) or "", known, name, None, None)
    assert test.examples, f"{name} has no example"
    said: list[str] = []
    outcome = doctest.DocTestRunner(optionflags=doctest.ELLIPSIS).run(test, out=said.append)
    assert not outcome.failed, "".join(said)
