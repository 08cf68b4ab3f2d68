"""A network -> plain PyTorch source: a class for every module that is none of torch's own, from its traced forward."""

from __future__ import annotations

import inspect
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from torch import nn

from cspanalyze.csp.stage import CSPStage
from cspanalyze.csp.statements import expression, first_only
from cspanalyze.errors import CspError
from cspanalyze.graph import UPDATE, ModelGraph, ModuleCall, OpNode

_MARK = "\x00"
_PART = f"{_MARK}part{_MARK}"
_LAYERS = (nn.Conv2d, nn.BatchNorm2d, nn.GroupNorm, nn.LayerNorm, nn.Linear)
_LISTS = (nn.Sequential, nn.ModuleList)
_PARENTS = (*_LAYERS, *_LISTS)
_WEIGHTS = ("weight", "bias", "running_mean", "running_var", "num_batches_tracked")
_WIDTH = 100
_NAMES = ("y", "z", *(f"y{number}" for number in range(2, 400)))


def source_of(model: nn.Module, graph: ModelGraph, heading: str) -> str:
    """Source of a module whose class has the name of the model's, with its module names, so that weights fit.

    Classes are made from the trace in inference mode: what a module does only in training is in the source where it is
    one of torch's own layers (dropout, batch norm); a module of others that does nothing in inference is refused if it
    would do something in training.

    Raises:
        CspError: a module or an operation can not be written down.
    """
    return _Writer(model, graph).text(heading)


@dataclass
class _Made:
    """A class to be: `lines` with marks in place of `values`, and a made object for every child class in `parts`."""

    name: str
    parent: str
    init: list[str]
    forward: list[str]
    values: list[str]
    labels: list[str]
    parts: list[_Made] = field(default_factory=list)

    @property
    def is_its_parent(self) -> bool:
        """Whether the class does nothing that its parent, one of torch's layers, does not do."""
        forward = ["def forward(self, x):", "x = super().forward(x)", "return x"]
        return self.forward == forward and len(self.init) == 1 and not self.parts

    @property
    def flat(self) -> tuple[str, ...]:
        """All values, those of the parts included."""
        return (*self.values, *(value for part in self.parts for value in part.flat))

    @property
    def key(self) -> tuple[object, ...]:
        return (self.name, self.parent, *self.init, "", *self.forward, *(part.key for part in self.parts))


