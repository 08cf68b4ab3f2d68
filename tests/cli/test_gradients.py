"""`cspanalyze gradients`: what the command shows of real networks, and the records behind it."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import replace
from math import prod
from typing import Any

import jsonschema
import pytest
import torch

from cspanalyze import to_csp
from cspanalyze.gradient_flow import record_from_json
from cspanalyze.gradient_flow.conclusions import CAUTION, gradient_conclusions, measured_conclusions
from cspanalyze.gradient_flow.measured import (
    GradientMeasurement,
    estimate,
    measurement_from_json,
    measurement_to_json,
)
from cspanalyze.gradient_flow.per_layer import layer_results
from cspanalyze.pipeline import Csp
from cspanalyze.pipeline.gradient_measurement import Measuring, measure_gradients
from cspanalyze.pipeline.gradients import gradients
from cspanalyze.renderers.plots.gradients import similarity
from cspanalyze.results import CONTROL, Comparison, from_json
from cspanalyze.schema import run_schema
from cspanalyze.zoo import create


def totals(report: dict[str, Any]) -> dict[str, Any]:
    return {result["metric"]: result["total"] for result in report["results"]}


def test_densenet_and_its_twin(run: Any) -> None:
    data = json.loads(run("gradients", "densenet121", "--csp", "--json").out)
    jsonschema.validate(data, run_schema())
    assert isinstance(from_json(data), Comparison)
    base, twin = totals(data["base"]), totals(data["variants"][0])
    # T 655, U 120, T_c 41760, U_c 10240: D = 1 - 120/655, D_c = 1 - 10240/41760.
    assert (base["gradient_terms"], base["gradient_term_channels"], base["gradient_paths"]) == (655, 41760, 2**58)
    assert base["gradient_duplication_channels"] == pytest.approx(0.7548, abs=5e-5)
    assert twin["gradient_duplication_channels"] < base["gradient_duplication_channels"]
    assert data["sentences"][-1] == CAUTION


def test_the_table_names_opportunity_and_control(run: Any) -> None:
    text = " ".join(run("gradients", "resnet50", "--csp").out.split())
    assert "0.6410" in text  # D_c of ResNet-50, with four decimals
    assert re.search(r"lowers the channel-weighted gradient duplication ratio D_c from 0\.6410 to 0\.\d{4}\.", text)
    assert "cannot be credited to the split" in text
    assert "This is opportunity" in text
    assert "neither says anything of accuracy" in text


def test_change_is_divided_between_transitions_and_split() -> None:
    record = gradients(create("resnet18"), csp=Csp(preset="dropin")).figures()
    assert isinstance(record, Comparison)
    twin = record.variants[0]
    control = twin.__class__(
        subject=twin.subject.__class__(**{**{k: getattr(twin.subject, k) for k in _FIELDS}, "variant": CONTROL}),
        groups=twin.groups,
        results=twin.results,
    )
    said = " ".join(gradient_conclusions(Comparison(record.base, (twin, control))))
    assert "depth-matched control (gamma 0, the same transitions, no split)" in said
    assert "and +0.0000 from the split" in said  # the control is the twin here


_FIELDS = ("name", "source", "inputs", "mode", "method", "notes", "versions")


def test_layers_have_sources_overlaps_and_timestamps(run: Any) -> None:
    data = json.loads(run("gradients", "resnet50", "--by", "layer", "--json").out)
    figures = {r["metric"]: {row["module"]: row["value"] for row in r["rows"]} for r in data["results"]}
    # The last convolution of stage 4's first block is added to two more: conv1 of both blocks behind, and the head.
    assert figures["gradient_reuse_max"]["layer4.0.conv3"] == 3
    assert figures["gradient_sources"]["layer4.0.conv3"] == 3
    assert figures["shortest_gradient_path"]["layer4.0.conv3"] == 2
    assert figures["gradient_timestamps"]["fc"] == 1
    assert figures["gradient_paths"]["conv1"] == 2**16


@pytest.mark.parametrize("twin", [(), ("--csp",)])
def test_the_layers_that_are_read_again_most(run: Any, twin: tuple[str, ...]) -> None:
    # conv1 of ResNet-18 is read by both blocks of stage 1 and the two entries of stage 2.
    lines = run("gradients", "resnet18", *twin, "--by", "layer", "--top", "2").out.splitlines()
    begun = next(number for number, line in enumerate(lines) if line.startswith("conv1"))
    assert "4.00" in lines[begun].split()
    rows = [line.split()[0] for line in lines[begun:] if line[:1].strip(" -")]
    assert rows[:4] == ["conv1", "layer1.part2_in.conv", "48", "total"] if twin else ["conv1", "layer1.0.conv2", "19"]


def test_layer_figures_agree_with_the_record() -> None:
    study = gradients(create("densenet121", depths=(2, 3, 2, 2)))
    network = study.networks[0]
    found = {result.metric: [row.value for row in result.rows] for result in layer_results(network.flow)}
    record = network.record()
    assert found["gradient_reuse_max"] == [layer.most_readers for layer in record.layers]
    assert found["gradient_source_timestamps"] == [layer.source_timestamps for layer in record.layers]
    assert found["gradient_paths"] == [sum(layer.path_counts) for layer in record.layers]
    assert found["gradient_sources"] == [len(layer.sources) + layer.from_loss for layer in record.layers]


def test_equations_of_the_paper(run: Any) -> None:
    """Equations 2 and 4: a dense stage, and the partial one with g_0'' inside and g_0', g_T in the last transition."""
    arguments = ("gradients", "densenet121", "--csp", "--equations", "--stage", "1", "--unit", r"denselayer\d+")
    text = run(*arguments).out
    assert "w₂′ = f(w₂, g₀, g₁) " in text
    assert "w₂′ = f(w₂, g₀″, g₁) " in text
    assert "w_U′ = f(w_U, g₀′, g_T) " in text
    assert r"w_{U}' &= f\left(w_{U}, g_{0}', g_{T}\right)" in run(*arguments, "--latex").out
    data = json.loads(run(*arguments, "--json").out)
    assert [each["network"] for each in data["networks"]] == ["base", "CSP"]
    last = data["networks"][1]["updates"][-1]
    assert [(g["symbol"], g["channels"]) for g in last["gradients"]] == [("g₀′", 32), ("g_T", 112)]
    rows = run(*arguments, "--csv").out.splitlines()
    assert rows[0] == "stage,network,layer,weight,gradient,channels"
    assert "```math" in run(*arguments, "--markdown").out


