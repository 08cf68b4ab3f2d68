"""The files in examples/ do what they say."""

from __future__ import annotations

import os
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
EXAMPLES = ROOT / "examples"


def example(*command: str, folder: Path = ROOT, path: str = "") -> subprocess.CompletedProcess[str]:
    """A command of the examples as a process of its own; `cspanalyze` is the one of this interpreter."""
    if command[0] == "cspanalyze":
        command = (sys.executable, "-c", "from cspanalyze.cli import main; main()", *command[1:])
    elif command[0] == "python":
        command = (sys.executable, *command[1:])
    places = os.pathsep.join(filter(None, (str(ROOT), path, os.environ.get("PYTHONPATH", ""))))
    return subprocess.run(
        command, cwd=folder, capture_output=True, text=True, timeout=120, env={**os.environ, "PYTHONPATH": places}
    )


@pytest.mark.parametrize(
    ("command", "said"),
    [
        # 3 x 16 x 9 weights and 16 biases of the stem
        (("cspanalyze", "params", "examples/own_model.py:SmallNet", "--arg", "width=16", "-i", "1x3x64x64"), "448"),
        (("python", "examples/own_model.py"), "the twin runs: (1, 10)"),
        (("python", "examples/custom_op.py"), f"with one: {4 * 16 * (512 + 256)} MACs"),
        (("python", "examples/custom_csp_adapter.py"), "with one: 5,332,992 MACs become 1,826,816"),
        (("cspanalyze", "summary", "examples/tiny.cfg"), "4.794 k"),
        (("python", "examples/sweep_on_dask.py"), "on the front: CSP"),
    ],
    ids=lambda value: value[1] if isinstance(value, tuple) else "",
)
def test_example(command: tuple[str, ...], said: str) -> None:
    done = example(*command)
    assert done.returncode == 0, done.stderr
    assert said in done.stdout


def test_the_guard_of_a_build() -> None:
    line = next(
        line.partition("run: ")[2]
        for line in (EXAMPLES / "ci" / "check.yml").read_text().splitlines()
        if "run: cspanalyze" in line
    )
    assert line in (EXAMPLES / "README.md").read_text()
    assert example(*line.split()).returncode == 0
    grown = example(*line.replace(":SmallNet", ":wide").split())
    assert grown.returncode == 4
    assert "Where it grew" in grown.stdout


@pytest.fixture
def installed(tmp_path: Path) -> str:
    """Where the plugin is found, with the entry points of its pyproject.toml, as if it were installed."""
    project = tomllib.loads((EXAMPLES / "plugin" / "pyproject.toml").read_text())["project"]
    metadata = tmp_path / f"{project['name']}-{project['version']}.dist-info"
    metadata.mkdir()
    metadata.joinpath("METADATA").write_text(f"Metadata-Version: 2.1\nName: {project['name']}\nVersion: 1\n")
    points = "".join(
        f"[{group}]\n" + "".join(f"{name} = {value}\n" for name, value in named.items())
        for group, named in project["entry-points"].items()
    )
    metadata.joinpath("entry_points.txt").write_text(points)
    return os.pathsep.join((str(tmp_path), str(EXAMPLES / "plugin" / "src")))


def test_the_plugin(installed: str, tmp_path: Path) -> None:
    assert "gatekit:pair" in example("cspanalyze", "models", "gatekit:", path=installed).stdout
    done = example("cspanalyze", "params", "gatekit:pair", "-o", "pair.totals", folder=tmp_path, path=installed)
    assert done.returncode == 0, done.stderr
    # 3 x 16 x 9 + 16 and 16 x 16 x 9 + 16
    assert "params 2768" in (tmp_path / "pair.totals").read_text()
    code = "import cspanalyze; print(cspanalyze.analyze('gatekit:pair', metrics=('convolutions',)).results[0].total)"
    assert example("python", "-c", code, path=installed).stdout == "2\n"


def test_a_plugin_that_fails_is_one_warning(installed: str, tmp_path: Path) -> None:
    broken = tmp_path / "broken"
    broken.mkdir()
    broken.joinpath("brokenkit.py").write_text("raise RuntimeError('no such accelerator')")
    metadata = broken / "brokenkit-1.dist-info"
    metadata.mkdir()
    metadata.joinpath("METADATA").write_text("Metadata-Version: 2.1\nName: brokenkit\nVersion: 1\n")
    metadata.joinpath("entry_points.txt").write_text("[cspanalyze.plugins]\nbrokenkit = brokenkit\n")
    path = os.pathsep.join((str(broken), installed))
    done = example("cspanalyze", "params", "gatekit:pair", path=path)
    assert done.returncode == 0, done.stderr
    assert done.stderr == "warning: the plugin brokenkit (brokenkit) is left out: RuntimeError: no such accelerator\n"
    assert example("cspanalyze", "params", "--help", path=path).stderr == ""
