"""Two routes to the same counts: formulas of the letters, and the trace of a network with those letters."""

from __future__ import annotations

from math import comb

import pytest
from gradients import reference_nets as nets
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from cspanalyze import trace
from cspanalyze.gradient_flow import closed_forms, duplication, gradient_flow, path_spectra
from cspanalyze.gradient_flow.closed_forms import TermCount


def traced(model: nn.Module) -> TermCount:
    flow = gradient_flow(trace(model, nets.image()))
    found = duplication(flow, nets.outside_stem([layer.name for layer in flow.layers]))
    return TermCount(found.terms, found.distinct, found.term_channels, found.distinct_channels, found.paths)


counts = st.integers(1, 6)
widths = st.integers(1, 9)
many = settings(max_examples=25, deadline=None)


@many
@given(c=widths, m=counts, d=widths, t=st.integers(0, 6), b=st.sampled_from([0, 0, 4, 7]))
def test_dense(c, m, d, t, b) -> None:
    expected = closed_forms.dense(c, m, d, transition=bool(t), bottleneck=b)
    assert traced(nets.Dense(c, m, d, t=t, bottleneck=b)) == expected


@many
@given(data=st.data(), c=st.integers(2, 12), m=counts, d=widths, t=widths, b=st.sampled_from([0, 0, 5]))
@pytest.mark.parametrize("fusion", ["csp", "first", "last"])
def test_partial_dense(fusion, data, c, m, d, t, b) -> None:
    bypass = data.draw(st.integers(1, c - 1))
    model = nets.Dense(
        c, m, d, t=0 if fusion == "first" else t, u=0 if fusion == "last" else 3, bypass=bypass, bottleneck=b
    )
    assert traced(model) == closed_forms.dense_csp(c, m, d, bypass, fusion, t, bottleneck=b)


@many
@given(n=st.integers(1, 5), q=st.integers(1, 3), width=widths)
def test_residual(n, q, width) -> None:
    assert traced(nets.Residual(width, n, q)) == closed_forms.residual(n, q, width)


@many
@given(data=st.data(), n=st.integers(1, 5), q=st.integers(1, 3), width=st.integers(2, 9))
def test_partial_residual(data, n, q, width) -> None:
    shortcut = data.draw(st.integers(1, width - 1))
    assert traced(nets.Residual(width, n, q, shortcut)) == closed_forms.partial_residual(n, q, width, shortcut)


@many
@given(c=widths, m=counts, d=widths)
def test_one_shot(c, m, d) -> None:
    assert traced(nets.OneShot(c, m, d)) == closed_forms.one_shot(c, m, d)


@many
@given(c=widths, h=widths, depth=st.integers(1, 3), branches=st.integers(1, 4))
def test_elan(c, h, depth, branches) -> None:
    assert traced(nets.Elan(c, h, depth, branches)) == closed_forms.elan(c, h, depth, branches)


@many
@given(length=st.integers(2, 9), width=widths)
def test_chain(length, width) -> None:
    assert traced(nets.Residual(width, length - 1, 1, 0)) == closed_forms.chain(length, width)


@pytest.mark.parametrize("m", [1, 4, 7])
def test_path_lengths_of_a_dense_block_are_binomial(m) -> None:
    """P_i = z^2 (1 + z)^(m - i) for layer i under a transition that feeds the loss; i = 0 is the stem."""
    spectra = path_spectra(gradient_flow(trace(nets.Dense(8, m, 4, t=6), nets.image())))
    for i in range(m + 1):
        assert spectra[i].counts == (0, 0, *(comb(m - i, k) for k in range(m - i + 1)))


@pytest.mark.parametrize(("n", "q"), [(3, 1), (4, 2), (2, 3)])
def test_path_lengths_of_a_residual_stem_are_binomial(n, q) -> None:
    """P = z^2 (1 + z^q)^n under a head: Veit et al., arXiv 1605.06431."""
    counts = path_spectra(gradient_flow(trace(nets.Residual(8, n, q), nets.image())))[0].counts
    assert counts == tuple(comb(n, (t - 2) // q) if t >= 2 and (t - 2) % q == 0 else 0 for t in range(2 + n * q + 1))
