"""The notebooks run, use public names only, and are stored as GitHub can show them."""

from __future__ import annotations

import ast
import importlib.util
import re
from pathlib import Path
from typing import Any

import nbformat
import pytest

import cspanalyze

FOLDER = Path(__file__).parents[2] / "notebooks"
PATHS = sorted(FOLDER.glob("*.ipynb"))
IMAGES = {"image/svg+xml", "image/png"}
LARGEST_BYTES = 1_000_000
FOREIGN = re.compile(r"/(?:work|tmp|home|root|Users|opt|usr)/|site-packages|[A-Z]:\\\\")
"""A path of the machine that ran it."""
MOVED = """
seen = {picture.value + table.value}
for gamma.value, fusion.value, stage.value in [(0.25, "csp", 1), (0.25, "last", 1), (0.25, "last", 3)]:
    seen.add(picture.value + table.value)
assert len(seen) == 4, "a move redraws"
assert "<svg" in picture.value
assert "<table" in table.value
assert not moves.outputs, moves.outputs
"""
FURTHER_CELLS = {"4-design-space": (MOVED,)}


def _execution() -> Any:
    spec = importlib.util.spec_from_file_location("execute", FOLDER / "execute.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def _outputs(notebook: Any) -> list[Any]:
    return [output for cell in notebook.cells if cell.cell_type == "code" for output in cell.outputs]


def _shows(output: Any) -> set[str]:
    return set(output.get("data", {}))


def test_there_are_six() -> None:
    assert [path.name[0] for path in PATHS] == list("123456")


@pytest.mark.parametrize("path", PATHS, ids=lambda path: path.stem)
def test_runs(path: Path) -> None:
    execution = _execution()
    notebook = execution.executed(path, *FURTHER_CELLS.get(path.stem, ()))
    logged = [output.text for output in _outputs(notebook) if output.get("name") == "stderr"]
    assert not [text for text in logged if "choreographer" not in text]  # the browser of plots logs what it ignores
    outputs = _outputs(execution.tidied(notebook))
    assert not [output for output in outputs if output.output_type == "error"]
    assert len(nbformat.writes(notebook)) < LARGEST_BYTES
    stored = _outputs(nbformat.read(path, as_version=4))
    assert len(outputs) == len(stored), "what is stored is out of date: run notebooks/execute.py"


@pytest.mark.parametrize("path", PATHS, ids=lambda path: path.stem)
def test_stored_as_github_shows_it(path: Path) -> None:
    notebook = nbformat.read(path, as_version=4)
    nbformat.validate(notebook)
    outputs = _outputs(notebook)
    assert path.stat().st_size < LARGEST_BYTES
    assert any(_shows(output) & IMAGES for output in outputs), "no picture that shows without a kernel"
    for output in outputs:
        assert output.output_type != "error"
        assert not [kind for kind in _shows(output) if kind.startswith("application/")], "needs a running kernel"
        assert "<script" not in str(output)
    counts = [cell.execution_count for cell in notebook.cells if cell.cell_type == "code"]
    assert counts == list(range(1, len(counts) + 1)), "run as a whole: notebooks/execute.py"
    assert not FOREIGN.findall(str(outputs))
    assert notebook.metadata.keys() == {"kernelspec", "language_info"}


@pytest.mark.parametrize("path", PATHS, ids=lambda path: path.stem)
def test_public_names_only(path: Path) -> None:
    cells = [cell.source for cell in nbformat.read(path, as_version=4).cells if cell.cell_type == "code"]
    tree = ast.parse("\n".join(re.sub(r"^(\s*)!.*", r"\1pass", source, flags=re.M) for source in cells))
    public = {*cspanalyze.__all__, "zoo"}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            assert not [name.name for name in node.names if name.name.startswith("cspanalyze.")]
        elif isinstance(node, ast.ImportFrom) and (node.module or "").startswith("cspanalyze"):
            assert node.module == "cspanalyze"
            assert {name.name for name in node.names} <= public
        elif isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "cspanalyze":
            assert node.attr in public
