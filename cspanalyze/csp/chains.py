"""Finds chains of equal blocks in a traced network, whatever its classes: one map in, one map of the same shape out.

A member of a chain is a module that is called once, reads one (N, C, H, W) map and makes one of the same shape, with a
spatial convolution and at least two layers in it; or, in a dense chain, makes a map of all channels that it reads and
as many new ones as the other members. Three guards, each from a network that would run and be wrong: all reads of a
member's output lie inside the next member; a container counts as its children only if they do all its work and its
output is the last one's; nothing is looked for inside a class that has been taken as a block.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from torch import nn

from cspanalyze.csp.growth import NONE, Growth, growth_between
from cspanalyze.graph import ModelGraph, ModuleCall, OpNode


@dataclass(frozen=True, slots=True)
class Link:
    """Modules that stand in a row, called one after the other: usually one; a bare convolution with what follows it."""

    paths: tuple[str, ...]
    modules: tuple[nn.Module, ...]
    source: int
    made: int
    start: int
    stop: int
    shape: tuple[int, ...]
    bare: bool
    refusal: str = ""
    growth: Growth = NONE

    @property
    def path(self) -> str:
        """The path of the first module."""
        return self.paths[0]


@dataclass(frozen=True, slots=True)
class Chain:
    """Links of equal shape or, in a dense chain, of equal growth; each reads the one before.

    `holder` is the path of the module that holds the links and, of other modules that convolve, an entry at most.
    """

    links: tuple[Link, ...]
    holder: str = ""

    @property
    def shape(self) -> tuple[int, ...]:
        """(N, C, H, W) of the map that enters the first link."""
        return self.links[0].shape

    @property
    def path(self) -> str:
        """What the chain is called: like its holder, or by its first and last link, `features.3..5`."""
        paths = [path for link in self.links for path in link.paths]
        return self.holder or (paths[0] if len(paths) == 1 else f"{paths[0]}..{paths[-1].rpartition('.')[2]}")

    @property
    def grown(self) -> int:
        """How many channels all links add; 0 unless the chain is dense."""
        return sum(link.growth.channels for link in self.links)


@dataclass(frozen=True, slots=True)
class Refusal:
    """A module that was looked at and is no part of a chain."""

    path: str
    kind: str
    reason: str


def find_chains(model: nn.Module, graph: ModelGraph) -> tuple[tuple[Chain, ...], tuple[Refusal, ...]]:
    """The chains in order of execution, and what was refused."""
    return _Search(model, graph).result()


class _Search:
    def __init__(self, model: nn.Module, graph: ModelGraph) -> None:
        self._graph = graph
        self._modules = dict(model.named_modules())
        self._children: dict[int, list[ModuleCall]] = {}
        self._beside: dict[str, list[ModuleCall]] = {}
        self._times: dict[str, int] = {}
        for call in graph.calls:
            self._children.setdefault(call.parent, []).append(call)
            self._beside.setdefault(_parent(call.module), []).append(call)
            self._times[call.module] = self._times.get(call.module, 0) + 1
        self._blocks: set[type[nn.Module]] = set()
        self._chains: list[Chain] = []
        self._refusals: dict[str, Refusal] = {}

    def result(self) -> tuple[tuple[Chain, ...], tuple[Refusal, ...]]:
        level = list(self._children.get(-1, []))
        while level:  # level by level, so that blocks are known as such before an entry of their class is looked into
            level = [inner for call in level for inner in self._look_into(call)]
        self._chains = sorted(map(self._held, self._chains), key=lambda chain: chain.links[0].start)
        taken = {path for chain in self._chains for link in chain.links for path in link.paths}
        opened = {path.rpartition(".")[0] for path in taken}
        told = [
            each
            for path, each in self._refusals.items()
            if self._children.get(self._graph.calls_of(path)[0].index) and not any(inside(one, path) for one in opened)
        ]
        return tuple(self._chains), tuple(told)

    def _held(self, chain: Chain) -> Chain:
        """The chain with its holder, if it has one."""
        holder = _parent(chain.links[0].path)
        own = {path for link in chain.links for path in link.paths}
        others = [call for call in self._beside.get(holder, ()) if call.module not in own]
        convolve = [call for call in others if any(op.name == "conv2d" for op in self._ops(call))]
        alone = holder and self._times.get(holder, 1) == 1 and len(convolve) < 2
        return replace(chain, holder=holder) if alone else chain

    def _look_into(self, call: ModuleCall) -> list[ModuleCall]:
        """Take the chains among what a module calls; the calls to look into next."""
        if type(self._modules.get(call.module)) in self._blocks:
            return []
        links = list(self._links(call))
        runs = list(self._runs(links))
        self._blocks.update(
            type(module) for run in runs for link in run for module in link.modules if len(link.modules) == 1
        )
        self._chains += [Chain(tuple(run)) for run in runs]
        members = {link.path for run in runs for link in run}
        deeper = []
        for link in links:
            if link.path in members:
                continue
            if not self._convolves(link):
                if any(op.name == "linear" for op in self._graph.ops[link.start : link.stop]):
                    self._refuse(link, "has no 2-d convolution")
            else:
                deeper += self._graph.calls_of(link.path)[:1]
                alone = "adds channels once only" if link.growth.steps else "is a bare convolution by itself"
                self._refuse(link, link.refusal or alone)
        return deeper

    def _refuse(self, link: Link, reason: str) -> None:
        self._refusals[link.path] = Refusal(link.path, type(link.modules[0]).__name__, reason)

    def _links(self, call: ModuleCall) -> Iterator[Link]:
        """What a module calls, with transparent containers taken apart, and bare layers of a sequence put together."""
        children = self._children.get(call.index, [])
        module = self._modules.get(call.module)
        bare = [child for child in children if isinstance(self._modules.get(child.module), nn.Conv2d)]
        if isinstance(module, nn.Sequential) and len(bare) > 1 and self._transparent(call):
            children_links = self._joined(children)
        else:
            children_links = [self._link([child]) for child in children]
        for link in children_links:
            inner = self._call(link)
            if inner is None or not self._transparent(inner):
                yield link
            elif self._opens(inner):
                yield from self._links(inner)
            else:
                yield replace(link, refusal=self._repeats(inner) or link.refusal)

    def _call(self, link: Link) -> ModuleCall | None:
        calls = self._graph.calls_of(link.path) if len(link.modules) == 1 else []
        return calls[0] if len(calls) == 1 else None

    def _opens(self, call: ModuleCall) -> bool:
        """Whether a transparent container is worth taking apart: there are blocks in it."""
        return any(self._runs(list(self._links(call))))

    def _repeats(self, call: ModuleCall) -> str:
        """Why a transparent container is no block itself: it runs a block several times. "" if it does not."""
        for child in self._children.get(call.index, []):
            layers = [op for op in self._ops(child) if op.name in ("conv2d", "linear")]
            if self._times[child.module] > 1 and len(layers) > 1:
                return f"runs {child.module} {self._times[child.module]} times"
        return ""

    def _transparent(self, call: ModuleCall) -> bool:
        children = self._children.get(call.index, [])
        if not children or len(call.inputs) != 1 or len(call.outputs) != 1:
            return False
        value = call.inputs[0]
        for child in children:
            if child.inputs != (value,) or len(child.outputs) != 1:
                return False
            (value,) = child.outputs
        inside = sum(child.stop - child.start for child in children)
        return call.outputs == (value,) and inside == call.stop - call.start

    def _joined(self, children: Sequence[ModuleCall]) -> list[Link]:
        """The links of a sequence; a bare convolution takes the norms and activations behind it along."""
        links: list[Link] = []
        group: list[ModuleCall] = []
        for child in children:
            module = self._modules.get(child.module)
            bare = isinstance(module, nn.Conv2d)
            if group and not bare and self._trails(child, group[-1]):
                group.append(child)
                continue
            if group:
                links.append(self._link(group, bare=True))
                group = []
            if bare:
                group = [child]
            else:
                links.append(self._link([child]))
        if group:
            links.append(self._link(group, bare=True))
        return links

    def _trails(self, call: ModuleCall, before: ModuleCall) -> bool:
        """Whether a leaf only normalises or activates what the layer before it makes."""
        if self._children.get(call.index) or len(call.outputs) != 1 or len(call.inputs) != 1:
            return False
        if not before.outputs or call.inputs != before.outputs:
            return False
        same = self._graph.spec(call.outputs[0]).shape == self._graph.spec(call.inputs[0]).shape
        return same and not any(op.name in ("conv2d", "linear") or "pool" in op.name for op in self._ops(call))

    def _link(self, calls: Sequence[ModuleCall], bare: bool = False) -> Link:
        first, last = calls[0], calls[-1]
        modules = tuple(self._modules[call.module] for call in calls if call.module in self._modules)
        shape = self._graph.spec(first.inputs[0]).shape if first.inputs else ()
        growth = self._growth(first, last)
        return Link(
            tuple(call.module for call in calls),
            modules or (nn.Identity(),),
            first.inputs[0] if first.inputs else -1,
            last.outputs[0] if last.outputs else -1,
            first.start,
            last.stop,
            shape,
            bare,
            self._refusal(calls, bare, growth),
            growth,
        )

    def _growth(self, first: ModuleCall, last: ModuleCall) -> Growth:
        """What is added to the channels of the one map that is read, where height and width stay."""
        if len(first.inputs) != 1 or len(last.outputs) != 1:
            return NONE
        (source,), (made,) = first.inputs, last.outputs
        before, after = self._graph.spec(source).shape, self._graph.spec(made).shape
        if not len(before) == len(after) == 4 or before[0] != after[0] or before[2:] != after[2:]:
            return NONE
        return growth_between(self._graph, source, made, first.start) if after[1] > before[1] else NONE

    def _refusal(self, calls: Sequence[ModuleCall], bare: bool, growth: Growth) -> str:
        first, last = calls[0], calls[-1]
        if any(call.module not in self._modules for call in calls):
            return "is made during the forward pass"
        if (times := max(self._times[call.module] for call in calls)) > 1:
            return f"runs {times} times"
        if len(first.inputs) != 1 or len(last.outputs) != 1:
            return f"takes {len(first.inputs)} tensors and makes {len(last.outputs)}, not one and one"
        before, after = (self._graph.spec(value).shape for value in (first.inputs[0], last.outputs[0]))
        if not growth.steps and (len(before) != 4 or before != after):
            return (
                f"makes {_size(after)} of {_size(before)}{'' if len(before) == len(after) == 4 else ', no N,C,H,W map'}"
            )
        ops = [op for call in calls for op in self._ops(call)]
        layers = [op for op in ops if op.name in ("conv2d", "linear")]
        if not any(_spatial(op, self._graph) for op in layers):
            return "has no spatial convolution"
        if len(layers) < 2 and not bare and not growth.steps:
            return "has a single layer"
        return ""

    def _runs(self, links: Sequence[Link]) -> Iterator[list[Link]]:
        for run in self._rows(links):
            steps = sum(link.growth.steps for link in run)
            if steps > 1 if steps else len(run) > 1 or not run[0].bare:
                yield run

    def _rows(self, links: Sequence[Link]) -> Iterator[list[Link]]:
        run: list[Link] = []
        for link in links:
            if run and (link.refusal or not self._follows(run[-1], link)):
                yield run
                run = []
            if not link.refusal:
                run.append(link)
        if run:
            yield run

    def _follows(self, one: Link, other: Link) -> bool:
        """Whether the output of one link is read by the next one in the same container, and by nothing else."""
        if other.source != one.made or _parent(one.path) != _parent(other.path) or one.growth != other.growth:
            return False
        readers = self._graph.consumers[one.made]
        inside = all(other.start <= reader < other.stop for reader in readers)
        return inside and one.made not in self._graph.outputs

    def _convolves(self, link: Link) -> bool:
        return any(op.name == "conv2d" for op in self._graph.ops[link.start : link.stop])

    def _ops(self, call: ModuleCall) -> Sequence[OpNode]:
        return self._graph.ops[call.start : call.stop]


def _spatial(op: OpNode, graph: ModelGraph) -> bool:
    return op.name == "conv2d" and any(size > 1 for size in graph.spec(op.inputs[1]).shape[2:])


def _parent(path: str) -> str:
    return path.rpartition(".")[0]


def inside(path: str, parent: str) -> bool:
    """Whether a module path is that of `parent`, or of a module in it."""
    return path == parent or path.startswith(f"{parent}.") or not parent


def _size(shape: Sequence[int]) -> str:
    return "x".join(map(str, shape[1:]))
