"""nn.Module + inputs -> `ModelGraph`: the only dispatch mode and the only module hooks of the package."""

from __future__ import annotations

from cspanalyze.tracing.building import building
from cspanalyze.tracing.forward import trace

__all__ = ["building", "trace"]
