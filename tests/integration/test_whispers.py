"""Private words of puppets and to them, on real servers: InspIRCd with every tag, and ngIRCd with none. Neither has
services here: people are members by their masks."""

import asyncio
from dataclasses import replace

import pytest

from bridge.demo.people import IrcPerson
from bridge.demo.servers import InspIRCd, Process
from bridge.model.event import Event, Kind, Mentioned, Message, Room
from bridge.model.outbox import Delivery, Owed
from bridge.model.people import Proof, Sender
from bridge.model.text import plain, words
from bridge.network import PermanentError
from tests.events import said
from tests.integration.irc import Ours, person
from tests.integration.puppets import Allowlist, member, pond, says
from tests.integration.servers import NgIrcd, unique

pytestmark = pytest.mark.servers


@pytest.fixture(params=["inspircd", "ngircd"])
def server(request: pytest.FixtureRequest, inspircd: InspIRCd, ngircd: NgIrcd) -> Process:
    return inspircd if request.param == "inspircd" else ngircd


class ByUser(Allowlist):
    """Who has connected with a user name is the user of that name, whatever their nick is now."""

    def user_of(self, sender: Sender) -> str | None:
        masks = [proof.value for proof in sender.proofs if proof.kind is Proof.IRC_MASK]
        return masks[0].partition("!")[2].partition("@")[0].lstrip("~") if masks else None


def _room(ann: Sender, nick: str) -> Room:
    return Room("net", f"{ann.user}>{nick.lower()}")


async def _whispers(us: Ours, ann: Sender, nick: str, user: str, text: str, kind: Kind = Kind.TEXT) -> None:
    """Ann says something in private to who has that nick, and means that user."""
    there, to = Room("home", f"{ann.address}>net/{nick.lower()}"), (Mentioned(nick, user, ()),)
    event = replace(said(there, ann, text, unique("$"), private=True, kind=kind), mentioned=to)
    room = _room(ann, nick)
    for post in us.network.render([Owed(Delivery.of(event.key, room).id, room, event)]):
        await us.network.send(post)


def _private(who: IrcPerson) -> list[tuple[str, str, str]]:
    return [(each.sender, each.kind, each.text) for each in who.messages if each.room == who.nick]


async def test_private_words_go_both_ways_in_every_kind_and_in_order(server: Process) -> None:
    ann = member(unique("ann"))
    async with pond(server, allowlist=ByUser(), trust_hostmasks=True) as (us, bob):
        await _whispers(us, ann, bob.nick, bob.nick, "hello")
        await _whispers(us, ann, bob.nick, bob.nick, "waves", Kind.ACTION)
        await _whispers(us, ann, bob.nick, bob.nick, "note", Kind.NOTICE)
        async with asyncio.TaskGroup() as group:
            for number in range(20):
                group.create_task(_whispers(us, ann, bob.nick, bob.nick, f"{number}"))
        await bob.ping()
        name = str(ann.user)
        expected = [(name, "text", "hello"), (name, "action", "waves"), (name, "notice", "note")]
        assert _private(bob)[:3] == expected
        assert [text for _, _, text in _private(bob)[3:]] == [f"{number}" for number in range(20)]
        await bob.say(name, "hello yourself")
        await bob.me(name, "waves back")
        heard = [await us.hears(text) for text in ("hello yourself", "waves back")]
        assert [event.room for event in heard] == [_room(ann, bob.nick)] * 2
        assert [event.private for event in heard] == [True, True]
        assert all(ByUser().user_of(event.sender) == bob.nick for event in heard)
        assert [_kind(event) for event in heard] == [Kind.TEXT, Kind.ACTION]
        assert heard[0].text == words("hello yourself")


def _kind(event: Event) -> Kind:
    assert isinstance(event.body, Message)
    return event.body.kind


async def test_who_has_taken_the_nick_hears_nothing(server: Process) -> None:
    ann = member(unique("ann"))
    async with pond(server, allowlist=ByUser(), trust_hostmasks=True) as (us, bob):
        user = bob.nick
        await _whispers(us, ann, user, user, "one")
        await bob.rename(unique("away"))
        with pytest.raises(PermanentError, match="nobody has the nick"):
            await _whispers(us, ann, user, user, "secret")
        async with person(server) as eve:
            await eve.rename(user)
            with pytest.raises(PermanentError, match=f"is not logged in as {user}"):
                await _whispers(us, ann, user, user, "secret")
            await eve.say(str(ann.user), "it is me")
            assert ByUser().user_of((await us.hears("it is me")).sender) != user
            await eve.ping()
            assert not [text for _, _, text in _private(eve) if "secret" in text]


async def test_a_nick_that_was_never_there_and_one_that_belongs_to_a_puppet_are_told_apart(server: Process) -> None:
    ann, bea = member(unique("ann")), member(unique("bea"))
    async with pond(server, allowlist=ByUser(), trust_hostmasks=True) as (us, bob):
        await says(us, bea, "here I am")
        await bob.heard("here I am")
        with pytest.raises(PermanentError, match="a member on Matrix"):
            await _whispers(us, ann, str(bea.user), str(bea.user), "hello")
        with pytest.raises(PermanentError, match="nobody has the nick"):
            await _whispers(us, ann, unique("nil"), "x", "hello")
        assert us.events == []


async def test_the_words_of_one_puppet_to_another_are_nobodys(server: Process) -> None:
    """It is our own connection; the words would come back as a person's."""
    ann, bea = member(unique("ann")), member(unique("bea"))
    async with pond(server, allowlist=ByUser(), trust_hostmasks=True) as (us, bob):
        await says(us, ann, "one")
        await says(us, bea, "two")
        puppet = us.network._puppets.of(str(bea.user))
        assert puppet is not None
        assert puppet.connection is not None
        puppet.connection.notice(str(ann.user), "psst")
        await bob.say(str(ann.user), "the end")
        assert plain((await us.hears("the end")).text) == "the end"
        assert len(us.events) == 1