class _Writer:
    def __init__(self, model: nn.Module, graph: ModelGraph) -> None:
        self._model, self._graph = model, graph
        self._modules = dict(model.named_modules())
        self._children: dict[int, list[ModuleCall]] = {}
        self._calls: dict[str, ModuleCall] = {}
        for call in graph.calls:
            self._children.setdefault(call.parent, []).append(call)
            self._calls.setdefault(call.module, call)
        self._own: dict[int, list[OpNode]] = {}
        for op in graph.ops:
            self._own.setdefault(op.call, []).append(op)

    def text(self, heading: str) -> str:
        root = self._class("")
        every = list(_walk(root))
        classes: dict[tuple[object, ...], list[_Made]] = {}
        for made in every:
            classes.setdefault(made.key, []).append(made)
        taken: Counter[str] = Counter()
        written: dict[tuple[object, ...], _Class] = {}
        texts = []
        for key, instances in classes.items():
            name = instances[0].name
            taken[name] += 1
            shown = name if taken[name] == 1 else f"{name}{taken[name]}"
            written[key] = _Class(shown, instances, written)
            texts.append(written[key].text())
        body = "\n\n\n".join(texts)
        torch = "import torch\n" if "torch." in body.replace("torch.nn", "") else ""
        functional = "import torch.nn.functional as F\n" if "F." in body else ""
        ordered = "from collections import OrderedDict\n\n" if "OrderedDict(" in body else ""
        return f'"""{heading}"""\n\n{ordered}{torch}{functional}from torch import nn\n\n\n{body}\n'

    def _class(self, path: str) -> _Made:
        module = self._modules[path]
        parent = next((kind for kind in type(module).__mro__ if kind in _PARENTS), nn.Module)
        made = _Made(_identifier(type(module).__name__), f"nn.{parent.__name__}", [], [], [], [])
        if parent in _LISTS:
            items = [self._construct(_join(path, name), made, name) for name, _ in module.named_children()]
            listed = ", ".join(items)
            made.init.append(f"super().__init__({f'[{listed}]' if parent is nn.ModuleList else listed})")
        elif parent is not nn.Module:
            made.init.append(f"super().__init__({self._arguments(module, parent, made, 'self')})")
        inherited = _WEIGHTS if parent in _LAYERS else ()
        for name, tensor in [*module.named_parameters(recurse=False), *module.named_buffers(recurse=False)]:
            if name in inherited:
                continue
            empty = f"torch.empty({self._mark(made, tuple(tensor.shape), name)})"
            if isinstance(tensor, nn.Parameter):
                made.init.append(f"self.{name} = nn.Parameter({empty})")
            else:
                made.init.append(f"self.register_buffer({name!r}, {empty})")
        for name, child in module.named_children() if parent not in _LISTS else ():
            if not name.isidentifier():
                raise CspError(f"{_join(path, name)} has a name that no attribute can have")
            if not isinstance(child, nn.Identity) and (self._is_called(_join(path, name)) or list(child.parameters())):
                made.init.append(f"self.{name} = {self._construct(_join(path, name), made, name)}")
        self._forward(path, made)
        return made

    def _is_called(self, path: str) -> bool:
        return any(name == path or name.startswith(f"{path}.") for name in self._calls)

    def _construct(self, path: str, made: _Made, label: str) -> str:
        """The expression that builds a module; custom classes become parts of `made`."""
        module = self._modules[path]
        if isinstance(module, nn.Sequential) and type(module).forward is nn.Sequential.forward:
            return self._sequence(path, module, made, label)
        if type(module) is nn.ModuleList:
            items = [text for _, text in self._items(path, module, made, label)]
            return f"nn.ModuleList([{', '.join(items)}])"
        if type(module).__module__.startswith("torch.nn.") and not list(module.children()):
            return f"nn.{type(module).__name__}({self._arguments(module, type(module), made, label)})"
        if path not in self._calls or self._calls[path].start == self._calls[path].stop:
            if not getattr(module, "drop_prob", 0) and not list(module.parameters()):
                return "nn.Identity()"
            raise CspError(
                f"{path} ({type(module).__name__}) does nothing in inference mode, from which source is written"
            )
        part = self._class(path)
        if part.is_its_parent:
            kind = next(kind for kind in type(module).__mro__ if kind in _LAYERS)
            return f"nn.{kind.__name__}({self._arguments(module, kind, made, label)})"
        made.parts.append(part)
        return _PART

    def _items(self, path: str, module: nn.Module, made: _Made, label: str) -> list[tuple[str, str]]:
        children = [name for name, _ in module.named_children()]
        return [(name, self._construct(_join(path, name), made, f"{label}_{name}")) for name in children]

    def _sequence(self, path: str, module: nn.Module, made: _Made, label: str) -> str:
        """A plain sequence; equal members are written once."""
        before = len(made.parts)
        items = self._items(path, module, made, label)
        numbered = all(name == str(index) for index, (name, _) in enumerate(items))
        new = made.parts[before:]
        if numbered and len(items) == len(new) > 1 and len({(part.key, *part.flat) for part in new}) == 1:
            del made.parts[before + 1 :]
            return f"nn.Sequential(*({_PART} for _ in range({self._mark(made, len(items), 'depth')})))"
        if numbered:
            return f"nn.Sequential({', '.join(text for _, text in items)})"
        return f"nn.Sequential(OrderedDict({', '.join(f'{name}={text}' for name, text in items)}))"

    def _arguments(self, module: nn.Module, kind: type[nn.Module], made: _Made, label: str) -> str:
        texts = []
        positional = True
        for name, parameter in inspect.signature(kind.__init__).parameters.items():
            if name in ("self", "device", "dtype") or parameter.kind in (
                parameter.VAR_KEYWORD,
                parameter.VAR_POSITIONAL,
            ):
                continue
            if not hasattr(module, name):
                if parameter.default is parameter.empty:
                    raise CspError(f"a {kind.__name__} does not keep its argument {name}")
                continue
            value = getattr(module, name)
            if name == "bias" and not isinstance(value, bool):
                value = value is not None
            if value == parameter.default and parameter.default is not parameter.empty:
                positional = False
                continue
            if isinstance(value, tuple) and len(set(value)) == 1 and len(value) == 2 and name != "normalized_shape":
                value = value[0]
                if value == parameter.default:
                    positional = False
                    continue
            marked = self._mark(made, value, f"{label}_{name}")
            texts.append(marked if positional else f"{name}={marked}")
        return ", ".join(texts)

    def _mark(self, made: _Made, value: object, label: str) -> str:
        made.values.append(repr(value))
        made.labels.append(label)
        return f"{_MARK}{len(made.values) - 1}{_MARK}"

    def _forward(self, path: str, made: _Made) -> None:
        call = self._calls.get(path)
        if call is None:
            raise CspError(f"{path} ({self._modules[path].__class__.__name__}) is never called")
        items: list[OpNode | ModuleCall] = [*self._own.get(call.index, []), *self._children.get(call.index, [])]
        items.sort(key=lambda item: (item.index, 1) if isinstance(item, OpNode) else (item.start, 0))
        reads = [list(item.inputs) for item in items]
        last = {value: at for at, values in enumerate(reads) for value in values}
        last.update(dict.fromkeys(call.outputs, len(items)))
        names = {value: "x" if at == 0 else f"x{at + 1}" for at, value in enumerate(call.inputs)}
        free = [*_NAMES]
        prefix = f"{path}." if path else ""

        def name(value: int) -> str:
            if value in names:
                return names[value]
            found = self._graph.values[value]
            if found.kind in ("parameter", "buffer") and found.name.startswith(prefix):
                return "self." + found.name.removeprefix(prefix)
            raise CspError(f"{path or 'the model'} reads a tensor from outside its inputs")

        for at, item in enumerate(items):
            kept = [value for value in item.outputs if value in last and (last[value] > at)]
            if isinstance(item, ModuleCall):
                module = self._modules.get(item.module)
                if module is None:
                    raise CspError(f"{item.module} is made during the forward pass")
                if isinstance(module, nn.Identity) and not item.module.removeprefix(prefix).count("."):
                    continue
                text = f"{_reference(item.module.removeprefix(prefix))}({', '.join(map(name, item.inputs))})"
                outputs = list(item.outputs)
            else:
                if item.target == UPDATE:
                    raise CspError(f"{path or 'the model'} writes into a part of a tensor")
                text = self._statement(item, made, path, name)
                outputs = list(item.outputs[:1] if first_only(item) else item.outputs)
            if not kept:
                continue
            targets = []
            for value in outputs:
                reusable = [
                    n for v, n in names.items() if last.get(v, -1) <= at and n not in targets and v not in item.outputs
                ]
                reused = [names[v] for v in reads[at] if v in names and names[v] in reusable]
                if value in names and isinstance(item, ModuleCall):
                    target = names[value]
                elif reused:
                    target = reused[0]
                else:
                    target = next(n for n in free if n not in names.values() and n not in targets)
                targets.append(target)
            for value, target in zip(outputs, targets, strict=True):
                names = {v: n for v, n in names.items() if n != target or v == value}
                names[value] = target
            if text != targets[0]:
                made.forward.append(f"{', '.join(targets)} = {text}")
        made.forward.append(f"return {', '.join(map(name, call.outputs))}")
        inputs = ["x" if at == 0 else f"x{at + 1}" for at in range(len(call.inputs))]
        joined = f"torch.cat(({', '.join(inputs)}{',' if len(inputs) == 1 else ''}), "
        if made.forward[0].startswith(f"x = {joined}") and not any(
            _reads(line, inputs[1:]) for line in made.forward[1:]
        ):
            made.forward[0] = made.forward[0].replace(joined, "torch.cat(x, ")
            inputs = ["*x"]
        made.forward.insert(0, f"def forward({', '.join(['self', *inputs])}):")

    def _statement(self, op: OpNode, made: _Made, path: str, name: object) -> str:
        base = next((kind for kind in type(self._modules[path]).__mro__ if kind in _LAYERS), None)
        own = {"batch_norm": nn.BatchNorm2d}.get(op.name)
        if own is not None and base is own and len(op.inputs) == 5:
            return f"super().forward({name(op.inputs[0])})"  # type: ignore[operator]
        text = expression(op, self._graph, name)  # type: ignore[arg-type]
        label = "c1" if isinstance(self._modules[path], CSPStage) and op.name == "slice" else f"{op.name}_size"
        # Whole numbers differ between modules of one make; names do not end in such.
        return re.sub(r"(?<![\w.])(?<!e-)\d+(?![\w.])", lambda found: self._mark(made, int(found.group()), label), text)


