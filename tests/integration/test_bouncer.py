"""Behind a real bouncer (ZNC): messages that it kept are carried once, and posts that it cannot pass on wait."""

import asyncio
from pathlib import Path

import pytest

from bridge.demo.people import IrcPerson
from bridge.demo.servers import InspIRCd, Synapse
from bridge.demo.servers.process import HOST
from bridge.model.text import plain
from tests.conftest import need
from tests.integration.daemon import quackbridge, write_config
from tests.integration.irc import Log, ours, person
from tests.integration.pond import PASSWORD, Pond
from tests.integration.servers import Anope, Znc, unique

pytestmark = pytest.mark.servers


async def arrival(somebody: IrcPerson, nick: str) -> None:
    await somebody.line(lambda line: line.command == "JOIN" and line.source == nick, timeout=30)


async def test_messages_that_the_bouncer_kept_while_we_were_away_are_carried_once_and_in_order(
    tmp_path: Path, synapse: Synapse, services: Anope
) -> None:
    """Our own posts, which the bouncer keeps too, are not carried back."""
    need(Znc)
    pond = Pond(tmp_path, synapse, services)
    await pond.dig()
    async with pond.people() as (alice, bob), Znc(pond.irc.port, pond.duck, pond.channel) as znc:
        await arrival(bob, pond.duck)
        networks = pond.config["networks"]
        assert isinstance(networks, dict)
        networks["irc"] = {**pond.irc_network(znc.port), "password": Znc.password}
        write_config(pond.folder, pond.config, {"home": PASSWORD})
        async with pond.daemon() as daemon:
            await daemon.ready()
            await alice.send(pond.room, "from alice")
            await bob.heard("from alice")
            await bob.say(pond.channel, "here")
            await alice.heard("here")
            for round_ in ("first", "second"):
                assert await daemon.stop() == 0
                for number in range(5):
                    await bob.say(pond.channel, f"{round_} {number}")
                await bob.ping()
                await daemon.start()
                await alice.heard(f"{round_} 4", timeout=30)
            await bob.say(pond.channel, "the end")
            await alice.heard("the end")
        heard = [message.text for message in alice.messages if message.sender == pond.duck_id]
        lines = [line.rpartition("> ")[2] for text in heard for line in text.split("\n")]
        said = [f"{round_} {number}" for round_ in ("first", "second") for number in range(5)]
        assert [line.rpartition("] ")[2] for line in lines] == ["here", *said, "the end"]
        assert "gaps while disconnected" not in quackbridge(pond.folder, "ledger").stdout


async def test_what_another_client_says_under_our_nick_is_not_carried_and_our_posts_are_proven(tmp_path: Path) -> None:
    need(Znc)
    nick, channel = unique("duck"), f"#{unique('pond')}"
    async with (
        InspIRCd(tmp_path / "irc") as server,
        person(server) as bob,
        Znc(server.port, nick, channel) as znc,
        ours(znc, channel=channel, nick=nick, server_password=Znc.password) as us,
        IrcPerson(HOST, znc.port, nick, password=Znc.password) as telephone,
    ):
        await bob.join(channel)
        for number in range(3):
            await telephone.say(channel, f"by telephone {number}")
            assert await us.carries(f"by bridge {number}") == []
            await bob.heard(f"by telephone {number}")
            await bob.heard(f"by bridge {number}")
        await telephone.raw(f"JOIN {channel}theirs")
        await telephone.line(lambda line: line.command == "366" and line.params[1] == f"{channel}theirs")
        await bob.say(channel, "the end")
        await us.hears("the end")
        assert [plain(each.text) for each in us.heard] == ["the end"]
        await bob.ping()
        assert not [line for line in telephone.lines if line.command == "PART"], "their channel is left to them"


async def test_a_post_that_the_bouncer_cannot_pass_on_is_sent_when_its_server_is_back(tmp_path: Path, log: Log) -> None:
    need(Znc)
    nick, channel = unique("duck"), f"#{unique('pond')}"
    async with (
        InspIRCd(tmp_path / "irc") as server,
        person(server) as bob,
        Znc(server.port, nick, channel) as znc,
        ours(znc, channel=channel, nick=nick, server_password=Znc.password) as us,
    ):
        await bob.join(channel)
        await us.carries("before")
        await bob.heard("before")
        await server.kill()
        await log.shows("bouncer", matches=lambda entry: "Disconnected" in entry["detail"])
        carrying = asyncio.create_task(us.carries("between"))
        await log.shows("bouncer", matches=lambda entry: "got lost" in entry["detail"])
        await server.start()
        async with person(server) as back:
            await back.join(channel)
            trouble = await carrying
            await back.heard("between")
        assert all("the bouncer says: " in str(error) for error in trouble)
        assert trouble
