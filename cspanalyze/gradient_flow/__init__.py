"""Which gradients enter which weight updates, and how often the same ones: read off a traced network, exactly.

    flow = gradient_flow(trace(model, x))
    duplication(flow).channel_ratio
    gradient_results(flow, Grouping.of(graph))

A partial stage splits the gradient flow so that its two sides share no gradient: that is CSPNet's central claim (arXiv
1911.11929, section 3). These figures are what its structure allows, the *opportunity* for duplicate gradient; they say
nothing of accuracy, and how much of it comes true in training is a matter of measurement. torch is not imported here.
"""

from __future__ import annotations

from cspanalyze.gradient_flow.duplication import Duplication, duplication
from cspanalyze.gradient_flow.equations import StageUpdates, transition_letters, weight_updates
from cspanalyze.gradient_flow.flow import Flag, GradientFlow, Layer, units_matching
from cspanalyze.gradient_flow.metrics import METRICS, gradient_results, scopes
from cspanalyze.gradient_flow.paths import PathExtent, PathSpectrum, path_extents, path_spectra
from cspanalyze.gradient_flow.provenance import gradient_flow
from cspanalyze.gradient_flow.record import (
    Edge,
    GradientRecord,
    GradientRecords,
    LayerRecord,
    NetworkRecord,
    gradient_record,
    record_from_json,
    record_to_json,
    source_overlap,
    timestamp_raster,
)
from cspanalyze.gradient_flow.terms import Slice, slices

__all__ = [
    "METRICS",
    "Duplication",
    "Edge",
    "Flag",
    "GradientFlow",
    "GradientRecord",
    "GradientRecords",
    "Layer",
    "LayerRecord",
    "NetworkRecord",
    "PathExtent",
    "PathSpectrum",
    "Slice",
    "StageUpdates",
    "duplication",
    "gradient_flow",
    "gradient_record",
    "gradient_results",
    "path_extents",
    "path_spectra",
    "record_from_json",
    "record_to_json",
    "scopes",
    "slices",
    "source_overlap",
    "timestamp_raster",
    "transition_letters",
    "units_matching",
    "weight_updates",
]
