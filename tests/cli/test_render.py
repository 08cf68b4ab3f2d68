"""`render`: what was saved, again, in any format, and without torch."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

FORMATS = [("x.txt", "txt"), ("x.csv", "csv"), ("x.md", "md"), ("x.tex", "tex"), ("x.html", "html"), ("y.json", "json")]


@pytest.mark.parametrize(("name", "suffix"), FORMATS)
def test_a_saved_run_gives_what_the_command_gave(run: Any, folder: Path, name: str, suffix: str) -> None:
    run("cio", "resnet18", "--csp", "-o", "run.json")
    run("cio", "resnet18", "--csp", "-o", f"direct.{suffix}")
    assert run("render", "run.json", "-o", name).code == 0
    assert (folder / name).read_text(encoding="utf-8") == (folder / f"direct.{suffix}").read_text(encoding="utf-8")


def test_rendering_imports_no_torch(run: Any, folder: Path) -> None:
    run("summary", "resnet18", "-o", "run.json")
    run("report", "resnet18", "-o", "report.json")
    code = (
        "import sys\nfrom cspanalyze.cli import main\n"
        "for file, to in (('run.json', 'run.html'), ('report.json', 'report.html')):\n"
        "    try: main(['render', file, '-o', to])\n"
        "    except SystemExit as end: assert end.code == 0, end\n"
        "assert 'torch' not in sys.modules and 'timm' not in sys.modules\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "plotly.js" not in (folder / "run.html").read_text()  # a page without plots holds no library


def test_rows_can_be_nested_afterwards(run: Any, folder: Path) -> None:
    run("summary", "resnet18", "--by", "module", "-o", "run.json")
    assert run("render", "run.json", "--tree").out == run("summary", "resnet18", "--by", "module").out


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        ("{}", "run.json: this is no cspanalyze run: expected schema 1 and a kind of ['comparison', "),
        ("[]", "run.json holds no record of cspanalyze: expected what -o FILE.json writes"),
        ("{", "run.json holds no JSON: "),
        ('{"schema": 1, "kind": "study"}', "run.json: the report file is damaged: "),
        ('{"schema": 1, "kind": "gradients", "networks": [{}]}', "run.json: this is no gradient record"),
        (None, "cannot read run.json: No such file or directory"),
    ],
)
def test_what_is_no_record_is_refused_in_one_sentence(
    run: Any, folder: Path, content: str | None, sentence: str
) -> None:
    if content is not None:
        (folder / "run.json").write_text(content)
    outcome = run("render", "run.json", "-o", "x.md")
    assert (outcome.code, outcome.out, outcome.err.count("\n")) == (2, "", 1)
    assert outcome.err.startswith(f"error: {sentence}")
    assert not (folder / "x.md").exists()


def test_a_diagram_becomes_a_picture_again(run: Any, folder: Path) -> None:
    run("graph", "resnet18", "-o", "diagram.json")
    run("graph", "resnet18", "-o", "direct.svg")
    assert run("render", "diagram.json", "-o", "again.svg").code == 0
    assert (folder / "again.svg").read_bytes() == (folder / "direct.svg").read_bytes()
    assert run("render", "diagram.json", "-o", "again.html").code == 0
    assert "data:image/svg+xml" in (folder / "again.html").read_text(encoding="utf-8")
    run("params", "resnet18", "-o", "run.json")
    outcome = run("render", "run.json", "-o", "run.svg")
    assert outcome.err == "error: only a diagram is written as svg: `cspanalyze plot FILE.json` draws a run\n"


def test_gradient_records_become_a_page(run: Any, folder: Path) -> None:
    from cspanalyze.gradient_flow.record import record_to_json
    from cspanalyze.pipeline.studying import study

    (record,) = study(["resnet18"]).gradients
    networks = [{"variant": variant, "record": record_to_json(record)} for variant in ("base", "CSP")]
    (folder / "gradients.json").write_text(json.dumps({"schema": 1, "kind": "gradients", "networks": networks}))
    assert run("render", "gradients.json", "-o", "gradients.html").code == 0
    page = (folder / "gradients.html").read_text(encoding="utf-8")
    assert "<h1>Gradients of resnet18 and resnet18 CSP</h1>" in page
    assert run("plot", "gradients.json", "--kind", "raster", "-o", "raster.html").code == 0
    assert "40.9 %" in run("render", "gradients.json").out  # 1 - U_c/T_c of resnet18, as on the page
    assert run("plot", "gradients.json").err.startswith("error: gradients.json holds gradient records: draw them with")
