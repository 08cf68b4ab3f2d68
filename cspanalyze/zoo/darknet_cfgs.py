"""The networks written as Darknet layers: `darknet/resnet50` .. (`tables/darknet_cfgs.py`), `tables/pelee.py`."""

from __future__ import annotations

from cspanalyze.darknet.network import DarknetNet
from cspanalyze.darknet.planning import plan_network
from cspanalyze.zoo.darknet_programs import sections
from cspanalyze.zoo.tables.darknet_configs import CfgConfig
from cspanalyze.zoo.tables.light_detectors import LightDetectorConfig
from cspanalyze.zoo.tables.pelee import PeleeConfig
from cspanalyze.zoo.weights import initialise


def build(config: CfgConfig | PeleeConfig | LightDetectorConfig) -> DarknetNet:
    """The network of `config`, with He initial weights (fan out)."""
    network = DarknetNet(plan_network(sections(config), "the built-in network"))
    initialise(network)
    return network
