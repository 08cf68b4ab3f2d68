"""What pictures say in words: metrics, figures, titles; the same on every kind of picture."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from cspanalyze.diagrams.record import Diagram, Figure, Frame, Metric, Node
from cspanalyze.renderers.figures import UNKNOWN, change, figure
from cspanalyze.results import Number

METRIC_WORDS: Mapping[Metric, str] = {
    "macs": "MACs", "params": "params", "cio": "CIO elements", "bytes": "fused bytes",
    "traffic": "cache-model bytes", "gradients": "gradient reuse",
}  # fmt: skip
SHORT: Mapping[Metric, str] = {
    "macs": "MACs", "params": "params", "cio": "CIO", "bytes": "fused bytes", "traffic": "traffic",
    "gradients": "reuse",
}  # fmt: skip
IN_BYTES: tuple[Metric, ...] = ("bytes", "traffic")


def amount(figure_: Figure) -> str:
    """A figure with its unit: `218.4 M MACs`, `35 kB`, `reuse ×3.5`."""
    value = figure_.value
    if figure_.metric == "gradients":
        return "" if value is None else f"reuse ×{value:.1f}".removesuffix(".0")
    if value is None:
        return f"{UNKNOWN} {SHORT[figure_.metric]}"
    if figure_.metric in IN_BYTES:
        return in_bytes(value)
    text = short(value)
    return f"CIO {text}" if figure_.metric == "cio" else f"{text} {SHORT[figure_.metric]}"


def in_bytes(value: Number) -> str:
    """An amount of bytes: `218 MB`, `35 B`."""
    text = short(value)
    return f"{text}B" if text[-1].isalpha() else f"{text} B"


def exactly(figure_: Figure) -> str:
    """A figure in full with what it is: `MACs 118,013,952`, `fused bytes 3,853,568 B`."""
    value = figure_.value
    text = UNKNOWN if value is None else f"×{value:.2f}" if figure_.metric == "gradients" else f"{value:,}"
    return f"{METRIC_WORDS[figure_.metric]} {text}{' B' if figure_.metric in IN_BYTES and value is not None else ''}"


def short(value: Number) -> str:
    """Three significant digits: `4.09 G`, `218 M`, `35.2 k`."""
    text = figure(value)
    if " " not in text:
        return text
    number, prefix = text.split(" ")
    digits = 2 if len(number) == 5 else 1 if len(number) == 6 else 0
    return f"{float(number):.{digits}f} {prefix}"


def delta(figure_: Figure) -> str:
    """The change against what it is compared with, "" where nothing changed."""
    if figure_.before is None or figure_.value is None or figure_.before == figure_.value:
        return ""
    return change(figure_.before, figure_.value).replace("-", "−")


def cost_line(figures: Sequence[Figure], colour_by: Metric | None, total: Number = None) -> tuple[str, ...]:
    """The costs that a node or frame shows: MACs and parameters, or what it is coloured by, with its share."""
    if colour_by is None:
        chosen = [f for f in figures if f.metric in ("macs", "params") and f.value != 0]
        return tuple(filter(None, (_with_delta(f) for f in chosen)))
    lines = []
    for each in figures:
        if each.metric != colour_by or (each.value == 0 and each.metric != "gradients"):
            continue
        text = amount(each)
        if text and total and each.value is not None and colour_by != "gradients":
            text += f" · {100 * each.value / total:.1f} %"
        lines.append(text)
    return tuple(filter(None, lines))


def _with_delta(figure_: Figure) -> str:
    text, moved = amount(figure_), delta(figure_)
    return f"{text} ({moved})" if moved else text


def whole_of(diagram: Diagram, part: Node | Frame, metric: Metric | None) -> Number:
    """The total of a metric that shares of `part` refer to: of its own network, where there are two."""
    frames = {frame.id: frame for frame in diagram.frames}
    home: Node | Frame = part
    while home.frame in frames:
        home = frames[home.frame]
    beside = diagram.rows and isinstance(home, Frame)
    totals = home.figures if beside else diagram.totals
    return next((figure.value for figure in totals if figure.metric == metric), None)


def badge(part: Node | Frame) -> str:
    """`×6` for what stands for six."""
    return f"×{part.count}" if part.count > 1 else ""


def summary(diagram: Diagram) -> str:
    """Input size and totals in one line; "" for more than two networks, whose frames say it."""
    if any(len(row) > 2 for row in diagram.rows):
        return ""
    parts = [f"input {diagram.subtitle}"] if diagram.subtitle else []
    parts += [_with_delta(f) for f in diagram.totals if f.metric in ("macs", "params", "cio")]
    return "   ·   ".join(parts)


@dataclass(frozen=True, slots=True)
class Scale:
    """From what to what a metric goes over the nodes of a diagram; amounts are shown as shares of the largest."""

    metric: Metric
    low: float
    high: float

    def share(self, value: Number) -> float:
        """Where a value lies between the ends."""
        if value is None or self.high <= self.low:
            return 0.0
        return min(1.0, max(0.0, (value - self.low) / (self.high - self.low)))


def scale(diagram: Diagram, metric: Metric) -> Scale:
    """The scale of a metric over a diagram: from 0, or 1 for gradient reuse, to the largest node."""
    values: list[float] = [value for node in diagram.nodes if (value := node.figure(metric)) is not None]
    low = 0.0
    if metric == "gradients":
        values += [edge.reuse for edge in diagram.edges if edge.reuse is not None]
        low = 1.0
    return Scale(metric, low, max(values, default=low))
