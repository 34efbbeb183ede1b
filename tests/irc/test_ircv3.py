"""Replies, reactions, removals, topics and typing, in both directions, with a server that has them all."""

import asyncio
from collections.abc import Callable
from dataclasses import replace

import pytest

from bridge.irc.client import IrcNetwork
from bridge.irc.dialect.operations import Operation, React, Redact, Say, SetTopic, encode
from bridge.model.event import (
    Body,
    Change,
    Edit,
    Event,
    EventKey,
    Membership,
    Message,
    Reaction,
    Redaction,
    Room,
    Topic,
)
from bridge.model.outbox import Post
from bridge.model.people import Identity, Proof, Sender
from bridge.model.text import words
from bridge.network import Batch, Gathering, InDoubt, Needless, PermanentError, SendError, Signals, TransientError
from tests.irc.ircv3 import OFFERED, Ircv3
from tests.irc.test_client import running

pytestmark = pytest.mark.real_time

_POND = Room("net", "#pond")
_WITHOUT_LABELS = OFFERED.replace(" labeled-response", "")
_WITHOUT_ECHOES = _WITHOUT_LABELS.replace(" echo-message", "")
_ALL = pytest.mark.parametrize("caps", [OFFERED, _WITHOUT_LABELS, _WITHOUT_ECHOES], ids=["labels", "echoes", "pings"])
_ANN = Sender("net", "al", "al", (Identity(Proof.IRC, "net", "Ann"),))


def post(operation: Operation, name: str = "p") -> Post:
    return Post.of(_POND, (name,), 0, encode(operation))


def says(text: str = "hi", reply: str = "") -> Post:
    return post(Say("PRIVMSG", "#pond", text, reply=reply), text)


async def hears(batches: list[Batch], wanted: Callable[[Body], bool]) -> Event:
    async with asyncio.timeout(10):
        while True:
            for batch in batches:
                for event in batch.events:
                    if wanted(event.body):
                        return event
            await asyncio.sleep(0.01)


@_ALL
async def test_a_reply_and_a_reaction_on_irc_are_to_the_message_that_we_sent(caps: str) -> None:
    ircd = Ircv3(caps)
    async with running(ircd) as (net, batches):
        sent = await net.send(says())
        ircd.says("al", "yes", f"+draft/reply={sent}", "Ann")
        ircd.does("al", "TAGMSG #pond", f"+draft/reply={sent};+draft/react=\U0001f44d", "Ann")
        said = await hears(batches, lambda body: isinstance(body, Message))
        reaction = await hears(batches, lambda body: isinstance(body, Reaction))
    assert isinstance(said.body, Message)
    assert said.body.reply_to == EventKey(_POND, sent)
    assert reaction.body == Reaction(EventKey(_POND, sent), "\U0001f44d")
    assert {event.sender.proofs for event in (said, reaction)} == {_ANN.proofs}


@_ALL
async def test_our_reply_names_the_message_that_was_heard(caps: str) -> None:
    ircd = Ircv3(caps)
    async with running(ircd) as (net, batches):
        msgid = ircd.says("al", "who is there?", account="Ann")
        heard = await hears(batches, lambda body: isinstance(body, Message))
        assert heard.id == msgid
        await net.send(says("me", reply=heard.id))
    (line,) = (line for line in ircd.lines if "PRIVMSG" in line)
    assert f"+draft/reply={msgid};+reply={msgid}" in line


async def test_a_reply_that_has_to_be_split_anew_names_what_it_answers_once() -> None:
    ircd = Ircv3()
    async with running(ircd) as (net, _):
        await net.send(says("x" * 1000, reply="id-1"))
    lines = [line for line in ircd.lines if "PRIVMSG" in line]
    assert ["+reply=" in line for line in lines] == [True, *[False] * (len(lines) - 1)]
    assert len(lines) > 1


