"""How we behave on real servers: our nick, our mode, what we answer, and how we get into channels."""

import pytest

from bridge.demo.servers import InspIRCd
from bridge.model.text import words
from tests.integration.irc import ours, person
from tests.integration.servers import unique

pytestmark = pytest.mark.servers


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
