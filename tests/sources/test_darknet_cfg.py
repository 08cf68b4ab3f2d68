"""`path/net.cfg`: Darknet's network files as MODEL arguments."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from cspanalyze.errors import SourceError
from cspanalyze.pipeline import analyze
from cspanalyze.sources import Request, load

NET = """
[net]
width=16
height=8
channels=3

[convolutional]
batch_normalize=1
filters=4
size=3
stride=2
pad=1
activation=leaky

[convolutional]
filters=32
size=3
stride=2
pad=1
activation=leaky

# part: neck
[convolutional]
filters=2
size=1
activation=linear

#part:head
[yolo]
mask=0
anchors=1,2
classes=1
num=1
"""


@pytest.fixture
def net(tmp_path: Path) -> Path:
    path = tmp_path / "net.cfg"
    path.write_text(NET.replace("filters=2\n", "filters=6\n"))
    return path


def test_a_file_is_a_model(net: Path) -> None:
    report = analyze(str(net), metrics=("macs", "params"))
    assert report.subject.inputs == ("1x3x8x16:float32",)
    assert report.subject.source == "Darknet file"
    macs = report.result("macs")
    assert [(row.module, row.value) for row in macs.rows] == [
        ("stage1", 4 * 4 * 8 * 27),  # 4 channels of 4x8, each from 3x3 of 3
        ("stage2", 32 * 2 * 4 * 4 * 9),
        ("neck", 6 * 2 * 4 * 32),
    ]
    assert report.groups == ("stage1", "stage2", "neck")  # a head does nothing
    assert report.result("params").total == 4 * 27 + 2 * 4 + 32 * 4 * 9 + 32 + 6 * 32 + 6


def test_another_input_size(net: Path) -> None:
    from cspanalyze.sources import parse_inputs

    request = Request(str(net), inputs=parse_inputs(("1x3x32x32",)))
    assert analyze(request, metrics=("macs",)).result("macs").total == 4 * 27 * 16**2 + (32 * 4 * 9 + 6 * 32) * 8**2


def test_what_is_wrong_is_told_with_its_line(net: Path) -> None:
    with pytest.raises(SourceError, match=r"^there is no file .*nett\.cfg; did you mean net\.cfg\?$"):
        load(str(net.with_name("nett.cfg")))
    with pytest.raises(SourceError, match="is read as it is: leave out --arg"):
        load(Request(str(net), {"side": 3}))
    net.write_text(NET.replace("size=3", "sise=3"))
    with pytest.raises(SourceError, match=r"net\.cfg, line 10: .*'sise'; did you mean size\?"):
        load(str(net))
    with pytest.raises(SourceError, match="there is no file"):
        load(str(net.parent / "folder.cfg"))


def test_a_bad_file_is_refused_before_torch_is_imported(net: Path) -> None:
    net.write_text("[net]\nwidth=3\n")
    program = (
        "import sys\nfrom cspanalyze.cli import main\n"
        "try: main(['flops', sys.argv[1]])\nexcept SystemExit as end: code = end.code\n"
        "sys.exit(code if 'torch' not in sys.modules else 99)"
    )
    done = subprocess.run([sys.executable, "-c", program, str(net)], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith(f"error: {net}, line 1: ")
