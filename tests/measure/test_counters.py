"""What ncu, torch.profiler and perf print, in recorded form, and how each says that it cannot count."""

from __future__ import annotations

import json

import pytest

from cspanalyze.measure import counters
from cspanalyze.measure.counters import Counted, CounterError

NCU = """==PROF== Connected to process 4242 (/usr/bin/python3.11)
==PROF== Profiling "cudnn_infer" - 0: 0%....50%....100% - 1 pass
==PROF== Disconnected from process 4242
"ID","Process ID","Process Name","Host Name","Kernel Name","Context","Stream","Block Size","Grid Size","Device","CC",\
"Section Name","Metric Name","Metric Unit","Metric Value"
"0","4242","python3.11","127.0.0.1","sm80_xmma_fprop","1","7","(256, 1, 1)","(392, 1, 1)","0","8.0",\
"Command line profiler metrics","dram__bytes_read.sum","byte","3,211,264"
"0","4242","python3.11","127.0.0.1","sm80_xmma_fprop","1","7","(256, 1, 1)","(392, 1, 1)","0","8.0",\
"Command line profiler metrics","dram__bytes_write.sum","byte","802,816"
"1","4242","python3.11","127.0.0.1","relu","1","7","(128, 1, 1)","(1, 1, 1)","0","8.0",\
"Command line profiler metrics","dram__bytes_read.sum","Kbyte","1.5"
"1","4242","python3.11","127.0.0.1","relu","1","7","(128, 1, 1)","(1, 1, 1)","0","8.0",\
"Command line profiler metrics","dram__bytes_write.sum","byte","0"
"""
PERF = "1234,,LLC-load-misses:u,2000000,100.00,,\n66,,LLC-store-misses:u,2000000,100.00,,\n"


def test_ncu_kernels_add_up() -> None:
    assert counters.read_ncu(NCU) == Counted(3_211_264 + 1_500, 802_816)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("==ERROR== ERR_NVGPUCTRPERM - The user does not have permission", "kept for administrators"),
        ("==ERROR== No kernels were profiled.", "No kernels were profiled"),
        ("", "printed no table"),
        (NCU.replace("dram__bytes_write.sum", "other"), "does not know dram__bytes_write.sum"),
        (NCU.replace("802,816", "n/a"), "'n/a'"),
    ],
)
def test_ncu_that_cannot_count_says_why(text: str, said: str) -> None:
    with pytest.raises(CounterError, match=said):
        counters.read_ncu(text)


def test_cupti_ranges_add_up() -> None:
    ranges = [
        {"args": {"dram__bytes_read.sum": 10.0, "dram__bytes_write.sum": 4}},
        {"args": {"dram__bytes_read.sum": 5}},
    ]
    assert counters.read_cupti(json.dumps({"traceEvents": [*ranges, {"name": "no metrics"}]})) == Counted(15, 4)
    with pytest.raises(CounterError, match="no CUPTI metrics"):
        counters.read_cupti('{"traceEvents": []}')


def test_perf_misses_are_lines() -> None:
    assert counters.read_perf(PERF) == Counted(64 * 1_300, None)
    only_loads = PERF.replace("66,", "<not supported>,")
    assert counters.read_perf(only_loads) == Counted(64 * 1_234, None)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("<not supported>,,LLC-load-misses:u,0,100.00,,\n", "has no LLC-load-misses counter"),
        ("<not counted>,,LLC-load-misses:u,0,0.00,,\n", "did not get to count"),
        ("Error:\nAccess to performance monitoring is limited.\n", "counted nothing: Error:"),
        ("", "it printed nothing"),
    ],
)
def test_perf_that_cannot_count_says_why(text: str, said: str) -> None:
    with pytest.raises(CounterError, match=said):
        counters.read_perf(text)
