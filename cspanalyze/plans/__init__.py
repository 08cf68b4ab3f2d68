"""nn.Module -> NetworkPlan: what the architecture declares, read off module structure and hyperparameters alone.

No tensor is made and no forward is run, so that the closed forms computed from a plan are a second route to what a
trace counts. Networks are recognised by the names and kinds of their submodules, whoever wrote them.
"""

from __future__ import annotations

from torch import nn

from cspanalyze.darknet.network import DarknetNet
from cspanalyze.plans.families import FAMILIES, Groups, Named
from cspanalyze.plans.layers import Unknown, convolutions
from cspanalyze.plans.parts import read_parts
from cspanalyze.stage_plans import NetworkPlan, StagePlan

__all__ = ["read_plan"]


def read_plan(model: nn.Module) -> NetworkPlan | None:
    """The stages of `model` as it declares them; None where no family is recognised.

    A stage of unknown structure has no parts (`StagePlan.parts` is None). Works on meta models, reads no weights.
    """
    if isinstance(model, DarknetNet):
        return NetworkPlan(
            "Darknet layers", tuple(StagePlan(name, (name,), None) for name, _ in model.named_children())
        )
    for family, find_groups in FAMILIES.items():
        groups = find_groups(model)
        if groups is not None and not _mostly_head(groups):
            stages = tuple(_read_stage(name, items) for name, items in groups)
            if any(stage.parts for stage in stages if stage.name not in ("stem", "head")):
                return NetworkPlan(family, stages)
    return None


def _mostly_head(groups: Groups) -> bool:
    """Whether most convolutions come after the last stage: then the stages are further on (HRNet's only `layer1`)."""
    counts = {name: sum(len(convolutions(module)) for _, module in items) for name, items in groups}
    return 2 * counts.get("head", 0) > sum(counts.values())


def _read_stage(name: str, items: Named) -> StagePlan:
    paths = tuple(path for path, _ in items)
    try:
        return StagePlan(name, paths, read_parts(module for _, module in items))
    except Unknown:
        return StagePlan(name, paths, None)
