"""Records of measured gradients: single draws, and what several of them say together. torch is not imported here."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from math import isfinite, sqrt
from statistics import NormalDist, fmean, stdev
from types import MappingProxyType
from typing import Any

from cspanalyze.errors import UsageError
from cspanalyze.gradient_flow.duplication import Duplication
from cspanalyze.json_form import plain, structured
from cspanalyze.results import SCHEMA_VERSION
from cspanalyze.showing import Shown

Value = float | None

FIGURES: Mapping[str, str] = MappingProxyType(
    {
        "realised_duplication": (
            "1 - sum of effective numbers of different gradients / sum of gradient terms, over slices; between 0 and D"
        ),
        "realised_share": "how much of the opportunity that the structure gives is realised",
        "consumer_cosine": "mean cosine of what two consumers contribute to one slice, by channels",
        "coherence": "|sum of contributions|^2 / sum of |contribution|^2, by channels: 1 if orthogonal, M if equal",
        "layer_similarity": "mean debiased linear CKA of the samples' gradients of two layers",
        "layer_duplication": "(L - V)/(L - 1), V = effective number of different layers (Vendi score of that matrix)",
        "term_contrast": "mean CKA of two terms of one consumer less that of two terms with nothing in common",
        "same_consumer": "mean CKA of two terms of one consumer",
        "same_producer": "mean CKA of two terms of one producer",
        "unrelated": "mean CKA of two terms with nothing in common",
        "signal_to_noise": "of the weights' gradients over four parts of the batch, median over layers",
    }
)
"""Every measured figure of a network and what it is, the headline first."""
GROUP_FIGURES = ("realised_duplication", "realised_share", "consumer_cosine", "coherence", "layer_similarity")
"""Those that a stage has by itself: of the gradient that its own layers send, and of the likeness of its layers."""

_QUANTILES = (12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262)


@dataclass(frozen=True, slots=True)
class LayerDraw:
    """A layer in one draw: lengths of its gradient and of its weight's, and how its consumers agree.

    `gradient_norm` is None for a layer that the loss does not depend on.
    """

    gradient_norm: Value
    weight_gradient_norm: Value
    signal_to_noise: Value
    consumer_cosine: Value
    coherence: Value

    @property
    def dead(self) -> bool:
        """Whether what arrives is 0."""
        return self.gradient_norm == 0


@dataclass(frozen=True, slots=True)
class Draw:
    """One network, one batch, one backward pass: layers in order, the `FIGURES`, and what noise would give for them.

    `similarity` is the layers' debiased CKA, None for a layer without gradient or whose samples are not told apart;
    `groups` are the `GROUP_FIGURES` of every stage.
    """

    layers: tuple[LayerDraw, ...]
    figures: Mapping[str, Value]
    nulls: Mapping[str, Value]
    similarity: tuple[tuple[Value, ...], ...]
    groups: Mapping[str, Mapping[str, Value]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Estimate:
    """Mean over draws, and half the width of its 95 % t-interval; None where a draw has no value, or there is one."""

    mean: Value
    half_width: Value
    draws: int

    @property
    def clear(self) -> bool:
        """Whether the interval leaves out 0."""
        return self.mean is not None and self.half_width is not None and abs(self.mean) > self.half_width


@dataclass(frozen=True, slots=True)
class Figure:
    """One of the `FIGURES`, and its null: what independent noise gives."""

    metric: str
    estimate: Estimate
    null: Value


@dataclass(frozen=True, slots=True)
class MeasuredLayer:
    """A layer over all draws; `dead_draws` counts those in which no gradient arrived."""

    name: str
    group: str
    gradient_norm: Estimate
    weight_gradient_norm: Estimate
    signal_to_noise: Estimate
    consumer_cosine: Estimate
    coherence: Estimate
    dead_draws: int


@dataclass(frozen=True, slots=True)
class Structure:
    """What the structure of a network or a stage gives: the ratios D and D_c, and the mean overlap of sources."""

    duplication: Value
    channel_duplication: Value
    source_overlap: Value

    @classmethod
    def of(cls, found: Duplication) -> Structure:
        """Exact figures as numbers."""
        ratios = [None if ratio is None else float(ratio) for ratio in (found.ratio, found.channel_ratio)]
        return cls(ratios[0], ratios[1], found.source_overlap)


@dataclass(frozen=True, slots=True)
class MeasuredGroup:
    """A stage: what its structure gives, and its `GROUP_FIGURES` as measured."""

    name: str
    structure: Structure
    figures: tuple[tuple[str, Estimate], ...]


@dataclass(frozen=True, slots=True)
class MeasuredNetwork:
    """One network: what its structure gives beside what was measured, and the mean similarity matrix."""

    variant: str
    structure: Structure
    figures: tuple[Figure, ...]
    groups: tuple[MeasuredGroup, ...]
    layers: tuple[MeasuredLayer, ...]
    similarity: tuple[tuple[Value, ...], ...]
    training_loss: Estimate | None = None

    @property
    def dead(self) -> tuple[str, ...]:
        """The layers whose gradient was 0 in a draw."""
        return tuple(layer.name for layer in self.layers if layer.dead_draws)

    def figure(self, metric: str) -> Figure:
        """The figure of that name."""
        return next(figure for figure in self.figures if figure.metric == metric)


@dataclass(frozen=True, slots=True)
class Difference:
    """How two networks, and the stages that both have, differ draw by draw with the same seeds and batches."""

    of: str
    less: str
    figures: tuple[tuple[str, Estimate], ...]
    groups: tuple[tuple[str, tuple[tuple[str, Estimate], ...]], ...] = ()


@dataclass(frozen=True, slots=True, repr=False)
class GradientMeasurement(Shown):
    """A network beside its variants, completely enough to do it again. `training` is "" for weights as initialised."""

    model: str
    source: str
    inputs: tuple[str, ...]
    data: str
    loss: str
    mode: str
    batch: int
    draws: int
    training: str
    networks: tuple[MeasuredNetwork, ...]
    differences: tuple[Difference, ...]
    notes: tuple[str, ...]
    versions: tuple[tuple[str, str], ...]
    sentences: tuple[str, ...] = ()


def estimate(values: Sequence[Value]) -> Estimate:
    """Mean and t-interval of the values of all draws."""
    known = [value for value in values if value is not None and isfinite(value)]
    if not known or len(known) < len(values):
        return Estimate(None, None, len(known))
    if len(known) == 1:
        return Estimate(known[0], None, 1)
    width = t_quantile(len(known) - 1) * stdev(known) / sqrt(len(known))
    return Estimate(fmean(known), width, len(known))


def t_quantile(freedom: int) -> float:
    """The 97.5 % quantile of Student's t distribution, to 3 decimals.

    Tabulated below 10 degrees of freedom; from there by the Cornish-Fisher expansion (Abramowitz and Stegun 26.7.5).
    """
    if freedom <= len(_QUANTILES):
        return _QUANTILES[freedom - 1]
    z = NormalDist().inv_cdf(0.975)
    terms = (
        (z**3 + z) / 4,
        (5 * z**5 + 16 * z**3 + 3 * z) / 96,
        (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / 384,
        (79 * z**9 + 776 * z**7 + 1482 * z**5 - 1920 * z**3 - 945 * z) / 92160,
    )
    return z + sum(term / float(freedom) ** power for power, term in enumerate(terms, start=1))


def measured_network(
    variant: str,
    names: Sequence[tuple[str, str]],
    structure: Structure,
    stages: Mapping[str, Structure],
    draws: Sequence[Draw],
    losses: Sequence[float] = (),
) -> MeasuredNetwork:
    """All draws of one network as a record; `names` are the layers' names and groups, `stages` those of the groups."""

    def of_layer(index: int, part: str) -> Estimate:
        return estimate([getattr(draw.layers[index], part) for draw in draws])

    layers = tuple(
        MeasuredLayer(
            name=name,
            group=group,
            gradient_norm=of_layer(index, "gradient_norm"),
            weight_gradient_norm=of_layer(index, "weight_gradient_norm"),
            signal_to_noise=of_layer(index, "signal_to_noise"),
            consumer_cosine=of_layer(index, "consumer_cosine"),
            coherence=of_layer(index, "coherence"),
            dead_draws=sum(draw.layers[index].dead for draw in draws),
        )
        for index, (name, group) in enumerate(names)
    )
    figures = tuple(
        Figure(
            metric,
            estimate([draw.figures.get(metric) for draw in draws]),
            estimate([draw.nulls.get(metric) for draw in draws]).mean,
        )
        for metric in FIGURES
    )
    size = range(len(names))
    similarity = tuple(tuple(estimate([d.similarity[i][j] for d in draws]).mean for j in size) for i in size)
    groups = tuple(
        MeasuredGroup(
            stage,
            given,
            tuple((metric, estimate([draw.groups[stage].get(metric) for draw in draws])) for metric in GROUP_FIGURES),
        )
        for stage, given in stages.items()
    )
    loss = estimate(losses) if losses else None
    return MeasuredNetwork(variant, structure, figures, groups, layers, similarity, loss)


