"""The CSP twin of a network as something to take away: source, weights, an exported program. No torch at import."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Mapping, Sequence
from dataclasses import fields
from typing import TYPE_CHECKING, Any

from cspanalyze import __version__
from cspanalyze.errors import CspError, SourceError
from cspanalyze.pipeline.networks import HALF, Csp, loaded_of

if TYPE_CHECKING:
    from torch import nn
    from torch.export import ExportedProgram

    from cspanalyze.csp import CspTwin
    from cspanalyze.pipeline.networks import Network
    from cspanalyze.sources import Loaded

SUFFIXES = (".py", ".pt", ".pt2")
_TOLERANCE = 1e-4
_ONLY_IN_TRAINING = (
    "\nIn training the network draws other random numbers than this: stochastic depth, say, or dropout by a function\n"
    "call, which its trace in inference mode does not show.\n"
)


def twin_file(
    model: Network, suffix: str, *inputs: Any, kwargs: Mapping[str, Any] | None = None, csp: Csp = HALF
) -> bytes:
    """The content of a file that holds the twin.

    `.py` is plain PyTorch source with the twin's module names, proven by running it with the twin's weights; `.pt` the
    twin's `state_dict`; `.pt2` a program of `torch.export`, in inference mode and for these input shapes, but for any
    batch size where torch.export can show that the network does not depend on it. Weights are
    drawn anew or cut out of the network's own, as `csp.init` says. Other arguments as for `compare`.

    Raises:
        CspanalyzeError: also where the network cannot be written in that form.
    """
    network = loaded_of(model, inputs, kwargs)
    if suffix == ".py":
        return _source(network, csp).encode()
    import torch

    held = _with_numbers(network)
    if held is None:
        raise SourceError(f"{network.name} has no weights to write: build it with real ones, or write source (.py)")
    twin = _twin(held, csp).model.eval()
    file = io.BytesIO()
    if suffix == ".pt":
        torch.save(twin.state_dict(), file)
    else:
        try:
            torch.export.save(_exported(twin, held), file)
        except Exception as error:  # whatever torch.export raises for a foreign forward
            said = str(error).strip().partition("\n")[0]
            raise CspError(f"torch.export cannot export this twin: {said or type(error).__name__}") from error
    return file.getvalue()


def _exported(twin: nn.Module, network: Loaded) -> ExportedProgram:
    """The twin as a program: of any batch size if it can be, else of the one that it was traced with."""
    import torch
    from torch.export import Dim, ShapesCollection, export

    tensors = [each for each in (*network.args, *network.kwargs.values()) if isinstance(each, torch.Tensor)]
    batches = {each.shape[0] if each.dim() else 0 for each in tensors}
    if len(tensors) == len(network.args) + len(network.kwargs) and len(batches) == 1 and batches != {0}:
        # Export takes a size of 1 for a constant, so that one image is shown to it twice.
        args = [torch.cat((each, each)) for each in network.args]
        kwargs = {name: torch.cat((each, each)) for name, each in network.kwargs.items()}
        shapes = ShapesCollection()  # type: ignore[no-untyped-call]
        for each in (*args, *kwargs.values()):
            shapes[each] = {0: Dim("batch")}
        with contextlib.suppress(Exception):  # whatever torch.export raises where the batch size matters
            dynamic = shapes.dynamic_shapes(twin, tuple(args), kwargs)  # type: ignore[no-untyped-call]
            return export(twin, tuple(args), kwargs, dynamic_shapes=dynamic)
    return export(twin, network.args, dict(network.kwargs))


def _twin(network: Loaded, csp: Csp) -> CspTwin:
    from cspanalyze.csp import to_csp

    chosen = {field.name: getattr(csp, field.name) for field in fields(csp)}
    return to_csp(network.model, *network.args, kwargs=network.kwargs, **chosen)


def _source(network: Loaded, csp: Csp) -> str:
    from cspanalyze.csp.writing import source_of
    from cspanalyze.tracing import trace

    held = _with_numbers(network) or network  # the numbers of constants go into the source
    twin = _twin(held, csp)
    outputs: list[Any] = []
    handle = twin.model.register_forward_hook(lambda module, given, made: outputs.append(made))
    graph = trace(twin.model, *held.args, kwargs=held.kwargs)
    handle.remove()
    presets = " and ".join(dict.fromkeys(change.preset for change in twin.changes if not change.skipped))
    what = "The control" if csp.control else "The Cross Stage Partial twin"
    gamma = 0 if csp.control else csp.gamma
    heading = (
        f"{what} of {network.name}: gamma {gamma:g}, fusion {csp.fusion}, preset {presets}.\n\n"
        f"Written by cspanalyze {__version__} from a trace with input {', '.join(network.inputs)}.\n"
    )
    text = source_of(twin.model, graph, heading, outputs[-1])
    same_in_training = _prove(text, twin.model, network, csp)
    return text if same_in_training else text.replace(heading, heading + _ONLY_IN_TRAINING, 1)


def _prove(text: str, twin: nn.Module, network: Loaded, csp: Csp) -> bool:
    """Run the source: same parameters as the twin, and the same outputs with the same weights; whether in training too.

    Raises:
        CspError: not so.
    """
    import torch

    from cspanalyze.tracing import building
    from cspanalyze.tracing.values import tensors_in

    scope: dict[str, Any] = {"__name__": "twin"}
    held = _with_numbers(network)
    try:
        exec(compile(text, "twin.py", "exec"), scope)
        with building():
            shapes = {key: tensor.shape for key, tensor in scope[type(twin).__name__]().state_dict().items()}
        expected_shapes = {key: tensor.shape for key, tensor in twin.state_dict().items()}
        if shapes != expected_shapes:
            keys = [key for key in {**expected_shapes, **shapes} if shapes.get(key) != expected_shapes.get(key)]
            raise CspError(f"this twin cannot be written as source: {keys[0]} would be missing or of another shape")
        if held is None:
            return True
        if any(not tensor.isfinite().all() for tensor in scope[type(twin).__name__]().state_dict().values()):
            raise CspError("the source that was written holds numbers that are not finite")
        model = _twin(held, csp).model.eval()
        made = scope[type(twin).__name__]().eval()
        made.load_state_dict(model.state_dict())
        with torch.no_grad(), torch.random.fork_rng(devices=[]):
            args = [torch.randn_like(each) if each.is_floating_point() else each for each in held.args]
            expected, found = (each(*args, **held.kwargs) for each in (model, made))
        # What they are nested in was written from the twin's own output.
        torch.testing.assert_close(tensors_in(found), tensors_in(expected), rtol=_TOLERANCE, atol=_TOLERANCE)
        return _trains_alike(model, made, args, held.kwargs)
    except CspError:
        raise
    except Exception as error:  # whatever the source raises
        said = str(error).strip().partition("\n")[0]
        hooked = [path for path, each in twin.named_modules() if each._forward_hooks or each._forward_pre_hooks]
        if hooked:
            said = f"{', '.join(hooked)} {'has a hook' if len(hooked) == 1 else 'have hooks'}, which it would not have"
        raise CspError(f"this twin cannot be written as source that does the same: {said}") from error


def _trains_alike(one: nn.Module, other: nn.Module, args: Sequence[Any], kwargs: Mapping[str, Any]) -> bool:
    """Whether two networks draw the same random numbers in training mode; also true where the first does not run."""
    import torch

    ends = []
    for network in (one, other):
        with torch.no_grad(), torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            try:
                network.train()(*args, **kwargs)
            except Exception:  # like batch norm of a single value, which inference allows
                return network is one
            ends.append(torch.get_rng_state())
    return torch.equal(*ends)


def _with_numbers(network: Loaded) -> Loaded | None:
    if not any(tensor.is_meta for tensor in network.model.parameters()) and all(
        not getattr(value, "is_meta", False) for value in network.args
    ):
        return network
    return network.with_data()
