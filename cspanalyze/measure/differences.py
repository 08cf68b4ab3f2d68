"""Why two counts of one network differ: computed from their lists of operators, module by module."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from cspanalyze.measure.counts import Entry, Macs, Reason, Verb

_PRODUCTS = ("linear", "matmul", "attention", "recurrent")
"""Families that engines turn into each other: a linear layer is an `addmm` to one and a `linear` to another, and
attention and recurrent layers are, taken apart, matrix products. In this order they take what has another name."""

_Families = dict[str, dict[str, Macs]]  # family -> operator -> MACs


def differences(ours: Sequence[Entry], theirs: Sequence[Entry]) -> tuple[Reason, ...]:
    """The parts of (theirs - ours), largest first; they add up to the whole.

    Within a module the totals of each family are compared, after matrix products that merely have another name on the
    other side are taken out. What is left has the name of our operator if we count it, of theirs if we do not.
    """
    total = sum(entry.macs for entry in ours)
    ours_by_module, theirs_by_module = _by_module(ours), _by_module(theirs)
    parts: dict[tuple[Verb, str, bool], Macs] = {}
    for module in dict.fromkeys([*ours_by_module, *theirs_by_module]):
        own, other = ours_by_module.get(module, {}), theirs_by_module.get(module, {})
        for verb, operator, macs in _in_module(own, other):
            # A surplus in one module must not hide a deficit in another, hence the sign.
            key = (verb, operator, macs > 0)
            parts[key] = parts.get(key, 0) + macs
    reasons = [
        Reason(verb, operator, macs, 100 * macs / total if total else None)
        for (verb, operator, _), macs in parts.items()
    ]
    return tuple(sorted(reasons, key=lambda reason: (-abs(reason.macs), reason.operator)))


def _by_module(entries: Sequence[Entry]) -> dict[str, _Families]:
    found: dict[str, _Families] = {}
    for entry in entries:
        operators = found.setdefault(entry.module, {}).setdefault(entry.family, {})
        operators[entry.operator] = operators.get(entry.operator, 0) + entry.macs
    return found


def _in_module(own: _Families, other: _Families) -> Iterator[tuple[Verb, str, Macs]]:
    delta = {
        family: sum(other.get(family, {}).values()) - sum(own.get(family, {}).values())
        for family in dict.fromkeys([*own, *other])
    }
    _take_out_renamed(delta)
    for family, macs in delta.items():
        if not macs:
            continue
        counted = sum(own.get(family, {}).values())
        if not counted:
            yield "adds", "/".join(other[family]), macs
        else:
            verb: Verb = "misses" if macs == -counted else "counts"
            yield verb, "/".join(own[family]), macs


def _take_out_renamed(delta: dict[str, Macs]) -> None:
    """Cancel surpluses against deficits among the products of one module: equal amounts first, then what is left."""
    for exact in (True, False):
        for more in _PRODUCTS:
            for less in _PRODUCTS:
                surplus, deficit = delta.get(more, 0), -delta.get(less, 0)
                if surplus > 0 and deficit > 0 and (surplus == deficit or not exact):
                    moved = min(surplus, deficit)
                    delta[more] -= moved
                    delta[less] += moved
