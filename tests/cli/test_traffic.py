"""Memory traffic on the command line: the cache model, profiles, curves, measurements; and `latency`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from cspanalyze.measure.callgrind import Fills, SimulationError
from cspanalyze.pipeline import Csp, measuring, simulation
from cspanalyze.renderers import Layout, Style, render
from cspanalyze.results import Comparison, Report, Result, Row, Subject, from_json
from cspanalyze.schema import run_schema
from cspanalyze.sentences import conclusions
from cspanalyze.sources import Request

SMALL = ("resnet18", "--input", "1x3x64x64")


def test_cio_models_traffic_and_its_curve_comes_back_from_json(run: Any) -> None:
    data = json.loads(run("cio", *SMALL, "--csp", "--json").out)
    jsonschema.validate(data, run_schema())
    record = from_json(data)
    assert isinstance(record, Comparison)
    for report in (record.base, *record.variants):
        traffic = report.result("traffic_bytes")
        assert (traffic.method, traffic.unit) == ("cache-model", "bytes")
        assert traffic.total == sum(row.value or 0 for row in traffic.rows)
        (curve,) = report.curves
        assert dict(curve.points)[512 * 1024] == traffic.total  # the cache of the default profile
        assert [size for size, _ in curve.points][:: len(curve.points) - 1] == [1 << 16, 1 << 26]
    text = render(record, "table", Style(width=100), Layout(curve=True))
    assert "64 KiB" in text
    assert "1.5 MiB" in text
    assert "model only: not validated" in text
    assert max(map(len, text.splitlines())) <= 100


def test_a_profile_adds_a_bound_and_says_what_is_not_verified(run: Any) -> None:
    text = " ".join(run("cio", *SMALL, "--profile", "h200").out.split())
    for words in ("roofline time", "a bound, no prediction", "profile not verified", "energy estimate = estimate from"):
        assert words in text


def test_options_change_the_model(run: Any) -> None:
    def total(*options: str) -> Any:
        return from_json(json.loads(run("cio", *SMALL, "--json", *options).out)).result("traffic_bytes").total

    plain = total()
    assert total("--capacity", "64K") > plain > total("--capacity", "64M")
    assert total("--kernels", "cpu-onednn") > plain
    assert total("--kernels", "cpu-onednn", "--layout", "channels-last") != total("--kernels", "cpu-onednn")


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--capacity", "big"), "--capacity big is not possible"),
        (("--capacity", "0"), "expected a size from 1K on"),
        (("--profile", "cray"), "there is no profile 'cray'"),
        (("--profile", "missing.toml"), "cannot read the profile"),
    ],
)
def test_what_cannot_be_is_refused_in_a_sentence(run: Any, options: tuple[str, ...], words: str) -> None:
    outcome = run("cio", *SMALL, *options)
    assert outcome.code == 2
    assert words in outcome.err


def test_a_simulation_stands_beside_the_model(run: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    read = (Fills("conv1", 1_000_000, 9), Fills("layer1.0.conv1", 3_000_000, 9), Fills("layer1.0", 500_000, 9))

    def simulate(jobs: Any, small: int, large: int) -> Any:
        assert (small, large) == (512 * 1024, 1024 * 1024)
        assert [job.csp is None for job in jobs] == [True, False]
        return [read, read]

    monkeypatch.setattr(simulation, "simulate", simulate)
    monkeypatch.setattr(measuring, "require", lambda source: None)
    record = from_json(json.loads(run("cio", *SMALL, "--csp", "--measure", "simulated", "--json").out))
    simulated, modelled = record.base.result("simulated_bytes"), record.base.result("traffic_bytes")
    assert (simulated.of("stem"), simulated.of("stage1"), simulated.total) == (1_000_000, 3_500_000, 4_500_000)
    assert "walks of cpu-onednn" in modelled.note
    error = record.base.result("model_error_percent")
    assert error.total == pytest.approx(100 * (modelled.total / 4_500_000 - 1))
    assert error.of("stage2") is None  # nothing was read there: unknown, not zero


def test_a_simulation_runs_the_control_too() -> None:
    jobs = simulation.jobs_of(Request("resnet18"), Csp(control=True), "nchw")
    assert [(job.csp is None, job.variant) for job in jobs] == [(True, "CSP"), (False, "CSP"), (False, "control")]
    assert len(simulation.jobs_of(Request("resnet18"), None, "nchw")) == 1


def test_a_simulation_that_cannot_run_is_refused_before_torch(run: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(source: str) -> None:
        raise SimulationError("--measure simulated needs valgrind")

    monkeypatch.setattr(measuring, "require", missing)
    outcome = run("cio", *SMALL, "--measure", "simulated")
    assert (outcome.code, "needs valgrind" in outcome.err) == (2, True)


def compared(traffic: tuple[int, int]) -> Comparison:
    def report(variant: str, at: int) -> Report:
        cio = Result("cio", "elements", "trace", (Row("stage1", "", (1_000, 950)[at]),), (1_000, 950)[at])
        moved = Result("traffic_bytes", "bytes", "cache-model", (Row("stage1", "", traffic[at]),), traffic[at])
        return Report(Subject("net", "", (), "eval", "meta", variant), ("stage1",), (cio, moved))

    return Comparison(report("", 0), (report("CSP", 1),))


def test_sources_that_disagree_are_named() -> None:
    said = " ".join(conclusions(compared((1_000, 1_030))))
    assert "The sources disagree: in the whole network CIO says -5.0 %, the cache model +3.0 %" in said
    assert "disagree" not in " ".join(conclusions(compared((1_000, 900))))


def test_latency_pairs_base_and_twin(run: Any) -> None:
    options = ("--csp", "--batches", "1,2", "--seconds", "0.01", "--threads", "1", "--profile", "core_i9_9900k")
    outcome = run("latency", "resnet18", "--input", "1x3x32x32", *options, "--json")
    record = from_json(json.loads(outcome.out))
    assert record.base.groups == ("batch 1", "batch 2")
    for report in (record.base, *record.variants):
        assert report.subject.method == "measured"
        for metric in ("latency_ms", "throughput", "measured_peak_bytes", "roofline_ms"):
            assert all(row.value and row.value > 0 for row in report.result(metric).rows)
        assert all(bound.value < row.value for bound, row in zip(
            report.result("roofline_ms").rows, report.result("latency_ms").rows, strict=True
        ))  # fmt: skip
    assert len(record.sentences) == 2
    text = render(record, "table", Style(width=90))
    assert "1 thread pinned" in text
    assert "total" not in text


def test_latency_runs_the_control_as_a_third_network(run: Any) -> None:
    options = ("--csp", "--control", "--seconds", "0.01", "--threads", "1")
    record = from_json(json.loads(run("latency", "resnet18", "--input", "1x3x32x32", *options, "--json").out))
    assert [report.subject.variant for report in record.variants] == ["CSP", "control"]
    assert [report.result("paired_ratio").unit for report in record.variants] == ["CSP / base", "control / base"]
    assert "CSP" in record.sentences[0]
    assert "the control" in record.sentences[1]


def test_latency_of_a_training_step_in_channels_last(run: Any) -> None:
    options = ("--train", "--layout", "channels-last", "--seconds", "0.01", "--threads", "1")
    text = run("latency", "resnet18", "--input", "1x3x64x64", *options).out
    assert "training step, channels-last, eager" in text


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--batches", "1,x"), "expected numbers from 1 on"),
        (("--batches", "1", "--batch", "2"), "contradict each other"),
        (("--threads", "0"), "--threads 0 is not possible"),
        (("--by", "op"), "latency measures whole networks"),
    ],
)
def test_latency_refuses_in_a_sentence(run: Any, options: tuple[str, ...], words: str) -> None:
    outcome = run("latency", "resnet18", *options)
    assert outcome.code == 2
    assert words in outcome.err


def test_latency_needs_the_device_it_is_asked_for(run: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    import torch

    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert "torch sees no CUDA device" in run("latency", "resnet18", "--device", "cuda").err


def test_users_profiles_are_files(run: Any, folder: Path) -> None:
    (folder / "board.toml").write_text('onchip_bytes = 65536\ndram_gb_per_s = 4\nsource = "its data sheet"\n')
    text = run("cio", *SMALL, "--profile", "board.toml").out
    assert "64 KiB on chip (board)" in " ".join(text.split())
    assert "only memory counts" in " ".join(text.split())
