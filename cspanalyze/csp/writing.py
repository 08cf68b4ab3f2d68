"""A network -> plain PyTorch source: a class for every module that is none of torch's own, from its traced forward."""

from __future__ import annotations

import inspect
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import chain
from typing import Any

from torch import Tensor, nn

from cspanalyze.csp.class_text import MARK, PART, ClassText, Made, identifier
from cspanalyze.csp.stage import CSPStage
from cspanalyze.csp.statements import expression, first_only, nested
from cspanalyze.errors import CspError
from cspanalyze.graph import UPDATE, ModelGraph, ModuleCall, OpNode

_LAYERS = (nn.Conv2d, nn.BatchNorm2d, nn.GroupNorm, nn.LayerNorm, nn.Linear)
_LISTS = (nn.Sequential, nn.ModuleList)
_PARENTS = (*_LAYERS, *_LISTS)
_WEIGHTS = ("weight", "bias", "running_mean", "running_var", "num_batches_tracked")
_NAMES = ("y", "z", *(f"y{number}" for number in range(2, 400)))


def source_of(model: nn.Module, graph: ModelGraph, heading: str, output: Any = None) -> str:
    """Source of a module whose class has the name of the model's, with its module names, so that weights fit.

    Classes are made from the trace in inference mode: what a module does only in training is in the source where it is
    one of torch's own layers (dropout, batch norm); a module of others that does nothing in inference is refused if it
    would do something in training. What `output`, the model's in that trace, is nested in, the source's is nested in
    too; without it several tensors are a tuple. Hooks are seen only as far as they compute inside a module.

    Raises:
        CspError: a module, an operation or the output can not be written down.
    """
    return _Writer(model, graph, output).text(heading)


