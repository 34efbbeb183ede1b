"""What IRC servers, their operators and channel operators do to us, and how we recover: on real servers."""

import asyncio
from pathlib import Path

import pytest

from bridge.demo.people import IrcPerson
from bridge.demo.servers import InspIRCd
from bridge.irc import flood
from bridge.irc.session import channels, farewells
from bridge.lib.backoff import Backoff
from bridge.model.event import Kind, Room
from bridge.model.text import Span, Style, words
from bridge.network import TransientError
from tests.integration.irc import PATIENCE, Log, channel_of, ours, person
from tests.integration.servers import Anope, unique

pytestmark = pytest.mark.servers

_STRICT = 'commandrate="5000" threshold="10" fakelag="off"'
"""Ten commands at once, then five a second; a faster client is disconnected."""


async def become_operator(somebody: IrcPerson) -> None:
    await somebody.ask("OPER root root", lambda line: line.command == "381")


# The server's operators


@pytest.mark.parametrize("ban", ["KLINE {name}@*", "ZLINE 127.0.0.77"])
async def test_a_server_ban_is_waited_out_with_its_reason_and_nothing_is_lost(
    inspircd: InspIRCd, monkeypatch: pytest.MonkeyPatch, log: Log, ban: str
) -> None:
    monkeypatch.setattr(farewells, "PAUSES_S", {farewells.Farewell.BANNED: 1.0})
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
        assert refused["retry_in_s"] >= 0.5
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


# The operators of a channel


async def test_posts_wait_where_we_may_not_speak_and_are_sent_at_once_when_we_may(services: Anope, log: Log) -> None:
    """Moderated; banned while we are inside; open to registered users only; moderated until we get voice."""
    async with asyncio.TaskGroup() as group:
        for modes, lifted in (("+m", "-m"), ("+b *!*@*", "-b *!*@*"), ("+M", "-M"), ("+m", "+v {us}")):
            group.create_task(_silenced(services.irc, log, modes, lifted))


async def _silenced(server: InspIRCd, log: Log, modes: str, lifted: str) -> None:
    async with person(server) as op, channel_of(op) as channel, ours(server, channel=channel) as us:
        await op.ask(f"MODE {channel} {modes}", lambda line: line.command == "MODE")
        waiting = asyncio.create_task(us.carries("one", "two", "three"))
        await log.shows("cannot_speak", matches=lambda entry: entry["room"].endswith(f"/{channel}"))
        assert us.network.absence(us.room), "it is told why"
        await us.says(words("elsewhere"), Room("net", op.nick))
        assert not waiting.done()
        await op.ask(f"MODE {channel} {lifted.format(us=us.settings.nick)}", lambda line: line.command == "MODE")
        async with asyncio.timeout(PATIENCE):  # it would be tried after a minute anyway
            trouble = await waiting
        await op.heard("three")
        assert texts(op, channel) == [f"<Ann> {text}" for text in ("one", "two", "three")]
        assert all(isinstance(error, TransientError) for error in trouble)


def texts(somebody: IrcPerson, channel: str) -> list[str]:
    return [message.text for message in somebody.messages if message.room == channel]


async def test_posts_are_sent_without_formatting_or_as_messages_where_the_channel_forbids_these(tmp_path: Path) -> None:
    modules = '<module name="blockcolor"><module name="nonotice">'
    async with (
        InspIRCd(tmp_path / "irc", extra=modules) as server,
        person(server) as op,
        channel_of(op) as channel,
        ours(server, channel=channel) as us,
    ):
        await op.ask(f"MODE {channel} +cT", lambda line: line.command == "MODE")
        bold = us.posts((Span("bold", Style.BOLD),))
        beep = us.posts(words("beep"), kind=Kind.NOTICE)
        for posts in (bold, beep):
            await us.delivers(posts)
        await op.heard("beep")
        assert [(message.text, message.kind) for message in op.messages] == [
            ("<Ann> bold", "text"),
            ("<Ann> beep", "text"),
        ]


async def test_posts_wait_with_the_reason_where_we_cannot_join_and_are_sent_when_we_can(
    services: Anope, monkeypatch: pytest.MonkeyPatch, log: Log
) -> None:
    """The mode does not affect who is inside: we are kicked, cannot rejoin, and are let in later."""
    monkeypatch.setattr(channels, "_REMOVED", Backoff(0.1, 600.0))
    monkeypatch.setattr(channels, "_BARRED", Backoff(0.5, 600.0))
    cases = (("+i", "-i", "invite"), ("+k key", "-k key", "key"), ("+l 1", "-l", "full"), ("+R", "-R", "registered"))
    async with asyncio.TaskGroup() as group:
        for modes, lifted, why in cases:
            group.create_task(_shut_out(services.irc, log, modes, lifted, why))


async def _shut_out(server: InspIRCd, log: Log, modes: str, lifted: str, why: str) -> None:
    async with person(server) as op, channel_of(op) as channel, ours(server, channel=channel) as us:
        await op.ask(f"MODE {channel} {modes}", lambda line: line.command == "MODE")
        await us.carries("still here")
        await op.raw(f"KICK {channel} {us.settings.nick} :out")
        barred = await log.shows("not_joined", matches=lambda entry: entry["room"].endswith(f"/{channel}"))
        assert why in barred["reason"]
        assert (us.settings.nick in barred["hint"]) is (why == "invite")  # whom to invite
        assert why in (us.network.absence(us.room) or "")
        waiting = asyncio.create_task(us.carries("one", "two"))
        await us.says(words("elsewhere"), Room("net", op.nick))
        await op.ask(f"MODE {channel} {lifted}", lambda line: line.command == "MODE")
        trouble = await waiting
        assert trouble
        assert all(isinstance(error, TransientError) for error in trouble)
        await op.heard("two")
        assert texts(op, channel) == [f"<Ann> {text}" for text in ("still here", "one", "two")]
