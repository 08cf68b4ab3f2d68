"""How operators that are no layers carry source channels along: one file for each kind, one registry.

The modules imported here register their rules; a new one is a function with `@rule(...)` in the file it fits.
"""

from __future__ import annotations

from cspanalyze.gradient_flow.rules import joining, merging, moving, uniting  # noqa: F401  (each registers its rules)
from cspanalyze.gradient_flow.rules.registry import Passage, Rule, rule, rule_of

__all__ = ["Passage", "Rule", "rule", "rule_of"]
