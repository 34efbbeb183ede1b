"""Servers on loopback for demo, tests and benchmarks: one controller a file, each an async context manager."""

from bridge.demo.servers.inspircd import InspIRCd
from bridge.demo.servers.process import Process, ServerError, free_port
from bridge.demo.servers.pyircd import PyIrcd
from bridge.demo.servers.synapse import Synapse

__all__ = ["InspIRCd", "Process", "PyIrcd", "ServerError", "Synapse", "free_port"]
