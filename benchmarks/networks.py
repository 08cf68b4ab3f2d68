"""The networks of the comparisons: this package's own where it has them, which spares every tool the import of timm."""

from __future__ import annotations

import importlib
from typing import Any

NETWORKS = ("resnet50", "densenet201", "vit_base_patch16_224", "convnext_base", "hrnet_w18")
SHAPE = (1, 3, 224, 224)


def build(name: str, device: str) -> tuple[Any, Any]:
    """A network in evaluation mode, and its input, on "meta" or "cpu"; "building" is this package's own way to meta."""
    import torch

    from cspanalyze import zoo
    from cspanalyze.sources.torchvision_import import with_torchvision
    from cspanalyze.tracing import building

    torch.set_num_threads(1)
    if name in zoo.names():
        create = zoo.create
    else:
        create = with_torchvision(lambda: importlib.import_module("timm")).create_model
    with building() if device == "building" else torch.device(device):
        return create(name).eval(), torch.zeros(SHAPE)