@_ALL
async def test_a_reaction_of_ours_is_shown_and_known_by_an_id(caps: str) -> None:
    ircd = Ircv3(caps)
    async with running(ircd) as (net, batches):
        known = await net.send(post(React("#pond", "id-7", "\U0001f44d"), "r1"))
        await net.send(post(React("#pond", "id-7", "\U0001f44d", removed=True), "r2"))
        assert ircd.reactions == [("id-7", "\U0001f44d")]
        if "echo-message" in caps:
            assert known in ircd.messages
        assert [event for batch in batches for event in batch.events] == []
    assert any("+draft/unreact=" in line for line in ircd.lines)


@_ALL
async def test_a_message_of_ours_is_removed_and_one_that_we_may_not_remove_holds_nothing_up(caps: str) -> None:
    ircd = Ircv3(caps)
    async with running(ircd) as (net, _):
        await net.send(says("oops"))
        (msgid,) = (id_ for id_, author in ircd.messages.items() if author == "duck")
        theirs = ircd.says("al", "hi")
        await net.send(post(Redact("#pond", msgid, "oops"), "d1"))
        await net.send(post(Redact("#pond", theirs), "d2"))
        await net.send(post(Redact("#pond", "unknown"), "d3"))
        assert await net.send(says("and so on"))
    assert msgid not in ircd.messages
    assert theirs in ircd.messages


@_ALL
async def test_removals_on_irc_are_heard_and_those_of_an_operator_are_vouched_for(caps: str) -> None:
    ircd = Ircv3(caps)
    async with running(ircd) as (_, batches):
        ircd.does("al", "REDACT #pond id-1 :oops", account="Ann")
        ircd.does("bob", "REDACT #pond id-2 :spam", account="Bob")
        by_author = await hears(batches, lambda body: isinstance(body, Redaction) and body.reason == "oops")
        by_op = await hears(batches, lambda body: isinstance(body, Redaction) and body.reason == "spam")
    assert by_author.body == Redaction(EventKey(_POND, "id-1"), "oops")
    assert by_op.body == Redaction(EventKey(_POND, "id-2"), "spam", moderated=True)
    assert by_author.sender.proofs == _ANN.proofs


@_ALL
async def test_a_topic_is_set_by_an_operator_and_dead_for_anybody_else(caps: str) -> None:
    ircd = Ircv3(caps, op=True)
    async with running(ircd) as (net, batches):
        await net.send(post(SetTopic("#pond", "hot water"), "t1"))
        assert ircd.topic == "hot water"
        ircd.op = False
        with pytest.raises(PermanentError, match="no operator in #pond"):
            await net.send(post(SetTopic("#pond", "cold"), "t2"))
        assert await net.send(says())
        ircd.does("al", "TOPIC #pond :\x02warm\x02", account="Ann")
        heard = await hears(batches, lambda body: isinstance(body, Topic))
    assert heard.body == Topic("warm")
    assert ircd.topic == "hot water"


async def test_who_comes_and_goes_is_heard() -> None:
    ircd = Ircv3()
    async with running(ircd) as (_, batches):
        ircd.tell(":carol!c@h JOIN #pond Carol :C", ":carol!c@h QUIT :*.net *.split")
        gone = await hears(batches, lambda body: isinstance(body, Membership) and body.change is Change.LEFT)
    assert isinstance(gone.body, Membership)
    assert gone.body.detail == "netsplit"
    assert gone.body.person.proofs == (Identity(Proof.IRC, "net", "Carol"),)


@pytest.mark.parametrize(
    "caps", ["server-time", OFFERED.replace(" draft/message-redaction", "").replace("message-tags ", "")]
)
async def test_what_a_server_has_not_is_needless_and_the_room_goes_on(caps: str) -> None:
    async with running(Ircv3(caps)) as (net, _):
        for operation in (React("#pond", "id-1", "x"), Redact("#pond", "id-1")):
            with pytest.raises(Needless):
                await net.send(post(operation))
        assert await net.send(says())


