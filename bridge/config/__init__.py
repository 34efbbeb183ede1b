"""Reads YAML into typed settings; every error names its place in the file."""

from bridge.config.effective import effective
from bridge.config.last import recall, remember
from bridge.config.links import doors_of, editable_networks, links_of, private_networks, puppet_networks
from bridge.config.load import check, load, load_settings
from bridge.config.problems import ConfigError, Problem
from bridge.config.settings import BotSection, Config, Hears, LinkSection

__all__ = [
    "BotSection",
    "Config",
    "ConfigError",
    "Hears",
    "LinkSection",
    "Problem",
    "check",
    "doors_of",
    "editable_networks",
    "effective",
    "links_of",
    "load",
    "load_settings",
    "private_networks",
    "puppet_networks",
    "recall",
    "remember",
]
