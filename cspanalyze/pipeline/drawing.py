"""Pictures of networks: source -> trace -> diagram, alone or beside another. No torch at import."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Literal

from cspanalyze.diagrams import Diagram, Level, Metric, diagram
from cspanalyze.diagrams.beside import difference, side_by_side
from cspanalyze.diagrams.drawing import DRAWN
from cspanalyze.diagrams.outline import Outline, outline
from cspanalyze.diagrams.schematic import Schematic, stage_panel
from cspanalyze.errors import UsageError
from cspanalyze.pipeline.networks import Csp, loaded_of, traced_of, traced_twins
from cspanalyze.results import CONTROL

if TYPE_CHECKING:
    from cspanalyze.pipeline.networks import Network, Traced

View = Literal["both", "twin", "diff"]
_FUSIONS: tuple[Literal["csp", "first", "last"], ...] = ("csp", "first", "last")


def draw(
    model: Network,
    *,
    csp: Csp | None = None,
    against: Network | None = None,
    view: View = "both",
    level: Level = "stage",
    metrics: Sequence[Metric] = DRAWN,
    highlight: str = "",
) -> Diagram:
    """The diagram of a network; with `csp` or `against`, of it and of its twin or the other network.

    Args:
        model: as for `analyze`, or a module that takes 1x3x224x224.
        csp: how to make the twin.
        against: another network to draw beside the first one.
        view: `both` beside each other, with `csp.control` the control of the twin as a third; without the first one
            (`twin`); or one picture of what differs (`diff`), which takes no control.
        level: how far the network is opened, see `cspanalyze.diagrams.levels.seen`.
        metrics: what is written on the nodes and can colour them; `gradients` takes an analysis of its own.
        highlight: pattern of module paths, classes or titles to highlight.

    Raises:
        CspanalyzeError: a network cannot be built, traced or made partial; nothing matches `highlight`.
    """
    networks = shown_networks(model, csp, against, view)
    drawn = [replace(diagram(each.graph, level, metrics, highlight), title=title) for title, each in networks]
    if highlight and not any(part.highlighted for made in drawn for part in made.parts):
        raise UsageError(f"nothing on level {level} matches highlight {highlight!r}: try a path like 'layer1.*'")
    if len(drawn) == 1:
        return drawn[0]
    return difference(drawn[0], drawn[1]) if view == "diff" else side_by_side(*drawn)


def outlines(
    model: Network, *, csp: Csp | None = None, against: Network | None = None, view: View = "both"
) -> tuple[Outline, ...]:
    """All boxes of a network, and of its twin or of another, for the page on which they are opened.

    Arguments and errors as for `draw`; there is no page of differences, it shows both.
    """
    return tuple(outline(each.graph, title) for title, each in shown_networks(model, csp, against, view))


def shown_networks(
    model: Network, csp: Csp | None, against: Network | None, view: View = "both"
) -> list[tuple[str, Traced]]:
    """The networks that a picture shows, each with its title."""
    base = traced_of(loaded_of(model))
    found = [(base.loaded.name, base)]
    if csp is not None:
        twins, _ = traced_twins(base, replace(csp, control=csp.control and view != "diff"))
        found += [(_title_of(twin, csp), twin) for twin in twins]
    elif against is not None:
        other = traced_of(loaded_of(against))
        found.append((other.loaded.name, other))
    return found[1:] if view == "twin" else found


def _title_of(twin: Traced, csp: Csp) -> str:
    """The twin, or its control, as a picture names it."""
    name = f"{twin.loaded.name} {twin.variant}"
    return f"{name}, no split" if twin.variant == CONTROL else f"{name}, γ = {csp.gamma:g}"


def sketch(model: Network, stage: str, *, csp: Csp | None = None, every_fusion: bool = False) -> Schematic:
    """A stage of a network as the CSPNet paper draws stages; with `csp` above that of its twin, and of the control.

    Args:
        model: as for `draw`.
        stage: a number, or a name like `stage1`.
        csp: how to make the twin.
        every_fusion: draw the twin in each of the three fusions (Figure 3 of the paper), not only in that of `csp`.

    Raises:
        CspanalyzeError: as `draw`; also where the network declares no stages, or not this one.
    """
    base = traced_of(loaded_of(model))
    panels = [stage_panel(base.graph, stage, base.loaded.name)]
    if csp is not None:
        for fusion in _FUSIONS if every_fusion else (csp.fusion,):
            twin = traced_twins(base, replace(csp, fusion=fusion, control=False))[0][0]
            title = f"CSP{'' if fusion == 'csp' else f', fusion {fusion}'}, γ = {csp.gamma:g}"
            panels.append(stage_panel(twin.graph, stage, title))
        if csp.control:
            control = traced_twins(base, csp)[0][1]
            panels.append(stage_panel(control.graph, stage, "control, no split"))
    return Schematic(f"{base.loaded.name}, {panels[0].stage}", tuple(panels))
