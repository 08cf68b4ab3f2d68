"""The twin as source: it does what the twin does, and a user can read it."""

from __future__ import annotations

import ast
import io
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from cspanalyze import zoo
from cspanalyze.csp import to_csp
from cspanalyze.csp.writing import source_of
from cspanalyze.errors import CspError
from cspanalyze.pipeline.twins import twin_file
from cspanalyze.sources import load
from cspanalyze.tracing import trace


def _read(text: str, name: str) -> nn.Module:
    scope: dict[str, Any] = {}
    exec(compile(text, "twin.py", "exec"), scope)
    made: nn.Module = scope[name]()
    return made


@pytest.mark.parametrize("name", ["densenet121", "timm:mobilenetv2_050", "timm:convnext_atto", "torchvision:googlenet"])
@pytest.mark.filterwarnings("ignore:The default weight initialization of GoogleNet:FutureWarning")
def test_source_with_the_twins_weights_computes_the_same(name: str) -> None:
    network = load(name).with_data()
    assert network is not None
    image = torch.randn(2, 3, 96, 96, generator=torch.Generator().manual_seed(0))  # another batch and size
    twin = to_csp(network.model, *network.args).model.eval()
    text = source_of(twin, trace(twin, *network.args), "A twin.")
    made = _read(text, type(twin).__name__).eval()
    made.load_state_dict(twin.state_dict())
    with torch.no_grad():
        torch.testing.assert_close(made(image), twin(image))
    imported = {node.module if isinstance(node, ast.ImportFrom) else node.names[0].name
                for node in ast.walk(ast.parse(text)) if isinstance(node, ast.Import | ast.ImportFrom)}  # fmt: skip
    assert imported <= {"collections", "torch", "torch.nn.functional"}
    assert "torch.ops" not in text
    assert max(map(len, text.splitlines())) <= 120


def test_blocks_of_one_make_are_one_class() -> None:
    """Three widths of one block are arguments; so are the four stages' widths and depths, but for the first stage."""
    with torch.device("meta"):
        twin = to_csp(zoo.create("resnet50")).model
        image = torch.empty(1, 3, 64, 64)
    lines = source_of(twin, trace(twin, image), "A twin.").splitlines()
    assert [line for line in lines if line.startswith("class ")] == [
        "class Bottleneck(nn.Module):",
        "class CSPStage(nn.Module):",
        "class CSPStage2(nn.Module):",
        "class ResNet(nn.Module):",
    ]
    assert "        self.part2 = nn.Sequential(*(Bottleneck(128, 64) for _ in range(3)))" in lines


