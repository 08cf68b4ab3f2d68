"""Reports of the edge-case networks: whatever a network lacks, the page is whole."""

from __future__ import annotations

import json
import re

import pytest
from edge_nets import EDGE_NETS, EdgeNet

from cspanalyze.pipeline.studying import study
from cspanalyze.renderers.report import render_report
from cspanalyze.sources.inputs import given
from cspanalyze.study import dumps, from_json


@pytest.mark.parametrize("net", EDGE_NETS, ids=lambda net: net.name)
def test_every_network_has_a_report(net: EdgeNet) -> None:
    made = study([given(net.build(), net.inputs(), {})])
    assert from_json(json.loads(dumps(made))) == made
    page = render_report(made)
    anchors = re.findall(r'<a href="#([^"]+)"', page)
    assert all(page.count(f'id="{anchor}"') == 1 for anchor in anchors)
    assert "<h2>Stages</h2>" in page
    assert "<h2>Method</h2>" in page
    assert "nan" not in page.partition("<main>")[2].partition("</main>")[0].lower().split()