def test_record_for_pictures(run: Any, folder: Any) -> None:
    run("gradients", "resnet50", "--csp", "--record", "flow.json", "--json")
    data = json.loads((folder / "flow.json").read_text())
    jsonschema.validate(data, run_schema())
    assert [each["variant"] for each in data["networks"]] == ["base", "CSP"]
    for each in data["networks"]:
        record = record_from_json(each["record"])
        count = len(record.layers)
        assert [len(row) for row in each["source_overlap"]] == [count] * count
        assert len(each["timestamp_raster"]) == count
        assert sum(edge.channels for edge in record.edges) == record.whole.term_channels
    assert run("gradients", "resnet50", "--record", "flow.json").code == 2  # never over a file


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--equations",), "--equations needs the stage"),
        (("--stage", "2"), "add --equations"),
        (("--equations", "--stage", "9"), "no stage '9'"),
        (("--unit", "("), "no regular expression"),
        (("--by", "layer", "--unit", "x"), "leave out one"),
        (("--record", "x.txt"), "another suffix"),
    ],
)
def test_refusals(run: Any, options: tuple[str, ...], words: str) -> None:
    outcome = run("gradients", "resnet18", *options)
    assert outcome.code == 2
    assert words in outcome.err
    assert len(outcome.err.splitlines()) == 1


def test_units_of_a_dense_network() -> None:
    """By dense layer instead of by convolution D rises: bottlenecks repeat nothing, and dilute it."""
    fine, coarse = (gradients(create("densenet121"), unit=unit).figures() for unit in ("", r"denselayer\d+"))
    terms = [record.result("gradient_terms").total for record in (fine, coarse)]
    # 58 layers of one term less each: what the 3x3 reads of its 1x1.
    assert terms == [655, 655 - 58]
    ratios = [record.result("gradient_duplication").total for record in (fine, coarse)]
    assert ratios[0] < ratios[1]


