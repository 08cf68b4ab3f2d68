"""Layer of a plan -> module."""

from __future__ import annotations

from torch import nn

from cspanalyze.darknet import layers
from cspanalyze.darknet.modules.activations import activation
from cspanalyze.darknet.modules.convolution import Connected, Local, convolution
from cspanalyze.darknet.modules.joins import Combination, Implicit, Route, Shortcut
from cspanalyze.darknet.modules.maps import Crop, Reorganise, Softmax, Upsample
from cspanalyze.darknet.modules.pooling import ChannelMaximum, Pooling
from cspanalyze.darknet.modules.recurrent import convolutional_recurrence, recurrence


def module_of(layer: layers.Layer) -> nn.Module:
    """The module of one layer; it takes the maps of `layer.reads` in that order."""
    kind, before = layer.kind, layer.before
    match kind:
        case layers.Convolution():
            return convolution(kind, before.channels)
        case layers.Connected():
            return Connected(kind, before.elements)
        case layers.Local():
            return Local(kind, before.channels, layer.shape.size)
        case layers.Shortcut():
            return Shortcut(kind, before.channels)
        case layers.Recurrence():
            return recurrence(kind, before.elements)
        case layers.ConvolutionalRecurrence():
            return convolutional_recurrence(kind, before.channels)
        case layers.Pooling():
            return Pooling(kind, before.channels)
        case layers.Normalisation():
            if kind.across:
                return nn.LocalResponseNorm(kind.across, kind.alpha, kind.beta, kind.kappa)
            return nn.BatchNorm2d(before.channels)
        case _:
            return _without_weights(kind)


def _without_weights(kind: layers.Kind) -> nn.Module:
    match kind:
        case layers.ChannelMaximum():
            return ChannelMaximum(kind.filters)
        case layers.GlobalMean():
            return nn.AdaptiveAvgPool2d(1)
        case layers.Route():
            return Route(kind)
        case layers.Combination():
            return Combination(kind)
        case layers.Implicit():
            return Implicit(kind)
        case layers.Upsample():
            return Upsample(kind)
        case layers.Reorganise():
            return Reorganise(kind)
        case layers.Crop():
            return Crop(kind)
        case layers.Activation():
            return activation(kind.activation)
        case layers.Dropout():
            return nn.Dropout(kind.probability)
        case layers.Softmax():
            return Softmax(kind)
        case layers.Head():
            return nn.Identity()
        case _:
            raise TypeError(f"{type(kind).__name__} has no module")