class _Writer:
    def __init__(self, model: nn.Module, graph: ModelGraph, output: Any) -> None:
        self._model, self._graph, self._output = model, graph, output
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
        classes: dict[tuple[object, ...], list[Made]] = {}
        for made in every:
            classes.setdefault(made.key, []).append(made)
        taken: Counter[str] = Counter()
        written: dict[tuple[object, ...], ClassText] = {}
        texts = []
        for key, instances in classes.items():
            name = instances[0].name
            taken[name] += 1
            shown = name if taken[name] == 1 else f"{name}{taken[name]}"
            written[key] = ClassText(shown, instances, written)
            texts.append(written[key].text())
        body = "\n\n\n".join(texts)
        torch = "import torch\n" if "torch." in body.replace("torch.nn", "") else ""
        functional = "import torch.nn.functional as F\n" if "F." in body else ""
        ordered = "from collections import OrderedDict\n\n" if "OrderedDict(" in body else ""
        return f'"""{heading}"""\n\n{ordered}{torch}{functional}from torch import nn\n\n\n{body}\n'

    def _class(self, path: str) -> Made:
        module = self._modules[path]
        parent = next((kind for kind in type(module).__mro__ if kind in _PARENTS), nn.Module)
        made = Made(identifier(type(module).__name__), f"nn.{parent.__name__}", [], [], [], [])
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
            start = self._start(made, tensor, name, path)
            if isinstance(tensor, nn.Parameter):
                made.init.append(f"self.{name} = nn.Parameter({start})")
            else:
                made.init.append(f"self.register_buffer({name!r}, {start})")
        for name, child in module.named_children() if parent not in _LISTS else ():
            if not name.isidentifier():
                raise CspError(f"{_join(path, name)} has a name that no attribute can have")
            if not isinstance(child, nn.Identity) and (self._is_called(_join(path, name)) or list(child.parameters())):
                made.init.append(f"self.{name} = {self._construct(_join(path, name), made, name)}")
        if not path:
            made.init += [*self._sharing(), *self._frozen("")]
        self._forward(path, made)
        return made

    def _sharing(self) -> Iterator[str]:
        """A statement for every weight that is another layer's too."""
        names: dict[int, str] = {}
        every = chain(
            self._model.named_parameters(remove_duplicate=False), self._model.named_buffers(remove_duplicate=False)
        )
        for name, tensor in every:
            shared = names.setdefault(id(tensor), name)
            if shared != name and name.rpartition(".")[0] in self._modules:  # else it is a layer that is shared
                yield f"{_reference(name)} = {_reference(shared)}"

    def _frozen(self, path: str) -> Iterator[str]:
        """A statement for every module, or weight of a module in training, that is not to be trained."""
        module = self._modules[path]
        weights = list(module.parameters())
        if all(weight.requires_grad for weight in weights):
            return
        if not any(weight.requires_grad for weight in weights):
            yield f"{_reference(path) if path else 'self'}.requires_grad_(False)"
            return
        for name, weight in module.named_parameters(recurse=False):
            if not weight.requires_grad:
                yield f"{_reference(_join(path, name))}.requires_grad_(False)"
        for name, _ in module.named_children():
            yield from self._frozen(_join(path, name))

    def _start(self, made: Made, tensor: Tensor, name: str, path: str) -> str:
        """What a tensor of a module's own holds before training: its constant, or small numbers drawn anew.

        How it was drawn is not known, so a normal distribution of deviation .02 stands for it.

        Raises:
            CspError: it is no parameter, and its numbers are known to no one or too many to write down.
        """
        shape = self._mark(made, tuple(tensor.shape), name)
        if not tensor.is_meta and tensor.numel() and bool((tensor == tensor.flatten()[0]).all()):
            value = tensor.flatten()[0].item()
            exact = float(f"{value:.7g}") if isinstance(value, float) else value
            return f"torch.full({shape}, {self._mark(made, exact, f'{name}_value')})"
        if isinstance(tensor, nn.Parameter) and tensor.is_floating_point():
            return f"torch.randn({shape}).mul(0.02)"
        raise CspError(f"{_join(path, name)} holds numbers that source would not have: write weights (.pt) instead")

    def _is_called(self, path: str) -> bool:
        return any(name == path or name.startswith(f"{path}.") for name in self._calls)

    def _construct(self, path: str, made: Made, label: str) -> str:
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
        return PART

    def _items(self, path: str, module: nn.Module, made: Made, label: str) -> list[tuple[str, str]]:
        children = [name for name, _ in module.named_children()]
        return [(name, self._construct(_join(path, name), made, f"{label}_{name}")) for name in children]

    def _sequence(self, path: str, module: nn.Module, made: Made, label: str) -> str:
        """A plain sequence; equal members are written once."""
        before = len(made.parts)
        items = self._items(path, module, made, label)
        numbered = all(name == str(index) for index, (name, _) in enumerate(items))
        new = made.parts[before:]
        if numbered and len(items) == len(new) > 1 and len({(part.key, *part.flat) for part in new}) == 1:
            del made.parts[before + 1 :]
            return f"nn.Sequential(*({PART} for _ in range({self._mark(made, len(items), 'depth')})))"
        if numbered:
            return f"nn.Sequential({', '.join(text for _, text in items)})"
        return f"nn.Sequential(OrderedDict({', '.join(f'{name}={text}' for name, text in items)}))"

    def _arguments(self, module: nn.Module, kind: type[nn.Module], made: Made, label: str) -> str:
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

    def _mark(self, made: Made, value: object, label: str) -> str:
        made.values.append(repr(value))
        made.labels.append(label)
        return f"{MARK}{len(made.values) - 1}{MARK}"

    def _forward(self, path: str, made: Made) -> None:
        call = self._calls.get(path)
        if call is None:
            raise CspError(f"{path} ({type(self._modules[path]).__name__}) is never called")
        items: list[OpNode | ModuleCall] = [*self._own.get(call.index, []), *self._children.get(call.index, [])]
        items.sort(key=lambda item: (item.index, 1) if isinstance(item, OpNode) else (item.start, 0))
        prefix = f"{path}." if path else ""
        variables = _Variables(call, items)

        def name(value: int) -> str:
            if value in variables.names:
                return variables.names[value]
            found = self._graph.values[value]
            if found.kind in ("parameter", "buffer") and found.name.startswith(prefix):
                return "self." + found.name.removeprefix(prefix)
            raise CspError(f"{path or 'the model'} reads a tensor from outside its inputs")

        for at, item in enumerate(items):
            if isinstance(item, ModuleCall):
                child = item.module.removeprefix(prefix)
                if item.module not in self._modules:
                    raise CspError(f"{item.module} is made during the forward pass")
                if isinstance(self._modules[item.module], nn.Identity) and "." not in child:
                    continue  # nor is it among the children
                text = f"{_reference(child)}({', '.join(map(name, item.inputs))})"
            elif item.target == UPDATE:
                raise CspError(f"{path or 'the model'} writes into a part of a tensor")
            else:
                text = self._statement(item, made, path, name)
            if variables.is_read_after(item, at):
                targets = variables.assign(item, at)
                made.forward += [f"{', '.join(targets)} = {text}"] if targets != [text] else []
        if path or self._output is None:
            made.forward.append(f"return {', '.join(map(name, call.outputs))}")
        else:
            made.forward.append(f"return {nested(self._output, map(name, call.outputs))}")
        self._head(call, made)

    def _head(self, call: ModuleCall, made: Made) -> None:
        """Put the signature in front; inputs that are only joined are any number."""
        inputs = ["x" if at == 0 else f"x{at + 1}" for at in range(len(call.inputs))]
        joined = f"torch.cat(({', '.join(inputs)}{',' if len(inputs) == 1 else ''}), "
        first, *rest = made.forward
        if first.startswith(f"x = {joined}") and not any(_reads(line, inputs[1:]) for line in rest):
            made.forward[0] = first.replace(joined, "torch.cat(x, ")
            inputs = ["*x"]
        made.forward.insert(0, f"def forward({', '.join(['self', *inputs])}):")

    def _statement(self, op: OpNode, made: Made, path: str, name: object) -> str:
        base = next((kind for kind in type(self._modules[path]).__mro__ if kind in _LAYERS), None)
        own = {"batch_norm": nn.BatchNorm2d}.get(op.name)
        if own is not None and base is own and len(op.inputs) == 5:
            return f"super().forward({name(op.inputs[0])})"  # type: ignore[operator]
        text = expression(op, self._graph, name)  # type: ignore[arg-type]
        label = "c1" if isinstance(self._modules[path], CSPStage) and op.name == "slice" else f"{op.name}_size"
        # Whole numbers differ between modules of one make; names do not end in such.
        return re.sub(r"(?<![\w.])(?<!e-)\d+(?![\w.])", lambda found: self._mark(made, int(found.group()), label), text)


