"""Members with a nick of their own, on real servers: InspIRCd with every tag, and ngIRCd with none."""

import asyncio
from collections.abc import Callable

import pytest

from bridge.demo.people import IrcPerson
from bridge.demo.people.irc import Line
from bridge.demo.servers import InspIRCd, Process
from bridge.demo.servers.process import HOST
from bridge.irc.dialect.operations import React, Voice, encode
from bridge.irc.puppets.crowd import _MUTED_S
from bridge.irc.puppets.nicks import username
from bridge.model.event import Kind, Moderation
from bridge.model.outbox import Post
from bridge.model.people import GUEST, Sender
from bridge.model.presentation import Banned
from bridge.network import PermanentError
from tests.fakes.memory import Notebook
from tests.integration.irc import channel_of, ours, person
from tests.integration.puppets import Allowlist, member, pond, posts, says, speech
from tests.integration.servers import Anope, NgIrcd, unique

pytestmark = pytest.mark.servers


@pytest.fixture(params=["inspircd", "ngircd"])
def server(request: pytest.FixtureRequest, inspircd: InspIRCd, ngircd: NgIrcd) -> Process:
    return inspircd if request.param == "inspircd" else ngircd


async def test_a_member_speaks_under_a_nick_of_their_own_without_a_mark(server: Process) -> None:
    """The nick is the allowlist's name, whatever they call themselves."""
    ann = member(unique("ann"), display="Ann \r\n<admin>")
    async with pond(server) as (us, bob):
        remote = await says(us, ann, "quack")
        heard = await bob.heard("quack")
        assert (heard.sender, heard.text) == (ann.user, "quack")
        assert remote == (heard.id or remote)
        await says(us, ann, "waves", kind=Kind.ACTION)
        assert (await bob.heard("waves")).kind == "action"
        assert us.events == []  # what the puppet did is nobody's words, and nobody's coming


async def test_several_members_speak_in_turn_and_in_order(server: Process) -> None:
    people = [member(unique("ann")) for _ in range(3)]
    async with pond(server) as (us, bob):
        async with asyncio.TaskGroup() as group:
            for number in range(30):
                (post,) = posts(us, people[number % 3], f"word {number}")
                group.create_task(us.network.send(post))
        await bob.ping()
        said = [(sender, text) for sender, text in speech(bob) if text.startswith("word")]
        assert said == [(people[number % 3].user, f"word {number}") for number in range(30)]
        assert us.events == []


async def test_guests_and_members_who_want_none_have_no_puppet(server: Process) -> None:
    ann, eve = member(unique("ann")), member("eve", note=GUEST)
    async with pond(server, allowlist=Allowlist(without={str(ann.user)})) as (us, bob):
        await says(us, ann, "one")
        await says(us, eve, "two")
        assert (await bob.heard("one")).text == f"<{ann.user}> one"
        assert (await bob.heard("two")).text == "<eve (guest)> two"


async def test_a_nick_that_somebody_has_is_not_taken_from_them(server: Process) -> None:
    """In the channel, or anywhere on the network."""
    async with pond(server) as (us, bob), person(server) as far:
        for taken in (bob.nick, far.nick):
            other = member(taken)
            await says(us, other, f"I am not {taken}")
            heard = await bob.heard(f"I am not {taken}")
            assert heard.text == f"I am not {taken}"
            assert heard.sender == f"{taken}_"


async def test_a_puppet_keeps_its_nick_over_a_restart(server: Process) -> None:
    ann, memory = member(unique("ann")), Notebook()
    async with person(
        server,
    ) as first:
        taken = first.nick
        other = member(taken)
        async with pond(server, memory=memory) as (us, bob):
            await says(us, other, "one")
            assert (await bob.heard("one")).sender == f"{taken}_"
    async with pond(server, memory=memory) as (us, bob):
        await says(us, other, "two")
        assert (await bob.heard("two")).sender == f"{taken}_"
        await says(us, ann, "three")


async def test_a_puppet_is_known_to_operators_by_its_user_name_and_real_name(server: Process) -> None:
    ann = member(unique("ann"))
    async with pond(server, puppets={"realname": "{id} of {name}"}) as (us, bob):
        await says(us, ann, "quack")
        answer = await bob.ask(f"WHOIS {ann.user}", lambda line: line.command == "311")
        assert answer.params[2].lstrip("~") == username(ann.address)
        assert answer.params[-1] == f"{ann.address} of {ann.user}"


