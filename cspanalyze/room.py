"""Whether there is room in memory for what shall be computed, asked before anything is allocated. No torch."""

from __future__ import annotations

import os

from cspanalyze.errors import UsageError

MEMORY_SHARE = 0.5
"""Of the memory that is available, how much a network with its data may take: others live here too."""


def refuse_without_room(what: str, needed: int) -> None:
    """Refuse work on real tensors that would fill the memory of this machine.

    `what` is the subject of the sentence, `needed` the estimate in bytes; where the system does not say how much is
    available, nothing is refused.

    Raises:
        UsageError: more than `MEMORY_SHARE` of the memory that is available is needed.
    """
    available = available_bytes()
    if available is not None and needed > MEMORY_SHARE * available:
        raise UsageError(
            f"{what} would take about {needed / 1e9:.1f} GB: more than {MEMORY_SHARE:.0%} of the "
            f"{available / 1e9:.1f} GB of memory available; take a smaller input, batch or configuration"
        )


def available_bytes() -> int | None:
    """Memory that can be had without swapping; None where the system does not say."""
    try:
        with open("/proc/meminfo") as lines:
            for line in lines:
                if line.startswith("MemAvailable:"):
                    return int(line.split()[1]) * 1024
    except OSError:
        pass
    try:  # not Linux: what is built in, as an upper bound
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, OSError, ValueError):
        return None