class _Variables:
    """What the values of one forward are called: a name is free again after the last statement that reads it."""

    def __init__(self, call: ModuleCall, items: Sequence[OpNode | ModuleCall]) -> None:
        self.names = {value: "x" if at == 0 else f"x{at + 1}" for at, value in enumerate(call.inputs)}
        self._last = {value: at for at, item in enumerate(items) for value in item.inputs}
        self._last.update(dict.fromkeys(call.outputs, len(items)))

    def is_read_after(self, item: OpNode | ModuleCall, at: int) -> bool:
        """Whether anything that a statement makes is read by a later one."""
        return any(self._last.get(value, -1) > at for value in item.outputs)

    def assign(self, item: OpNode | ModuleCall, at: int) -> list[str]:
        """Names for what statement `at` makes, those of inputs that nothing reads afterwards first."""
        outputs = item.outputs[:1] if isinstance(item, OpNode) and first_only(item) else item.outputs
        kept = {name for value, name in self.names.items() if self._last.get(value, -1) > at or value in outputs}
        targets: list[str] = []
        for value in outputs:
            reused = [self.names[read] for read in item.inputs if read in self.names and self.names[read] not in kept]
            if value in self.names:  # a module that hands its input on
                target = self.names[value]
            else:
                unused = (name for name in _NAMES if name not in self.names.values())
                target = next(name for name in (*reused, *unused) if name not in targets)
            targets.append(target)
        for value, target in zip(outputs, targets, strict=True):
            self.names = {other: name for other, name in self.names.items() if name != target or other == value}
            self.names[value] = target
        return targets


def _walk(made: Made) -> Iterator[Made]:
    for part in made.parts:
        yield from _walk(part)
    yield made


def _reads(line: str, names: Sequence[str]) -> bool:
    return any(re.search(rf"(?<![\w.]){name}(?!\w)", line) for name in names)


def _join(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name


def _reference(path: str) -> str:
    return re.sub(r"\.(\d+)(?=\.|$)", r"[\1]", f"self.{path}")
