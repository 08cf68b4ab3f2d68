"""The closing sentences, computed from records alone."""

from __future__ import annotations

from dataclasses import replace

from cspanalyze.results import Comparison, Report, Result
from cspanalyze.sentences import conclusions, overview


def test_savings_and_increases_are_named_alike(comparison: Comparison) -> None:
    summary, stages = conclusions(comparison)
    assert summary == (
        "CSP at gamma 0.4 (effectively 0.375) lowers MACs by 24.5 % and parameters by 19.0 %, because the blocks run "
        "on part of the channels only; it raises CIO by 5.0 % and concat copies from 0 to 3,000 elements, because "
        "the transitions take more than the narrower blocks save and because the two parts are joined again."
    )
    assert stages == (
        "By stage, CIO rises in stage1 (+5.0 %), where the transitions read and write more than the narrower "
        "blocks save."
    )


def test_the_reason_of_an_increase_is_what_the_preset_adds(comparison: Comparison) -> None:
    first, second = comparison.changes
    paper = replace(first, preset="paper", bypass_channels=64, block_channels=64)
    summary, _ = conclusions(replace(comparison, changes=(paper, second)))
    assert (
        "because the convolutions that enter and split the stages (preset paper), the transitions and two parts of "
        "full width in layer1 take more than the narrower blocks save"
    ) in summary


def test_only_increases(comparison: Comparison) -> None:
    turned = replace(comparison, base=comparison.variants[0], variants=(comparison.base,))
    summary, *stages = conclusions(turned)
    assert "raises MACs by 32.4 % and parameters by 23.5 %" in summary
    assert "lowers CIO by 4.8 % and concat copies by 100.0 %" in summary
    assert stages == []


def test_no_change(base: Report) -> None:
    assert conclusions(Comparison(base, (base,))) == ("tiny changes none of these figures.",)


def test_a_falling_density_is_said(base: Report) -> None:
    def with_density(report: Report, value: float) -> Report:
        return replace(report, results=(Result("moc_median", "MAC/element", "trace", (), value, additive=False),))

    (_, sentence) = conclusions(Comparison(with_density(base, 204.8), (with_density(base, 170.7),)))
    assert sentence.startswith("The median MoC falls from 204.8 to 170.7 MACs per CIO element")
    (_, sentence) = conclusions(Comparison(with_density(base, 170.7), (with_density(base, 204.8),)))
    assert sentence.endswith("bound by memory later.")


def test_one_network_alone(base: Report) -> None:
    """MACs 1,000 + 2,000,000 + 40,500; CIO 4,000 + 8,000,000 + 0: 98.0 % and 99.95 % in stage1.
    Parameters 864 + 1,234,567,890 + 10."""
    totals, shares = overview(base)
    assert totals == (
        "tiny takes 2,041,500 MACs, 1,234,568,764 parameters and 8,004,000 elements of CIO for input 1x3x32x32:float32."
    )
    assert shares == (
        "The largest shares are MACs in stage1 (98.0 %), parameters in stage1 (100.0 %) and CIO in stage1 (100.0 %)."
    )
