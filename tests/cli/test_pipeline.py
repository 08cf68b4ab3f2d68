"""The two functions behind the commands, as a program calls them."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from cspanalyze.errors import SourceError, TraceError, UsageError
from cspanalyze.pipeline import Csp, analyze, compare
from cspanalyze.sources import load


class Choosing(nn.Module):
    """Takes a keyword, and looks at its numbers."""

    def __init__(self, device: str = "cpu") -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 8, 3, device=device)

    def forward(self, x: torch.Tensor, *, flag: torch.Tensor) -> torch.Tensor:
        y: torch.Tensor = self.conv(x)
        return y * 2 if bool(flag.sum() > 0) else y


def test_a_network_by_name() -> None:
    report = analyze("resnet18", metrics=["macs", "params"])
    assert report.metrics == ("macs", "params")
    assert report.result("params").total == 11_689_512
    assert report.subject.inputs == ("1x3x224x224:float32",)
    assert [package for package, _ in report.subject.versions][:2] == ["cspanalyze", "torch"]


def test_a_module_with_inputs_is_left_as_it_is() -> None:
    model = nn.Sequential(nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8)).train()
    before = {key: value.clone() for key, value in model.state_dict().items()}
    report = analyze(model, torch.zeros(2, 3, 10, 10), metrics=["macs"])
    assert report.result("macs").total == 2 * 8 * 8 * 8 * 27
    assert report.subject.inputs == ("2x3x10x10:float32",)
    assert model.training
    assert all(torch.equal(value, before[key]) for key, value in model.state_dict().items())


def test_a_module_without_inputs_gets_a_guess_in_its_own_dtype() -> None:
    report = analyze(nn.Conv2d(3, 8, 1, dtype=torch.float64), metrics=["macs"])
    assert report.subject.inputs == ("1x3x224x224:float64",)


def test_a_guess_that_fails_says_that_it_was_one() -> None:
    with pytest.raises(TraceError, match=r"without --input, 1x3x224x224:float32 was tried"):
        analyze(nn.Linear(5, 5), metrics=["macs"])


def test_data_dependent_control_flow_is_followed_on_real_numbers() -> None:
    inputs = torch.zeros(1, 3, 8, 8, device="meta")
    report = analyze(Choosing(), inputs, kwargs={"flag": torch.ones(2)}, metrics=["macs", "elementwise_flops"])
    assert report.subject.method == "real input"
    assert report.subject.inputs == ("1x3x8x8:float32", "flag=2:float32")
    assert report.result("macs").total == 6 * 6 * 8 * 27


def test_data_dependent_control_flow_without_data() -> None:
    with pytest.raises(TraceError, match="the forward pass failed"):
        analyze(Choosing("meta"), torch.zeros(1, 3, 8, 8), kwargs={"flag": torch.ones(2)}, metrics=["macs"])


def test_a_comparison() -> None:
    loaded = load("resnet50")
    made = compare(loaded, csp=Csp(gamma=0.25, preset="dropin"), metrics=["macs", "cio_closed_form", "cio"])
    (twin,) = made.variants
    assert (made.base.subject.variant, twin.subject.variant) == ("", "CSP")
    assert {change.bypass_channels for change in made.changes} == {64, 128, 256, 512}
    assert twin.result("cio").total == twin.result("cio_closed_form").total
    assert made.sentences[0].startswith("CSP at gamma 0.25 ")


def test_what_is_no_network() -> None:
    with pytest.raises(SourceError, match="the model gives an object of type int"):
        analyze(3, metrics=["macs"])  # type: ignore[arg-type]
    with pytest.raises(UsageError, match="unknown metric"):
        analyze("resnet18", metrics=["nosuch"])


def test_a_shape_in_place_of_a_tensor_is_told() -> None:
    with pytest.raises(UsageError, match=r"this is a shape: \(1, 3, 8, 8\); give torch.rand\(1, 3, 8, 8\)"):
        analyze(nn.Conv2d(3, 3, 3), (1, 3, 8, 8))
