"""Input tensors from their notation or from a user's function, and the notation back from tensors."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cspanalyze.errors import UsageError
from cspanalyze.sources.construction import attribute, check_module, in_one_line, searching
from cspanalyze.sources.input_specs import InputSpec
from cspanalyze.sources.pyfile import GUESS, execute
from cspanalyze.sources.request import Loaded

if TYPE_CHECKING:
    import torch
    from torch import nn


def make_inputs(
    specs: Sequence[InputSpec], default: torch.dtype, *, as_list: bool, real: bool
) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """Tensors of these shapes, as positional and keyword arguments; `default` is the dtype of those without.

    They are on the meta device, or `real`: uniform in [0, 1), and 0 where they are integers (a valid index anywhere).
    """
    import torch

    def tensor(spec: InputSpec) -> torch.Tensor:
        dtype = getattr(torch, spec.dtype) if spec.dtype else default
        try:
            empty = torch.empty(spec.shape, dtype=dtype, device="meta")
        except (RuntimeError, TypeError) as error:  # more bytes than a 64-bit integer holds
            raise UsageError(f"no memory could ever hold an input of {'x'.join(map(str, spec.shape))}") from error
        return _filled(empty) if real else empty

    positional = [tensor(spec) for spec in specs if not spec.name]
    keywords = {spec.name: tensor(spec) for spec in specs if spec.name}
    return ((positional,) if as_list and positional else tuple(positional)), keywords


def _filled(value: Any) -> Any:
    """The same with numbers in every meta tensor."""
    import torch

    if isinstance(value, torch.Tensor) and value.is_meta:
        if value.is_floating_point():
            generator = torch.Generator().manual_seed(0)
            return torch.rand(value.shape, generator=generator).to(value.dtype)
        return torch.zeros(value.shape, dtype=value.dtype)
    if isinstance(value, Mapping):
        return {key: _filled(part) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return type(value)(map(_filled, value))
    return value


def given(model: Any, args: Sequence[Any], kwargs: Mapping[str, Any]) -> Loaded:
    """A caller's own module, or a network loaded before, with these inputs; 1x3x224x224 where there are none.

    Raises:
        SourceError: `model` is neither.
        UsageError: a shape stands in place of a tensor.
    """
    shape = next((arg for arg in args if _is_shape(arg)), None)
    if shape is not None and not written(args, kwargs):
        raise UsageError(f"inputs are tensors, and this is a shape: {tuple(shape)}; give torch.rand{tuple(shape)}")
    if isinstance(model, Loaded):
        fed = replace(model, args=tuple(args), kwargs=dict(kwargs), inputs=written(args, kwargs), guessed=False)
        return replace(fed, with_data=lambda: None)
    module = check_module(model, "the model")
    guessed = not args and not kwargs
    if guessed:
        args, kwargs = make_inputs(GUESS, floating_dtype(module), as_list=False, real=False)
    name = type(module).__name__
    loaded = Loaded(module, tuple(args), dict(kwargs), written(args, kwargs), name, "module", guessed)
    if any(parameter.is_meta for parameter in module.parameters()):
        return loaded
    return replace(
        loaded, with_data=lambda: replace(loaded, args=_filled(loaded.args), kwargs=_filled(dict(loaded.kwargs)))
    )


def _is_shape(value: Any) -> bool:
    return isinstance(value, tuple | list) and len(value) > 1 and all(type(part) is int for part in value)


def floating_dtype(model: nn.Module) -> torch.dtype:
    """The dtype of the network's weights: what an input without a dtype of its own gets."""
    import torch

    dtypes = (parameter.dtype for parameter in model.parameters() if parameter.is_floating_point())
    return next(dtypes, torch.get_default_dtype())


def inputs_from(text: str) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """Call the user's `file.py:function` and take what it returns as arguments of the network.

    A tensor is the one positional argument, a tuple or list the positional arguments, a mapping the keyword arguments.

    Raises:
        SourceError: the file or the function is not there, or the file raises.
        UsageError: the function raises, or returns something else.
    """
    path, _, name = text.rpartition(":")
    if not path.endswith(".py") or not name:
        raise UsageError(f"cannot read --input-from {text!r}: expected path/file.py:FUNCTION")
    file = Path(path)
    with searching(str(file.resolve().parent), first=True):
        function = attribute(execute(file), name, str(file))
        try:
            given = function()
        except (Exception, SystemExit) as error:
            raise UsageError(f"--input-from {text} raises {in_one_line(error)}") from error
    return _as_arguments(given, text)


def _as_arguments(given: Any, text: str) -> tuple[tuple[Any, ...], dict[str, Any]]:
    import torch

    if isinstance(given, torch.Tensor):
        return (given,), {}
    if isinstance(given, tuple | list):
        return tuple(given), {}
    if isinstance(given, Mapping) and all(isinstance(key, str) for key in given):
        return (), dict(given)
    raise UsageError(
        f"--input-from {text} returns a {type(given).__name__}: expected a tensor, a tuple of arguments or a dict"
    )


def written(args: Sequence[Any], kwargs: Mapping[str, Any]) -> tuple[str, ...]:
    """Every tensor among the arguments in the `--input` notation, in order."""
    texts = [str(spec) for value in args for spec in _specs(value, "")]
    texts += [str(spec) for name, value in kwargs.items() for spec in _specs(value, name)]
    return tuple(texts)


def _specs(value: Any, name: str) -> list[InputSpec]:
    import torch

    if isinstance(value, torch.Tensor):
        return [InputSpec(tuple(value.shape), str(value.dtype).removeprefix("torch."), name)]
    if isinstance(value, Mapping):
        value = list(value.values())
    if isinstance(value, tuple | list):
        return [spec for part in value for spec in _specs(part, name)]
    return []