@pytest.mark.parametrize("operation", [React("#pond", "id-1", "x"), Redact("#pond", "id-1"), SetTopic("#pond", "t")])
async def test_what_may_be_done_twice_is_done_again_after_a_lost_connection_without_a_doubt(
    operation: Operation,
) -> None:
    ircd = Ircv3(op=True)
    async with running(ircd) as (net, _):
        ircd.says("al", "hi")
        ircd.hangs_up_on = encode_command(operation)
        with pytest.raises(TransientError):
            await net.send(post(operation))
        await _until_sent(net, post(operation))
        other = replace(operation, text="t2") if isinstance(operation, SetTopic) else operation
        await net.send(post(other, "again"), again=True)
        with pytest.raises(InDoubt):
            await net.send(says("a message may come twice"), again=True)
    assert sum(encode_command(operation) in line for line in ircd.lines) == 3


def encode_command(operation: Operation) -> str:
    return {React: "TAGMSG", Redact: "REDACT", SetTopic: "TOPIC"}[type(operation)]


async def _until_sent(net: IrcNetwork, what: Post) -> None:
    async with asyncio.timeout(10):
        while True:
            try:
                await net.send(what)
            except SendError:
                await asyncio.sleep(0.05)
            else:
                return


# Typing


def typed(ircd: Ircv3) -> list[str]:
    return [line for line in ircd.lines if "TAGMSG" in line]


async def test_typing_is_shown_once_and_a_message_ends_it() -> None:
    ircd = Ircv3()
    async with running(ircd, per_second=1e6) as (net, batches):
        assert isinstance(net, Signals)
        for _ in range(5):
            await net.typing(_POND, active=True)
        await net.send(says())
        await net.typing(_POND, active=False)
        await net.typing(Room("net", "#elsewhere"), active=True)
        await net.send(says("barrier"))
        assert typed(ircd) == ["@+typing=active TAGMSG #pond"]
        assert not any(batch.signals for batch in batches), "our own typing is not heard"


async def test_typing_of_others_comes_with_a_batch_that_has_nothing_to_store() -> None:
    ircd = Ircv3()
    async with running(ircd) as (net, batches):
        ircd.does("al", "TAGMSG #pond", "+typing=active", "Ann")
        async with asyncio.timeout(10):
            while not batches[-1].signals:  # noqa: ASYNC110 - a list is no event
                await asyncio.sleep(0.01)
        (signal,) = batches[-1].signals
        assert (signal.room, signal.sender.proofs, signal.active) == (_POND, _ANN.proofs, True)
        assert (batches[-1].events, batches[-1].cursor) == ((), batches[-2].cursor)
        assert await net.send(says())


@pytest.mark.parametrize(
    ("caps", "supports"),
    [(OFFERED, "CLIENTTAGDENY=*,-draft/reply "), ("server-time", ""), (OFFERED, "CLIENTTAGDENY=typing ")],
)
async def test_typing_is_not_shown_where_the_server_would_not_pass_it_on(caps: str, supports: str) -> None:
    ircd = Ircv3(caps, supports)
    async with running(ircd, per_second=1e6) as (net, _):
        await net.typing(_POND, active=True)
        await net.send(says())
    assert typed(ircd) == []


async def test_typing_never_takes_the_budget_of_a_message() -> None:
    ircd = Ircv3()
    async with running(ircd, burst=5, per_second=0.001) as (net, _):
        await net.typing(_POND, active=True)  # joining has taken some of it
        assert await net.send(says("1"))
        await net.typing(_POND, active=True)
        assert typed(ircd) == []


async def test_typing_without_a_connection_does_nothing() -> None:
    async with running(Ircv3()) as (net, _):
        pass
    await net.typing(_POND, active=True)


# Gathering


def test_reactions_edits_and_memberships_wait_for_more_of_them_and_nothing_else_does() -> None:
    assert issubclass(IrcNetwork, Gathering)
    key = EventKey(_POND, "m1")
    bodies: list[Body] = [
        Reaction(key, "x"),
        Edit(key, words("x")),
        Membership(_ANN, Change.JOINED),
        Message(words("x")),
        Redaction(key),
        Topic("t"),
    ]
    gather = IrcNetwork.gather
    waits = [gather(None, Event("1", _POND, _ANN, 0.0, body)) for body in bodies]  # type: ignore[arg-type]
    assert waits == [9.0, 3.0, 4.0, 0.0, 0.0, 0.0]
