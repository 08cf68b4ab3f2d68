"""`cspanalyze latency`."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Literal

from cspanalyze.cli.completion import complete_profile
from cspanalyze.cli.execution import csp_of, show_record
from cspanalyze.cli.help import Purpose
from cspanalyze.cli.options import NetworkOptions, option
from cspanalyze.errors import RangeError, UsageError

if TYPE_CHECKING:
    from cspanalyze.results import Record
    from cspanalyze.sources import Request

PURPOSE = Purpose.COST
EXAMPLES = (
    ("base and twin in turns, on one thread", "cspanalyze latency resnet50 --csp --batches 1,8 --threads 1"),
    ("compiled, beside the bound of a device", "cspanalyze latency resnet50 --compile --profile core_i9_9900k"),
    ("a training step on a GPU", "cspanalyze latency resnet50 --train --batch 64 --device cuda"),
)
RUN = "Run"
Layout = Literal["nchw", "channels-last"]
Device = Literal["cpu", "cuda"]
_PROFILE_HELP = "Hardware profile (name or FILE.toml) whose roofline bound stands beside the measurement."


@dataclass(frozen=True)
class LatencyOptions(NetworkOptions):
    """Options of `latency`."""

    batches: Annotated[str, option(RUN, "Batch sizes with commas, one row each. Default 1.", metavar="LIST")] = ""
    train: Annotated[bool, option(RUN, "Time a training step: forward and backward.", "--train")] = False
    layout: Annotated[Layout, option(RUN, "Memory layout of maps.")] = "nchw"
    compile: Annotated[bool, option(RUN, "Compile with torch.compile first.", "--compile")] = False
    device: Annotated[Device, option(RUN, "Where to run.")] = "cpu"
    threads: Annotated[int | None, option(RUN, "Threads, kept on as many processors. Default all.")] = None
    seconds: Annotated[float, option(RUN, "Time to measure each network at each batch size. Default 5.")] = 5.0
    profile: Annotated[str, option(RUN, _PROFILE_HELP, metavar="NAME|FILE.toml", complete=complete_profile)] = ""

    def check(self) -> None:
        """Refuse what can be refused before torch is imported.

        Raises:
            UsageError: options contradict each other, or a number is out of range.
        """
        super().check()
        _batches(self)
        if self.by != "stage" or self.top is not None or self.strict:
            raise UsageError("latency measures whole networks: leave out --by, --top and --strict")
        for name, value, least in (("threads", self.threads, 1), ("seconds", self.seconds, 0.01)):
            if value is not None and value < least:
                raise RangeError(f"--{name} {value:g} is not possible: expected at least {least:g}")


def run(options: LatencyOptions) -> None:
    """Wall time on this machine.

    Median and interquartile range over many rounds, throughput and peak memory, with random weights and inputs. With
    --csp every round runs the network and its Cross Stage Partial twin one after the other, so that both meet the same
    conditions; gamma is the share of channels that BYPASS the blocks. MODEL may name a function or class in your own
    .py file; that file is then executed.
    """
    options.check()
    batches = _batches(options)
    from cspanalyze.hardware import find_profile

    profile = find_profile(options.profile) if options.profile else None

    def make(request: "Request") -> "Record":
        from cspanalyze.pipeline.latency import Conditions, latency

        conditions = Conditions(
            batches, options.train, options.layout, options.compile, options.device, options.threads, options.seconds,
            profile,
        )  # fmt: skip
        return latency(request, csp_of(options) if options.csp else None, conditions)

    show_record(options, make)


def _batches(options: LatencyOptions) -> tuple[int, ...]:
    if not options.batches:
        return (options.batch or 1,)
    if options.batch is not None:
        raise UsageError("--batch and --batches contradict each other: name all sizes with --batches")
    if options.input_from:
        raise UsageError("--input-from makes the whole input: leave out --batches")
    parts = [part.strip() for part in options.batches.split(",")]
    if not all(part.isdecimal() and int(part) for part in parts):
        raise RangeError(f"--batches {options.batches} is not possible: expected numbers from 1 on, like 1,8,32")
    return tuple(dict.fromkeys(map(int, parts)))
