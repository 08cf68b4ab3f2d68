"""Title, unit and meaning of every metric, as people read them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from cspanalyze.results import Result


@dataclass(frozen=True, slots=True)
class Heading:
    """Title of a metric; `convention` is what it counts, in words, and `more_is_better` is for those few.

    `whole` makes the figure of a module of those of its parts, where that is no sum; `hidden` metrics are no column.
    `decimals` are those of a ratio; `bounded` says of a figure that an operation without a rule makes it a bound,
    where others leave that operation out. Of a `neutral` metric neither more nor less is better.
    """

    title: str
    convention: str = ""
    more_is_better: bool = False
    glued: bool = False
    whole: Callable[[Iterable[int | float]], int | float] | None = None
    hidden: bool = False
    decimals: int = 1
    bounded: bool = False
    neutral: bool = False


_MACS = "1 MAC = 1 multiply-add (convolution, linear, matmul, attention)"
_CIO = "CIO = elements read + written by every convolution, weights left out"


def _gradient(title: str, convention: str = "", *, glued: bool = False, decimals: int = 1) -> Heading:
    return Heading(title, convention, glued=glued, decimals=decimals, bounded=True, neutral=True)


_GRADIENTS = {
    "gradient_duplication_channels": _gradient(
        "D_c",
        "D_c, D = share of gradient terms that repeat another, weighted by channels (1 - U_c/T_c) and not (1 - U/T): "
        "the opportunity that the structure gives for duplicate gradient, not how much of it is realised (--measured)",
        decimals=4,
    ),
    "gradient_duplication": _gradient("D", glued=True, decimals=4),
    "gradient_reuse": _gradient(
        "reuse mean", "reuse = weight updates that the gradient of a channel enters (mean: T_c/U_c)", decimals=2
    ),
    "gradient_reuse_max": _gradient("reuse max", glued=True),
    "gradient_copy_factor": _gradient(
        "copy factor",
        "copy factor = channels that get a gradient for each channel read: 1 in concatenations, above 1 where an "
        "addition hands one tensor to several layers",
        decimals=2,
    ),
    "gradient_layers": _gradient("layers"),
    "gradient_terms": _gradient(
        "terms T",
        "T = pairs of a layer and a slice of channels that it reads, U = slices; T_c, U_c = the same by channels; a "
        "slice = the channels of one layer that the same layers read",
    ),
    "gradient_terms_distinct": _gradient("distinct U", glued=True),
    "gradient_term_channels": _gradient("channels T_c", glued=True),
    "gradient_term_channels_distinct": _gradient("channels U_c", glued=True),
    "gradient_read_channels": _gradient(
        "channels read", "channels read (G) = input channels but the network's own: the input part of CIO by channels"
    ),
    "gradient_paths": _gradient(
        "gradient paths", "gradient paths = ways from the exit of a row's layers to that of them which has the most"
    ),
    "longest_shortest_gradient_path": _gradient(
        "shortest path",
        "shortest path = longest shortest gradient path in layers (ELAN), longest path beside it",
        glued=True,
    ),
    "longest_gradient_path": _gradient("longest path", glued=True),
    "gradient_channels": _gradient("channels"),
    "gradient_sources": _gradient("sources", "sources = layers that send gradient to a layer, the loss among them"),
    "gradient_source_overlap": _gradient(
        "source overlap",
        "source overlap = mean Jaccard index of a layer's sources and every other's",
        glued=True,
        decimals=4,
    ),
    "gradient_timestamps": _gradient(
        "timestamps", "timestamps = different numbers of layers after which gradient arrives at a layer"
    ),
    "gradient_source_timestamps": _gradient("by source", glued=True),
    "shortest_gradient_path": _gradient("shortest path", glued=True),
}
HEADINGS: Mapping[str, Heading] = MappingProxyType(
    {
        "params": Heading("params"),
        "params_trainable": Heading("trainable params"),
        "buffers": Heading("buffers"),
        "weights": Heading("weights"),
        "macs": Heading("MACs", _MACS),
        "flops": Heading("FLOPs", "FLOPs = 2 x MACs (convolution, linear, matmul, attention)"),
        "elementwise_flops": Heading(
            "element-wise FLOPs", "element-wise FLOPs = activations, normalisation, pooling, additions: not in FLOPs"
        ),
        "flops_fvcore": Heading(
            "FLOPs (fvcore)", "FLOPs (fvcore) = MACs + 2 x batch norm + 5 x layer norm + up-sampled + adaptive pool"
        ),
        "flops_darknet": Heading(
            "FLOPs (Darknet)", "FLOPs (Darknet) = 2 x MACs of convolutions and linear layers + max-pool windows"
        ),
        "activations": Heading("activations", "activations = output elements of what has MACs"),
        "cio_closed_form": Heading(
            "CIO formula", "CIO formula = from the architecture's widths and depths, no tensors"
        ),
        "cio": Heading("CIO trace", _CIO, glued=True),
        "cio_pool": Heading("CIO+pools trace", f"{_CIO}; pools counted like convolutions", glued=True),
        "concat_elements": Heading("concat copies", "concat copies = elements read + written; not in CIO"),
        "residual_add_elements": Heading(
            "residual adds", "residual adds = elements read + written if not fused; not in CIO", glued=True
        ),
        "unfused_bytes": Heading("unfused bytes", "unfused bytes = inputs + outputs of every operation, weights once"),
        "fused_bytes": Heading("fused bytes", glued=True),
        "traffic_bytes": Heading(
            "cache-model bytes", "cache-model bytes = read from memory into a cache on the chip, modelled"
        ),
        "write_back_bytes": Heading("cache-model write-backs", glued=True),
        "simulated_bytes": Heading("simulated bytes"),
        "model_error_percent": Heading("model error", "model error = cache-model bytes / simulated - 1", glued=True),
        "counted_bytes": Heading("counter bytes"),
        "roofline_us": Heading("roofline time"),
        "memory_bound_percent": Heading(
            "bound by memory",
            "bound by memory = share of the roofline time in operations that memory binds",
            glued=True,
        ),
        "arithmetic_intensity": Heading(
            "arithmetic intensity", "arithmetic intensity = 2 x MACs / bytes read and written back", more_is_better=True
        ),
        "energy_mj": Heading("energy estimate"),
        "latency_ms": Heading("latency median", "latency = wall time of one run", decimals=3),
        "latency_iqr_ms": Heading("latency IQR", "IQR = distance between the quartiles", glued=True, decimals=3),
        "throughput": Heading("throughput", "throughput = batch size / median latency", more_is_better=True),
        "measured_peak_bytes": Heading("peak memory", "peak memory = allocated by one run, beyond weights and input"),
        "roofline_ms": Heading("roofline bound", decimals=3),
        "paired_ratio": Heading("paired ratio", hidden=True),
        "moc_min": Heading("MoC min", "MoC = MACs per CIO element of a convolution", more_is_better=True, whole=min),
        "moc_median": Heading("MoC median", more_is_better=True, glued=True),
        "peak_bytes": Heading("peak memory", "peak memory = live activations and input, no weights", whole=max),
        "backward_macs": Heading("backward MACs", "backward MACs = recorded operation by operation, not 2 x forward"),
        "backward_elementwise_flops": Heading("backward elem. FLOPs"),
        "saved_bytes": Heading(
            "saved for backward", "saved for backward = what autograd keeps of the forward pass, no parameters"
        ),
        "gradient_bytes": Heading("gradients", "gradients = one of each parameter that got one", glued=True),
        "training_peak_bytes": Heading(
            "training peak",
            "training peak = live at once in the step: no parameters, no gradients of parameters, no optimiser state",
            whole=max,
        ),
        "operations": Heading("operations", hidden=True),
        **_GRADIENTS,
    }
)
_UNITS = {
    "elements": "elements",
    "bytes": "B",
    "MAC/element": "MAC/elem.",
    "FLOP (fvcore)": "FLOP",
    "FLOP (Darknet)": "FLOP",
}


def heading(metric: str) -> Heading:
    """The heading of a metric; one that is not known here keeps its own name."""
    return HEADINGS.get(metric, Heading(metric.replace("_", " ")))


def unit(result: Result) -> str:
    """The unit as it is printed over a column; parameters are counted in themselves."""
    if result.metric in ("params", "params_trainable", "buffers", "weights"):
        return ""
    return _UNITS.get(result.unit, result.unit)


def conventions(results: tuple[Result, ...]) -> list[str]:
    """What the metrics of these results count, each said once, with what the analyses themselves remark."""
    said: dict[str, None] = {}
    for result in results:
        known = heading(result.metric)
        if known.hidden:
            continue
        words = known.convention or (f"{known.title} = {result.note}" if result.note and not known.bounded else "")
        if known.convention and result.note and not known.bounded and result.note not in known.convention:
            words = f"{known.convention}; {result.note}"
        if words:
            said.setdefault(words)
    return list(said)
