"""What is said to puppets in private, and what they say, on a server that does as the test says."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import replace

import pytest

from bridge.irc.client import IrcNetwork
from bridge.irc.dialect.operations import Say, Voice, decode, encode
from bridge.irc.puppets import connection as link
from bridge.irc.puppets import whispering
from bridge.model.event import Edit, Event, EventKey, Kind, Mentioned, Message, Origin, Reaction, Room
from bridge.model.outbox import Delivery, Known, Owed, Post
from bridge.model.people import Sender
from bridge.model.text import Span, Style, plain, words
from bridge.network import Batch, InDoubt, Needless, PermanentError, TransientError
from tests.events import matrix, said
from tests.irc.puppets import test_client as scripted
from tests.irc.puppets.test_client import Server, running

pytestmark = pytest.mark.real_time

_TALK = Room("net", "ann>bob")
_THERE = Room("home", "@ann:hs>net/bob")
_TO_BOB = (Mentioned("bob", "bob", ()),)


class Allowlist:
    """Everybody may have a puppet but those in `without`; an account is the user of that name."""

    def __init__(self, *without: str) -> None:
        self.without = without

    def may_have_puppet(self, user: str) -> bool:
        return user not in self.without

    def is_other_user(self, nick: str, user: str) -> bool:
        return False

    def user_of(self, sender: Sender) -> str | None:
        return sender.proofs[0].value if sender.proofs else None


class People:
    """Who has which nick on the server, as WHOIS tells: a mask, and an account."""

    def __init__(self, server: Server, **nicks: tuple[str, str]) -> None:
        self.nicks = dict(nicks)
        self.asked = 0
        self.leaves_after_words = False
        self.after: Callable[[], None] = lambda: None
        server.refuses = self.answer

    def answer(self, asker: str, line: str) -> str | None:
        if line.startswith("WHOIS "):
            nick, me = line.split()[1], asker
            mask, account = self.nicks.get(nick, ("", ""))
            user, _, host = mask.partition("@")
            lines = [f":irc 311 {me} {nick} {user} {host} * :real"] if mask else [f":irc 401 {me} {nick} :No such nick"]
            lines += [f":irc 330 {me} {nick} {account} :is logged in as"] if account else []
            self.asked += 1
            self.after()
            return "\r\n".join([*lines, f":irc 318 {me} {nick} :end"])
        target = line.rpartition("PRIVMSG ")[2].split(" ")[0] if "PRIVMSG " in line else ""
        if target and target[0] != "#" and target not in self.nicks:
            return f":irc 401 {asker} {target} :No such nick"
        if target in self.nicks and self.leaves_after_words:
            self.nicks.clear()
        return None


def _ann(text: str, *, kind: Kind = Kind.TEXT, to: tuple[Mentioned, ...] = _TO_BOB) -> Event:
    who = replace(matrix("ann"), user="ann")
    return replace(said(_THERE, who, text, private=True, kind=kind), mentioned=to)


def _posts(net: IrcNetwork, *events: Event, **more: object) -> Sequence[Post]:
    return net.render([Owed(Delivery.of(each.key, _TALK).id, _TALK, each, **more) for each in events])  # type: ignore[arg-type]


async def _says(net: IrcNetwork, event: Event, *, again: bool = False) -> None:
    for post in _posts(net, event):
        await net.send(post, again=again)


def _said(server: Server) -> list[str]:
    """What was said to bob."""
    return [line for line in server.lines if " bob :" in line and ("PRIVMSG" in line or "NOTICE" in line)]


async def _heard(batches: list[Batch], count: int = 1) -> list[Event]:
    async with asyncio.timeout(10):
        while len(found := [event for batch in batches for event in batch.events]) < count:  # noqa: ASYNC110
            await asyncio.sleep(0.01)
    return found


async def test_a_puppet_is_made_and_says_it_to_who_has_the_nick_and_is_that_user() -> None:
    server = Server()
    people = People(server, bob=("b@h", "bob"))
    async with running(server, members=Allowlist()) as (net, _):
        await _says(net, _ann("hello"))
        await _says(net, _ann("waves", kind=Kind.ACTION))
        await _says(net, _ann("note", kind=Kind.NOTICE))
    assert _said(server) == [
        "ann> PRIVMSG bob :hello",
        "ann> PRIVMSG bob :\x01ACTION waves\x01",
        "ann> NOTICE bob :note",
    ]
    assert people.asked == 6
    assert not [line for line in server.lines if line.startswith("duck> WHOIS")]


@pytest.mark.parametrize(
    ("nicks", "why"),
    [
        ({}, "nobody has the nick bob now"),
        ({"bob": ("b@h", "")}, "is not logged in as bob"),
        ({"bob": ("b@h", "carol")}, "is not logged in as bob"),
    ],
)
async def test_who_does_not_prove_to_be_the_one_who_is_meant_is_told_nothing(
    nicks: dict[str, tuple[str, str]], why: str
) -> None:
    server = Server()
    People(server, **nicks)
    async with running(server, members=Allowlist()) as (net, _):
        with pytest.raises(PermanentError, match=why):
            await _says(net, _ann("secret"))
    assert not [line for line in server.lines if "secret" in line]


async def test_it_is_asked_anew_before_each_line() -> None:
    """Bob leaves, and eve takes his nick, between two lines of one message."""
    server = Server()
    people = People(server, bob=("b@h", "bob"))
    async with running(server, members=Allowlist()) as (net, _):
        one, two = _posts(net, _ann("one\nsecret"))
        await net.send(one)
        people.nicks["bob"] = ("b@h", "eve")
        with pytest.raises(PermanentError, match="is not logged in as bob"):
            await net.send(two)
    assert _said(server) == ["ann> PRIVMSG bob :one"]


async def test_who_leaves_right_after_the_question_is_told_of_in_words() -> None:
    server = Server()
    people = People(server, bob=("b@h", "bob"))
    people.after = people.nicks.clear
    async with running(server, members=Allowlist()) as (net, _):
        with pytest.raises(PermanentError, match="bob: No such nick"):
            await _says(net, _ann("hello"))


async def test_who_takes_the_nick_between_the_answer_and_the_line_is_noticed() -> None:
    """No server lets one write to an account. That it has happened is told."""
    server = Server()
    people = People(server, bob=("b@h", "bob"))
    people.after = lambda: people.nicks.update(bob=("e@h", "eve"))
    async with running(server, members=Allowlist()) as (net, _):
        with pytest.raises(PermanentError, match="may have read it"):
            await _says(net, _ann("hello"))


async def test_who_leaves_right_after_they_were_written_to_has_read_it() -> None:
    server = Server()
    people = People(server, bob=("b@h", "bob"))
    async with running(server, members=Allowlist()) as (net, _):
        await _says(net, _ann("hello"))
        people.leaves_after_words = True
        await _says(net, _ann("bye"))
    assert _said(server)[-1] == "ann> PRIVMSG bob :bye"


async def test_the_nick_of_another_puppet_is_never_written_to() -> None:
    server = Server()
    people = People(server)
    async with running(server, members=Allowlist()) as (net, _):
        await net.send(scripted.post("bob", "I am on Matrix"))
        people.nicks["bob"] = (f"~{server.user('bob')}@h", "bob")
        with pytest.raises(PermanentError, match="a member on Matrix"):
            await _says(net, _ann("hello"))
    assert _said(server) == []


async def test_without_a_puppet_it_is_said_why() -> None:
    server = Server()
    People(server, bob=("b@h", "bob"))
    async with running(server, members=Allowlist("ann")) as (net, _):
        with pytest.raises(PermanentError, match="you have no nick of your own on net"):
            await _says(net, _ann("hello"))
    server = Server()
    People(server, bob=("b@h", "bob"))
    async with running(server, members=Allowlist(), puppets={"limit": 1}) as (net, _):
        await net.send(scripted.post("bea", "first"))
        with pytest.raises(PermanentError, match="lets no nick of your own in"):
            await _says(net, _ann("hello"))


async def test_a_puppet_that_comes_too_late_is_waited_for_once_more(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(whispering, "_CONNECTS_WITHIN_S", 0.05)
    server = Server()
    People(server, bob=("b@h", "bob"))
    async with running(server, members=Allowlist(), puppets={"connect_every": "1h"}) as (net, _):
        await net.send(scripted.post("bea", "first"))
        with pytest.raises(TransientError, match="not connected yet"):
            await _says(net, _ann("hello"))


async def test_words_wait_for_a_puppet_that_did_not_get_in_until_that_takes_too_long(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    server = Server()
    People(server, bob=("b@h", "bob"))
    server.greets = lambda nick: "ERROR :Closing link" if nick == "ann" else None
    async with running(server, members=Allowlist()) as (net, _):
        with pytest.raises(TransientError, match="did not let the nick"):
            await _says(net, _ann("hello"))
        with pytest.raises(TransientError, match="tried again soon") as raised:
            await _says(net, _ann("hello"))
        assert 1 < (raised.value.retry_after or 0) < 20
        monkeypatch.setattr(whispering, "_LONGEST_PAUSE_S", 1.0)
        with pytest.raises(PermanentError, match="lets no nick of your own in"):
            await _says(net, _ann("hello"))


async def test_a_line_on_its_way_when_the_connection_breaks_is_in_doubt(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(link, "_GONE_WITHIN_S", 0.05)
    server = Server()
    People(server, bob=("b@h", "bob"))
    async with running(server, members=Allowlist()) as (net, _):
        await _says(net, _ann("hello"))
        server.holds.add("ann")
        sending = asyncio.ensure_future(_says(net, _ann("lost?")))
        await server.told("ann> PRIVMSG bob :lost?")
        server.cut("ann")
        with pytest.raises(InDoubt) as raised:
            await sending
        assert raised.value.resend


async def test_what_an_earlier_run_may_have_said_is_in_doubt() -> None:
    server = Server()
    People(server, bob=("b@h", "bob"))
    async with running(server, members=Allowlist(), resend_doubtful=False) as (net, _):
        with pytest.raises(InDoubt) as raised:
            await _says(net, _ann("hello"), again=True)
    assert not raised.value.resend
    assert _said(server) == []


async def test_messages_of_a_talk_keep_their_order() -> None:
    server = Server()
    People(server, bob=("b@h", "bob"))
    async with running(server, members=Allowlist(), burst=1000) as (net, _):
        posts = [post for number in range(30) for post in _posts(net, _ann(f"word {number}"))]
        async with asyncio.TaskGroup() as group:
            for post in posts:
                group.create_task(net.send(post))
    assert _said(server) == [f"ann> PRIVMSG bob :word {number}" for number in range(30)]


async def test_words_to_a_puppet_are_an_event_of_its_owners_talk_and_their_sender_is_proved() -> None:
    """By the account that the server tells the puppet; without, nobody is known who shares no channel with us."""
    server = Server()
    async with running(server, members=Allowlist()) as (net, batches):
        await net.send(scripted.post("ann", "one"))
        server.tell("ann", ":irc CAP ann ACK :message-tags account-tag")
        server.tell(
            "ann",
            "@account=bob;msgid=m1 :Bob!u@h PRIVMSG ann :\x02psst\x02",
            ":eve!u@h PRIVMSG ann :\x01ACTION waves\x01",
            "@account=bob :Bob!u@h NOTICE ann :note",
        )
        first, second, third = await _heard(batches, 3)
        assert (first.room, first.id, first.private) == (_TALK, "m1", True)
        assert [proof.value for proof in first.sender.proofs] == ["bob"]
        assert isinstance(first.body, Message)
        assert first.body.text == (Span("psst", Style.BOLD),)
        assert first.body.mentions == ("@ann:hs",)
        assert (second.room, second.sender.proofs, plain(second.text)) == (Room("net", "ann>eve"), (), "waves")
        assert isinstance(third.body, Message)
        assert third.body.kind is Kind.NOTICE


async def test_what_no_person_says_to_a_puppet_is_not_heard() -> None:
    """Services, servers, clients that ask something, our nick, our puppets, and a nick that no talk's id can have."""
    server = Server()
    async with running(server, members=Allowlist()) as (net, batches):
        await net.send(scripted.post("ann", "one"))
        await net.send(scripted.post("bea", "one"))
        server.tell(
            "ann",
            ":NickServ!s@s PRIVMSG ann :hi",
            ":irc.example NOTICE ann :hi",
            ":bob!u@h PRIVMSG ann :\x01VERSION\x01",
            ":bob!u@h NOTICE ann :\x01VERSION x\x01",
            ":duck!u@h PRIVMSG ann :hi",
            f":bea!~{server.user('bea')}@h PRIVMSG ann :hi",
            ":a>bob!u@h PRIVMSG ann :hi",
            ":bob!u@h PRIVMSG ann : ",
            ":bob!u@h PRIVMSG ann :the end",
        )
        (event,) = await _heard(batches)
        assert plain(event.text) == "the end"
        assert not [line for line in server.lines if "NOTICE" in line]


