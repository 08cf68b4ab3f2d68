"""What a notebook gets of pictures, of the paper's tables and of a simulated run."""

from __future__ import annotations

import shutil

import pytest
from IPython.core.formatters import DisplayFormatter

import cspanalyze
from cspanalyze.renderers.plots import static


def test_a_diagram_is_shown_as_svg_that_fits_the_page() -> None:
    for picture in (cspanalyze.draw("resnet18", level="network"), cspanalyze.schematic("densenet121", stage=1)):
        shown, _ = DisplayFormatter().format(picture)
        assert shown.keys() == {"image/svg+xml", "text/plain"}
        assert shown["image/svg+xml"].startswith('<svg style="max-width:100%;height:auto" ')
        assert shown["image/svg+xml"].partition(">")[0].count("style=") == 1


def test_a_plot_without_a_browser_is_shown_by_plotly_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(static, "browser", lambda: None)
    shown, _ = DisplayFormatter().format(cspanalyze.plot(cspanalyze.analyze("resnet18", metrics=("macs",))))
    assert shown.keys() == {"application/vnd.plotly.v1+json", "text/plain"}


def test_the_paper_from_python() -> None:
    # Printed in Figure 8: 34.4 and 32.6 M elements.
    figures = [row.figure("cio_pool") for row in cspanalyze.paper("Figure 8").rows]
    assert [figure.printed for figure in figures if figure] == ["34.4", "32.6"]
    with pytest.raises(cspanalyze.CspanalyzeError, match="no printed row"):
        cspanalyze.paper("Table 99")


def test_a_simulation_without_valgrind_is_refused_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "which", lambda name: None)
    with pytest.raises(cspanalyze.CspanalyzeError, match=r"valgrind|x86-64"):
        cspanalyze.simulate_traffic("resnet18")
