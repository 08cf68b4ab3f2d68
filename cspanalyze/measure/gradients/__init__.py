"""Gradients as they really flow: every contribution of one layer to the gradient of another, in an ordinary backward
pass. The counterpart of `cspanalyze.gradient_flow`, which says what the structure allows.
"""

from __future__ import annotations

from cspanalyze.measure.gradients.batches import Batch, Batches, digits, given, synthetic
from cspanalyze.measure.gradients.drawing import measure, own_copy
from cspanalyze.measure.gradients.training import train, wake

__all__ = ["Batch", "Batches", "digits", "given", "measure", "own_copy", "synthetic", "train", "wake"]
