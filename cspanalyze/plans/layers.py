"""Single layers read off a module: windows of convolutions and poolings, and chains of them."""

from __future__ import annotations

from collections.abc import Iterable

from torch import nn

from cspanalyze.stage_plans import Chain, Resize, Size, Step, Window

_POOLS = (nn.MaxPool2d, nn.AvgPool2d)
_ADAPTIVE_POOLS = (nn.AdaptiveAvgPool2d, nn.AdaptiveMaxPool2d)
_KEEPS_SIZE = (
    nn.Identity,
    nn.modules.batchnorm._NormBase,
    nn.modules.dropout._DropoutNd,
    nn.GroupNorm,
    nn.LayerNorm,
    nn.Linear,
    nn.Flatten,
)


class Unknown(Exception):
    """A module that matches no known structure; `read_plan` turns it into a stage without parts."""


def convolutions(module: nn.Module) -> list[nn.Conv2d]:
    """Every convolution inside, in registration order."""
    return [found for found in module.modules() if isinstance(found, nn.Conv2d)]


def window_of(layer: nn.Module) -> Window:
    """The window of a 2-D convolution, max or average pooling.

    Raises:
        Unknown: another class, or a subclass that pads or strides in its own way (TensorFlow's "same").
    """
    if isinstance(layer, nn.Conv2d) and type(layer).forward is nn.Conv2d.forward:
        if layer.padding == "same":  # torch allows it for stride 1 only: the size stays
            return Window((1, 1))
        padding = (0, 0) if isinstance(layer.padding, str) else _pair(layer.padding)
        return Window(_pair(layer.kernel_size), _pair(layer.stride), padding, _pair(layer.dilation))
    if isinstance(layer, _POOLS) and type(layer).forward in [pool.forward for pool in _POOLS]:
        # A pooling without a stride moves by its whole kernel; torch has filled that in already.
        dilation = getattr(layer, "dilation", 1)  # only a max pooling has one
        kernel, stride = _pair(layer.kernel_size), _pair(layer.stride)
        return Window(kernel, stride, _pair(layer.padding), _pair(dilation), layer.ceil_mode)
    raise Unknown(type(layer).__name__)


def read_chain(modules: Iterable[nn.Module]) -> Chain:
    """Convolutions and poolings that run one after the other; norms, activations and classifiers between are passed.

    Raises:
        Unknown: something that is neither, for instance an anti-aliasing filter.
    """
    steps: list[Step] = []
    for module in modules:
        _collect(module, steps)
    return Chain(tuple(steps))


def _collect(module: nn.Module, steps: list[Step]) -> None:
    if isinstance(module, nn.Conv2d):
        steps.append(Step(window_of(module), module.in_channels, module.out_channels))
    elif isinstance(module, _POOLS):
        steps.append(Step(window_of(module)))
    elif isinstance(module, _ADAPTIVE_POOLS):
        if None in (size := _pair(module.output_size)):
            raise Unknown("an adaptive pooling along one axis only")
        steps.append(Step(Resize(size)))
    elif hasattr(module, "pool_type"):  # timm's selectable pooling of heads; "" switches it off
        steps += [Step(Resize((1, 1)))] if module.pool_type else []
    elif isinstance(module, _KEEPS_SIZE) or _is_activation(module):
        pass
    elif runs_in_order(module):
        if hasattr(module, "input_kernel_size"):  # timm's VGG head, which enlarges what its first kernel would miss
            steps.append(Step(Resize(_pair(module.input_kernel_size), at_least=True)))
        for child in module.children():
            _collect(child, steps)
    else:
        raise Unknown(type(module).__name__)


def is_sequential(module: nn.Module) -> bool:
    """Whether the module does nothing but run its children in order."""
    return isinstance(module, nn.Sequential) and type(module).forward is nn.Sequential.forward


def runs_in_order(module: nn.Module) -> bool:
    """A sequence; convolution, norm, activation and perhaps pooling under one roof; or a classifier head."""
    marks = ("global_pool", "input_kernel_size")
    wraps_one = isinstance(getattr(module, "conv", None), nn.Conv2d) and len(convolutions(module)) == 1
    return is_sequential(module) or wraps_one or any(hasattr(module, mark) for mark in marks)


def is_layer(module: nn.Module) -> bool:
    """A convolution, pooling, norm, activation or the like, alone, wrapped with its norm, or a sequence of such."""
    if is_sequential(module):
        return all(is_layer(child) for child in module.children())
    kinds = (nn.Conv2d, *_POOLS, *_ADAPTIVE_POOLS, *_KEEPS_SIZE)
    return isinstance(module, kinds) or hasattr(module, "pool_type") or _is_activation(module) or runs_in_order(module)


def _is_activation(module: nn.Module) -> bool:
    """torch's activations and timm's live in files of that name, and hold no layers."""
    return ".activation" in type(module).__module__ and not list(module.children())


def _pair(value: object) -> Size:
    first, second = value if isinstance(value, tuple) else (value, value)
    return first, second
