"""Messages to valgrind from the program that runs under it.

A client request is a sequence of instructions that does nothing on a processor and means something to valgrind
(valgrind.h, `VALGRIND_DO_CLIENT_REQUEST`). Python has no such instructions, so a function of 30 bytes holds them.
"""

from __future__ import annotations

import ctypes
import mmap
from functools import cache
from typing import Any

_CODE = bytes.fromhex(
    "4889f8"  # mov rax, rdi: the address of the six words of the request
    "4889f2"  # mov rdx, rsi: the answer where valgrind is not there
    "48c1c703 48c1c70d 48c1c73d 48c1c733"  # rol rdi by 3 + 13 + 61 + 51 = 128 bits: unchanged
    "4887db"  # xchg rbx, rbx
    "4889d0"  # mov rax, rdx
    "c3"  # ret
)
_RUNNING_ON_VALGRIND = 0x1001
_CALLGRIND = (ord("C") << 24) + (ord("T") << 16)  # callgrind.h, in the order of its enumeration
_DUMP_STATS_AT, _START_INSTRUMENTATION, _STOP_INSTRUMENTATION = _CALLGRIND + 3, _CALLGRIND + 4, _CALLGRIND + 5


class Name:
    """Words for a dump, in memory that valgrind can read; made before anything is counted."""

    def __init__(self, text: str) -> None:
        self._buffer = ctypes.create_string_buffer(text.encode())
        self._request = (ctypes.c_uint64 * 6)(_DUMP_STATS_AT, ctypes.addressof(self._buffer), 0, 0, 0, 0)

    def dump(self) -> None:
        """Write what was counted since the last dump into a file of its own, under this name."""
        _function()(ctypes.addressof(self._request), 0)


def running_on_valgrind() -> bool:
    """Whether this process runs under valgrind."""
    return bool(_send(_RUNNING_ON_VALGRIND))


def start_counting() -> None:
    """Begin to simulate the caches, which are empty then."""
    _send(_START_INSTRUMENTATION)


def stop_counting() -> None:
    """Go on without simulation."""
    _send(_STOP_INSTRUMENTATION)


def _send(code: int) -> int:
    request = (ctypes.c_uint64 * 6)(code, 0, 0, 0, 0, 0)
    return int(_function()(ctypes.addressof(request), 0))


@cache
def _function() -> Any:
    page = mmap.mmap(-1, mmap.PAGESIZE, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC)
    page.write(_CODE)
    address = ctypes.addressof(ctypes.c_char.from_buffer(page))
    function = ctypes.CFUNCTYPE(ctypes.c_uint64, ctypes.c_void_p, ctypes.c_uint64)(address)
    function.page = page  # type: ignore[attr-defined]  # the code lives as long as the function
    return function