@pytest.mark.parametrize("mode", ["+i", "+k key", "+l 1"])
async def test_where_a_puppet_cannot_join_the_mark_says_who_speaks(server: Process, mode: str) -> None:
    ann = member(unique("ann"))
    async with pond(server) as (us, bob):
        await bob.raw(f"MODE {us.room.id} {mode}")
        await bob.ping()
        await says(us, ann, "quack")
        heard = await bob.heard("quack")
        assert (heard.sender, heard.text) == (us.settings.nick, f"<{ann.user}> quack")


async def test_where_a_puppet_may_not_speak_the_bridge_does_if_it_may(server: Process) -> None:
    ann = member(unique("ann"))
    async with pond(server) as (us, bob):
        await says(us, ann, "one")
        await bob.raw(f"MODE {us.room.id} +v {us.settings.nick}")
        await bob.raw(f"MODE {us.room.id} +m")
        await bob.ping()
        await says(us, ann, "two")
        heard = await bob.heard("two")
        assert (heard.sender, heard.text) == (us.settings.nick, f"<{ann.user}> two")


async def test_a_ban_of_a_puppet_is_respected_unless_the_link_marks_the_banned(server: Process) -> None:
    """Whether it is set before the puppet joins, or while it is there."""
    from dataclasses import replace

    from tests.integration.puppets import HOW

    for join_first in (False, True):
        ann = member(unique("ann"))
        async with pond(server) as (us, bob):
            if join_first:
                await says(us, ann, "one")
            await bob.raw(f"MODE {us.room.id} +b *!*{username(ann.address)}@*")
            await bob.ping()
            with pytest.raises(PermanentError, match="banned"):
                await says(us, ann, "two")
            await says(us, ann, "three", how=replace(HOW, banned=Banned.MARK))
            heard = await bob.heard("three")
            assert (heard.sender, heard.text) == (us.settings.nick, f"<{ann.user}> three")
            assert not any("two" in text for _, text in speech(bob))


async def test_a_ban_that_lasts_for_a_moment_refuses_words_for_little_more(server: Process) -> None:
    """As in a channel in trouble, which bans everybody for a second."""
    ann = member(unique("ann"))
    async with pond(server) as (us, bob):
        await says(us, ann, "one")
        await bob.raw(f"MODE {us.room.id} +b *!*@*")
        await bob.ping()
        with pytest.raises(PermanentError, match="banned"):
            await says(us, ann, "two")
        await bob.raw(f"MODE {us.room.id} -b *!*@*")
        await bob.ping()
        await asyncio.sleep(_MUTED_S + 0.5)
        await says(us, ann, "three")
        assert (await bob.heard("three")).sender == ann.user


async def test_after_a_kick_a_puppet_comes_back_with_its_owners_next_words(server: Process) -> None:
    ann = member(unique("ann"))
    async with pond(server) as (us, bob):
        await says(us, ann, "one")
        await bob.raw(f"KICK {us.room.id} {ann.user} :enough")
        await bob.ping()
        await says(us, ann, "two")
        heard = await bob.heard("two")
        assert (heard.sender, heard.text) == (ann.user, "two")
        (kicked,) = [event.body for event in us.events]  # what it did itself is not told
        assert isinstance(kicked, Moderation)
        assert (kicked.person.user, kicked.reason) == (ann.user, "enough")


async def test_nothing_beyond_the_limit_has_a_puppet(server: Process) -> None:
    ann, bea = member(unique("ann")), member(unique("bea"))
    async with pond(server, puppets={"limit": 1}) as (us, bob):
        await says(us, ann, "one")
        await says(us, bea, "two")
        assert (await bob.heard("one")).sender == ann.user
        assert (await bob.heard("two")).text == f"<{bea.user}> two"


async def test_who_is_no_member_any_more_is_gone_soon(server: Process) -> None:
    ann, allowlist = member(unique("ann")), Allowlist()
    async with pond(server, allowlist=allowlist) as (us, bob):
        await says(us, ann, "one")
        allowlist.without.add(str(ann.user))
        await bob.line(lambda line: line.command == "QUIT" and line.source == ann.user)
        assert us.events == []


async def test_a_puppet_that_was_killed_with_words_on_their_way_says_nothing_twice(inspircd: InspIRCd) -> None:
    ann = member(unique("ann"))
    async with pond(inspircd) as (us, bob):
        await says(us, ann, "one")
        await bob.raw("OPER root root")
        await bob.ping()
        await bob.raw(f"KILL {ann.user} :enough")
        await bob.ping()
        await says(us, ann, "two")
        await bob.heard("two")
        await bob.ping()
        assert [text for _, text in speech(bob) if "two" in text] == [f"<{ann.user}> two"]


