"""Configs of `tables/darknet_configs.py` -> the sections of a network file, written by small programs. No torch."""

from __future__ import annotations

from cspanalyze.darknet.sections import Section
from cspanalyze.zoo.darknet_programs.backbones import classifier
from cspanalyze.zoo.darknet_programs.detectors import detector, tiny_detector
from cspanalyze.zoo.darknet_programs.light_detectors import light_detector
from cspanalyze.zoo.darknet_programs.mobile import cross_mobile, mobile
from cspanalyze.zoo.darknet_programs.others import dense, reference, res2net
from cspanalyze.zoo.darknet_programs.pelee import pelee
from cspanalyze.zoo.tables.darknet_configs import (
    CfgConfig,
    ClassifierConfig,
    CrossMobileConfig,
    DenseConfig,
    DetectorConfig,
    MobileConfig,
    ReferenceConfig,
    Res2NetConfig,
)
from cspanalyze.zoo.tables.light_detectors import LightDetectorConfig
from cspanalyze.zoo.tables.pelee import PeleeConfig


def sections(config: CfgConfig | PeleeConfig | LightDetectorConfig) -> tuple[Section, ...]:
    """The network of `config`."""
    match config:
        case ClassifierConfig():
            return classifier(config)
        case DetectorConfig():
            return detector(config)
        case MobileConfig():
            return mobile(config)
        case CrossMobileConfig():
            return cross_mobile(config)
        case DenseConfig():
            return dense(config)
        case ReferenceConfig():
            return reference(config)
        case Res2NetConfig():
            return res2net(config)
        case LightDetectorConfig():
            return light_detector(config)
        case PeleeConfig():
            return pelee(config)
        case _:
            return tiny_detector(config)
