"""Whatever is in a file, it is read, or refused in one sentence; and nothing in it is ever executed."""

from __future__ import annotations

import copy
import json
import zipfile
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import event, given
from hypothesis import strategies as st
from robustness.conftest import MANY, call, is_clear, left_over

SCALARS = st.sampled_from(
    [None, True, 0, -1, 1, 2**63, 10**400, 0.5, -0.0, 1e308, "", "macs", "<script>", "é", "a" * 5000, [], {}, [[]], "-"]
)
MADE = {
    "report": ["summary", "nets.py:Tiny"],
    "modules": ["flops", "nets.py:Tiny", "--by", "module"],
    "comparison": ["cio", "nets.py:Tiny", "--csp"],
    "stages": ["stages", "nets.py:Tiny"],
    "gradients": ["gradients", "nets.py:Tiny", "--csp"],
    "diagram": ["graph", "nets.py:Tiny", "--csp"],
    "study": ["report", "nets.py:Tiny", "--csp"],
    "models": ["models", "resnet1*"],
}


class Parts(dict[str, Any]):
    """Contents by name, which a failing test does not print in full."""

    def __repr__(self) -> str:
        return f"<{len(self)} parts>"


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Parts:
    """What every command that saves records writes of a small network."""
    from robustness.conftest import NETS

    folder = tmp_path_factory.mktemp("saved")
    (folder / "nets.py").write_text(NETS)
    found = Parts()
    for kind, (name, model, *rest) in MADE.items():
        model = model.replace("nets.py", str(folder / "nets.py"))
        path = folder / f"{kind}.json"
        assert call([name, model, *rest, "-o", str(path)]).code == 0
        found[kind] = json.loads(path.read_text())
    return found


