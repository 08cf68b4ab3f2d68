"""The stages of a network that can be made partial, and why everything else cannot. No torch at import."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from cspanalyze.errors import CspError
from cspanalyze.results import RefusedModule, StageFound, StageListing

if TYPE_CHECKING:
    from cspanalyze.csp import Found
    from cspanalyze.csp.chains import Refusal
    from cspanalyze.graph import ModelGraph
    from cspanalyze.pipeline.networks import Network


def list_stages(model: Network, *inputs: Any, kwargs: Mapping[str, Any] | None = None) -> StageListing:
    """What `to_csp` works on: every stage with its blocks, width and resolution, and what was refused and why.

    Arguments as for `analyze`. A network without any stage gives a listing without stages.

    Raises:
        CspanalyzeError: the network cannot be built or traced.

    >>> [(stage.stage, stage.blocks, stage.channels) for stage in stages("resnet18").stages]
    [('layer1', 2, 64), ('layer2', 1, 128), ('layer3', 1, 256), ('layer4', 1, 512)]
    """
    from cspanalyze.csp import NoStage, find_stages, trace_stages
    from cspanalyze.pipeline.networks import loaded_of, subject_of, traced_of

    network = traced_of(loaded_of(model, inputs, kwargs))
    given, keywords = network.loaded.args, network.loaded.kwargs
    found: list[Found] = []
    told = ""
    refused: tuple[Refusal, ...] = ()
    for search in (find_stages, trace_stages):
        try:
            found.append(search(network.loaded.model, given, keywords))
            refused = found[-1].refusals
        except NoStage as error:
            told, refused = told or error.sentence, error.refusals
        except CspError as error:
            told = told or str(error)
    stages = tuple(_record(stage, network.graph) for stage in found[0].stages) if found else ()
    taken = [path for stage in stages for path in (stage.stage, *stage.modules)]
    refusals = [
        RefusedModule(each.path, each.kind, each.reason)
        for each in refused
        if not any(_inside(each.path, path) for path in taken)
    ]
    return StageListing(subject_of(network), stages, tuple(refusals), "" if stages else told)


def _record(stage: Any, graph: ModelGraph) -> StageFound:
    path = stage.source_names[0] if stage.family in ("densenet", "chain") else stage.path
    calls = graph.calls_of(path)
    shape: Sequence[int] = graph.spec(calls[0].outputs[0]).shape if calls and calls[0].outputs else ()
    return StageFound(
        stage=stage.path,
        modules=tuple(stage.source_names),
        block=type(stage.body[0].module).__name__ if stage.body else "",
        blocks=len(stage.body),
        channels=stage.channels,
        height=int(shape[2]) if len(shape) == 4 else None,
        width=int(shape[3]) if len(shape) == 4 else None,
        groups=stage.stream_groups,
        presets=() if stage.reason else tuple(stage.presets),
        skipped=stage.reason,
    )


def _inside(path: str, parent: str) -> bool:
    return path == parent or path.startswith(f"{parent}.")
