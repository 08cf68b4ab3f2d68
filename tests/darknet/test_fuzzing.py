"""Whatever the bytes, reading a file ends soon, with a network or with one clear sentence."""

from __future__ import annotations

import time

import torch
from darknet.samples import SAMPLES
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from cspanalyze import trace
from cspanalyze.darknet import build, cfg_text, plan_network, read_bytes, read_text
from cspanalyze.darknet.places import READERS
from cspanalyze.errors import SourceError

SECONDS = 5
"""Of processor time, for files of a few kilobytes that take a few milliseconds: a limit against runaway work."""
TEXTS = sorted(SAMPLES.values())
KEYS = sorted({key for reader in READERS.values() for key in reader.keys})
NUMBERS = st.sampled_from(
    ["0", "-1", "1", "2", "3", "7", "-2147483648", "2147483647", "99999999999", "1e9", "65536", "nan"]
)
VALUES = (
    NUMBERS | st.integers(-5, 40).map(str) | st.sampled_from(["", "leaky", "-1,-2", "0,", "softmax", "per_channel"])
)


@st.composite
def _mutated(draw: st.DrawFn) -> bytes:
    """One or two valid files, one after the other, with lines dropped, doubled, swapped or rewritten."""
    lines = draw(st.sampled_from(TEXTS)).split("\n")
    if draw(st.booleans()):
        lines += draw(st.sampled_from(TEXTS)).partition("\n\n")[2].split("\n")
    for _ in range(draw(st.integers(1, 6))):
        place = draw(st.integers(0, len(lines) - 1))
        line = lines[place]
        match draw(st.sampled_from(["value", "value", "value", "key", "section", "drop", "double", "swap", "noise"])):
            case "value":
                lines[place] = f"{line.partition('=')[0]}={draw(VALUES)}"
            case "key":
                lines[place] = f"{draw(st.sampled_from(KEYS))}={draw(VALUES)}"
            case "section":
                lines[place] = f"[{draw(st.sampled_from(sorted(READERS)))}]"
            case "drop" if len(lines) > 1:
                del lines[place]
            case "double":
                lines[place:place] = [line] * draw(st.integers(1, 30))
            case "swap":
                other = draw(st.integers(0, len(lines) - 1))
                lines[place], lines[other] = lines[other], line
            case _:
                lines[place] = line + draw(st.text(max_size=5))
    return "\n".join(lines).encode("utf-8", "surrogatepass")


def _refused(data: bytes) -> str:
    """What reading or planning says against a file; nothing if it holds a network."""
    try:
        plan_network(read_bytes(data, "a.cfg"), "a.cfg")
    except SourceError as error:
        return str(error)
    return ""


def _end(data: bytes) -> None:
    """Read and plan: an error is a `SourceError` of one line. A network is built, traced and written, too."""
    start = time.process_time()
    message = _refused(data)
    assert time.process_time() - start < SECONDS
    if message:
        assert "a.cfg" in message
        assert message.isprintable()
        assert len(message) < 2_000
        return
    plan = plan_network(read_bytes(data, "a.cfg"), "a.cfg")
    with torch.device("meta"):
        network = build(plan).eval()
        shapes: list[tuple[int, ...]] = []
        for module in network.layer_modules():
            module.register_forward_hook(lambda _, __, out: shapes.append(tuple(out.shape)))
        trace(network, torch.empty(network.input_shape))
    assert shapes == [(plan.steps, layer.shape.channels, *layer.shape.size) for layer in plan.layers]
    assert read_text(cfg_text(network), "b.cfg") == plan.sections
    assert time.process_time() - start < 4 * SECONDS


@settings(max_examples=400, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=_mutated())
def test_mutated_files(data: bytes) -> None:
    _end(data)


@settings(max_examples=200, deadline=None)
@given(data=st.binary(max_size=300))
@example(data=b"[net]\n\xff=\x00")
def test_random_bytes(data: bytes) -> None:
    _end(data)


LINES = st.sampled_from(sorted({line for text in TEXTS for line in text.split("\n")}))


@settings(max_examples=200, deadline=None)
@given(lines=st.lists(LINES, max_size=30))
def test_shuffled_lines(lines: list[str]) -> None:
    _end("\n".join(["[net]", "width=16", "height=12", "channels=4", *lines]).encode())
