"""ModelGraph -> bytes between memory and a cache on the chip, for every capacity. Pure; needs NumPy, not torch."""

from __future__ import annotations

from cspanalyze.cache.kernels import Kernels
from cspanalyze.cache.model import CAPACITIES, CacheTraffic, Concat, cache_traffic

__all__ = ["CAPACITIES", "CacheTraffic", "Concat", "Kernels", "cache_traffic"]
