"""Runs all checks, the networks side by side, within bounded time."""

import asyncio
from collections.abc import AsyncGenerator, Iterator, Mapping, Sequence
from pathlib import Path

from bridge.config import Config
from bridge.config.links import links_of
from bridge.doctor import daemon, irc, logins, machine, matrix, outbox
from bridge.doctor.finding import Finding, fail, ok
from bridge.irc.settings import IrcSettings
from bridge.matrix.ghosts.registration import token_file
from bridge.matrix.settings import MatrixSettings
from bridge.model.presentation import Ghosts
from bridge.store.backup import is_in_use
from bridge.store.contract import StoreError
from bridge.store.peek import memory_of

_NETWORK_S = 25.0
"""Seconds for all checks of one network: each has a limit of its own, too."""


async def examine(config: Config) -> Sequence[Finding]:
    """All findings: the machine, the store, then each network."""
    runs = config.store.path.exists() and is_in_use(config.store.path)
    local = asyncio.to_thread(lambda: [*_local(config, runs=runs)])
    networks = (_bounded(name, _network(config, name, runs=runs)) for name in config.networks)
    each = await asyncio.gather(local, *networks)
    return [finding for findings in each for finding in findings]


def _local(config: Config, *, runs: bool) -> Iterator[Finding]:
    yield ok("config", "it has no problem")
    yield from daemon.found(config.store.path, config.file, runs=runs)
    yield from machine.found(config, runs=runs)
    yield from outbox.found(config.store.place)
    yield from logins.found(config)


def _network(config: Config, name: str, *, runs: bool) -> AsyncGenerator[Finding, None]:
    settings, rooms = config.networks[name], [*_rooms(config, name)]
    match settings:
        case MatrixSettings():
            return matrix.found(settings, rooms, _kept(config, name), _tokens(config, settings))
        case IrcSettings():
            return irc.found(settings, rooms, runs=runs)


def _rooms(config: Config, name: str) -> Iterator[str]:
    for link in links_of(config):
        yield from (room.id for room in link.rooms if room.network == name)


def _tokens(config: Config, settings: MatrixSettings) -> Path | None:
    """The file with the tokens of the registration for ghosts; None if no link has any on that network."""
    links = (link for link in links_of(config) if link.presentation.ghosts is not Ghosts.OFF)
    if not any(room.network == settings.name for link in links for room in link.rooms):
        return None
    return token_file(settings.ghosts.token_file, settings.name, config.store.path.parent)


def _kept(config: Config, name: str) -> Mapping[str, str]:
    try:
        return memory_of(config.store.place, name) if config.store.is_there else {}
    except StoreError:
        return {}  # the check of the store tells


async def _bounded(name: str, findings: AsyncGenerator[Finding, None]) -> Sequence[Finding]:
    seen: list[Finding] = []
    try:
        async with asyncio.timeout(_NETWORK_S):
            async for finding in findings:
                seen.append(finding)  # noqa: PERF401  (what was seen before a timeout counts)
    except TimeoutError:
        do = "the server is very slow, or frozen: look again later"
        seen.append(fail(f"network {name}", f"it did not answer everything within {_NETWORK_S:.0f} s", do))
    return seen
