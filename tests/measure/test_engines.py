"""Other engines beside ours: counts on copies, and reasons that add up."""

from __future__ import annotations

import logging
from collections.abc import Callable
from importlib.util import find_spec
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from cspanalyze import trace, zoo
from cspanalyze.errors import UsageError
from cspanalyze.measure import ENGINES, EngineCount, count_with_engines, engine_results
from cspanalyze.tracing import building

needs_fvcore = pytest.mark.skipif(find_spec("fvcore") is None, reason="fvcore is not installed")
needs_thop = pytest.mark.skipif(find_spec("thop") is None, reason="thop is not installed")


class FunctionalConvolution(nn.Module):
    """conv2d as a function on 8x8 maps: 8 x 8 x 4 outputs x 27 = 6,912 MACs; a 1x1 as a module: 64 x 2 x 4 = 512."""

    def __init__(self) -> None:
        super().__init__()
        self.kernel = nn.Parameter(torch.rand(4, 3, 3, 3))
        self.head = nn.Conv2d(4, 2, 1)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(F.conv2d(x, self.kernel, padding=1))


class Products(nn.Module):
    """Nothing but (2, 5, 7) @ (2, 7, 3): 2 x 5 x 7 x 3 = 210 MACs."""

    def forward(self, a: Tensor, b: Tensor) -> Tensor:
        return a @ b


class Tagger(nn.Module):
    """An LSTM alone: 6 steps x 4 gates x (5 x 3 + 3 x 3) = 576 MACs at batch 1."""

    def __init__(self) -> None:
        super().__init__()
        self.lstm = nn.LSTM(5, 3)

    def forward(self, x: Tensor) -> Tensor:
        return self.lstm(x)[0]