def test_paths_of_the_twin_multiply_over_its_stages() -> None:
    record = gradients(to_csp(create("resnet50")).model).figures()
    paths = record.result("gradient_paths")
    assert prod(int(row.value or 0) for row in paths.rows) == paths.total == 9 * 9 * 33 * 5


# -- measured ----------------------------------------------------------------------------------------------------------

SMALL = ("--arg", "depths=(2,2)", "--arg", "growth=8", "--arg", "stem_width=16", "--arg", "num_classes=10")
MEASURED = ("gradients", "densenet121", *SMALL, "--input", "8x3x32x32", "--measured", "--draws", "3")


def test_measured_beside_twin_and_control(run: Any) -> None:
    data = json.loads(run(*MEASURED, "--csp", "--control", "--json").out)
    jsonschema.validate(data, run_schema())
    record = measurement_from_json(data)
    assert json.loads(json.dumps(measurement_to_json(record))) == data
    assert [network.variant for network in record.networks] == ["base", "CSP", "control"]
    assert [(each.of, each.less) for each in record.differences] == [
        ("CSP", "base"), ("control", "base"), ("CSP", "control"),
    ]  # fmt: skip
    for network in record.networks:
        found = network.figure("realised_duplication").estimate
        assert found.draws == 3
        assert 0 <= (found.mean or 0) <= (network.structure.duplication or 0)
        assert [group.name for group in network.groups] == ["stem", "stage1", "stage2", "head"]
        for group in network.groups:
            stage = dict(group.figures)["realised_duplication"].mean
            assert -1e-6 <= (stage or 0) <= (group.structure.duplication or 0) + 1e-6
        size = len(network.layers)
        assert [len(row) for row in network.similarity] == [size] * size
        assert not network.dead
    assert [stage for stage, _ in record.differences[0].groups] == ["stem", "stage1", "stage2", "head"]
    said = " ".join(record.sentences)
    for words in ("is realised", "split alone", "untrained weights", "None of this says anything of accuracy"):
        assert words in said
    assert doubted(record, [0.1, 0.3])  # 0.2 ± 1.27
    assert not doubted(record, [0.1, 0.1001])


def doubted(record: GradientMeasurement, draws: Sequence[float]) -> bool:
    """Whether the record, with these draws of D_emp in its first network, says that they do not tell it from 0."""
    network = record.networks[0]
    figures = [
        replace(figure, estimate=estimate(draws)) if figure.metric == "realised_duplication" else figure
        for figure in network.figures
    ]
    changed = replace(record, networks=(replace(network, figures=tuple(figures)),))
    return "the interval reaches 0" in measured_conclusions(changed)[0]


def test_measured_table_has_stages_side_by_side(run: Any) -> None:
    lines = run(*MEASURED, "--csp", "--control").out.partition("Stages by themselves")[2].splitlines()
    begun = next(number for number, line in enumerate(lines) if line.startswith("stage1"))
    shown = [line.removeprefix("stage1").split()[0] for line in lines[begun : begun + 6]]
    assert shown == ["base", "CSP", "control", "CSP-base", "control-base", "CSP-control"]


def test_measured_table_states_how(run: Any) -> None:
    text = " ".join(run(*MEASURED, "--by", "layer", "--mode", "eval").out.split())
    for words in (
        "3 draws, batches of 8, data synthetic", "eval mode: norms use their running statistics", "coherence",
        "a batch of 8 makes similarities noisy", "weights as initialised", "Layers of base", "features.conv0",
    ):  # fmt: skip
        assert words in text


def test_measured_twice_is_the_same(run: Any) -> None:
    assert run(*MEASURED, "--csv").out == run(*MEASURED, "--csv").out


def test_trained_on_digits(run: Any) -> None:
    pytest.importorskip("sklearn")
    data = json.loads(run(*MEASURED, "--data", "digits", "--after-training", "--steps", "2", "--json").out)
    assert data["loss"] == "cross-entropy"
    assert data["training"].startswith("2 steps of SGD")
    assert data["networks"][0]["training_loss"]["draws"] == 3