async def test_while_the_bridge_is_offline_who_writes_to_a_puppet_is_asked_to_wait_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    server = Server()
    async with running(server, members=Allowlist()) as (net, batches):
        await net.send(scripted.post("ann", "one"))
        whispers = [*2 * [":bob!u@h PRIVMSG ann :psst"], ":bob!u@h NOTICE ann :x", ":eve!u@h PRIVMSG ann :psst"]
        with monkeypatch.context() as offline:
            offline.setattr(net, "_connection", None)
            server.tell("ann", *whispers)
            await server.told("ann> NOTICE eve :I cannot pass that on right now")
        assert len([line for line in server.lines if "> NOTICE" in line]) == 2
        assert [event for batch in batches for event in batch.events] == []


async def test_a_notice_of_ours_is_said_by_the_puppet_that_is_there_and_by_nobody_else() -> None:
    server = Server()
    us = Sender("net", "", "quackbridge", bot=True)
    notice = Event("refused", _TALK, us, 0.0, Message(words("you are a guest"), Kind.NOTICE), True, Origin.OURS)
    async with running(server, members=Allowlist()) as (net, _):
        with pytest.raises(Needless):
            await _says(net, notice)
        await net.send(scripted.post("ann", "one"))
        await _says(net, notice)
    assert _said(server) == ["ann> NOTICE bob :you are a guest"]


