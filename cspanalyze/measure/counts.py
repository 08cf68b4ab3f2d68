"""What a counting engine found: frozen records, without torch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Macs = int | float
Verb = Literal["adds", "misses", "counts"]


@dataclass(frozen=True, slots=True)
class Entry:
    """MACs that an engine counted for one operator, by the engine's own name for it, directly inside one module.

    `family` says with which of our operators it may be compared: a kind of `cspanalyze.costs`, or the operator's own
    name where we count no MACs for anything like it.
    """

    module: str
    operator: str
    family: str
    macs: Macs


@dataclass(frozen=True, slots=True)
class Reason:
    """A part of the difference between an engine and our count: engine minus ours, in MACs.

    `adds`: we count nothing for the operator; `misses`: the engine counts nothing; `counts`: both count, differently.
    `percent` is of our total, None where that is 0.
    """

    verb: Verb
    operator: str
    macs: Macs
    percent: float | None

    @property
    def words(self) -> str:
        """What is counted otherwise, without the figure."""
        if self.verb == "counts":
            return f"counts {self.operator} {'higher' if self.macs > 0 else 'lower'}"
        return f"{self.verb} {self.operator}"

    def __str__(self) -> str:
        return f"{self.words}: {_signed(self)}"


@dataclass(frozen=True, slots=True)
class EngineCount:
    """One engine's count of one network, in MACs (an engine that reports FLOPs of two per multiply-add is halved).

    `by_operator` are (the engine's operator name, MACs), largest first; `reasons` add up to `macs` minus our count,
    largest first. Where the engine could not run, `macs` is None and `unavailable` says why in one line. `note` says
    on what it ran.
    """

    engine: str
    version: str
    macs: Macs | None
    by_operator: tuple[tuple[str, Macs], ...] = ()
    reasons: tuple[Reason, ...] = ()
    unavailable: str = ""
    note: str = ""

    def explanation(self, most: int = 3) -> str:
        """The `most` largest reasons in words, and what the others add up to; the cause if it is unavailable."""
        if self.unavailable:
            return f"unavailable: {self.unavailable}"
        said = [str(reason) for reason in self.reasons[:most]]
        rest = self.reasons[most:]
        if rest:
            percents = [reason.percent for reason in rest if reason.percent is not None]
            total = Reason("counts", "", sum(reason.macs for reason in rest), sum(percents) if percents else None)
            said.append(f"{len(rest)} smaller: {_signed(total)}")
        return "; ".join(said)


def _signed(reason: Reason) -> str:
    if reason.percent is None:
        return f"{reason.macs:+,} MACs"
    size = abs(reason.percent)
    return f"{reason.percent:+.2f} %" if size >= 0.1 or not size else f"{reason.percent:+.2g} %"