def paired_difference(of: str, less: str, draws: Sequence[Draw], others: Sequence[Draw]) -> Difference:
    """Figure by figure the mean difference of paired draws, of the networks and of the stages that both have."""

    def estimates(
        names: Iterable[str], pairs: Sequence[tuple[Mapping[str, Value], Mapping[str, Value]]]
    ) -> tuple[tuple[str, Estimate], ...]:
        return tuple((name, estimate([_less(a.get(name), b.get(name)) for a, b in pairs])) for name in names)

    pairs = list(zip(draws, others, strict=True))
    shared = [stage for stage in draws[0].groups if stage in others[0].groups]
    stages = tuple(
        (stage, estimates(GROUP_FIGURES, [(a.groups[stage], b.groups[stage]) for a, b in pairs])) for stage in shared
    )
    return Difference(of, less, estimates(FIGURES, [(a.figures, b.figures) for a, b in pairs]), stages)


def _less(a: Value, b: Value) -> Value:
    return a - b if a is not None and b is not None else None


def measurement_to_json(record: GradientMeasurement) -> dict[str, Any]:
    """JSON-ready data."""
    return {"schema": SCHEMA_VERSION, "kind": "gradient_measurement", **plain(record)}


def measurement_from_json(data: Mapping[str, Any]) -> GradientMeasurement:
    """Inverse of `measurement_to_json`.

    Raises:
        UsageError: the data is no such record.
    """
    if data.get("schema") != SCHEMA_VERSION or data.get("kind") != "gradient_measurement":
        raise UsageError("this is no measurement of gradients")
    body = {key: value for key, value in data.items() if key not in ("schema", "kind")}
    return structured(body, GradientMeasurement, "the measurement of gradients is damaged")