async def test_what_has_no_addressee_is_never_rendered() -> None:
    async with running(Server(), members=Allowlist()) as (net, _):
        with pytest.raises(PermanentError, match="to whom"):
            _posts(net, _ann("hi", to=()))


async def test_an_edit_is_told_whole_and_reactions_are_not_told() -> None:
    async with running(Server(), members=Allowlist()) as (net, _):
        key = EventKey(_THERE, "$one")
        edit = replace(_ann("x"), body=Edit(key, words("right")))
        (post,) = _posts(net, edit, context={key: Known(key, ids=("p",))})
        operation = decode(post.payload)
        assert isinstance(operation, Say)
        assert (operation.text, operation.to) == ("(edited) right", "bob")
        with pytest.raises(Needless):
            _posts(net, replace(edit, body=Reaction(key, "+")))


async def test_late_words_have_their_time() -> None:
    async with running(Server(), members=Allowlist()) as (net, _):
        (post,) = _posts(net, _ann("hi"), said=0.0, age=3600.0)
        operation = decode(post.payload)
        assert isinstance(operation, Say)
        assert operation.unmarked == "[00:00 UTC] hi"


async def test_a_long_message_fits_the_lines_of_the_puppet() -> None:
    server = Server()
    People(server, bob=("b@h", "bob"))
    async with running(server, members=Allowlist(), burst=1000) as (net, _):
        await _says(net, _ann("quack " * 300))
    lines = [line.removeprefix("ann> ") for line in _said(server)]
    assert "".join(line.partition(" :")[2] for line in lines).split() == ["quack"] * 300
    assert all(len(f":ann!~q12345678@{'h' * 63} {line}\r\n".encode()) <= 512 for line in lines)