class _Class:
    """A class for all modules that differ only in numbers; those that differ are arguments."""

    def __init__(self, name: str, instances: list[_Made], written: dict[tuple[object, ...], _Class]) -> None:
        self.name, self._made, self._written = name, instances[0], written
        columns = list(zip(*(self._values(made) for made in instances), strict=True))
        labels = self._labels(instances[0])
        self._columns: list[tuple[str, ...]] = []
        self._names: list[str] = []
        self._at: dict[int, int] = {}
        for position, column in enumerate(columns):
            if len(set(column)) == 1:
                continue
            if column not in self._columns:
                self._columns.append(column)
                self._names.append(_unique(_parameter(labels[position]), self._names))
            self._at[position] = self._columns.index(column)
        self._constants = [column[0] for column in columns]
        self._rows = {id(made): index for index, made in enumerate(instances)}

    def arguments(self, made: _Made) -> list[str]:
        """What an instance is built with."""
        return [column[self._rows[id(made)]] for column in self._columns]

    def text(self) -> str:
        counter = iter(range(len(self._made.values), len(self._constants)))
        parts = iter(self._made.parts)

        def filled(line: str) -> str:
            def put(found: re.Match[str]) -> str:
                if found.group(1) != "part":
                    return self._shown(int(found.group(1)))
                inner = self._written[next(parts).key]
                return f"{inner.name}({', '.join(self._shown(next(counter)) for _ in inner._columns)})"

            return re.sub(f"{_MARK}(\\w+){_MARK}", put, line)

        init = [filled(line) for line in self._made.init]
        forward = [filled(line) for line in self._made.forward]
        for name in self._names:  # what the forward reads is kept
            kept = [re.sub(rf"(?<![\w.=]){name}(?![\w(=])", f"self.{name}", line) for line in forward]
            init += [f"self.{name} = {name}"] if kept != forward else []
            forward = kept
        arguments = ", ".join(["self", *self._names])
        lines = [f"class {self.name}({self._made.parent}):", f"    def __init__({arguments}):"]
        if not init or not init[0].startswith("super()"):
            lines.append("        super().__init__()")
        if len(forward) > 2 and forward[-2].startswith(f"{forward[-1].removeprefix('return ')} = "):
            forward[-2:] = [f"return {forward[-2].partition(' = ')[2]}"]
        lines += wrapped(init, 8)
        lines += ["", f"    {forward[0]}", *wrapped(forward[1:], 8)]
        return "\n".join(lines)

    def _shown(self, position: int) -> str:
        return self._names[self._at[position]] if position in self._at else self._constants[position]

    def _values(self, made: _Made) -> list[str]:
        return [*made.values, *(value for part in made.parts for value in self._written[part.key].arguments(part))]

    def _labels(self, made: _Made) -> list[str]:
        return [*made.labels, *(name for part in made.parts for name in self._written[part.key]._names)]


