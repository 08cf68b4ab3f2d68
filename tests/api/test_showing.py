"""Every record shows itself: in print, in a notebook, as a data frame, as a file."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from browser import needs_browser
from torch import nn

import cspanalyze
from cspanalyze.errors import CspanalyzeError, OutputError, UsageError

CSP = cspanalyze.Csp(gamma=0.5)
RECORDS: dict[str, Callable[[], Any]] = {
    "report": lambda: cspanalyze.analyze("resnet18", metrics=("macs", "cio")),
    "comparison": lambda: cspanalyze.compare("resnet18", csp=CSP, metrics=("macs", "params")),
    "several": lambda: cspanalyze.contrast(["resnet18", "resnet34"], metrics=("macs",)),
    "stages": lambda: cspanalyze.stages("resnet18"),
    "gradients": lambda: cspanalyze.gradients("resnet18", csp=CSP),
    "gradient records": lambda: cspanalyze.gradients("resnet18").records(),
    "measured": lambda: cspanalyze.measure_gradients(*_mlp(), measuring=cspanalyze.Measuring(draws=2)),
    "sweep": lambda: cspanalyze.sweep("resnet18", gammas=(0.25, 0.5)),
    "latency": lambda: cspanalyze.latency(*_mlp(), seconds=0.01, threads=1),
    "study": lambda: cspanalyze.report("resnet18"),
    "twin": lambda: cspanalyze.to_csp(_resnet18(), gamma=0.5),
    "check": lambda: cspanalyze.check("resnet18", against=cspanalyze.analyze("resnet18", metrics=("macs",))),
}


def _mlp() -> tuple[nn.Module, torch.Tensor]:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(8, 8), nn.ReLU(), nn.Linear(8, 4)), torch.rand(32, 8)


def _resnet18() -> nn.Module:
    from cspanalyze.zoo import create

    return create("resnet18")


@pytest.mark.parametrize("name", RECORDS)
def test_a_record_in_all_its_forms(name: str, tmp_path: Path) -> None:
    record = RECORDS[name]()
    html, table = record._repr_html_(), str(record)
    assert html.startswith('<div class="cspanalyze">')
    assert html.rstrip().endswith("</div>")
    assert "<script" not in html
    assert table.partition("\n")[0] in html.replace("&gt;", ">")  # the same title, from the same document
    assert len(table.splitlines()) > 3
    assert repr(record).startswith(f"<{type(record).__name__}")
    assert "\n" not in repr(record)
    frame = record.to_dataframe()
    assert len(frame) > 0
    assert not any("Unnamed" in column for column in frame.columns)
    for suffix in (".txt", ".json", ".csv", ".md", ".html"):
        record.save(tmp_path / f"record{suffix}")
    assert (tmp_path / "record.html").read_text().startswith("<!DOCTYPE html>")


def test_names_are_escaped() -> None:
    module = nn.Sequential()
    module.add_module("<b>&", nn.Linear(4, 4))
    html = cspanalyze.analyze(module, torch.rand(1, 4), metrics=("macs",), by="module")._repr_html_()
    assert "&lt;b&gt;&amp;" in html
    assert "<b>&" not in html


def test_data_frames_are_exact_and_know_what_is_unknown() -> None:
    module = nn.Sequential(nn.Conv2d(3, 8, 3), nn.ReLU())
    record = cspanalyze.analyze(module, torch.rand(1, 3, 8, 8), metrics=("macs", "params"), by="module")
    long = record.to_dataframe()
    conv = long[(long["group"] == "0") & (long["metric"] == "macs")]  # a module called 0, and not the number
    assert conv["value"].tolist() == [8 * 3 * 9 * 6 * 6]
    assert conv["unit"].tolist() == ["MAC"]
    wide = record.to_dataframe(wide=True)
    assert wide["params"].loc[(slice(None), slice(None), "total")].tolist() == [8 * 3 * 9 + 8]
    assert str(wide["macs"].dtype) == "Int64"
    table = cspanalyze.sweep(module, torch.rand(1, 3, 8, 8), gammas=(0.5,))
    frame = table.to_dataframe()
    assert frame["macs"].isna().tolist() == [False, True]  # it has no stage to make partial
    assert "no staged convolution chain found" in frame["error"][1]
    assert [row.error for row in table.failed] == [frame["error"][1]]


def test_files_are_not_overwritten_and_not_half_written(tmp_path: Path) -> None:
    record = cspanalyze.analyze("resnet18", metrics=("macs",))
    path = tmp_path / "run.json"
    record.save(path)
    assert cspanalyze.read(path) == record
    with pytest.raises(OutputError, match=r"exists: give force=True to overwrite it"):
        record.save(path)
    record.save(str(path), force=True)
    with pytest.raises(UsageError, match=r"no format has the suffix '\.doc'"):
        record.save(tmp_path / "run.doc")
    with pytest.raises(UsageError, match="only a diagram is written as svg"):
        record.save(tmp_path / "run.svg")
    assert [each.name for each in tmp_path.iterdir()] == ["run.json"]


def test_pictures_of_a_module_with_its_own_input(tmp_path: Path) -> None:
    class Two(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv = nn.Conv2d(4, 8, 3)

        def forward(self, x: torch.Tensor, *, scale: torch.Tensor) -> torch.Tensor:
            return self.conv(x) * scale

    picture = cspanalyze.draw(Two(), torch.rand(2, 4, 16, 16), kwargs={"scale": torch.rand(8, 1, 1)}, color_by="macs")
    assert "<svg" in picture._repr_svg_()
    assert set(picture._repr_mimebundle_()) == {"image/svg+xml", "text/plain"}
    for suffix in (".svg", ".png", ".pdf", ".dot", ".mmd", ".html", ".json", ".txt"):
        picture.save(tmp_path / f"net{suffix}")
    assert (tmp_path / "net.png").read_bytes().startswith(b"\x89PNG")
    both = cspanalyze.draw("resnet18", against="resnet34", view="diff")
    assert "resnet34" in repr(both)
    with pytest.raises(UsageError, match="csp or against, not both"):
        cspanalyze.draw("resnet18", csp=CSP, against="resnet34")


def test_a_schematic(tmp_path: Path) -> None:
    picture = cspanalyze.schematic("densenet121", stage=1, csp=CSP)
    assert picture._repr_svg_().startswith("<svg")
    picture.save(tmp_path / "stage.svg")
    assert (tmp_path / "stage.svg").read_text().startswith("<svg")
    picture.save(tmp_path / "stage.png")
    assert (tmp_path / "stage.png").read_bytes().startswith(b"\x89PNG")


@needs_browser
def test_a_plot_shows_where_no_script_runs(tmp_path: Path) -> None:
    plot = cspanalyze.plot(cspanalyze.compare("resnet18", csp=CSP, metrics=("macs",)), metric="macs")
    bundle = plot._repr_mimebundle_()
    assert set(bundle) == {"application/vnd.plotly.v1+json", "image/svg+xml", "text/plain"}
    assert plot.figure.data[0].type == "bar"
    plot.save(tmp_path / "plot.html")
    assert (tmp_path / "plot.html").read_text().count('<div class="plot"') == 1


@pytest.mark.parametrize(
    ("record", "kind", "said"),
    [
        ("report", "pie", "there is no kind of plot 'pie': choose from bars"),
        ("report", "raster", "holds no gradient records"),
        ("report", "gamma", "holds no twins over gamma"),
        ("sweep", "bars", "holds no run"),
    ],
)
def test_plots_that_cannot_be(record: str, kind: str, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        cspanalyze.plot(RECORDS[record](), kind)


def test_equations_are_set_as_mathematics() -> None:
    equations = cspanalyze.gradients("densenet121", csp=CSP).equations(1)
    assert equations._repr_markdown_().count("$$") == 4  # the base and the twin
    assert equations._repr_latex_().startswith("$$")
    assert not hasattr(equations, "_repr_html_")  # which notebooks would prefer
    assert "w₂′ = f(w₂, g₁)" in str(equations)
    assert {"weight", "gradient", "channels"} <= set(equations.to_dataframe().columns)


def test_sweeps_of_modules_and_on_executors(tmp_path: Path) -> None:
    from concurrent.futures import ThreadPoolExecutor

    from cspanalyze.zoo import create

    here = cspanalyze.sweep("resnet18", gammas=(0.25, 0.5), presets="all", control=True)
    with ThreadPoolExecutor(2) as executor:
        there = cspanalyze.sweep("resnet18", gammas=(0.25, 0.5), presets="all", control=True, executor=executor)
    assert here == there
    assert {row.preset for row in here.rows} == {"", "paper", "dropin"}  # a ResNet is no DenseNet
    module = cspanalyze.sweep(create("resnet18"), torch.rand(1, 3, 224, 224), gammas=(0.5,))
    assert module.rows[1].macs == next(row.macs for row in here.rows if row.preset == "paper" and row.gamma == 0.5)
    here.save(tmp_path / "designs.json")
    assert cspanalyze.read(tmp_path / "designs.json") == here
    with pytest.raises(UsageError, match="gets networks by name"), ThreadPoolExecutor(1) as executor:
        cspanalyze.sweep(create("resnet18"), executor=executor)
    with pytest.raises(UsageError, match="preset 'best' is not possible"):
        cspanalyze.sweep("resnet18", presets=("best",))


def test_the_module_that_is_timed_stays_as_it_is() -> None:
    module, image = _mlp()
    before = {name: (value.clone(), value._version) for name, value in module.state_dict().items()}
    cspanalyze.latency(module, image, batches=(1, 40), train=True, layout="channels-last", seconds=0.01, threads=1)
    assert module.training
    assert all(parameter.grad is None for parameter in module.parameters())
    for name, value in module.state_dict().items():
        assert (torch.equal(value, before[name][0]), value._version) == (True, before[name][1])


def test_importing_loads_nothing_heavy() -> None:
    heavy = "{'torch', 'plotly', 'pandas', 'numpy', 'jinja2', 'cattrs'}"
    code = f"import sys, cspanalyze; dir(cspanalyze); print(sorted({heavy} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout == "[]\n"


def test_no_module_hides_a_public_function() -> None:
    """Importing `cspanalyze.x` would set that attribute of the package to the module."""
    from pkgutil import iter_modules

    assert not {each.name for each in iter_modules(cspanalyze.__path__)} & set(cspanalyze.__all__)


def test_without_pandas(monkeypatch: pytest.MonkeyPatch) -> None:
    record = cspanalyze.analyze("resnet18", metrics=("macs",))
    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(UsageError, match="data frames need pandas: pip install pandas"):
        record.to_dataframe()


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda: cspanalyze.draw("resnet18", level="layers"), "level 'layers' is not possible: choose from network"),
        (lambda: cspanalyze.draw("resnet18", view="twins"), "view 'twins' is not possible"),
        (lambda: cspanalyze.draw("resnet18", color_by="flops"), "color_by 'flops' is not possible"),
        (lambda: cspanalyze.schematic("resnet18", theme="black"), "theme 'black' is not possible: choose from light"),
        (lambda: cspanalyze.plot(None, theme="black"), "theme 'black' is not possible: choose from light, dark"),
        (lambda: cspanalyze.latency("resnet18", device="gpu"), "device 'gpu' is not possible: choose from cpu, cuda"),
        (lambda: cspanalyze.latency("resnet18", layout="nhwc"), "layout 'nhwc' is not possible: choose from nchw"),
        (lambda: cspanalyze.analyze("resnet18", by="leyer"), "rows are by stage, module, layer or op, got 'leyer'"),
        (lambda: cspanalyze.analyze(torch.nn.Conv2d), "gives the class Conv2d, and no network: call it, Conv2d"),
    ],
)  # fmt: skip
def test_words_that_an_argument_does_not_take(call: Callable[[], object], said: str) -> None:
    with pytest.raises(CspanalyzeError) as refused:
        call()
    assert said in str(refused.value)
    assert "--" not in str(refused.value), "a caller from Python has no options"


def test_one_word_or_figure_stands_for_a_list_of_one() -> None:
    report = cspanalyze.analyze("resnet18", metrics="macs")
    assert report.metrics == ("macs",)
    assert [row.gamma for row in cspanalyze.sweep("resnet18", gammas=0.5).rows] == [None, 0.5]


def test_a_result_names_itself_and_what_is_not_there() -> None:
    report = cspanalyze.analyze("resnet18", metrics=("macs",))
    assert repr(report.result("macs")) == "<Result macs: 1814073344 MAC, method trace, 6 rows>"
    with pytest.raises(KeyError, match="no result 'cio': the report holds macs"):
        report.result("cio")
