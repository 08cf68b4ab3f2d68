"""Packages that add to this one: those installed with an entry point in the group `cspanalyze.plugins`.

An entry point names a module; what it registers on import is there from then on: analyses, cost formulas, sources of
networks, CSP adapters, renderers. They are loaded when a registry is first asked for, so `--help` loads none.
"""

from __future__ import annotations

import warnings
from functools import cache

GROUP = "cspanalyze.plugins"


@cache
def load_plugins() -> None:
    """Import every plugin, once; one that fails is left out with a warning, and stops nothing."""
    from importlib.metadata import entry_points

    for point in entry_points(group=GROUP):
        try:
            point.load()
        except (Exception, SystemExit) as error:  # whatever somebody else's module raises
            said = str(error).strip().partition("\n")[0]
            told = f"{type(error).__name__}: {said}" if said else type(error).__name__
            warnings.warn(f"the plugin {point.name} ({point.value}) is left out: {told}", stacklevel=2)