def _walk(made: _Made) -> Iterator[_Made]:
    for part in made.parts:
        yield from _walk(part)
    yield made


def wrapped(lines: Sequence[str], indent: int, end: str = "") -> list[str]:
    """Indented lines, each with `end`, the long ones broken at the commas of their outermost brackets."""
    found = []
    for line in lines:
        pieces = _pieces(line) if indent + len(line) + len(end) > _WIDTH else None
        if pieces is None:
            found.append(" " * indent + line + end)
        else:
            head, items, tail = pieces
            comma = "," if len(items) > 1 else ""
            found += [" " * indent + head, *wrapped(items, indent + 4, comma), " " * indent + tail + end]
    return found


def _pieces(line: str) -> tuple[str, list[str], str] | None:
    """What stands before, in and behind the first brackets of a line, what is in them apart; None if it has none."""
    start = next((at for at, sign in enumerate(line) if sign in "([{"), None)
    if start is None:
        return None
    items, depth = [""], 0
    for at in range(start + 1, len(line)):
        sign = line[at]
        if sign in ")]}" and not depth:
            return (line[: start + 1], [item.strip() for item in items], line[at:]) if any(items) else None
        depth += (sign in "([{") - (sign in ")]}")
        if sign == "," and not depth:
            items.append("")
        else:
            items[-1] += sign
    return None


def _reads(line: str, names: Sequence[str]) -> bool:
    return any(re.search(rf"(?<![\w.]){name}(?!\w)", line) for name in names)


def _join(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name


def _reference(path: str) -> str:
    return re.sub(r"\.(\d+)(?=\.|$)", r"[\1]", f"self.{path}")


def _identifier(name: str) -> str:
    return re.sub(r"\W", "_", name)


def _parameter(label: str) -> str:
    short = {"in_channels": "in", "out_channels": "out", "in_features": "in", "out_features": "out"}
    for long, brief in short.items():
        label = label.replace(long, brief)
    name = _identifier(label.removeprefix("self_"))
    return f"arg_{name}" if not name.isidentifier() or name in ("in", "out") else name


def _unique(name: str, taken: list[str]) -> str:
    number = 2
    unique = name
    while unique in taken:
        unique = f"{name}{number}"
        number += 1
    return unique
