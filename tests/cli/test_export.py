"""`cspanalyze export`: networks of Darknet layers as files."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any


def test_a_written_network_is_the_same(run: Any, tmp_path: Path) -> None:
    path = tmp_path / "net.cfg"
    name, options = "darknet/yolov3-tiny-prn", ("--by", "op", "--json")
    assert run("export", name, "-o", str(path)).code == 0
    written = json.loads(run("flops", str(path), *options).out)
    built = json.loads(run("flops", name, *options).out)
    assert written["results"] == built["results"]
    assert written["subject"]["inputs"] == built["subject"]["inputs"]
    assert run("export", str(path)).out == path.read_text()


def test_arguments_reach_the_network(run: Any) -> None:
    text = run("export", "darknet/resnet10", "--arg", "side=320", "--arg", "activation=mish").out
    assert text.startswith("[net]\nwidth=320\nheight=320\nchannels=3\n")
    assert "activation=mish" in text


def test_what_cannot_be_written(run: Any, tmp_path: Path) -> None:
    outcome = run("export", "resnet18")
    assert outcome.code == 2
    assert "ResNet is not made of Darknet layers" in outcome.err
    assert run("export", "darknet/resnet10", "-o", "net.onnx").code == 2
    assert run("export", "darknet/resnet10", "--force").code == 2
    path = tmp_path / "net.cfg"
    path.write_text("mine")
    outcome = run("export", "darknet/resnet10", "-o", str(path))
    assert (outcome.code, path.read_text()) == (2, "mine")
    assert "--force" in outcome.err


def test_a_list_of_darknet_layers_has_no_twin(run: Any) -> None:
    outcome = run("cio", "darknet/resnet10", "--csp")
    assert outcome.code == 2
    assert "is a list without blocks that could be made partial" in outcome.err
