"""`path/model.pt2`: a network that `torch.export.save` wrote, read as data.

`torch.export.load` is not used: it unpickles what the archive marks as pickled, evaluates size expressions and looks up
operators by any dotted name, so that a hostile file could run anything. Here only the JSON description of the graph is
read, and replayed with operators of a few namespaces; the weights in the file stay unread, as their shapes are enough.
"""

from __future__ import annotations

import json
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cspanalyze.errors import SourceError
from cspanalyze.sources.input_specs import InputSpec
from cspanalyze.sources.near_misses import did_you_mean
from cspanalyze.sources.request import Built, Source

if TYPE_CHECKING:
    from torch import Tensor

_PROGRAM = "models/model.json"
EXPORTED = "torch.export"
_LARGEST_JSON = 1 << 30
_CHECKPOINTS = (".pt", ".pth", ".ckpt", ".bin", ".safetensors", ".onnx")


def build(text: str, arguments: Mapping[str, Any], real: bool = False) -> Built:
    """Rebuild the network from the graph in the file; its default inputs are those it was exported with."""
    file = Path(text)
    if file.suffix != ".pt2":
        raise SourceError(
            f"{text} is no network: such files hold weights, and reading a pickled one can run any code; name what "
            "builds the network, as path/file.py:CALLABLE, or a .pt2 file written by torch.export.save"
        )
    if arguments:
        raise SourceError(f"{text} is read as it is: leave out --arg, which is for what builds a network")
    program = _program(file)
    from cspanalyze.sources.replay import MalformedProgram, Replay

    try:
        model = Replay(program["graph_module"], real)
        inputs = tuple(_spec_of(tensor) for tensor in model.example_inputs)
    except MalformedProgram as error:
        raise SourceError(f"{text} cannot be replayed: {error}") from error
    except (KeyError, IndexError, TypeError, AttributeError, ValueError, RuntimeError, OverflowError) as error:
        raise SourceError(f"{text} holds no graph in a form that is known here: export it again") from error
    return Built(model, inputs)


def _program(file: Path) -> dict[str, Any]:
    if not file.is_file():
        beside = [other.name for other in file.parent.glob("*.pt2")] if file.parent.is_dir() else []
        raise SourceError(f"there is no file {file}{did_you_mean(file.name, beside)}")
    try:
        with zipfile.ZipFile(file) as archive:
            found = [entry for entry in archive.infolist() if entry.filename.endswith(f"/{_PROGRAM}")]
            if len(found) != 1 or found[0].file_size > _LARGEST_JSON:
                raise SourceError(f"{file} holds no single exported program: expected a file of torch.export.save")
            program = json.loads(archive.read(found[0]))
    except (zipfile.BadZipFile, OSError, RuntimeError, ValueError, RecursionError) as error:
        raise SourceError(f"{file} is no archive of torch.export.save, and nothing else is ever loaded") from error
    if not isinstance(program, dict):
        raise SourceError(f"{file} holds no exported program: expected a file of torch.export.save")
    return program


def _spec_of(tensor: Tensor) -> InputSpec:
    """Floating-point inputs take the dtype of the network."""
    dtype = "" if tensor.is_floating_point() else str(tensor.dtype).removeprefix("torch.")
    return InputSpec(tuple(tensor.shape), dtype)


SOURCE = Source(
    prefix="",
    title=EXPORTED,
    claims=lambda text: text.endswith((".pt2", *_CHECKPOINTS)) and ":" not in text,
    build=build,
)
