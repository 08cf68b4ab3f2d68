"""`hf:CONFIG.json`: networks from configuration files of transformers, built and traced offline."""

from __future__ import annotations

import json
import socket
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from cspanalyze.errors import SourceError, UsageError
from cspanalyze.pipeline import analyze
from cspanalyze.sources import Request, load

pytestmark = pytest.mark.filterwarnings("ignore")  # of transformers, and of what it imports


@pytest.fixture
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    if find_spec("transformers") is None:
        pytest.skip("transformers is not installed")

    def refuse(*args: object, **kwargs: object) -> None:
        raise AssertionError("a source tried to reach the network")

    monkeypatch.setattr(socket, "create_connection", refuse)
    monkeypatch.setattr(socket.socket, "connect", refuse)

    def write(**entries: object) -> str:
        path = tmp_path / "config.json"
        path.write_text(json.dumps(entries))
        return f"hf:{path}"

    return write


BERT = {
    "model_type": "bert", "hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4,
    "intermediate_size": 64, "vocab_size": 100,
}  # fmt: skip


def test_a_text_encoder(config: Any) -> None:
    report = analyze(config(**BERT), metrics=["macs", "params"])
    assert report.subject.inputs == ("input_ids=1x128:int64",)
    assert report.subject.method == "meta"
    # Of a layer: 4 x 32 x 32 and 2 x 32 x 64 a token, 2 x 128 x 128 x 32 of attention; the pooler 32 x 32.
    assert report.result("macs").total == 2 * (128 * (4 * 32 * 32 + 2 * 32 * 64) + 2 * 128 * 128 * 32) + 32 * 32
    assert report.result("macs").uncovered == ()


def test_entries_are_replaced_by_arguments(config: Any) -> None:
    text = config(**BERT)
    layers = {count: load(Request(text, {"num_hidden_layers": count})) for count in (1, 3)}
    sizes = {count: sum(p.numel() for p in loaded.model.parameters()) for count, loaded in layers.items()}
    # A layer: 4 projections, 2 of the feed-forward part, with biases, and 2 norms.
    assert sizes[3] - sizes[1] == 2 * (4 * (32 * 32 + 32) + 2 * 32 * 64 + 64 + 32 + 4 * 32)


@pytest.mark.parametrize(
    ("entries", "inputs"),
    [
        ({"model_type": "vit", "num_hidden_layers": 1, "image_size": 64}, ("pixel_values=1x3x64x64:float32",)),
        (
            {"model_type": "clip", "text_config": {"num_hidden_layers": 1}, "vision_config": {"num_hidden_layers": 1}},
            ("input_ids=1x77:int64", "pixel_values=1x3x224x224:float32"),
        ),
        (
            {"model_type": "t5", "num_layers": 1},
            ("input_ids=1x128:int64", "decoder_input_ids=1x128:int64"),
        ),
        (
            {"model_type": "whisper", "encoder_layers": 1, "decoder_layers": 1},
            ("input_features=1x80x3000:float32", "decoder_input_ids=1x128:int64"),
        ),
        ({"model_type": "wav2vec2", "num_hidden_layers": 1}, ("input_values=1x16000:float32",)),
        ({"model_type": "resnet"}, ("pixel_values=1x3x224x224:float32",)),
    ],
)
def test_default_inputs_follow_the_configuration(config: Any, entries: dict[str, Any], inputs: tuple[str, ...]) -> None:
    report = analyze(config(**entries), metrics=["macs"])
    assert report.subject.inputs == inputs
    assert report.result("macs").total


def test_code_that_the_configuration_names_is_not_executed(config: Any, tmp_path: Path) -> None:
    (tmp_path / "evil.py").write_text(f"open({str(tmp_path / 'marker')!r}, 'w')")
    load(config(**BERT, auto_map={"AutoModel": "evil.Net", "AutoConfig": "evil.Config"}))
    assert not (tmp_path / "marker").exists()


def test_wrong_configurations(config: Any, tmp_path: Path) -> None:
    for entries, sentence in (
        ({"model_type": "bertt"}, r"no network of model_type 'bertt'; did you mean .*bert"),
        ({}, "no network of model_type None"),
        ({**BERT, "hidden_size": 33}, "33"),
    ):
        with pytest.raises(SourceError, match=sentence):
            load(config(**entries))
    (tmp_path / "broken.json").write_text("{")
    (tmp_path / "list.json").write_text("[]")
    for name, sentence in (("broken", "no JSON file"), ("list", "expected a JSON object"), ("confi", "there is no")):
        with pytest.raises(SourceError, match=sentence):
            load(f"hf:{tmp_path / name}.json")


def test_a_network_too_large_for_real_numbers_is_not_filled(config: Any) -> None:
    loaded = load(Request(config(**BERT), {"vocab_size": 10**12}))
    with pytest.raises(UsageError, match=r"its weights and inputs would take about \d+\.\d GB"):
        loaded.with_data()


def test_the_architecture_that_the_file_names_keeps_its_head(config: Any) -> None:
    without = load(config(**BERT))
    assert "counted without a head" in without.notes[-1]
    with_head = load(config(**BERT, architectures=["BertForMaskedLM"]))
    assert type(with_head.model).__name__ == "BertForMaskedLM"
    assert not with_head.notes