async def test_after_a_restart_the_history_tells_that_a_puppet_has_said_it(inspircd: InspIRCd) -> None:
    """It is not said again, and it is nobody's words."""
    ann, memory = member(unique("ann")), Notebook()
    async with person(inspircd) as bob, channel_of(bob) as channel:
        await bob.raw(f"MODE {channel} +H 500:1h")
        for run in range(2):
            members = Allowlist()
            async with ours(
                inspircd, channel=channel, members=members, memory=memory, puppets={"connect_every": "off"}
            ) as us:
                if run == 0:
                    (said,) = posts(us, ann, "quack")
                    remote = await us.network.send(said)
                else:
                    assert await us.network.send(said, again=True) == remote
                    await says(us, ann, "more")
                assert us.events == []
        await bob.heard("more")
        assert len([text for _, text in speech(bob) if "quack" in text]) == 1


async def test_who_reacts_by_a_tag_does_it_under_their_own_nick_if_they_are_there(inspircd: InspIRCd) -> None:
    ann, bea = member(unique("ann")), member(unique("bea"))
    async with pond(inspircd) as (us, bob):
        remote = await says(us, ann, "one")
        for who in (ann, bea):
            voice = Voice(str(who.user), who.address)
            react = React(us.room.id, remote, "x", voice=voice)
            await us.network.send(Post.of(us.room, (f"react {who.user}",), 0, encode(react)))
        for nick in (ann.user, us.settings.nick):
            line = await bob.line(lambda line, nick=nick: line.command == "TAGMSG" and line.source == nick)  # type: ignore[misc]
            assert (line.tags["+draft/react"], line.tags["+draft/reply"]) == ("x", remote)
        assert us.events == []


async def test_when_the_adapter_ends_its_puppets_leave(server: Process) -> None:
    ann = member(unique("ann"))
    async with pond(server) as (us, _):
        await says(us, ann, "one")
    async with person(server) as carl:
        answer = await carl.ask(f"ISON {ann.user} {carl.nick}", lambda line: line.command == "303")
        assert answer.params[-1].strip() == carl.nick


async def test_a_puppet_gives_a_nick_that_services_know_back_to_its_owner(services: Anope) -> None:
    ann = member(unique("ann"))
    await services.register(str(ann.user), "quack-quack")
    async with pond(services.irc) as (us, bob):
        await says(us, ann, "one")
        await bob.line(lambda line: line.command == "NICK" and line.source == ann.user)
        await says(us, ann, "two")
        assert (await bob.heard("two")).sender == f"{ann.user}_"


@pytest.mark.parametrize("nick", ["NickServ", "AuthServ"])
async def test_a_stranger_who_sounds_like_services_takes_no_nick_from_a_puppet(server: Process, nick: str) -> None:
    """Where there are no services, or services that are called otherwise."""
    ann = member(unique("ann"))
    async with pond(server) as (us, bob), IrcPerson(HOST, server.port, nick) as eve:
        await says(us, ann, "one")
        await eve.raw(f"NOTICE {ann.user} :This nickname is registered. Please choose a different nick.")
        await eve.ping()
        await says(us, ann, "two")
        await says(us, ann, "three")
        assert {(await bob.heard(words)).sender for words in ("one", "two", "three")} == {ann.user}


async def test_who_is_away_on_matrix_is_away_on_irc_and_back_with_their_words(
    server: Process, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bridge.irc.puppets.crowd._AWAY_S", 0.2)
    monkeypatch.setattr("bridge.irc.puppets.absence._SPOKE_S", 0.5)
    ann, asked, away = member(unique("ann")), list[str](), [False]

    async def is_away(user: str) -> bool:
        asked.append(user)
        return away[0]

    async with pond(server) as (us, bob):
        us.network._puppets._is_away = is_away
        await says(us, ann, "one")
        await bob.heard("one")

        async def until(flag: str) -> None:
            """What WHO shows: H is here, G is gone."""
            async with asyncio.timeout(15):
                while not (await bob.ask(f"WHO {us.room.id}", _is_about(ann))).params[6].startswith(flag):  # noqa: ASYNC110
                    await asyncio.sleep(1)

        async with asyncio.timeout(15):
            while not asked:  # noqa: ASYNC110  (nothing shows that somebody is seen to be there)
                await asyncio.sleep(0.1)
        await until("H")
        away[0] = True
        await until("G")
        away[0] = False
        await says(us, ann, "two")
        await until("H")
        assert set(asked) == {ann.address}


def _is_about(who: Sender) -> Callable[[Line], bool]:
    return lambda line: line.command == "352" and line.params[5] == who.user
