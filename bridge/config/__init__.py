"""YAML to typed settings; every error names its place in the file."""

from bridge.config.links import links_of, private_networks
from bridge.config.load import load, load_settings
from bridge.config.networks import Flood, IrcNetwork, MatrixNetwork, Sasl
from bridge.config.problems import ConfigError, Problem
from bridge.config.settings import Bot, Config, Http, Link, Store, UserDatabase, Welcome

__all__ = [
    "Bot",
    "Config",
    "ConfigError",
    "Flood",
    "Http",
    "IrcNetwork",
    "Link",
    "MatrixNetwork",
    "Problem",
    "Sasl",
    "Store",
    "UserDatabase",
    "Welcome",
    "links_of",
    "load",
    "load_settings",
    "private_networks",
]