def test_modules_that_hold_others_have_figures_of_their_own(run: Any) -> None:
    """As one row for each stage has them: layer1 and stage1 are the same layers."""
    data = json.loads(run("gradients", "resnet18", "--by", "module", "--json").out)
    rows = {result["metric"]: {row["module"]: row["value"] for row in result["rows"]} for result in data["results"]}
    stages = json.loads(run("gradients", "resnet18", "--json").out)
    for result in stages["results"]:
        if not result["additive"]:
            found = {row["module"]: row["value"] for row in result["rows"]}
            assert rows[result["metric"]]["layer1.*"] == found["stage1"]
    lines = [line.split() for line in run("gradients", "resnet18", "--by", "module").out.splitlines()]
    ratio = f"{rows['gradient_duplication_channels']['layer1.*']:.4f}"
    assert next(words for words in lines if words[:1] == ["layer1"])[1] == ratio
    assert not any(words[:1] == ["bn1"] for words in lines)


OWN = """
import torch
from torch import nn


def load():
    for n in range(2):
        yield torch.randn(6, 3, 8, 8, generator=torch.Generator().manual_seed(n)), torch.arange(6) % 3


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.a, self.b, self.head = nn.Conv2d(3, 4, 1), nn.Conv2d(4, 4, 1), nn.Linear(4, 3)
        self.norm = nn.BatchNorm2d(4)
        nn.init.zeros_(self.norm.weight)

    def forward(self, x):
        x = self.a(x)
        return self.head((x + self.norm(self.b(x))).mean((2, 3)))
"""


def test_own_loader_and_dead_layers(run: Any, folder: Any) -> None:
    (folder / "own.py").write_text(OWN)
    arguments = ("gradients", "own.py:Net", "--input", "6x3x8x8", "--measured", "--draws", "2", "--data", "own.py:load")
    asleep = json.loads(run(*arguments, "--json").out)
    assert [layer["name"] for layer in asleep["networks"][0]["layers"] if layer["dead_draws"]] == ["b"]
    assert any("1 of 3 layers of base get no gradient (b)" in sentence for sentence in asleep["sentences"])
    woken = json.loads(run(*arguments, "--wake", "--json").out)
    assert not any(layer["dead_draws"] for layer in woken["networks"][0]["layers"])


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--draws", "3"), "add --measured"),
        (("--measured", "--draws", "0"), "at least 1"),
        (("--measured", "--after-training"), "needs data with classes"),
        (("--measured", "--steps", "3"), "add --after-training"),
        (("--measured", "--data", "nowhere"), "neither synthetic nor digits"),
        (("--measured", "--unit", "x"), "leave out --measured"),
        (("--measured", "--by", "op"), "not --by op"),
    ],
)
def test_refusals_of_measuring(run: Any, options: tuple[str, ...], words: str) -> None:
    outcome = run("gradients", "resnet18", *options)
    assert outcome.code == 2
    assert words in outcome.err


def test_a_module_is_measured_as_it_is() -> None:
    model = create("densenet121", depths=(2, 2), growth=8, stem_width=16)
    before = {name: value.clone() for name, value in model.state_dict().items()}
    record = measure_gradients(model, torch.empty(6, 3, 32, 32), measuring=Measuring(draws=2))
    assert "the weights are those given: draws differ in their batch alone" in record.notes
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())


def test_measured_gradients_are_drawn_and_shown_again(run: Any, folder: Any) -> None:
    run(*MEASURED[:-1], "1", "-o", "measured.json")
    assert run("plot", "measured.json", "--kind", "similarity", "-o", "map.html").code == 0
    assert "debiased linear CKA" in (folder / "map.html").read_text()
    figure = similarity(measurement_from_json(json.loads((folder / "measured.json").read_text())))
    assert figure.layout.xaxis.title.text == "layers of densenet121"
    assert figure.layout.yaxis.ticktext == ("stem", "stage1", "stage2", "head")
    assert run("render", "measured.json").out.startswith("Measured gradients of densenet121")
    refused = run("plot", "measured.json")
    assert (refused.code, "kind similarity" in refused.err) == (2, True)
    assert "FILE.json" in run("plot", "resnet18", "--kind", "similarity").err


def test_a_map_of_nothing_is_not_drawn(run: Any) -> None:
    small = ("--input", "2x3x32x32", "--draws", "1")
    assert run("gradients", "resnet18", "--measured", *small, "-o", "measured.json").code == 0
    refused = run("plot", "measured.json", "--kind", "similarity", "-o", "map.html")
    assert (refused.code, "similarity needs at least 4 samples, and the batch has 2" in refused.err) == (2, True)