def _places(data: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Where in a JSON document there is a value."""
    below = data.items() if isinstance(data, dict) else enumerate(data) if isinstance(data, list) else ()
    return [path, *(place for key, value in below for place in _places(value, (*path, key)))]


def _mutated(draw: st.DrawFn, data: Any) -> Any:
    """The document with up to two values replaced, dropped, doubled, or put under another name."""
    data = copy.deepcopy(data)
    for _ in range(draw(st.integers(0, 2))):
        places = _places(data)[1:]
        if not places:
            break
        *path, key = places[draw(st.integers(0, len(places) - 1))]
        parent = data
        for each in path:
            parent = parent[each]
        match draw(st.sampled_from(["value", "value", "value", "drop", "double", "name"])):
            case "drop":
                del parent[key]
            case "double" if isinstance(parent, list):
                parent.append(copy.deepcopy(parent[key]))
            case "name" if isinstance(parent, dict):
                parent[draw(st.sampled_from(["x", "value", "", "kind"]))] = parent.pop(key)
            case _:
                parent[key] = draw(SCALARS)
    return data


@MANY
@given(data=st.data())
def test_records(folder: Path, saved: Parts, data: st.DataObject) -> None:
    kind = data.draw(st.sampled_from(sorted(saved)))
    text = json.dumps(_mutated(data.draw, saved[kind]))
    if data.draw(st.integers(0, 9)) == 0:
        cut = data.draw(st.integers(0, len(text)))
        text = text[:cut]
    (folder / "run.json").write_text(text)
    suffix = data.draw(st.sampled_from(["html", "md", "csv", "tex", "txt", "json", "dot", "mmd"]))
    asked = data.draw(st.sampled_from([["render", "run.json"], ["plot", "run.json"]]))
    if asked[0] == "plot":
        suffix = data.draw(st.sampled_from(["html", ""]))
    outcome = call([*asked, *(["-o", f"out.{suffix}", "--force"] if suffix else [])])
    event(f"{asked[0]} {kind}: exit code {outcome.code}")
    assert is_clear(outcome), (asked, suffix, outcome)
    assert not left_over(folder)


@MANY
@given(content=st.binary(max_size=200) | st.text(max_size=200).map(str.encode))
def test_bytes(folder: Path, content: bytes) -> None:
    for name, command in {
        "x.json": ["render", "x.json"],
        "x.csv": ["plot", "x.csv"],
        "x.toml": ["cio", "nets.py:Tiny", "--profile", "x.toml"],
        "x.pt2": ["flops", "x.pt2"],
        "x.cfg": ["flops", "x.cfg"],
    }.items():
        (folder / name).write_bytes(content)
        outcome = call(command)
        assert is_clear(outcome), (name, outcome)


VALID = {"onchip_bytes": "1048576", "dram_gb_per_s": "59.7", "peak_fp32_tflops": "1.5", "kernels": '"ideal"'}
KEYS = [*VALID, "peak_half_tflops", "name", "source", "x"]
TOML = ["1048576", "-1", "0", "1e400", "nan", "inf", "59.7", '"ideal"', '"x"', "true", "[1]", "{a=1}", "1979-05-27"]


@MANY
@given(changed=st.dictionaries(st.sampled_from(KEYS), st.sampled_from([*TOML, ""]), max_size=3))
def test_profiles(folder: Path, changed: dict[str, str]) -> None:
    lines = {**VALID, **changed}
    (folder / "board.toml").write_text("".join(f"{key} = {value}\n" for key, value in lines.items() if value))
    outcome = call(["cio", "nets.py:Tiny", "--csp", "--profile", "board.toml"])
    event(f"exit code {outcome.code}")
    assert is_clear(outcome), (lines, outcome)


HEADINGS = ["variant", "gamma", "fusion", "preset", "params", "front", "error"]
CELLS = st.sampled_from(["", "1", "-1", "0.5", "nan", "inf", "1e400", "yes", "base", "CSP", "é", "<b>", '"', "x"])
FIGURES = st.integers(1, 10**12).map(str)


@MANY
@given(headings=st.lists(st.sampled_from(HEADINGS), unique=True), data=st.data())
def test_sweeps(folder: Path, headings: list[str], data: st.DataObject) -> None:
    headings = ["model", "macs", "cio", *headings]
    width = st.integers(1, len(headings)) if data.draw(st.booleans()) else st.just(len(headings))
    row = width.flatmap(lambda n: st.lists(FIGURES | FIGURES | CELLS, min_size=n, max_size=n))
    rows = data.draw(st.lists(row, max_size=5))
    (folder / "sweep.csv").write_text("".join(",".join(each) + "\n" for each in [headings, *rows]))
    outcome = call(["plot", "sweep.csv", "--kind", "pareto", "-o", "sweep.html", "--force"])
    event(f"exit code {outcome.code}")
    assert is_clear(outcome), (headings, rows, outcome)


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> Parts:
    """The parts of an exported network."""
    path = tmp_path_factory.mktemp("exported") / "net.pt2"
    net = torch.nn.Sequential(torch.nn.Conv2d(3, 4, 3), torch.nn.ReLU(), torch.nn.Flatten(), torch.nn.Linear(144, 2))
    torch.export.save(torch.export.export(net, (torch.rand(1, 3, 8, 8),)), path)
    with zipfile.ZipFile(path) as archive:
        return Parts({entry: archive.read(entry) for entry in archive.namelist()})


@MANY
@given(data=st.data())
def test_exported_programs(folder: Path, exported: Parts, data: st.DataObject) -> None:
    program = next(name for name in exported if name.endswith("models/model.json"))
    changed = json.dumps(_mutated(data.draw, json.loads(exported[program])["graph_module"]))
    whole = {**json.loads(exported[program]), "graph_module": json.loads(changed)}
    with zipfile.ZipFile(folder / "net.pt2", "w") as archive:
        for name, content in exported.items():
            archive.writestr(name, json.dumps(whole) if name == program else content)
    outcome = call(["flops", "net.pt2"])
    event(f"exit code {outcome.code}")
    assert is_clear(outcome), outcome