class Outside(nn.Module):
    """Reads a tensor that is neither an input nor its own."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Conv2d(3, 8, 1)
        self.table = [torch.ones(8, 1, 1)]

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        made: torch.Tensor = self.layer(x) * self.table[0]
        return made


def test_what_cannot_be_written_is_refused() -> None:
    with pytest.raises(CspError, match="reads a tensor from outside its inputs"):
        source_of(Outside(), trace(Outside(), torch.zeros(1, 3, 8, 8)), "")


def test_files(tmp_path: Path) -> None:
    network = load("resnet18")
    weights = torch.load(io.BytesIO(twin_file(network, ".pt")), weights_only=True)
    source = twin_file(network, ".py").decode()
    assert source.startswith('"""The Cross Stage Partial twin of resnet18: gamma 0.5, fusion csp, preset paper.\n')
    made = _read(source, "ResNet")
    made.load_state_dict(weights)
    (tmp_path / "twin.pt2").write_bytes(twin_file(network, ".pt2"))
    program = torch.export.load(tmp_path / "twin.pt2").module()
    image = torch.randn(1, 3, 224, 224, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        torch.testing.assert_close(program(image), made.eval()(image))


class Nested(nn.Module):
    """Two blocks that use one layer twice, and outputs in a dict."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, 32, 3)
        self.body = nn.Sequential(Twice(), Twice())
        self.head = nn.Linear(32, 5)

    def forward(self, x: torch.Tensor) -> dict[str, Any]:
        features = self.body(self.stem(x))
        return {"maps": [features], "logits": self.head(features.mean((2, 3))), "none": None}


class Twice(nn.Module):
    """A block that runs one convolution two times."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.last = nn.Conv2d(32, 32, 3, padding=1), nn.Conv2d(32, 32, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        made: torch.Tensor = x + self.last(self.conv(self.conv(x).relu()).relu())
        return made


def test_outputs_are_nested_alike_and_layers_used_twice_are_written_once() -> None:
    text = twin_file(Nested(), ".py", torch.rand(1, 3, 10, 10)).decode()
    assert "return {'maps': [x], 'logits': y, 'none': None}" in text
    assert text.count("self.conv(") == 2
    made: Any = _read(text, "Nested")
    outputs = made(torch.rand(3, 3, 12, 12))
    assert (outputs["maps"][0].shape, outputs["logits"].shape) == ((3, 32, 10, 10), (3, 5))


def test_what_source_cannot_show_is_named() -> None:
    model: Any = Nested()
    model.body[1].register_forward_pre_hook(lambda module, given: (given[0] + 1,))
    assert "x = x + 1" in twin_file(model, ".py", torch.rand(1, 3, 10, 10)).decode()  # inside a module it can be shown
    model.body[0].register_forward_hook(lambda module, given, made: made.exp())  # between those of a sequence not
    with pytest.raises(CspError, match=r"body.part2.0.0, body.part2.0.1 have hooks, which it would not have"):
        twin_file(model, ".py", torch.rand(1, 3, 10, 10))

    class Odd(Nested):
        def forward(self, x: torch.Tensor) -> dict[str, Any]:
            return {"all": {1.5: super().forward(x)["logits"]}}

    with pytest.raises(CspError, match=r"makes a dict as its output\['all'\], which source that needs nothing but tor"):
        twin_file(Odd(), ".py", torch.rand(1, 3, 10, 10))


def test_an_exported_twin_takes_any_batch(tmp_path: Path) -> None:
    (tmp_path / "twin.pt2").write_bytes(twin_file(Nested(), ".pt2", torch.rand(1, 3, 10, 10)))
    program = torch.export.load(tmp_path / "twin.pt2").module()
    for batch in (1, 3):
        assert program(torch.rand(batch, 3, 10, 10))["logits"].shape == (batch, 5)


def test_a_batch_that_the_network_knows_stays(tmp_path: Path) -> None:
    class Fixed(Nested):
        def forward(self, x: torch.Tensor) -> dict[str, Any]:
            return super().forward(x[:1].reshape(1, 3, 10, 10))

    (tmp_path / "twin.pt2").write_bytes(twin_file(Fixed(), ".pt2", torch.rand(1, 3, 10, 10)))
    program = torch.export.load(tmp_path / "twin.pt2").module()
    assert program(torch.rand(1, 3, 10, 10))["logits"].shape == (1, 5)


def test_weights_that_layers_share_are_shared_in_the_source() -> None:
    model: Any = Nested()
    model.body[1].conv.weight = model.body[0].conv.weight
    made: Any = _read(twin_file(model, ".py", torch.rand(1, 3, 10, 10)).decode(), "Nested")
    first, second = made.body[0].part2
    assert first.conv.weight is second.conv.weight
    assert first.last.weight is not second.last.weight


def test_a_layer_in_two_places_is_refused_by_name() -> None:
    model: Any = Nested()
    shared = Twice()
    model.stem = nn.Sequential(nn.Conv2d(3, 32, 3), shared, nn.Conv2d(32, 32, 1), shared)
    with pytest.raises(CspError, match=r"cannot be written as source: stem.3.conv.weight would be missing"):
        twin_file(model, ".py", torch.rand(1, 3, 10, 10))


@pytest.mark.parametrize("by_call", [True, False])
def test_source_says_if_the_network_does_more_in_training(by_call: bool) -> None:
    class Dropping(Nested):
        def __init__(self) -> None:
            super().__init__()
            self.drop = nn.Identity() if by_call else nn.Dropout(0.5)

        def forward(self, x: torch.Tensor) -> dict[str, Any]:
            made = super().forward(x)
            logits = self.drop(made["logits"])
            return {"logits": nn.functional.dropout(logits, 0.5, self.training) if by_call else logits}

    docstring = ast.get_docstring(ast.parse(twin_file(Dropping(), ".py", torch.rand(1, 3, 10, 10)))) or ""
    assert ("In training the network draws other random numbers than this" in docstring) == by_call


def test_what_is_not_to_be_trained_is_not_in_the_source_either() -> None:
    model: Any = Nested()
    model.stem.requires_grad_(False)
    twin = to_csp(model, torch.rand(1, 3, 10, 10)).model
    made = _read(twin_file(model, ".py", torch.rand(1, 3, 10, 10)).decode(), "Nested")
    frozen = {name: parameter.requires_grad for name, parameter in twin.named_parameters()}
    assert frozen == {name: parameter.requires_grad for name, parameter in made.named_parameters()}
    assert set(frozen.values()) == {True, False}
