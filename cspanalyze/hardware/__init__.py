"""Hardware profiles: memory bandwidth, peak arithmetic and on-chip capacity, with where each number comes from."""

from __future__ import annotations

import csv
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any, Literal

from cspanalyze.errors import UsageError

DEFAULT = "jetson_tx2"
"""The profile unless another is named: the edge GPU on which the papers on CIO and CSP measured."""
_ALIASES = {"a100": "a100_40gb", "h200": "h200_sxm", "jetson_xavier": "jetson_agx_xavier", "edge_npu": "edge_npu_1mb"}
_HALF = ("float16", "bfloat16")
_NUMBERS = ("dram_gb_per_s", "peak_fp32_tflops", "peak_half_tflops")


@dataclass(frozen=True, slots=True)
class Profile:
    """A piece of hardware as the models see it; None is unknown, which is not zero.

    `onchip_bytes` is the capacity of the last cache before memory; `kernels` says how operators walk there (see
    `cspanalyze.cache`). `confidence` tells looked-up numbers from remembered ones, `source` names them.
    """

    name: str
    dram_bytes_per_second: float | None
    peak_fp32_flops: float | None
    peak_half_flops: float | None
    onchip_bytes: int
    kernels: Literal["cpu-onednn", "ideal"] = "ideal"
    confidence: str = ""
    source: str = ""

    def peak_flops(self, dtype: str) -> float | None:
        """Peak arithmetic for operands of a dtype, in FLOP/s; None where the profile does not say."""
        if dtype in _HALF:
            return self.peak_half_flops
        return self.peak_fp32_flops if dtype == "float32" else None

    @property
    def verified(self) -> bool:
        """Whether every number was looked up."""
        return self.confidence == "looked up"


@cache
def profiles() -> Mapping[str, Profile]:
    """The profiles that the package brings, by name."""
    text = files(__name__).joinpath("profiles.csv").read_text(encoding="utf-8")
    return {row["profile"]: _profile(row.pop("profile"), row) for row in csv.DictReader(text.splitlines())}


def find_profile(text: str) -> Profile:
    """A profile of the package by name, or of the user's own TOML file by path.

    A file has the keys `onchip_bytes` and, as far as known, `dram_gb_per_s`, `peak_fp32_tflops`, `peak_half_tflops`,
    `kernels` ("ideal" or "cpu-onednn"), `name`, `source` and `confidence`.

    Raises:
        UsageError: there is no such profile or file, or a value is off.
    """
    if text.endswith(".toml"):
        return _from_file(Path(text))
    known = profiles()
    found = known.get(_ALIASES.get(text, text))
    if found is None:
        raise UsageError(f"there is no profile {text!r}: expected {', '.join(known)}, or the path of a .toml file")
    return found


def _from_file(path: Path) -> Profile:
    try:
        data = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise UsageError(f"cannot read the profile {path}: {error.strerror or error}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UsageError(f"the profile {path} is no TOML: {error}") from error
    allowed = {*_NUMBERS, "onchip_bytes", "kernels", "confidence", "source", "name"}
    unknown = sorted(set(data) - allowed)
    if unknown:
        raise UsageError(
            f"the profile {path} has the unknown key {unknown[0]!r}: expected {', '.join(sorted(allowed))}"
        )
    for key in ("name", "source", "confidence"):
        if not isinstance(data.get(key, ""), str):
            raise UsageError(f"{key} in the profile {path} must be text")
    return _profile(data.pop("name", path.stem), {"confidence": "the user's own", "source": str(path), **data})


def _profile(name: str, data: Mapping[str, Any]) -> Profile:
    numbers = [_number(name, key, data.get(key)) for key in _NUMBERS]
    onchip = _number(name, "onchip_bytes", data.get("onchip_bytes"))
    if onchip is None or onchip != int(onchip):
        raise UsageError(f"the profile {name} needs onchip_bytes, a whole number of bytes")
    kernels = data.get("kernels", "ideal")
    if kernels not in ("cpu-onednn", "ideal"):
        raise UsageError(f"kernels in the profile {name} must be ideal or cpu-onednn, got {kernels!r}")
    bandwidth, full, half = numbers
    return Profile(
        name=name,
        dram_bytes_per_second=None if bandwidth is None else bandwidth * 1e9,
        peak_fp32_flops=None if full is None else full * 1e12,
        peak_half_flops=None if half is None else half * 1e12,
        onchip_bytes=int(onchip),
        kernels=kernels,
        confidence=data.get("confidence", ""),
        source=data.get("source", ""),
    )


def _number(name: str, key: str, value: Any) -> float | None:
    if value in (None, ""):
        return None
    try:
        number = float(value)
    except (TypeError, ValueError):
        number = -1.0
    if isinstance(value, bool) or not 0 < number < float("inf"):
        raise UsageError(f"{key} in the profile {name} must be a number above 0, got {value!r}")
    return number
