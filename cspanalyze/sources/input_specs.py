"""The `--input` notation: `1x3x224x224`, `1x3x224x224:float16`, `ids=1x128:int64`. No torch at import."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

from cspanalyze.errors import UsageError
from cspanalyze.graph import ITEMSIZE
from cspanalyze.sources.near_misses import did_you_mean

DTYPES = tuple(name for name in ITEMSIZE if not name.startswith("q"))
FLOATING = ("float32", "float16", "bfloat16", "float64")
_NOTATION = re.compile(r"(?:(?P<name>[A-Za-z_]\w*)=)?(?P<shape>\d+(?:x\d+)*)(?::(?P<dtype>\w+))?")
_EXPECTED = "expected sizes joined by x, like 1x3x224x224, 1x3x224x224:float16 or ids=1x128:int64"


@dataclass(frozen=True, slots=True)
class InputSpec:
    """One input tensor: its shape, its dtype ("" for the network's own) and, for a keyword, its name."""

    shape: tuple[int, ...]
    dtype: str = ""
    name: str = ""

    def with_batch(self, batch: int) -> InputSpec:
        """The same input with another first dimension."""
        return replace(self, shape=(batch, *self.shape[1:]))

    def __str__(self) -> str:
        name = f"{self.name}=" if self.name else ""
        dtype = f":{self.dtype}" if self.dtype else ""
        return name + "x".join(map(str, self.shape)) + dtype


def parse_input(text: str) -> InputSpec:
    """Read one `--input`.

    Raises:
        UsageError: the text is not in the notation, has a size of zero, or names no dtype.
    """
    match = _NOTATION.fullmatch(text.strip())
    if match is None:
        raise UsageError(f"cannot read --input {text!r}: {_EXPECTED}")
    shape = tuple(int(size) for size in match["shape"].split("x"))
    if 0 in shape:
        raise UsageError(f"--input {text!r} has a size of 0: every size must be at least 1")
    dtype = match["dtype"] or ""
    if dtype and dtype not in DTYPES:
        raise UsageError(f"--input {text!r} names no known dtype{did_you_mean(dtype, DTYPES)}")
    return InputSpec(shape, dtype, match["name"] or "")


def parse_inputs(texts: tuple[str, ...]) -> tuple[InputSpec, ...]:
    """Read every `--input`; a keyword may be given once.

    Raises:
        UsageError: see `parse_input`; or a name occurs twice.
    """
    specs = tuple(map(parse_input, texts))
    names = [spec.name for spec in specs if spec.name]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise UsageError(f"--input names {twice[0]!r} twice: give each keyword once")
    return specs
