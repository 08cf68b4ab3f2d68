"""`cspanalyze models`."""

from collections.abc import Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Annotated

from typer import Argument

from cspanalyze.cli.completion import complete_model
from cspanalyze.cli.destination import destination
from cspanalyze.cli.help import Purpose
from cspanalyze.cli.options import ROWS, OutputOptions, option
from cspanalyze.cli.waiting import waiting
from cspanalyze.errors import CspanalyzeError, UsageError

if TYPE_CHECKING:
    from cspanalyze.results import Network
    from cspanalyze.sources import Source

PURPOSE = Purpose.NETWORKS
EXAMPLES = (
    ("built-in networks with a word in their name", "cspanalyze models resnet"),
    ("a pattern in timm", "cspanalyze models 'timm:*resnext*'"),
    ("all there is, with the number of parameters", "cspanalyze models --all --params -o models.csv"),
)
_COUNTED_UNASKED = 100
_PATTERN_HELP = "Part of a name, or a pattern with * and ?; timm:PATTERN and torchvision:PATTERN look there."


@dataclass(frozen=True)
class ModelsOptions(OutputOptions):
    """Options of `models`."""

    pattern: Annotated[str, Argument(metavar="[PATTERN]", autocompletion=complete_model, help=_PATTERN_HELP)] = ""
    all: Annotated[bool, option(ROWS, "List timm and torchvision too, if installed.", "--all")] = False
    params: Annotated[bool, option(ROWS, "Count parameters, however long the list is.", "--params")] = False


def run(options: ModelsOptions) -> None:
    """The networks that can be named.

    The networks of timm and torchvision are listed where PATTERN begins with timm: or torchvision:, or with --all.
    A network need not be in this list: MODEL may also name a function or class in your own .py file, which is then
    executed.
    """
    target = destination(options)
    with waiting("listing networks"):
        found = _found(options)
        counted = options.params or len(found) <= _COUNTED_UNASKED
        networks = [_network(source, name, counted) for source, name in found]
    from cspanalyze.renderers.listing import render_networks

    target.write(render_networks(networks, target.format, target.style))


def _found(options: ModelsOptions) -> "list[tuple[Source, str]]":
    from cspanalyze.plugins import load_plugins
    from cspanalyze.sources import SOURCES

    load_plugins()
    prefix, colon, rest = options.pattern.partition(":")
    prefixes = {source.prefix: source for source in SOURCES if source.listing is not None}
    if colon and prefix not in prefixes:
        raise UsageError(f"there is no list of {prefix}: networks; there is one of {', '.join(prefixes)}")
    if colon:
        searched: Sequence[Source] = (prefixes[prefix],)
    else:
        rest = options.pattern
        searched = [source for source in prefixes.values() if source.prefix == "builtin" or options.all]
        searched = [source for source in searched if source.installed()]
    found = [(source, name) for source in searched for name in source.names() if _matches(name, rest)]
    if not found:
        where = ", ".join(source.title for source in searched)
        hint = "" if options.all or colon else "; --all looks into timm and torchvision as well"
        raise UsageError(f"no network matches {rest!r} (searched: {where}){hint}")
    return found


def _matches(name: str, pattern: str) -> bool:
    if any(sign in pattern for sign in "*?["):
        return fnmatchcase(name, pattern)
    return pattern in name


def _network(source: "Source", name: str, counted: bool) -> "Network":
    from cspanalyze.results import Network

    assert source.listing is not None
    listed = source.listing(name)
    params, brief, note = None, listed.brief, listed.note
    if listed.reconstruction:
        from cspanalyze.pipeline.publication import reconstruction

        brief, told = reconstruction(name)
        note = f"{told}; {note}"
    if counted:
        params = source.count(name)
    if counted and params is None:
        try:
            model = source.build(name, {}, False).model
        except CspanalyzeError as error:
            note = f"{note}; {error}" if note else str(error)
        else:
            params = sum(parameter.numel() for parameter in model.parameters())
    return Network(listed.name, params, listed.source, listed.input_size, brief, note)
