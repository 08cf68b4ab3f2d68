"""`DarknetNet`: the layers of a plan as one `nn.Module`."""

from __future__ import annotations

from typing import cast

import torch
from torch import Tensor, nn

from cspanalyze.darknet.layers import Convolution, Implicit, Layer, Plan
from cspanalyze.darknet.modules.assembly import module_of
from cspanalyze.darknet.modules.convolution import share_weights

_EXCURSION = 8
"""Layers after which a map of another size is a new stage, and no side path that returns (a gate, an elastic half)."""


def stages(plan: Plan) -> dict[str, list[Layer]]:
    """The layers by name of their stage: `stem`, `neck`, `head` where the file says so, otherwise `stage1`, `stage2` ..

    The latter are cut where the size of the map changes for more than a few layers.
    """
    parts = [section.part for section in plan.sections[1:]]
    unnamed = [layer for layer, part in zip(plan.layers, parts, strict=True) if not part]
    found = {f"stage{number}": members for number, members in enumerate(_by_size(plan, unnamed), start=1)}
    for layer, part in zip(plan.layers, parts, strict=True):
        if part:
            found.setdefault(part, []).append(layer)
    return found


def _by_size(plan: Plan, layers: list[Layer]) -> list[list[Layer]]:
    cuts = [0]
    current = plan.input.size
    for index, layer in enumerate(layers):
        if layer.shape.size == current or isinstance(layer.kind, Implicit):
            continue
        if any(later.shape.size == current for later in layers[index + 1 : index + 1 + _EXCURSION]):
            continue
        if index:
            cuts.append(index)
        current = layer.shape.size
    return [layers[start:stop] for start, stop in zip(cuts, [*cuts[1:], len(layers)], strict=True) if start < stop]


class DarknetNet(nn.Module):
    """A network of Darknet layers: `stage1.0_convolutional`, .. `stage2.2_maxpool`, .. `neck.9_route` ...

    It takes (N, C, H, W), or (N, inputs) where the file says `inputs`; other heights and widths than those of the file
    are possible where the layers allow them. It returns the maps that its heads get, as a list; without heads, the map
    of its last layer, as (N, C) if that has one position.
    """

    def __init__(self, plan: Plan) -> None:
        super().__init__()
        self.plan = plan
        self._stages = {layer.index: name for name, members in stages(plan).items() for layer in members}
        for name, members in stages(plan).items():
            self.add_module(name, nn.ModuleDict({layer.name: module_of(layer) for layer in members}))
        modules = self.layer_modules()
        for layer in plan.layers:
            if isinstance(layer.kind, Convolution) and layer.kind.shared is not None:
                share_weights(modules[layer.index], modules[layer.kind.shared])
        self._dropped = _dropped_after(plan)

    @property
    def input_shape(self) -> tuple[int, ...]:
        """The input that the file names, as long as one sequence."""
        shape = self.plan.input
        vector = shape.size == (1, 1)
        return (self.plan.steps, shape.channels) if vector else (self.plan.steps, shape.channels, *shape.size)

    def layer_modules(self) -> list[nn.Module]:
        """The module of every layer, in order."""
        stages = dict(self.named_children())
        return [cast(nn.ModuleDict, stages[self._stages[layer.index]])[layer.name] for layer in self.plan.layers]

    def forward(self, x: Tensor) -> Tensor | list[Tensor]:
        """Run the layers in order; a map that no later layer reads is let go."""
        maps: dict[int, Tensor] = {-1: x if x.dim() != 2 else x[:, :, None, None]}
        for layer, module in zip(self.plan.layers, self.layer_modules(), strict=True):
            maps[layer.index] = module(*(maps[source] for source in layer.reads))
            for index in self._dropped[layer.index]:
                del maps[index]
        outputs = [maps[index] for index in self.plan.outputs]
        if self.plan.is_detector:
            return outputs
        return outputs[0].flatten(1) if outputs[0].shape[2:] == (1, 1) else outputs[0]

    def changed_modules(self) -> list[str]:
        """Paths of the modules that are not as they were built: of another class, with other settings or shapes."""
        with torch.device("meta"):
            fresh = DarknetNet(self.plan)
        built, present = _description(fresh), _description(self)
        return [path for path in {**built, **present} if built.get(path) != present.get(path)]


def _description(network: nn.Module) -> dict[str, tuple[object, ...]]:
    """What a module is, apart from the numbers that it holds, by path."""
    found: dict[str, tuple[object, ...]] = {}
    for path, module in network.named_modules():
        shapes = [(name, tuple(p.shape)) for name, p in module.named_parameters(recurse=False)]
        settings = "" if list(module.children()) else repr(module)
        found[path] = (type(module), settings, tuple(shapes))
    return found


def _dropped_after(plan: Plan) -> list[list[int]]:
    """For every layer, the maps that are needed no more once it has run."""
    last = {source: layer.index for layer in plan.layers for source in layer.reads}
    dropped: list[list[int]] = [[] for _ in plan.layers]
    for index in range(-1, len(plan.layers)):
        if index not in plan.outputs:
            dropped[max(last.get(index, index), 0)].append(index)
    return dropped
