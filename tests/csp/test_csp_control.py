"""The control of a twin: its transitions at the same depth, and no split."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import nn

from cspanalyze.csp import CSPStage, to_csp
from cspanalyze.pipeline import Csp, compare

Small = Callable[[str], Any]


def _stages(model: nn.Module) -> list[CSPStage]:
    return [module for module in model.modules() if isinstance(module, CSPStage)]


def _kinds(stage: CSPStage, name: str) -> list[type[nn.Module]]:
    return [type(layer) for layer in stage.get_submodule(name).modules()]


@pytest.mark.parametrize("fusion", ["csp", "first", "last"])
@pytest.mark.parametrize("name", ["resnet50", "resnext50_32x4d", "darknet53", "densenet121"])
def test_a_control_has_the_twins_layers_at_full_width(name: str, fusion: Any, small: Small) -> None:
    twin, control = (to_csp(small(name), fusion=fusion, control=control) for control in (False, True))
    for one, other, change in zip(_stages(twin.model), _stages(control.model), control.changes, strict=True):
        assert (other.c1, other.c2) == (0, change.channels)
        assert (change.gamma, change.gamma_effective, change.bypass_channels) == (0, 0, 0)
        assert all(
            _kinds(one, part) == _kinds(other, part)
            for part in ("down", "part2_in", "part2", "transition1", "transition2")
        )
        assert isinstance(other.part1, nn.Identity)
    logits = control.model(torch.randn(2, 3, 64, 64, generator=torch.Generator().manual_seed(1)))
    assert logits.shape == (2, 10)
    logits.square().sum().backward()
    assert all(parameter.grad is not None for parameter in control.model.parameters())


def test_a_dense_control_that_fuses_first_is_the_network_itself(small: Small) -> None:
    """DenseNet's own transition is T2, so without T1 and without a split nothing is left to add."""
    model = small("densenet121").eval()
    x = torch.randn(1, 3, 64, 64, generator=torch.Generator().manual_seed(1))
    control = to_csp(model, fusion="first", init="slice", control=True).model
    with torch.no_grad():
        torch.testing.assert_close(control(x), model(x))


@pytest.mark.parametrize("preset", ["paper", "dropin"])
def test_a_comparison_says_what_the_split_does_alone(preset: Any) -> None:
    made = compare(
        "resnet50", csp=Csp(preset=preset, control=True), metrics=["macs", "cio_closed_form", "cio", "concat_elements"]
    )
    assert [report.subject.variant for report in made.variants] == ["CSP", "control"]
    twin, control = made.variants
    assert control.result("cio").total == control.result("cio_closed_form").total
    assert control.result("concat_elements").total == 0
    share = (twin.result("macs").total or 0) / (control.result("macs").total or 1) - 1
    assert made.sentences[-2].startswith("The control has the same transitions without a split: it ")
    assert f"against the control, lowers MACs by {-100 * share:.1f} %" in made.sentences[-1]
