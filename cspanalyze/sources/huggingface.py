"""`hf:CONFIG.json`: the network that a configuration file of transformers describes, without weights."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Any, cast

from cspanalyze.errors import SourceError
from cspanalyze.sources.construction import construct, import_package, in_one_line
from cspanalyze.sources.input_specs import InputSpec
from cspanalyze.sources.near_misses import did_you_mean
from cspanalyze.sources.request import Built, Source

_TOKENS = 128
_SAMPLES = 16_000  # one second of sound


def installed() -> bool:
    """Whether the package is there; does not import it."""
    return find_spec("transformers") is not None


def build(text: str, arguments: Mapping[str, Any], real: bool = False) -> Built:
    """Build the network of a configuration file; `arguments` replace entries of it.

    The network is of the class that the file names first in `architectures`, or where it names none that transformers
    has, the one that `AutoModel` makes of it: no head, and a note says so. Code that the configuration names
    (`auto_map`) is never executed, and nothing is ever downloaded.
    """
    config = {**_read(Path(text)), **arguments}
    kind = config.pop("model_type", None)
    config.pop("auto_map", None)
    os.environ["HF_HUB_OFFLINE"] = "1"  # read when the package is imported
    transformers = import_package("transformers", "hf")
    if find_spec("torchvision") is not None:
        # transformers imports it late, and hides why that failed.
        import_package("torchvision", "hf")
    if not isinstance(kind, str) or kind not in transformers.CONFIG_MAPPING:
        known = did_you_mean(str(kind), list(transformers.CONFIG_MAPPING.keys()))
        raise SourceError(f"transformers {transformers.__version__} has no network of model_type {kind!r}{known}")
    try:
        settings = transformers.AutoConfig.for_model(kind, **config)
    except Exception as error:
        raise SourceError(f"{text} is no configuration of {kind}: {in_one_line(error)}") from error
    make, remark = _maker(transformers, settings)
    model, note = construct(make, {"config": settings}, f"hf:{text}", real)
    return Built(model, _default_inputs(model, settings), note="; ".join(filter(None, (note, remark))))


def _maker(transformers: Any, settings: Any) -> tuple[Callable[..., Any], str]:
    """What builds the network, and a remark if it leaves out the head that the configuration asks for."""
    name = next(iter(getattr(settings, "architectures", None) or ()), "")
    named: Any = getattr(transformers, str(name), None)
    if isinstance(named, type) and issubclass(named, transformers.PreTrainedModel):
        return cast("Any", named)._from_config, ""
    remark = f"{name} is no class of transformers: " if name else "the configuration names no architecture: "
    return transformers.AutoModel.from_config, f"{remark}counted without a head"


def _read(file: Path) -> dict[str, Any]:
    if not file.is_file():
        beside = [other.name for other in file.parent.glob("*.json")] if file.parent.is_dir() else []
        raise SourceError(f"there is no file {file}{did_you_mean(file.name, beside)}; nothing is ever downloaded")
    try:
        config = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise SourceError(f"{file} is no JSON file: {in_one_line(error)}") from error
    if not isinstance(config, dict):
        raise SourceError(f"{file} is no configuration: expected a JSON object with model_type")
    return config


def _default_inputs(model: Any, config: Any) -> tuple[InputSpec, ...]:
    """What the configuration says that the network takes, by keyword, batch 1."""
    main = getattr(model, "main_input_name", "input_ids")
    vision = getattr(config, "vision_config", None)
    sizes = {
        "pixel_values": (1, *_image(vision or config)),
        "input_values": (1, _SAMPLES),
        "input_features": (1, getattr(config, "num_mel_bins", 80), 2 * getattr(config, "max_source_positions", 1500)),
    }
    inputs = [InputSpec(sizes[main], name=main)] if main in sizes else []
    if not inputs or getattr(config, "text_config", None) is not None:
        inputs.insert(0, _tokens("input_ids", getattr(config, "text_config", None) or config))
    if vision is not None and main not in ("pixel_values",):
        inputs.append(InputSpec(sizes["pixel_values"], name="pixel_values"))
    if getattr(config, "is_encoder_decoder", False):
        inputs.append(_tokens("decoder_input_ids", config))
    return tuple(inputs)


def _tokens(name: str, config: Any) -> InputSpec:
    longest = getattr(config, "max_position_embeddings", None) or _TOKENS
    return InputSpec((1, min(_TOKENS, longest)), "int64", name)


def _image(config: Any) -> tuple[int, int, int]:
    size = getattr(config, "image_size", None) or 224
    height, width = (size, size) if isinstance(size, int) else (size[0], size[-1])
    return (getattr(config, "num_channels", 3), height, width)


SOURCE = Source(
    prefix="hf", title="transformers", claims=lambda text: text.startswith("hf:"), build=build, installed=installed
)
