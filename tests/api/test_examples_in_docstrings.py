"""The examples in the docstrings of all public functions are run, and every one has an example."""

from __future__ import annotations

import doctest
import inspect
from typing import Any

import pytest

import cspanalyze
from cspanalyze.analyses import ANALYSES
from cspanalyze.costs import registry
from cspanalyze.renderers.registry import _RENDERERS

REGISTERS = ("register_csp_adapter", "register_source")  # the files in examples/ show these
FUNCTIONS = [name for name in cspanalyze.__all__ if name[0].islower() and name not in REGISTERS]


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
    test = doctest.DocTestParser().get_doctest(inspect.getdoc(function) or "", public, name, None, None)
    assert test.examples, f"{name} has no example"
    said: list[str] = []
    outcome = doctest.DocTestRunner(optionflags=doctest.ELLIPSIS).run(test, out=said.append)
    assert not outcome.failed, "".join(said)
