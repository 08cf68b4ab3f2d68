"""`path/model.pt2`: exported networks are replayed from their description, and nothing in the file is executed."""

from __future__ import annotations

import json
import pickle
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from cspanalyze.errors import SourceError
from cspanalyze.pipeline import analyze
from cspanalyze.sources import Request, load, parse_inputs
from cspanalyze.sources.replay import Replay

METRICS = ("macs", "params", "buffers", "elementwise_flops", "activations", "peak_bytes")
pytestmark = pytest.mark.filterwarnings("ignore:.*tensor attributes.*:UserWarning")


class Branching(nn.Module):
    """Blocks, a layer used twice, a buffer, a constant, keyword and dict inputs, several outputs."""

    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Sequential(nn.Conv2d(3, 8, 3, padding=1), nn.BatchNorm2d(8), nn.ReLU())
        self.twice = nn.Conv2d(8, 8, 3, padding=1, bias=False)
        self.head = nn.Linear(8, 5)
        self.register_buffer("scale", torch.ones(8, 1, 1))

    def forward(self, x: torch.Tensor, *, extra: dict[str, torch.Tensor]) -> dict[str, Any]:
        y = self.twice(self.twice(self.body(x))) * self.scale + torch.zeros(1, device=x.device)
        y = torch.cat([y, extra["a"]])
        first, second = y.mean((2, 3)).chunk(2, 1)
        return {"out": self.head(torch.cat([first, second], 1).view(y.shape[0], -1)), "parts": (first, second)}


