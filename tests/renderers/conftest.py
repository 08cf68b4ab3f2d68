"""A small comparison made by hand, with everything that a renderer has to show."""

from __future__ import annotations

import pytest

from cspanalyze.results import Comparison, Report, Result, Row, StageChange, Subject, Uncovered

GROUPS = ("stem", "stage1", "head")


def result(metric: str, unit: str, values: tuple[int | None, ...], **more: object) -> Result:
    """An additive result with a row for each of the `GROUPS`."""
    rows = tuple(Row(group, "conv2d", value) for group, value in zip(GROUPS, values, strict=True))
    total = None if None in values else sum(value or 0 for value in values)
    return Result(metric, unit, more.pop("method", "trace"), rows, total, **more)  # type: ignore[arg-type]


def report(variant: str, macs: tuple[int, ...], cio: tuple[int, ...], copies: int) -> Report:
    """A network with a stem that never changes, one stage, and a head without a closed form."""
    subject = Subject(
        name="tiny",
        source="built in",
        inputs=("1x3x32x32:float32",),
        mode="eval",
        method="meta",
        variant=variant,
        notes=("a note on the network",),
        versions=(("cspanalyze", "0.0.1"), ("torch", "9.9")),
    )
    gap = (Uncovered("aten.mystery", 3, ("head.fc",)),)
    closed = (cio[0], cio[1] + (1 if variant else 0), None)
    moc = tuple(Row(group, "", value) for group, value in zip(GROUPS, (12.5, 1_280.0, None), strict=True))
    return Report(
        subject,
        GROUPS,
        (
            result("macs", "MAC", macs, uncovered=gap),
            result("params", "elements", (864, 999_999_700 if variant else 1_234_567_890, 10), method="architecture"),
            result("cio_closed_form", "elements", closed, method="closed form"),
            result("cio", "elements", cio, note="rule conv"),
            result("concat_elements", "elements", (0, copies, 0)),
            Result("moc_min", "MAC/element", "trace", moc, 12.5, additive=False),
        ),
    )


@pytest.fixture
def base() -> Report:
    """The network itself."""
    return report("", (1_000, 2_000_000, 40_500), (4_000, 8_000_000, 0), 0)


@pytest.fixture
def comparison(base: Report) -> Comparison:
    """The network beside its twin."""
    twin = report("CSP", (1_000, 1_500_000, 40_500), (4_000, 8_400_000, 0), 3_000)
    changes = (
        StageChange("layer1", "dropin", "csp", 0.4, 0.375, 64, 24, 40),
        StageChange("layer2", "dropin", "csp", 0.4, None, 64, None, None, skipped="has only its entry block"),
    )
    return Comparison(base, (twin,), changes, ("CSP lowers MACs by 24.5 % and raises CIO by 5.0 %.",))
