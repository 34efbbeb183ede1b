"""`/readyz` tells within seconds that a network or a room is not well, though nobody says anything, and when it is."""

import asyncio
import json
import os
import signal
import time
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from bridge.demo.people import IrcPerson, MatrixPerson
from bridge.demo.servers import Synapse
from bridge.demo.servers.process import HOST, Process, free_port
from tests.integration.daemon import write_config
from tests.integration.pond import PASSWORD, Pond, dug
from tests.integration.servers import Anope

pytestmark = [pytest.mark.servers, pytest.mark.real_time]

_BOUND_S = 25.0
"""What is told within 15 s; a busy machine may need longer."""
_LIFTED_S = 40.0
"""A kick is answered after up to 30 s with another JOIN on Matrix."""

Checks = Mapping[str, Mapping[str, Any]]


class Watch:
    """Asks `/readyz`."""

    def __init__(self, session: aiohttp.ClientSession, port: int) -> None:
        self._session = session
        self._url = f"http://{HOST}:{port}/readyz"
        self.measured: dict[str, tuple[float, float]] = {}

    async def status(self) -> tuple[int, Checks]:
        async with self._session.get(self._url) as answer:
            return answer.status, json.loads(await answer.text())["checks"]

    async def until(self, wanted: Callable[[int, Checks], bool], within: float) -> float:
        """Seconds until the answer is as wanted."""
        started = time.monotonic()
        seen: Checks = {}
        while time.monotonic() - started < within:
            status, seen = await self.status()
            if wanted(status, seen):
                return time.monotonic() - started
            await asyncio.sleep(0.2)
        raise AssertionError(f"not within {within} s: {seen}")

    async def case(
        self,
        name: str,
        check: str,
        why: str,
        does: Callable[[], Awaitable[object]],
        undoes: Callable[[], Awaitable[object]],
    ) -> None:
        """`check` fails because of `why` soon after `does`, and all is well again soon after `undoes`."""
        await self.until(lambda status, _: status == 200, _LIFTED_S)
        try:
            await does()
            bad = await self.until(
                lambda status, checks: status == 503 and not checks[check]["ok"] and why in checks[check]["reason"],
                _BOUND_S,
            )
        finally:
            await undoes()
        self.measured[name] = bad, await self.until(lambda status, _: status == 200, _LIFTED_S)


def _signalled(server: Process, number: signal.Signals) -> Callable[[], Awaitable[None]]:
    async def send() -> None:
        os.killpg(server.pid, number)

    return send


async def test_readyz_names_what_is_wrong_and_is_well_again_when_that_is_lifted(
    tmp_path: Path,
    own_synapse: Synapse,
    own_services: Anope,
    record_property: Callable[[str, object], None],
) -> None:
    pond = await dug(tmp_path, own_synapse, own_services)
    port = free_port()
    write_config(pond.folder, {**pond.config, "http": {"listen": f"{HOST}:{port}"}}, {"home": PASSWORD})
    async with pond.people() as (alice, bob), pond.daemon() as daemon, aiohttp.ClientSession() as session:
        await daemon.ready()
        watch = Watch(session, port)
        await watch.until(lambda status, _: status == 200, _BOUND_S)
        await _on_irc(watch, pond, bob)
        await _on_matrix(watch, pond, alice)
        for name, server in (("home", pond.synapse), ("irc", pond.irc)):
            stop, go_on = _signalled(server, signal.SIGSTOP), _signalled(server, signal.SIGCONT)
            await watch.case(f"{name} frozen", f"network:{name}", "does not answer", stop, go_on)
        assert not [line for line in daemon.log if line.get("event") == "away"], "a few seconds are told to nobody"
    record_property("seconds until told, and until well", watch.measured)


async def _on_irc(watch: Watch, pond: Pond, bob: IrcPerson) -> None:
    room, channel, duck = f"room:irc/{pond.channel}", pond.channel, pond.duck

    def raw(*lines: str) -> Callable[[], Awaitable[None]]:
        async def send() -> None:
            for line in lines:
                await bob.raw(line)

        return send

    await watch.case("irc muted", room, "moderated", raw(f"MODE {channel} +m"), raw(f"MODE {channel} -m"))
    ban, lifted = f"MODE {channel} +b {duck}!*@*", f"MODE {channel} -b {duck}!*@*"
    await watch.case("irc banned", room, "banned", raw(ban), raw(lifted))
    await watch.case("irc kicked", room, "kicked", raw(f"KICK {channel} {duck} :out"), raw())
    kick = raw(f"MODE {channel} +i", f"KICK {channel} {duck} :out")
    await watch.case("irc refused", room, "invite-only", kick, raw(f"MODE {channel} -i", f"INVITE {duck} {channel}"))


async def _on_matrix(watch: Watch, pond: Pond, alice: MatrixPerson) -> None:
    name, duck = f"room:home/{pond.room}", pond.duck_id
    room = await alice.room_id(pond.room)
    levels = await alice.call("GET", f"rooms/{room}/state/m.room.power_levels/")

    def does(what: str, **body: object) -> Callable[[], Awaitable[object]]:
        return lambda: alice.call("POST", f"rooms/{room}/{what}", body)

    def power(content: Mapping[str, object]) -> Callable[[], Awaitable[object]]:
        return lambda: alice.call("PUT", f"rooms/{room}/state/m.room.power_levels/", content)

    muted = {**levels, "users": {**levels["users"], duck: -1}}
    await watch.case("matrix muted", name, "may not speak", power(muted), power(levels))
    await watch.case("matrix kicked", name, "removed", does("kick", user_id=duck), does("invite", user_id=duck))

    async def let_in() -> None:
        await does("unban", user_id=duck)()
        await does("invite", user_id=duck)()

    await watch.case("matrix banned", name, "ban", does("ban", user_id=duck), let_in)
