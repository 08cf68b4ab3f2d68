"""What the commands show of real networks."""

from __future__ import annotations

import json
import re
from types import ModuleType
from typing import Any

import pytest


def _totals(report: dict[str, Any]) -> dict[str, float]:
    return {result["metric"]: result["total"] for result in report["results"]}


def test_cio_of_resnet50_and_its_twin(process: Any) -> None:
    data = json.loads(process("cio", "resnet50", "--csp", "--gamma", "0.5", "--json").out)
    base, twin = data["base"], data["variants"][0]
    assert [result["metric"] for result in base["results"]] == [
        "macs", "params", "cio_closed_form", "cio", "concat_elements", "residual_add_elements", "unfused_bytes",
        "fused_bytes", "moc_min", "moc_median", "peak_bytes", "operations", "traffic_bytes",
        "write_back_bytes",
    ]  # fmt: skip
    # 4.0892 GMACs, 25.557 M parameters and 21.776 M elements are the published figures of the base.
    figures = {metric: _totals(base)[metric] for metric in ("macs", "params", "cio")}
    assert figures == {"macs": 4_089_184_256, "params": 25_557_032, "cio": 21_776_384}
    assert _totals(twin)["params"] == 21_616_168
    for report in (base, twin):
        results = {result["metric"]: result for result in report["results"]}
        for group in report["groups"]:
            closed, traced = (
                sum(row["value"] for row in results[metric]["rows"] if row["module"] == group)
                for metric in ("cio_closed_form", "cio")
            )
            assert closed == traced
        for result in results.values():
            if result["additive"]:
                assert sum(row["value"] for row in result["rows"]) == result["total"]
    assert [change["preset"] for change in data["changes"]] == ["paper"] * 4
    assert {change["gamma_effective"] for change in data["changes"]} == {0.5}


def test_savings_and_increases_are_said_alike(run: Any) -> None:
    text = " ".join(run("cio", "resnet50", "--csp").out.split())
    assert "CSP at gamma 0.5 lowers MACs by 15.4 %, parameters by 15.4 %, CIO by 19.7 %" in text
    assert "raises concat copies from 0 to 3,010,560 elements" in text
    assert "By stage, CIO rises in stage1 (+5.3 %)" in text
    text = " ".join(run("cio", "darknet53", "--csp").out.split())
    assert re.search(r"lowers MACs by 29\.6 %.* it raises CIO by 43\.7 %", text)


def test_the_table_says_what_it_counts(run: Any) -> None:
    text = " ".join(run("cio", "resnet18").out.split())
    for words in (
        "1 MAC = 1 multiply-add",
        "rule conv (HarDNet, ICCV 2019, eq. 1)",
        "input 1x3x224x224:float32; eval mode; traced on the meta device",
        "torch 2.",
        "CIO formula of stage1: 4·c·m = 4·64·2 per H·W, 56x56",
    ):
        assert words in text


def test_every_dense_block_equals_its_closed_form(run: Any) -> None:
    for gamma in (".25", ".5", ".75"):
        text = run("cio", "densenet121", "--csp", "--gamma", gamma).out
        assert "✓" in text
        assert "✗" not in text
        assert "no closed form" not in text


def test_counting_rule_with_pools(run: Any) -> None:
    data = json.loads(run("cio", "resnext50_32x4d", "--rule", "conv+pool", "--input", "1x3x256x256", "--json").out)
    assert "cio_closed_form" not in _totals(data)
    assert round(_totals(data)["cio_pool"] / 1e6, 1) == 38.5


@pytest.mark.parametrize(
    ("options", "totals"),
    [
        ([], {"macs": 4_089_184_256, "flops": 8_178_368_512}),
        (["--convention", "macs"], {"macs": 4_089_184_256}),
        (["--convention", "flops"], {"flops": 8_178_368_512}),
        (["--batch", "2"], {"macs": 2 * 4_089_184_256}),
    ],
)
def test_flops(run: Any, options: list[str], totals: dict[str, int]) -> None:
    assert totals.items() <= _totals(json.loads(run("flops", "resnet50", *options, "--json").out)).items()


def test_flops_like_published_tables(run: Any) -> None:
    data = json.loads(run("flops", "resnet50", "--convention", "fvcore", "--json").out)
    assert _totals(data)["flops_fvcore"] == 4_111_512_576


def test_params(run: Any) -> None:
    data = json.loads(run("params", "resnet50", "--json").out)
    assert _totals(data)["params"] == 25_557_032


@pytest.mark.parametrize(
    ("options", "groups"),
    [
        ([], ["stem", "stage1", "stage2", "stage3", "stage4", "head"]),
        (["--by", "module", "--depth", "1"], {"conv1", "layer1", "layer4", "fc"}),
        (["--by", "layer"], {"layer1.0.conv1", "fc"}),
        (["--by", "op"], {"conv2d", "linear", "batch_norm"}),
    ],
)
def test_rows(run: Any, options: list[str], groups: list[str] | set[str]) -> None:
    found = json.loads(run("summary", "resnet18", *options, "--json").out)["groups"]
    assert found == groups if isinstance(groups, list) else groups <= set(found)


def test_options_of_the_twin_reach_it(run: Any) -> None:
    arguments = ["--csp", "--gamma", ".25", "--fusion", "first", "--preset", "dropin", "--stages", "2,layer3"]
    changes = json.loads(run("cio", "resnet50", *arguments, "--json").out)["changes"]
    made = [change for change in changes if not change["skipped"]]
    assert [change["stage"] for change in made] == ["stage2 (layer2)", "stage3 (layer3)"]
    assert {(c["gamma"], c["fusion"], c["preset"], c["bypass_channels"]) for c in made} == {
        (0.25, "first", "dropin", 128),
        (0.25, "first", "dropin", 256),
    }


def test_a_network_that_needs_numbers_says_so(run: Any) -> None:
    outcome = run("cio", "nets.py:Choosing", "--input", "1x3x32x32")
    assert outcome.code == 0
    assert "data-dependent: counted on one real input" in " ".join(outcome.out.split())


def test_strict_exits_with_three_after_the_output(run: Any) -> None:
    lenient, strict = (run("flops", "nets.py:Odd", "--input", "1x3x8x8", *extra) for extra in ([], ["--strict"]))
    assert (lenient.code, strict.code) == (0, 3)
    assert lenient.out == strict.out
    assert "no formula for aten._linalg_det" in lenient.out
    assert "aten._linalg_det" in strict.err
    assert run("flops", "resnet18", "--strict").code == 0


def test_models_lists_the_built_in_networks(run: Any) -> None:
    text = run("models").out
    for name, params in (("resnet50", "25.557 M"), ("darknet53", "41.610 M"), ("densenet121", "7.979 M")):
        assert re.search(rf"^{name} +{params} +3x", text, flags=re.M)


def test_models_of_timm(run: Any, timm: ModuleType) -> None:
    rows = json.loads(run("models", "timm:resnet5*c", "--json").out)["models"]
    assert {
        "name": "timm:resnet50c",
        "params": 25_576_264,
        "source": "timm",
        "input_size": "3x224x224",
        "brief": "",
        "note": "",
    } in (rows)
    long = json.loads(run("models", "timm:res", "--json").out)["models"]
    assert len(long) > 100
    assert {row["params"] for row in long} == {None}


def test_a_bare_name_of_timm_says_so(run: Any, timm: ModuleType) -> None:
    assert "note: resnet26 is not built in: this is timm:resnet26" in run("params", "resnet26").out
