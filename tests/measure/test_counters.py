"""What ncu, torch.profiler and perf print, in recorded form, and how each says that it cannot count.

Sources of the forms, with figures made up: ncu, its CSV on a GPU of compute capability 7.5 as published beside a CUDA
sample, and its messages as quoted in bug reports; torch.profiler, `CuptiRangeProfiler.cpp` of Kineto, which attaches a
number for each metric to an event `__profile__`; perf, its manual (CSV FORMAT), perf 6.1 run in a virtual machine
without counters, and recorded lines of a processor with two kinds of cores.
"""

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
PERF = "1234,,LLC-load-misses:u,2000000,100.00,4.19,of all LL-cache accesses\n66,,LLC-store-misses:u,2000000,100.00,,\n"
HYBRID = """200,,cpu_atom/LLC-load-misses/u,18453439,0.00,46.40,of all LL-cache accesses
1034,,cpu_core/LLC-load-misses/u,2752124011,99.00,90.37,of all LL-cache accesses
<not supported>,,cpu_atom/LLC-store-misses/u,0,100.00,,
66,,cpu_core/LLC-store-misses/u,2752124011,99.00,,
"""
LIMITED = """Error:
Access to performance monitoring and observability operations is limited.
Consider adjusting /proc/sys/kernel/perf_event_paranoid setting to open
"""


def test_ncu_kernels_add_up() -> None:
    assert counters.read_ncu(NCU) == Counted(3_211_264 + 1_500, 802_816)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            "==ERROR== ERR_NVGPUCTRPERM - The user does not have permission to access NVIDIA GPU Performance Counters "
            "on the target device 0.",
            "kept for administrators",
        ),
        ("==PROF== Disconnected from process 7\n==WARNING== No kernels were profiled.", "No kernels were profiled$"),
        (
            "==ERROR== The application returned an error code (1).\n==WARNING== No kernels were profiled.",
            r"returned an error code \(1\)",
        ),
        ("", "printed no table"),
        (NCU.replace("dram__bytes_write.sum", "other"), "does not know dram__bytes_write.sum"),
        (NCU.replace("802,816", "n/a"), "'n/a'"),
    ],
)
def test_ncu_that_cannot_count_says_why(text: str, said: str) -> None:
    with pytest.raises(CounterError, match=said):
        counters.read_ncu(text)


def test_cupti_ranges_add_up() -> None:
    event = {"ph": "X", "cat": "cuda_profiler_range", "name": "__profile__", "ts": 1.0, "dur": 2.0}
    ranges = [
        event | {"args": {"dram__bytes_read.sum": 10.0, "dram__bytes_write.sum": 4.0}},
        event | {"args": {"dram__bytes_read.sum": 5.0}},
    ]
    assert counters.read_cupti(json.dumps({"traceEvents": [*ranges, {"name": "no metrics"}]})) == Counted(15, 4)
    with pytest.raises(CounterError, match="no CUPTI metrics"):
        counters.read_cupti('{"traceEvents": []}')


def test_perf_misses_are_lines() -> None:
    assert counters.read_perf(PERF) == Counted(64 * 1_300, None)
    assert counters.read_perf(HYBRID) == Counted(64 * (200 + 1_034 + 66), None)
    only_loads = PERF.replace("66,", "<not supported>,")
    assert counters.read_perf(only_loads) == Counted(64 * 1_234, None)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("<not supported>,,LLC-load-misses:u,0,100.00,,\n", "has no LLC-load-misses counter"),
        ("<not counted>,,LLC-load-misses:u,0,0.00,,\n", "did not get to count"),
        (LIMITED, "counted: Access to performance monitoring and observability operations is limited$"),
        ("event syntax error: 'LLC-load-misses:u'\n   \\___ parser error\n", "event syntax error"),
        ("", "it printed nothing"),
    ],
)
def test_perf_that_cannot_count_says_why(text: str, said: str) -> None:
    with pytest.raises(CounterError, match=said):
        counters.read_perf(text)