def test_a_stored_whisper_is_read_back_and_a_damaged_one_is_not_said_in_a_room() -> None:
    whisper = Say("PRIVMSG", "bob", "hi", voice=Voice("ann", "@ann:hs"), to="bob")
    assert decode(encode(whisper)) == whisper
    assert decode(encode(replace(whisper, to=""))).to == ""  # type: ignore[union-attr]
    for damaged in ('"to":1', '"to":["bob"]'):
        with pytest.raises(PermanentError):
            decode(encode(whisper).replace('"to":"bob"', damaged))
    with pytest.raises(PermanentError):
        decode(encode(replace(whisper, voice=None)))


async def test_a_nick_that_looks_like_the_room_of_a_talk_is_reached_in_no_way() -> None:
    """Some servers allow the sign in nicks: what is said to that nick would be said by ann's puppet to bob."""
    server = Server()
    async with running(server, members=Allowlist()) as (_, batches):
        server.tell("duck", ":ann>bob!u@h PRIVMSG duck :psst", ":ann>bob!u@h PRIVMSG #pond :hi")
        server.tell("duck", ":eve!u@h PRIVMSG duck :x")
        first, second = await _heard(batches, 2)
        assert (first.room, first.sender.address, first.sender.name) == (Room("net", "#pond"), "?", "ann›bob")
        assert (second.room, second.sender.address) == (Room("net", "eve"), "eve")


async def test_through_a_bouncer_nobody_has_a_nick_of_their_own() -> None:
    server = Server()
    People(server, bob=("b@h", "bob"))
    async with running(server, members=Allowlist()) as (net, _):
        connection = net._connection
        assert connection is not None
        connection.session.channels.shared = True
        with pytest.raises(PermanentError, match="reached through a bouncer"):
            await _says(net, _ann("hello"))
    assert not [line for line in server.lines if "NICK ann" in line]
