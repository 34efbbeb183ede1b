"""How we behave on real servers: our nick, our mode, what we answer, and how we get into channels."""

import asyncio
from pathlib import Path

import pytest

from bridge.demo.servers import InspIRCd, Process
from bridge.demo.servers.inspircd import DEFAULT_LIMITS
from bridge.model.text import words
from tests.integration.irc import Log, channel_of, ours, person
from tests.integration.servers import Anope, NgIrcd, unique

pytestmark = pytest.mark.servers


@pytest.fixture(params=["inspircd", "ngircd"])
def server(request: pytest.FixtureRequest, inspircd: InspIRCd, ngircd: NgIrcd) -> Process:
    return inspircd if request.param == "inspircd" else ngircd


async def test_a_nick_that_somebody_in_no_channel_of_ours_frees_is_regained_at_once(inspircd: InspIRCd) -> None:
    async with person(inspircd) as holder, person(inspircd) as bob, ours(inspircd, nick=holder.nick) as us:
        await bob.join(us.room.id)
        await holder.rename(unique("other"))
        await bob.line(lambda line: line.command == "NICK" and line.params == (us.settings.nick,))
        await us.says(words("it is me"))
        assert (await bob.heard("it is me")).sender == us.settings.nick


async def test_whois_shows_that_we_are_a_bot_and_what_another_bot_says_is_a_bots(inspircd: InspIRCd) -> None:
    async with ours(inspircd) as us, person(inspircd) as robo, person(inspircd) as bob:
        await bob.ask(f"WHOIS {us.settings.nick}", lambda line: line.command == "335")
        await robo.ask(f"MODE {robo.nick} +B", lambda line: line.command == "MODE")
        for someone in (robo, bob):
            await someone.join(us.room.id)
        await robo.say(us.room.id, "beep")
        await bob.say(us.room.id, "hello")
        assert (await us.hears("beep")).sender.bot
        assert not (await us.hears("hello")).sender.bot


async def test_a_client_that_asks_for_our_version_gets_one_answer_by_notice(inspircd: InspIRCd) -> None:
    async with ours(inspircd) as us, person(inspircd) as bob:
        await bob.say(us.settings.nick, "\x01VERSION\x01")
        answer = await bob.line(lambda line: line.command == "NOTICE" and "VERSION" in line.params[-1])
        assert answer.params[-1] == "\x01VERSION quackbridge\x01"


async def test_a_channel_with_a_key_is_joined_with_it_and_without_it_the_log_says_where_it_goes(
    server: Process, log: Log
) -> None:
    async with person(server) as op, channel_of(op) as channel:
        await op.ask(f"MODE {channel} +k swan", lambda line: line.command == "MODE")
        async with ours(server, channel=channel, wait=False):
            refused = await log.shows("not_joined")
            assert "channel_keys" in refused["hint"]
        async with ours(server, channel=channel, channel_keys={channel.upper(): {"password": "swan"}}) as us:
            await us.says(words("let in"))
            await op.heard("let in")


async def test_an_invite_only_channel_is_asked_to_let_us_in_and_its_operator_only_has_to_invite_us(
    tmp_path: Path,
) -> None:
    extra = '<module name="knock"><knock notify="numeric">'
    async with InspIRCd(tmp_path, extra=extra) as irc, person(irc) as op, channel_of(op) as channel:
        await op.ask(f"MODE {channel} +i", lambda line: line.command == "MODE")
        async with ours(irc, channel=channel, wait=False) as us:
            knock = await op.line(lambda line: line.command == "710")
            assert "bridge to Matrix" in knock.params[-1]
            await op.raw(f"INVITE {us.settings.nick} {channel}")
            await us.network.ready()
            await us.says(words("thank you"))
            await op.heard("thank you")


async def test_the_operators_commands_are_carried_out_before_we_join(inspircd: InspIRCd) -> None:
    async with ours(inspircd, pre_join=["MODE {nick} +i", "OPER root root"]) as us, person(inspircd) as bob:
        await bob.ask(f"WHOIS {us.settings.nick}", lambda line: line.command == "313")


async def test_at_the_default_flood_budget_no_server_with_default_limits_throws_us_out_for_a_queue_of_500_lines(
    tmp_path: Path, log: Log
) -> None:
    """What arrives in 45 seconds is looked at; with made-up time, `tests/irc/test_flood.py` sees all 500 arrive."""
    lines = [f"<Ann> line {number}" for number in range(25)]

    async def floods(server: Process) -> None:
        async with ours(server, burst=5, per_second=0.5) as us, person(server) as bob:
            await bob.join(us.room.id)
            queue = asyncio.create_task(us.carries(*(f"line {number}" for number in range(500))))
            for line in lines:
                await bob.heard(line)
            heard = [message.text for message in bob.messages if message.sender == us.settings.nick]
            assert heard[:25] == lines
            queue.cancel()
            await asyncio.wait([queue])

    async with (
        InspIRCd(tmp_path / "irc", limits=DEFAULT_LIMITS, services=True) as irc,
        Anope(tmp_path / "anope", irc),
        NgIrcd(tmp_path / "plain", limits=True) as plain,
    ):
        await asyncio.gather(floods(irc), floods(plain))
    assert not log.of("flooded")
    assert not log.of("offline")
