"""What a user says about a network, and what a source makes of it. No torch at import."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from cspanalyze.sources.input_specs import InputSpec

if TYPE_CHECKING:
    from torch import nn


@dataclass(frozen=True, slots=True)
class Request:
    """A network as named on the command line, with everything that decides how it is built and fed.

    `arguments` go to the callable that builds it; `inputs` replace the network's own default input, and so does
    `input_from` (`file.py:function`); `batch` replaces the first dimension of every input; `dtype` converts the
    network and its floating-point inputs.
    """

    model: str
    arguments: Mapping[str, Any] = field(default_factory=dict)
    inputs: tuple[InputSpec, ...] = ()
    input_from: str = ""
    batch: int | None = None
    dtype: str = ""


@dataclass(frozen=True, slots=True)
class Built:
    """A network fresh from its source, with the input that it takes by default.

    `guessed` says that the source knows no default input and `inputs` is a guess; `as_list` that the network takes one
    list of tensors instead of a batch (torchvision's detectors).
    """

    model: nn.Module
    inputs: tuple[InputSpec, ...]
    guessed: bool = False
    as_list: bool = False
    note: str = ""


@dataclass(frozen=True, slots=True)
class Loaded:
    """A network ready to be traced as `model(*args, **kwargs)`.

    `inputs` are its input tensors written like the `--input` option; `source` says in words where it came from.
    `with_data` makes the same again with weights and inputs that hold numbers, or gives None where it cannot.
    """

    model: nn.Module
    args: tuple[Any, ...]
    kwargs: Mapping[str, Any]
    inputs: tuple[str, ...]
    name: str
    source: str
    guessed: bool = False
    notes: tuple[str, ...] = ()
    with_data: Callable[[], Loaded | None] = lambda: None


@dataclass(frozen=True, slots=True)
class Listing:
    """A network that a source can build by name, for `cspanalyze models`; `brief` says in a few words whose it is."""

    name: str
    source: str
    input_size: str = ""
    note: str = ""
    brief: str = ""
    reconstruction: bool = False


@dataclass(frozen=True, slots=True)
class Source:
    """One kind of MODEL argument.

    `claims` decides from the text alone whether it is of this kind; `build` makes the network from the text without
    the prefix, its arguments, and whether the weights must hold numbers. Sources that hold named networks also have
    `names`, and are asked for bare names if `installed`; `listing` describes one of those names, and `count` gives its
    parameters where that takes no torch.
    """

    prefix: str
    title: str
    claims: Callable[[str], bool]
    build: Callable[[str, Mapping[str, Any], bool], Built]
    installed: Callable[[], bool] = lambda: True
    names: Callable[[], Sequence[str]] = tuple
    has: Callable[[str], bool] = lambda name: False
    listing: Callable[[str], Listing] | None = None
    count: Callable[[str], int | None] = lambda name: None

    def strip(self, text: str) -> str:
        """The text without this source's prefix."""
        return text.removeprefix(f"{self.prefix}:") if self.prefix else text
