"""From a MODEL argument to a network and its input."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest
import torch

from cspanalyze.errors import SourceError, UsageError
from cspanalyze.sources import InputSpec, Request, load, parse_inputs


def test_a_built_in_network_comes_with_its_own_input_size() -> None:
    loaded = load("cspdarknet53")
    assert loaded.inputs == ("1x3x256x256:float32",)
    assert (loaded.name, loaded.source, loaded.guessed) == ("cspdarknet53", "built in", False)
    assert all(parameter.is_meta for parameter in loaded.model.parameters())


def test_arguments_reach_the_network() -> None:
    loaded = load(Request("resnet18", {"num_classes": 7}))
    assert loaded.model.get_parameter("fc.weight").shape == (7, 512)


def test_batch_and_dtype() -> None:
    loaded = load(Request("resnet18", batch=4, dtype="bfloat16"))
    assert loaded.inputs == ("4x3x224x224:bfloat16",)
    assert {parameter.dtype for parameter in loaded.model.parameters()} == {torch.bfloat16}


def test_an_input_dtype_of_its_own_wins() -> None:
    loaded = load(Request("resnet18", inputs=parse_inputs(("1x3x64x64:int64",)), dtype="float64"))
    assert loaded.inputs == ("1x3x64x64:int64",)


def test_a_file_is_executed_and_its_class_called(nets: Path) -> None:
    before = list(sys.path)
    loaded = load(Request(f"{nets}:Net", {"width": 5}))
    assert loaded.model.get_parameter("conv.weight").shape == (5, 3, 3, 3)
    assert loaded.guessed
    assert loaded.inputs == ("1x3x224x224:float32",)
    assert sys.path == before


def test_a_dotted_name_and_a_ready_network(nets: Path) -> None:
    assert type(load(f"{nets}:Outer.Inner").model).__name__ == "Net"
    assert type(load(f"{nets}:built").model).__name__ == "Net"
    with pytest.raises(SourceError, match="--arg needs a class or function"):
        load(Request(f"{nets}:built", {"width": 5}))


def test_keyword_inputs(nets: Path) -> None:
    loaded = load(Request(f"{nets}:Words", inputs=(InputSpec((1, 7), "int64", "ids"),)))
    assert loaded.args == ()
    assert loaded.inputs == ("ids=1x7:int64",)
    assert not loaded.guessed


@pytest.mark.parametrize(
    ("function", "written"),
    [
        ("tensor", ("2x3x32x32:float32",)),
        ("arguments", ("2x3:float32", "4:float32")),
        ("keywords", ("ids=1x7:int64",)),
    ],
)
def test_input_from_a_function(nets: Path, function: str, written: tuple[str, ...]) -> None:
    assert load(Request(f"{nets}:Net", input_from=f"{nets}:{function}")).inputs == written


@pytest.mark.parametrize(
    ("function", "sentence"),
    [("three", "returns a int"), ("fails", "raises RuntimeError: no luck"), ("nope", "has no 'nope'")],
)
def test_a_function_that_makes_no_input(nets: Path, function: str, sentence: str) -> None:
    with pytest.raises((UsageError, SourceError), match=sentence):
        load(Request(f"{nets}:Net", input_from=f"{nets}:{function}"))


def test_input_options_that_contradict_each_other() -> None:
    with pytest.raises(UsageError, match="leave out --input and --batch"):
        load(Request("resnet18", input_from="a.py:f", batch=2))
    with pytest.raises(UsageError, match="at least 1"):
        load(Request("resnet18", batch=0))


def test_a_constructor_that_needs_numbers_gets_real_weights(nets: Path) -> None:
    loaded = load(f"{nets}:Drawing")
    assert not any(parameter.is_meta for parameter in loaded.model.parameters())
    assert "built with real weights" in loaded.notes[0]


def test_with_data_makes_the_same_again_with_numbers(nets: Path) -> None:
    state = torch.get_rng_state()
    first, second = (load(f"{nets}:Choosing").with_data() for _ in range(2))
    assert first is not None
    assert second is not None
    weights = [loaded.model.get_parameter("conv.weight") for loaded in (first, second)]
    assert torch.equal(*weights)
    assert not first.args[0].is_meta
    assert first.inputs == ("1x3x224x224:float32",)
    assert torch.equal(state, torch.get_rng_state())


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("Nope", "has no 'Nope'"),
        ("Nett", r"did you mean Net"),
        ("Plain", "gives an object of type Plain"),
        ("three", "gives an object of type int"),
        ("number", "gives an object of type int"),
        ("fails", r"cannot be built: RuntimeError: no luck$"),
        ("quits", "cannot be built: SystemExit: 4"),
    ],
)
def test_a_file_that_holds_no_such_network(nets: Path, name: str, sentence: str) -> None:
    with pytest.raises(SourceError, match=sentence):
        load(f"{nets}:{name}")


def test_files_that_cannot_be_executed(nets: Path) -> None:
    with pytest.raises(SourceError, match=r"ValueError: boom \(line 2\)"):
        load(f"{nets.parent / 'raises.py'}:Net")
    with pytest.raises(SourceError, match=r"SyntaxError: .*\(line 1\)"):
        load(f"{nets.parent / 'wrong.py'}:Net")
    with pytest.raises(SourceError, match=r"there is no file .*net\.py; did you mean .*nets\.py\?"):
        load(f"{nets.parent / 'net.py'}:Net")
    with pytest.raises(SourceError, match="names a file but nothing in it"):
        load(str(nets))


def test_a_module_is_found_in_the_working_directory(nets: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(nets.parent)
    nets.rename("nets_of_this_test.py")
    before = list(sys.path)
    assert type(load("nets_of_this_test:Net").model).__name__ == "Net"
    assert sys.path == before
    assert os.getcwd() not in sys.path


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("os:getcwd", "gives an object of type str"),
        ("nosuch.pkg:Net", "there is no module 'nosuch'"),
        ("os:nosuch", "the module os has no 'nosuch'"),
        ("tim:resnet50", "expected a prefix timm: or torchvision:"),
        ("a:b:c", "cannot read the model"),
        (":", "cannot read the model"),
        ("builtin:resnet5", "did you mean resnet50"),
    ],
)
def test_texts_that_name_no_network(text: str, sentence: str) -> None:
    with pytest.raises(SourceError, match=sentence):
        load(text)


def test_a_bare_name_without_the_packages(monkeypatch: pytest.MonkeyPatch) -> None:
    from dataclasses import replace

    from cspanalyze import sources

    absent = [replace(s, installed=lambda: False) if s.title in ("timm", "torchvision") else s for s in sources.SOURCES]
    monkeypatch.setattr(sources, "SOURCES", tuple(absent))
    with pytest.raises(SourceError, match=r"timm and torchvision not installed.*did you mean resnet50"):
        load("resnet5")


def test_a_package_that_is_not_installed() -> None:
    from cspanalyze.sources.construction import import_package

    with pytest.raises(SourceError, match=r"need the package nosuch_package, which is not installed: pip install"):
        import_package("nosuch_package", "timm")
