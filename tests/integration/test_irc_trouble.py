"""What servers, their operators and those of channels do to us, and that it passes: real IRC servers."""

import asyncio
from pathlib import Path

import pytest

from bridge.demo.people import IrcPerson
from bridge.demo.servers import InspIRCd
from bridge.irc import flood, login
from tests.integration.irc import Log, channel_of, ours, person
from tests.integration.servers import unique

pytestmark = pytest.mark.servers

_STRICT = 'commandrate="5000" threshold="10" fakelag="off"'
"""Ten commands at once, then five a second; who is faster is cut off."""


async def become_operator(somebody: IrcPerson) -> None:
    await somebody.ask("OPER root root", lambda line: line.command == "381")


# The server's operators


@pytest.mark.parametrize("ban", ["KLINE {name}@*", "ZLINE 127.0.0.77"])
async def test_a_ban_of_the_server_is_waited_out_with_its_reason_and_nothing_is_lost(
    inspircd: InspIRCd, monkeypatch: pytest.MonkeyPatch, log: Log, ban: str
) -> None:
    monkeypatch.setattr(login, "_BANNED_PAUSE", 1.0)
    name = unique("q")
    ban = ban.format(name=name)
    async with (
        person(inspircd) as op,
        channel_of(op) as channel,
        ours(inspircd, channel=channel, username=name, address="127.0.0.77") as us,
    ):
        await become_operator(op)
        await us.carries("before")
        await op.raw(f"{ban} 1h :go\x02 away\x03")
        await op.line(lambda line: line.command == "QUIT" and line.source == us.settings.nick)
        waiting = asyncio.create_task(us.carries("one", "two"))
        refused = await log.shows("offline", 2)
        assert refused["reason"].startswith("the server has banned us: ")
        assert "-lined: go  away" in refused["reason"]
        assert refused["reason"].isprintable()
        assert refused["retry_in"] >= 0.5
        await op.raw(ban)
        await waiting
        await op.heard("two")
        assert [message.text for message in op.messages] == [f"<Ann> {text}" for text in ("before", "one", "two")]


async def test_after_excess_flood_the_budget_is_lower_and_a_backlog_arrives_once_and_in_order(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, log: Log
) -> None:
    monkeypatch.setattr(flood, "_SLOWEST", 2.0)
    async with (
        InspIRCd(tmp_path / "irc", limits=_STRICT, modes="notH 500:1h") as server,
        person(server) as op,
        channel_of(op) as channel,
        ours(server, channel=channel) as us,
    ):
        lines = [f"line {number}" for number in range(20)]
        await us.carries(*lines)
        await op.heard(lines[-1])
        assert [message.text for message in op.messages] == [f"<Ann> {line}" for line in lines]
        (flooded,) = log.of("flooded")
        assert flooded["burst"] <= 10
        assert "Excess Flood" in log.of("offline")[0]["reason"]
