"""Composition, and no arithmetic of its own: source -> trace -> plan -> analyses -> records.

Importing this package does not import torch. What runs code under observation is in `counting`, what runs over many
networks in `sweeping`.
"""

from __future__ import annotations

from cspanalyze.pipeline.analysis import OVERVIEW, TRAINING, analyze, compare
from cspanalyze.pipeline.networks import Csp

__all__ = ["OVERVIEW", "TRAINING", "Csp", "analyze", "compare"]