class Sequence(nn.Module):
    """Convolution, recurrence and attention, exported with a batch of any size."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 3)
        self.recurrent = nn.LSTM(4, 6, batch_first=True)
        self.attention = nn.MultiheadAttention(6, 2, batch_first=True)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = self.conv(x)
        y, _ = self.recurrent(y.view(y.shape[0], 4, -1).transpose(1, 2))
        attended: torch.Tensor = self.attention(y, y, y)[0]
        return attended


@pytest.fixture(scope="module")
def branching(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("exported") / "branching.pt2"
    inputs = (torch.rand(2, 3, 8, 8),), {"extra": {"a": torch.rand(1, 8, 8, 8)}}
    torch.export.save(torch.export.export(Branching().eval(), *inputs), path)
    return path


@pytest.fixture(scope="module")
def sequence(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("exported") / "sequence.pt2"
    batch = torch.export.Dim("batch", min=2, max=16)
    exported = torch.export.export(Sequence().eval(), (torch.rand(2, 3, 8, 8),), dynamic_shapes={"x": {0: batch}})
    torch.export.save(exported, path)
    return path


def test_an_exported_network_has_the_figures_of_the_network(branching: Path) -> None:
    found = analyze(str(branching), metrics=METRICS, by="layer")
    extra = {"extra": {"a": torch.rand(1, 8, 8, 8)}}
    expected = analyze(Branching().eval(), torch.rand(2, 3, 8, 8), kwargs=extra, metrics=METRICS, by="layer")
    for metric in METRICS:
        assert found.result(metric).total == expected.result(metric).total, metric
    assert found.result("macs").of("twice#2") == expected.result("macs").of("twice#2") == 2 * 64 * 8 * 72
    assert found.subject.source == "torch.export"
    assert found.subject.inputs == ("2x3x8x8:float32", "1x8x8x8:float32")


def test_modules_keep_their_names_and_kinds(branching: Path) -> None:
    model = load(str(branching)).model
    kinds = {path: type(module).__name__ for path, module in model.named_modules()}
    assert kinds["body.1"] == "BatchNorm2d"
    assert kinds["head"] == "Linear"
    assert {name: tuple(p.shape) for name, p in model.named_parameters()} == {
        name: tuple(p.shape) for name, p in Branching().named_parameters()
    }
    assert all(parameter.is_meta for parameter in model.parameters())


def test_a_batch_of_any_size(sequence: Path) -> None:
    whole = Sequence().eval()
    for batch in (2, 5):
        request = Request(str(sequence), inputs=parse_inputs((f"{batch}x3x8x8",)))
        expected = analyze(whole, torch.rand(batch, 3, 8, 8), metrics=["params"])
        found = analyze(request, metrics=["macs", "params"])
        assert found.result("params").total == expected.result("params").total
        # conv 6x6x4x27; LSTM 36 steps x 4 gates x 6 x (4 + 6); attention: 4 x 6 x 6 a step, and 2 x 36 x 36 x 6
        assert found.result("macs").total == batch * (3_888 + 36 * 240 + 36 * 144 + 2 * 36 * 36 * 6)


def test_real_numbers_give_what_the_exported_program_gives(branching: Path) -> None:
    program = torch.export.load(branching)
    replayed = Replay(_description(branching)["graph_module"], real=True)
    replayed.load_state_dict(program.state_dict)
    x, extra = torch.rand(2, 3, 8, 8), {"a": torch.rand(1, 8, 8, 8)}
    expected = program.module()(x, extra=extra)
    out, first, second = replayed(x, extra["a"])
    assert torch.equal(out, expected["out"])
    assert torch.equal(first, expected["parts"][0])
    assert torch.equal(second, expected["parts"][1])


def test_other_inputs_than_it_was_exported_for(branching: Path) -> None:
    with pytest.raises(Exception, match="takes 2 tensors, got 1"):
        analyze(Request(str(branching), inputs=parse_inputs(("2x3x8x8",))), metrics=["macs"])
    with pytest.raises(SourceError, match="is read as it is: leave out --arg"):
        load(Request(str(branching), {"width": 1}))


def _description(path: Path) -> dict[str, Any]:
    with zipfile.ZipFile(path) as archive:
        (name,) = (name for name in archive.namelist() if name.endswith("models/model.json"))
        found: dict[str, Any] = json.loads(archive.read(name))
    return found


def _changed(path: Path, target: Path, change: Callable[[str, bytes], bytes]) -> str:
    """A copy of an archive with other content in some of its files."""
    with zipfile.ZipFile(path) as old, zipfile.ZipFile(target, "w") as new:
        for name in old.namelist():
            new.writestr(name, change(name, old.read(name)))
    return str(target)


class Hostile:
    """Unpickling this would make a file."""

    def __init__(self, marker: Path) -> None:
        self.marker = marker

    def __reduce__(self) -> tuple[Any, ...]:
        return (Path.touch, (self.marker,))


def test_pickles_in_the_archive_are_never_read(branching: Path, tmp_path: Path) -> None:
    marker = tmp_path / "marker"
    pickled = pickle.dumps(Hostile(marker))

    def poison(name: str, content: bytes) -> bytes:
        if name.endswith("_config.json"):
            return content.replace(b'"use_pickle": false', b'"use_pickle": true')
        return content if name.endswith(("model.json", "version", "format")) else pickled

    path = _changed(branching, tmp_path / "hostile.pt2", poison)
    assert analyze(path, metrics=["params"]).result("params").total == sum(p.numel() for p in Branching().parameters())
    assert not marker.exists()
    pickle.loads(pickled)
    assert marker.exists()  # it would have worked


@pytest.mark.parametrize(
    "target",
    [
        "torch.os.system",
        "torch.load",
        "os.system",
        "_operator.attrgetter",
        "torch.ops.aten.from_file.default",
        "torch.ops.higher_order.cond",
        "torch.ops.inductor.accumulate_grad_.default",
        "builtins.eval",
    ],
)
def test_only_known_operations_are_replayed(branching: Path, tmp_path: Path, target: str) -> None:
    def rename(name: str, content: bytes) -> bytes:
        return content.replace(b"torch.ops.aten.relu.default", target.encode())

    with pytest.raises(SourceError, match=r"cannot be replayed: its operation .* is not one that is replayed"):
        load(_changed(branching, tmp_path / "net.pt2", rename))


def test_sizes_are_never_evaluated(sequence: Path, tmp_path: Path) -> None:
    marker = tmp_path / "marker"
    hostile = f"__import__('pathlib').Path({str(marker)!r}).touch()"

    def rewrite(name: str, content: bytes) -> bytes:
        if not name.endswith("model.json"):
            return content
        program = json.loads(content)
        text = json.dumps(program)
        expressions = {each["as_expr"]["expr_str"] for each in _sizes(program)}
        assert expressions
        for expression in expressions:
            text = text.replace(f'"expr_str": {json.dumps(expression)}', f'"expr_str": {json.dumps(hostile)}')
        return text.encode()

    analyze(_changed(sequence, tmp_path / "net.pt2", rewrite), metrics=["macs"])
    assert not marker.exists()


def _sizes(tree: Any) -> list[dict[str, Any]]:
    if isinstance(tree, dict):
        own = [tree] if "as_expr" in tree else []
        return own + [each for value in tree.values() for each in _sizes(value)]
    return [each for value in tree for each in _sizes(value)] if isinstance(tree, list) else []


@pytest.mark.parametrize("suffix", ["pt", "pth", "ckpt", "safetensors", "onnx", "bin"])
def test_checkpoints_are_refused_without_being_opened(tmp_path: Path, suffix: str) -> None:
    marker = tmp_path / "marker"
    path = tmp_path / f"net.{suffix}"
    path.write_bytes(pickle.dumps(Hostile(marker)))
    with pytest.raises(SourceError, match=r"is no network: such files hold weights.*path/file\.py:CALLABLE"):
        load(str(path))
    assert not marker.exists()


@pytest.mark.parametrize("content", [b"", b"PK", pickle.dumps({"a": 1})])
def test_what_is_no_archive_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "net.pt2"
    path.write_bytes(content)
    with pytest.raises(SourceError, match=r"is no archive of torch\.export\.save"):
        load(str(path))


def test_archives_of_something_else_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "net.pt2"
    for text, sentence in ((None, "no single exported program"), ("[]", "no exported program"), ("{}", "no graph")):
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("net/models/model.json" if text else "other", text or "")
        with pytest.raises(SourceError, match=sentence):
            load(str(path))
    with pytest.raises(SourceError, match=r"there is no file .*nett\.pt2; did you mean net\.pt2\?"):
        load(str(tmp_path / "nett.pt2"))