class Named(nn.Module):
    """Keyword and dict inputs, a dict output, and one layer used at two places of the tree."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Linear(4, 4)
        self.second = nn.Sequential(self.first, nn.LayerNorm(4))

    def forward(self, batch: dict[str, Tensor], *, scale: Tensor, times: int) -> dict[str, Tensor]:
        x = batch["x"]
        for _ in range(times):
            x = self.second(self.first(x))
        return {"y": x * scale}


def grouped() -> nn.Module:
    return nn.Sequential(nn.Conv2d(8, 16, 3, groups=4), nn.BatchNorm2d(16), nn.ReLU(), nn.Conv2d(16, 16, 3, groups=16))


def image(size: int = 224, channels: int = 3, device: str = "cpu") -> tuple[Tensor, ...]:
    return (torch.ones(1, channels, size, size, device=device),)


NETS: dict[str, tuple[Callable[[], nn.Module], Callable[[], tuple[Any, ...]]]] = {
    "lstm": (Tagger, lambda: (torch.ones(6, 1, 5),)),
    "grouped": (grouped, lambda: image(12, 8)),
    "functional": (FunctionalConvolution, lambda: image(8)),
    "products": (Products, lambda: (torch.ones(2, 5, 7), torch.ones(2, 7, 3))),
}


def on_meta(name: str) -> tuple[nn.Module, tuple[Tensor, ...]]:
    with building():
        model = zoo.create(name)
    return model, image(device="meta")


def counted(name: str, meta: bool = False) -> dict[str, EngineCount]:
    if name in NETS:
        build, inputs = NETS[name]
        if meta:
            with building():
                model = build()
            args = tuple(x.to("meta") for x in inputs())
        else:
            model, args = build(), inputs()
    else:
        model, args = on_meta(name)
    return {count.engine: count for count in count_with_engines(model, args)}


def assert_reasons_add_up(counts: dict[str, EngineCount]) -> None:
    ours = counts["cspanalyze"].macs
    for count in counts.values():
        if count.macs is not None:
            assert sum(reason.macs for reason in count.reasons) == count.macs - ours, count
            assert sum(macs for _, macs in count.by_operator) == count.macs
            sizes = [abs(reason.macs) for reason in count.reasons]
            assert sizes == sorted(sizes, reverse=True)


@needs_fvcore
@needs_thop
@pytest.mark.parametrize("meta", [False, True])
@pytest.mark.parametrize("name", NETS)
def test_reasons_add_up_to_the_difference(name, meta) -> None:
    counts = counted(name, meta)
    assert all(not count.unavailable for count in counts.values()), counts
    assert_reasons_add_up(counts)


@needs_fvcore
@needs_thop
def test_resnet18() -> None:
    counts = counted("resnet18")
    assert_reasons_add_up(counts)
    # 1,813,561,344 in convolutions and 512 x 1000 in the classifier
    assert counts["cspanalyze"].macs == counts["torch"].macs == 1_814_073_344
    assert counts["torch"].reasons == ()
    # Every convolution is followed by a norm: 2 x 2,483,712 elements for fvcore, twice that for thop.
    fvcore = {reason.operator: (reason.verb, reason.macs) for reason in counts["fvcore"].reasons}
    assert fvcore == {"batch_norm": ("adds", 4_967_424), "adaptive_avg_pool2d": ("adds", 512 * 7 * 7)}
    assert counts["thop"].reasons[0].operator == "BatchNorm2d"
    assert counts["thop"].reasons[0].macs == 2 * 4_967_424
    assert counts["fvcore"].explanation() == "adds batch_norm: +0.27 %; adds adaptive_avg_pool2d: +0.0014 %"


@needs_fvcore
def test_densenet121() -> None:
    counts = counted("densenet121")
    assert_reasons_add_up(counts)
    assert counts["torch"].reasons == ()
    assert str(counts["fvcore"].reasons[0]) == "adds batch_norm: +1.11 %"


@needs_fvcore
@needs_thop
def test_attention(timm) -> None:
    with building():
        model = timm.create_model("vit_tiny_patch16_224")
    counts = {c.engine: c for c in count_with_engines(model, image(device="meta"))}
    assert_reasons_add_up(counts)
    # 12 blocks x 3 heads x 197 x 197 x (64 + 64)
    attention = 12 * 3 * 197 * 197 * 128
    for engine in ("fvcore", "thop"):
        missing = counts[engine].reasons[0]
        assert (missing.verb, missing.operator, missing.macs) == ("misses", "scaled_dot_product_attention", -attention)
    # On meta tensors attention falls apart into products, which torch counts; on the processor it does not.
    assert counts["torch"].reasons == ()
    real = count_with_engines(timm.create_model("vit_tiny_patch16_224"), image(), engines=["torch"])[1]
    assert [(r.verb, r.operator, r.macs) for r in real.reasons] == [
        ("misses", "scaled_dot_product_attention", -attention)
    ]


@needs_fvcore
def test_recurrent_layers() -> None:
    real, meta = counted("lstm"), counted("lstm", meta=True)
    assert real["cspanalyze"].macs == 576
    assert str(real["torch"].reasons[0]) == "misses lstm: -100.00 %"
    assert meta["torch"].reasons == ()
    assert str(real["fvcore"].reasons[0]) == "misses lstm: -100.00 %"


@needs_thop
def test_thop_sees_modules_only() -> None:
    thop = counted("functional")["thop"]
    assert thop.macs == 512
    assert [(r.verb, r.operator, r.macs) for r in thop.reasons] == [("misses", "conv2d", -6_912)]
    thop = counted("products")["thop"]
    assert [(r.verb, r.operator, r.macs) for r in thop.reasons] == [("misses", "bmm", -210)]


@needs_thop
def test_grouped_convolutions_agree() -> None:
    counts = counted("grouped")
    # 10 x 10 x 16 outputs x (2 x 9), then 8 x 8 x 16 x 9
    assert counts["cspanalyze"].macs == counts["torch"].macs == 100 * 16 * 18 + 64 * 16 * 9
    assert [reason.operator for reason in counts["thop"].reasons] == ["BatchNorm2d"]


@needs_fvcore
@needs_thop
def test_keywords_dicts_and_modules_in_two_places() -> None:
    inputs = ({"x": torch.ones(2, 4)},)
    keywords = {"scale": torch.ones(1), "times": 3}
    counts = {c.engine: c for c in count_with_engines(Named(), inputs, keywords)}
    assert counts["cspanalyze"].macs == 2 * 3 * 2 * 16
    assert all(not count.unavailable for count in counts.values())
    assert_reasons_add_up(counts)
    # thop hooks the shared layer once for each of its two places, and reports the sum at both: four times 192.
    assert ("counts", "linear", 3 * 192) in [(r.verb, r.operator, r.macs) for r in counts["thop"].reasons]


@pytest.mark.parametrize("meta", [False, True])
@pytest.mark.parametrize("name", NETS)
def test_the_model_is_left_untouched(name, meta, capfd) -> None:
    build, inputs = NETS[name]
    with torch.device("meta" if meta else "cpu"):
        model, args = build(), inputs()
    before = {key: (value.data_ptr(), value._version) for key, value in model.state_dict(keep_vars=True).items()}
    modules = {path: {**vars(module)} for path, module in model.named_modules()}
    random, handlers = torch.get_rng_state(), list(logging.getLogger().handlers)
    count_with_engines(model, args)
    after = {key: (value.data_ptr(), value._version) for key, value in model.state_dict(keep_vars=True).items()}
    assert after == before
    for path, module in model.named_modules():
        assert vars(module).keys() == modules[path].keys()
        assert module.training is modules[path]["training"]
        assert not module._forward_hooks
        assert not module._forward_pre_hooks
    assert torch.equal(torch.get_rng_state(), random)
    assert logging.getLogger().handlers == handlers
    assert not logging.root.manager.disable
    assert capfd.readouterr() == ("", "")


def test_what_cannot_run_says_why(monkeypatch) -> None:
    monkeypatch.setattr("cspanalyze.measure.engines.find_spec", lambda package: None)
    _, *others = count_with_engines(Products(), (torch.ones(1, 2, 3), torch.ones(1, 3, 2)))
    assert [count.engine for count in others] == list(ENGINES)
    assert others[1].explanation() == "unavailable: not installed (pip install fvcore)"
    assert all(count.macs is None for count in others)


@needs_fvcore
def test_an_engine_that_raises_is_a_result() -> None:
    class Stubborn(nn.Linear):
        def __deepcopy__(self, memo: object) -> nn.Module:
            raise RuntimeError("there is only one of me\nand a second line")

    _, *others = count_with_engines(Stubborn(2, 2), (torch.ones(1, 2),))
    assert {count.unavailable for count in others} == {"it raised RuntimeError: there is only one of me"}


@needs_fvcore
def test_no_copy_with_data_is_made_beyond_the_memory(monkeypatch) -> None:
    monkeypatch.setattr("cspanalyze.room.available_bytes", lambda: 100_000_000)
    fvcore = counted("resnet18")["fvcore"]  # 46.8 MB of weights, and the maps
    assert fvcore.macs is None
    assert "running it on real tensors would take about 0.1 GB: more than 50% of" in fvcore.unavailable


def test_a_given_graph_is_used_and_its_mode_kept() -> None:
    model = nn.Sequential(nn.Linear(3, 2), nn.Dropout())
    graph = trace(model, torch.ones(1, 3), mode="train")
    ours, torchs = count_with_engines(model, (torch.ones(1, 3),), graph=graph, engines=["torch"])
    assert ours.macs == torchs.macs == 6


def test_records_have_one_group_per_engine() -> None:
    counts = count_with_engines(Products(), (torch.ones(1, 2, 3), torch.ones(1, 3, 2)), engines=["torch"])
    macs, difference, reasons = engine_results(counts)
    assert [(row.module, row.value) for row in macs.rows] == [("cspanalyze", 12), ("torch", 12)]
    assert [row.value for row in difference.rows] == [0, 0]
    assert macs.total == 12
    assert reasons.rows == ()


def test_a_network_without_macs_has_no_percentages() -> None:
    counts = {c.engine: c for c in count_with_engines(nn.BatchNorm1d(3), (torch.ones(2, 3),))}
    assert counts["cspanalyze"].macs == 0
    assert engine_results(tuple(counts.values()))[1].rows[0].value is None
    if counts["fvcore"].macs is not None:
        assert counts["fvcore"].explanation() == "adds batch_norm: +12 MACs"


def test_an_unknown_engine_is_refused() -> None:
    with pytest.raises(UsageError, match="there is no engine 'abacus'; known are torch, fvcore, thop"):
        count_with_engines(Products(), (torch.ones(1), torch.ones(1)), engines=["abacus"])
