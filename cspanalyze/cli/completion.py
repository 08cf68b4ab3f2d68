"""Shell completion of model names, without importing torch."""

from __future__ import annotations


def complete_model(incomplete: str) -> list[str]:
    """The built-in networks and the prefixes of the other sources."""
    from cspanalyze import zoo

    candidates = [*zoo.names(), "timm:", "torchvision:", "hf:"]
    return [name for name in candidates if name.startswith(incomplete)]
