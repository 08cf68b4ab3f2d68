"""MODEL argument -> network and example input. No torch until `load` is called.

`load` finds the source that claims the text; a bare name that is not built in is looked up in timm and torchvision.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from cspanalyze import zoo
from cspanalyze.errors import SourceError, UsageError
from cspanalyze.plugins import load_plugins
from cspanalyze.room import refuse_without_room
from cspanalyze.sources import builtin, darknet_cfg, exported, huggingface, pycallable, pyfile, timm, torchvision
from cspanalyze.sources.arguments import parse_arguments, parse_numbered
from cspanalyze.sources.construction import in_one_sentence
from cspanalyze.sources.exported import EXPORTED
from cspanalyze.sources.input_specs import FLOATING, InputSpec, parse_input, parse_inputs
from cspanalyze.sources.near_misses import did_you_mean
from cspanalyze.sources.request import Built, Listing, Loaded, Request, Source

if TYPE_CHECKING:
    from torch import nn

__all__ = [
    "EXPORTED",
    "FLOATING",
    "SOURCES",
    "InputSpec",
    "Listing",
    "Loaded",
    "Request",
    "Source",
    "in_one_sentence",
    "load",
    "parse_arguments",
    "parse_input",
    "parse_inputs",
    "parse_numbered",
    "register_source",
]

SOURCES: list[Source] = [
    builtin.SOURCE,
    timm.SOURCE,
    torchvision.SOURCE,
    huggingface.SOURCE,
    darknet_cfg.SOURCE,
    exported.SOURCE,
    pyfile.SOURCE,
    pycallable.SOURCE,
]
"""Every source; the first one that claims a text gets it, and bare names are looked up in this order."""


def register_source(source: Source) -> Source:
    """Add a source of networks; it is asked right after the built-in ones.

    Raises:
        SourceError: there is one with this prefix.
    """
    if any(each.prefix == source.prefix for each in SOURCES):
        raise SourceError(f"there is a source with the prefix {source.prefix!r} already")
    SOURCES.insert(1, source)
    return source


def load(request: Request | str) -> Loaded:
    """Build the network that a request names, and its input, without memory for either where that is possible.

    Raises:
        SourceError: the MODEL argument names nothing that can be built.
        UsageError: the input options contradict each other or cannot be read.
    """
    if isinstance(request, str):
        request = Request(request)
    check(request)
    source, note = find(request.model)
    return _load(request, source, note, real=False)


def _load(request: Request, source: Source, note: str, *, real: bool) -> Loaded:
    built = source.build(source.strip(request.model), request.arguments, real)
    built = replace(built, model=_converted(built.model, request.dtype))
    args, kwargs, inputs = _feed(request, built, real)
    return Loaded(
        model=built.model,
        args=args,
        kwargs=kwargs,
        inputs=inputs,
        name=request.model,
        source=source.title,
        guessed=built.guessed and not (request.inputs or request.input_from),
        notes=tuple(filter(None, (note, built.note))),
        with_data=lambda: _load_with_data(request, source, note, built.model, (args, kwargs)),
    )


def _load_with_data(request: Request, source: Source, note: str, model: nn.Module, fed: Any) -> Loaded:
    """The same network and its inputs with numbers in them, unless those would fill the memory of this machine."""
    from cspanalyze.tracing.values import tensors_in

    held = [*model.parameters(), *model.buffers(), *tensors_in(fed)]
    needed = sum(tensor.numel() * tensor.element_size() for tensor in held if tensor.is_meta)
    refuse_without_room(f"{request.model} has to be run on real numbers, and its weights and inputs", needed)
    return _load(request, source, note, real=True)


def check(request: Request) -> None:
    """Refuse what can be refused before torch is imported.

    Raises:
        UsageError: options contradict each other.
    """
    if request.input_from and (request.inputs or request.batch is not None):
        raise UsageError("--input-from makes the whole input: leave out --input and --batch")
    if request.batch is not None and request.batch < 1:
        raise UsageError(f"--batch {request.batch} is not possible: expected at least 1")
    if request.dtype and request.dtype not in FLOATING:
        raise UsageError(f"--dtype {request.dtype} is not possible: expected one of {', '.join(FLOATING)}")


def find(text: str) -> tuple[Source, str]:
    """The source for a MODEL argument, and a sentence if the user should know which one it became.

    Raises:
        SourceError: it is a bare name that no installed source has.
    """
    load_plugins()
    for source in SOURCES:
        if source.claims(text):
            return source, ""
    searched: list[Source] = []
    for source in SOURCES:
        if source.listing is None or not source.installed():
            continue
        searched.append(source)
        if source.has(text):
            return source, f"{text} is not built in: this is {source.prefix}:{text}"
    raise SourceError(_unknown(text, searched))


def _unknown(text: str, searched: list[Source]) -> str:
    titles = ", ".join(source.title for source in searched)
    absent = [source.title for source in SOURCES if source.listing is not None and not source.installed()]
    hint = f" ({' and '.join(absent)} not installed: pip install timm torchvision)" if absent else ""
    close = did_you_mean(text, [*zoo.names(), *(name for source in searched[1:] for name in source.names())])
    advice = close or "; `cspanalyze models` lists the built-in ones"
    return f"there is no network {text!r} in: {titles}{hint}{advice}"


def _converted(model: nn.Module, dtype: str) -> nn.Module:
    import torch

    return model.to(getattr(torch, dtype)) if dtype else model


def _feed(request: Request, built: Built, real: bool) -> tuple[tuple[Any, ...], dict[str, Any], tuple[str, ...]]:
    from cspanalyze.sources.inputs import floating_dtype, inputs_from, make_inputs, written

    if request.input_from:
        args, kwargs = inputs_from(request.input_from)
        return args, kwargs, written(args, kwargs)
    specs = request.inputs or built.inputs
    if request.batch is not None:
        # A list of images has no batch dimension: the list itself is the batch.
        specs = specs * request.batch if built.as_list else tuple(spec.with_batch(request.batch) for spec in specs)
    args, kwargs = make_inputs(specs, floating_dtype(built.model), as_list=built.as_list, real=real)
    return args, kwargs, written(args, kwargs)
