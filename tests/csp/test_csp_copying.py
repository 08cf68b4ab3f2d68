"""The quick copy is a deep copy, and the transform imports nothing slow."""

from __future__ import annotations

import copy
import subprocess
import sys
from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from cspanalyze.csp.copying import copy_module
from cspanalyze.csp.shadow import run, shadow


class Odd(nn.Module):
    """Everything that a copy can get wrong: shared children, lists of children, absent slots, hooks, own attributes."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Conv2d(3, 3, 1)
        self.again = self.layer
        self.absent: nn.Module | None = None
        self.register_module("nothing", None)
        self.empty = nn.Sequential()
        self.listed = [self.layer, nn.Linear(1, 1)]
        self.table = {"a": [1, 2]}
        self.register_buffer("counts", torch.arange(3))
        self.register_buffer("passing", torch.ones(1), persistent=False)
        self.register_parameter("none", None)
        self.layer.register_forward_hook(lambda module, given, made: made + 1)
        self.attention = nn.MultiheadAttention(4, 2)

    def forward(self, x: Tensor) -> Tensor:
        made: Tensor = self.again(self.layer(x)) * self.passing
        return made


def test_a_copy_is_like_deepcopys_and_shares_nothing() -> None:
    odd = Odd()
    twin, reference = copy_module(odd), copy.deepcopy(odd)
    assert repr(twin) == repr(reference)
    assert list(twin.state_dict()) == list(reference.state_dict())
    assert twin.again is twin.layer is twin.listed[0]
    assert twin.layer is not odd.layer
    assert twin.empty is not odd.empty
    assert twin.table == odd.table
    assert twin.table["a"] is not odd.table["a"]
    assert set(vars(twin)) == set(vars(odd))
    x = torch.randn(1, 3, 2, 2)
    assert torch.equal(twin(x), odd(x))
    own = {tensor.data_ptr() for tensor in odd.state_dict().values()}
    assert not own & {tensor.data_ptr() for tensor in twin.state_dict().values()}
    twin.layer.register_forward_pre_hook(lambda *_: None)
    assert not odd.layer._forward_pre_hooks


def test_the_memo_substitutes() -> None:
    odd, other = Odd(), nn.Conv2d(3, 3, 1)
    assert copy_module(odd, {id(odd.layer): other}).again is other


def test_a_class_with_its_own_deepcopy_is_asked() -> None:
    class Own(nn.Module):
        def __deepcopy__(self, memo: dict[int, object]) -> nn.Module:
            return nn.Tanh()

    assert isinstance(copy_module(nn.Sequential(Own()))[0], nn.Tanh)


@pytest.mark.parametrize(
    "layer",
    [
        nn.Conv2d(6, 8, 3),
        nn.Conv2d(6, 8, (3, 1), stride=(2, 1), padding=(1, 0)),
        nn.Conv2d(6, 8, 3, padding="same", dilation=2),
        nn.Conv2d(6, 8, 4, padding=3, padding_mode="reflect", groups=2),
        nn.BatchNorm2d(6),
        nn.GroupNorm(2, 6),
        nn.Linear(8, 5),
    ],
    ids=repr,
)
def test_a_shadow_makes_the_shapes_of_its_original(layer: nn.Module) -> None:
    assert run(shadow(layer), 6, 8).shape == layer(torch.zeros(1, 6, 8, 8)).shape


def test_a_shadow_checks_widths() -> None:
    with pytest.raises(ValueError, match="a Conv2d for 3 channels is given 4"):
        run(shadow(nn.Conv2d(3, 8, 1)), 4)


def test_meta_networks_cost_no_import_of_the_compiler() -> None:
    program = (
        "import sys, cspanalyze.csp\n"
        "assert 'torch' not in sys.modules\n"
        "import torch\n"
        "from cspanalyze import zoo\n"
        "torch.nn.init.kaiming_uniform_ = torch.nn.init.kaiming_normal_ = lambda tensor, *_, **__: tensor\n"
        "torch.nn.init.uniform_ = lambda tensor, *_, **__: tensor\n"
        "with torch.device('meta'):\n    models = [zoo.create(name) for name in ('resnet18', 'darknet53')]\n"
        "loaded = set(sys.modules)\n"
        "for model in models:\n    cspanalyze.csp.to_csp(model)\n"
        "assert not {name for name in set(sys.modules) - loaded if name.startswith(('torch._dynamo', 'sympy'))}\n"
    )
    subprocess.run([sys.executable, "-c", program], check=True, timeout=120)


def test_the_room_names_what_it_has() -> None:
    import cspanalyze.csp as room

    assert [hasattr(room, name) for name in dir(room)]
    with pytest.raises(AttributeError, match="has no attribute 'nothing'"):
        _: Callable[[], None] = room.nothing
