"""ModelGraph -> Diagram: what a picture of a network shows, as plain records. torch is not imported here.

diagram(trace(model, x), "stage")
"""

from __future__ import annotations

from cspanalyze.diagrams.drawing import diagram
from cspanalyze.diagrams.record import METRICS, Diagram, Edge, Figure, Frame, Level, Metric, Node, diagram_to_json

__all__ = ["METRICS", "Diagram", "Edge", "Figure", "Frame", "Level", "Metric", "Node", "diagram", "diagram_to_json"]
