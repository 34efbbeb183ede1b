"""What is done on IRC without words: replies, reactions, removals, typing, topics, and people who come and go."""

import pytest

from bridge.irc.effects import Heard, Typed
from bridge.irc.hearing.cursor import Cursor, Position
from bridge.irc.inbox import Inbox
from bridge.model.event import (
    Body,
    Change,
    Event,
    EventKey,
    Membership,
    Message,
    Origin,
    Reaction,
    Redaction,
    Room,
    Topic,
)
from bridge.model.people import Identity, Proof, Sender
from bridge.model.text import words
from bridge.network import Typing
from tests.irc.test_accounts import answer
from tests.irc.test_history import Return, at, old
from tests.irc.test_session import ALL, POND, Talk
from tests.work import growth

_ALICE, _BOB = Identity(Proof.IRC, "net", "Alice"), Identity(Proof.IRC, "net", "Bob")
_LAKE = Room("net", "#lake")
_RANKS = "CASEMAPPING=ascii PREFIX=(qaohv)~&@%+ CHANTYPES=# CHANMODES=beI,k,l,imnpstcS"
_CAPS = f"{ALL} draft/message-redaction"


def bodies(talk: Talk) -> list[Body]:
    return [event.body for event in talk.events]


def of(msgid: str) -> EventKey:
    return EventKey(POND, msgid)


def signals(talk: Talk) -> list[tuple[str, bool]]:
    return [(each.signal.sender.address, each.signal.active) for each in talk.of(Typed)]


# Replies and reactions


@pytest.mark.parametrize("tags", ["+draft/reply=m1", "+reply=m1", "+reply=m1;+draft/reply=m1"])
@pytest.mark.parametrize("command", ["PRIVMSG", "NOTICE"])
def test_a_message_with_a_reply_tag_answers_the_message_of_that_id(tags: str, command: str) -> None:
    talk = Talk().welcomed(ALL)
    talk.hears(f"@msgid=m2;{tags} :al!u@h {command} #pond :yes")
    assert [each.reply_to for each in bodies(talk) if isinstance(each, Message)] == [of("m1")]


def test_an_empty_reply_tag_answers_nothing_and_a_huge_one_is_an_id_of_bounded_length() -> None:
    talk = Talk().welcomed(ALL)
    talk.hears("@+draft/reply= :al!u@h PRIVMSG #pond :1", f"@+reply={'x' * 4000} :al!u@h PRIVMSG #pond :2")
    empty, huge = (event.body.reply_to for event in talk.heard if isinstance(event.body, Message))
    assert empty is None
    assert huge is not None
    assert len(huge.id) <= 128
    talk.hears(f"@msgid={'x' * 4000} :al!u@h PRIVMSG #pond :3")
    assert talk.heard[-1].id == huge.id, "the answered message has the same id"


def test_a_reaction_of_one_sign_is_heard_and_taken_back() -> None:
    talk = Talk().welcomed(ALL)
    talk.hears(
        "@msgid=r1;account=Alice;+draft/reply=m1;+draft/react=\U0001f44d :al!u@h TAGMSG #pond",
        "@msgid=r2;account=Alice;+draft/reply=m1;+draft/unreact=\U0001f44d :al!u@h TAGMSG #pond",
    )
    assert bodies(talk) == [Reaction(of("m1"), "\U0001f44d"), Reaction(of("m1"), "\U0001f44d", removed=True)]
    assert [(event.id, event.sender.proofs) for event in talk.events] == [("r1", (_ALICE,)), ("r2", (_ALICE,))]


@pytest.mark.parametrize(
    "tags",
    [
        "+draft/react=x",  # to nothing
        "+draft/reply=m1",  # says nothing
        "+draft/reply=m1;+draft/react=",
        "+draft/reply=m1;+draft/react=lol",
        "+draft/reply=m1;+draft/react=\\s",
        "+draft/reply=m1;+draft/react=\u200b",
        "+draft/reply=m1;+draft/react=x;+draft/unreact=x",
        f"+draft/reply=m1;+draft/react=e{chr(0x301) * 100}",
    ],
)
def test_a_tagmsg_that_is_no_reaction_of_one_sign_to_a_message_is_ignored(tags: str) -> None:
    talk = Talk().welcomed(ALL)
    talk.hears(f"@msgid=r1;{tags} :al!u@h TAGMSG #pond")
    assert talk.events == []


@pytest.mark.parametrize("target", ["duck", "#lake", "@#pond"])
def test_a_reaction_in_private_elsewhere_or_for_the_ranks_of_a_channel_is_ignored(target: str) -> None:
    talk = Talk().welcomed(ALL)
    talk.hears(f"@msgid=r1;+draft/reply=m1;+draft/react=x :al!u@h TAGMSG {target}")
    assert talk.events == []


def test_equal_reactions_without_a_msgid_have_different_ids() -> None:
    talk = Talk().welcomed("message-tags server-time")
    line = "@time=2026-11-23T00:00:00.000Z;+draft/reply=m1;+draft/react={} :al!u@h TAGMSG #pond"
    talk.hears(":irc 421 duck WHOIS :Unknown command", line.format("x"), line.format("y"), line.format("x"))
    assert len({event.id for event in talk.events}) == 3


def test_what_somebody_does_waits_with_their_words_until_the_server_says_who_they_are() -> None:
    talk = Talk().welcomed("message-tags draft/message-redaction")
    talk.hears(":irc 353 duck = #pond :al duck", "@msgid=m1 :al!u@h PRIVMSG #pond :oops")
    talk.hears(
        "@+draft/reply=m0;+draft/react=x :al!u@h TAGMSG #pond", ":al!u@h REDACT #pond m1", ":al!u@h TOPIC #pond :t"
    )
    assert talk.events == []
    talk.hears(*answer("al", "Alice"))
    assert [type(each) for each in bodies(talk)] == [Message, Reaction, Redaction, Topic]
    assert {event.sender.proofs for event in talk.events} == {(_ALICE,)}


# Removals


def test_a_redact_removes_the_message_of_that_id_with_its_reason() -> None:
    talk = Talk().welcomed(_CAPS, _RANKS)
    talk.hears("@msgid=d1;account=Alice :al!u@h REDACT #pond m1 :\x02too\x02 much", "@msgid=d2 :al!u@h REDACT #pond m2")
    assert bodies(talk) == [Redaction(of("m1"), "too much"), Redaction(of("m2"))]
    assert [(event.id, event.sender.proofs) for event in talk.events] == [("d1", (_ALICE,)), ("d2", ())]


@pytest.mark.parametrize("names", ["~al", "&al", "@al", "%al", "@+al", "@al!u@h"])
def test_a_redact_of_somebody_who_moderates_the_channel_is_vouched_for(names: str) -> None:
    talk = Talk().welcomed(_CAPS, _RANKS)
    talk.hears(f":irc 353 duck = #pond :duck {names}", "@msgid=d1 :al!u@h REDACT #pond m1")
    assert bodies(talk) == [Redaction(of("m1"), moderated=True)]


@pytest.mark.parametrize(
    ("lines", "moderated"),
    [
        ([":op!o@h MODE #pond +o al"], True),
        ([":op!o@h MODE #pond +bvo-l x!*@* al al"], True),
        ([":op!o@h MODE #pond +lh 5 al"], True),
        ([":op!o@h MODE #pond +o AL"], True),
        ([":op!o@h MODE #pond +v al"], False),
        ([":op!o@h MODE #pond +o bob"], False),
        ([":op!o@h MODE #pond +b al"], False),
        ([":op!o@h MODE #lake +o al"], False),
        ([":op!o@h MODE #pond +o al", ":op!o@h MODE #pond -o al"], False),
        ([":op!o@h MODE #pond +oh al al", ":op!o@h MODE #pond -o al"], True),
        ([":op!o@h MODE #pond +o al", ":al!u@h PART #pond", ":al!u@h JOIN #pond"], False),
        ([":op!o@h MODE #pond +o bob", ":bob!b@h PART #pond", ":al!u@h NICK bob", ":bob!u@h NICK al"], False),
        ([":bob!b@h JOIN #pond", ":op!o@h MODE #pond +o bob", ":al!u@h QUIT", ":bob!u@h NICK al"], True),
    ],
)
def test_ranks_follow_the_modes_of_the_channel(lines: list[str], moderated: bool) -> None:
    talk = Talk().welcomed(_CAPS, _RANKS)
    talk.hears(":irc 353 duck = #pond :duck al", *lines, "@msgid=d1 :al!u@h REDACT #pond m1")
    assert [each for each in bodies(talk) if isinstance(each, Redaction)] == [Redaction(of("m1"), moderated=moderated)]


def test_a_redact_by_the_server_itself_is_vouched_for_and_proves_no_account() -> None:
    talk = Talk().welcomed(_CAPS, _RANKS)
    talk.hears("@msgid=d1;account=Alice :irc.test REDACT #pond m1 :spam")
    assert bodies(talk) == [Redaction(of("m1"), "spam", moderated=True)]
    assert talk.events[0].sender.proofs == ()


def test_a_redact_without_an_id_and_one_elsewhere_are_ignored() -> None:
    talk = Talk().welcomed(_CAPS)
    talk.hears(":al!u@h REDACT #pond", ":al!u@h REDACT #lake m1", ":al!u@h REDACT duck m1")
    assert talk.events == []


def test_a_redact_and_a_reaction_in_a_history_are_heard_once_and_in_order() -> None:
    talk = Return(caps=f"{_CAPS} draft/chathistory", supports="CHANTYPES=# PREFIX=(ov)@+ CHATHISTORY=3")
    talk.comes()
    talk.fence()
    lines = [
        old("m1", 10, tags=";account=Bob"),
        f"@time={at(11)};msgid=d1;batch=1;account=Bob :bob!u@h REDACT #pond m1 :oops",
        f"@time={at(12)};msgid=r1;batch=1;account=Bob;+draft/reply=m0;+draft/react=x :bob!u@h TAGMSG #pond",
    ]
    asked = talk.hears(":irc BATCH +1 chathistory #pond", *lines, ":irc BATCH -1")
    assert asked == ["CHATHISTORY AFTER #Pond msgid=r1 3"]
    talk.hears(":irc BATCH +1 chathistory #pond", ":irc BATCH -1")
    assert [type(each) for each in bodies(talk)] == [Message, Redaction, Reaction]
    assert {(event.origin, event.sender.proofs) for event in talk.events} == {(Origin.REPLAYED, (_BOB,))}


def test_our_own_removals_reactions_and_topics_are_not_heard() -> None:
    talk = Talk().welcomed(_CAPS)
    us = "duck!~quack@host.example"
    talk.hears(f":{us} REDACT #pond m1", f"@+draft/reply=m1;+draft/react=x :{us} TAGMSG #pond", f":{us} TOPIC #pond :t")
    talk.hears(f":{us} NICK drake", ":drake!~quack@host.example NICK duck", ":op!o@h KICK #pond duck :out")
    assert talk.events == []


# Topics


def test_a_topic_that_somebody_sets_is_heard_without_formatting_but_not_the_one_that_was_there() -> None:
    talk = Talk().welcomed(ALL)
    talk.hears(":irc 332 duck #pond :old", ":irc 333 duck #pond al 1", ":irc.test TOPIC #pond :restored")
    assert talk.events == []
    talk.hears("@account=Alice :al!u@h TOPIC #pond :\x02\x0304hot\x03\x02 water", ":al!u@h TOPIC #pond :")
    assert bodies(talk) == [Topic("hot water"), Topic("")]
    assert talk.events[0].sender.proofs == (_ALICE,)


# People who come and go


def test_who_joins_leaves_quits_is_kicked_and_renamed_is_heard_with_who_did_it() -> None:
    talk = Talk().welcomed("extended-join account-notify")
    talk.hears(
        ":op!o@h JOIN #pond Op :O",
        ":al!u@h JOIN #pond Alice :A",
        ":al!u@h NICK ally",
        ":ally!u@h PART #pond :\x0304bye",
        ":ally!u@h JOIN #pond Alice :A",
        ":op!o@h MODE #pond +b *!*@h",
        ":op!o@h KICK #pond ally :out",
        ":op!o@h QUIT :a.example b.example",
    )
    found = [
        (event.sender.address, each.person.address, each.change, each.detail)
        for event in talk.events
        if isinstance(each := event.body, Membership)
    ]
    assert found == [
        ("op", "op", Change.JOINED, ""),
        ("al", "al", Change.JOINED, ""),
        ("al", "al", Change.RENAMED, "ally"),
        ("ally", "ally", Change.LEFT, "bye"),
        ("ally", "ally", Change.JOINED, ""),
        ("op", "ally", Change.KICKED, "out"),
        ("op", "op", Change.LEFT, "netsplit"),
    ]
    alice = [
        each.person.proofs for each in bodies(talk) if isinstance(each, Membership) and each.person.address != "op"
    ]
    assert alice == [(_ALICE,)] * 5
    assert talk.events[5].sender.proofs == (Identity(Proof.IRC, "net", "Op"),)


def test_one_connection_of_a_person_is_the_same_before_and_after_a_new_nick() -> None:
    talk = Talk().welcomed()
    talk.hears(":al!u@h JOIN #pond", ":al!u@h NICK ally", ":ally!u@h PART #pond")
    connections = {each.person.connection for each in bodies(talk) if isinstance(each, Membership)}
    assert len(connections) == 1
    assert "" not in connections


def test_who_quits_or_is_renamed_is_heard_in_each_channel_that_they_share_with_us() -> None:
    talk = Talk(rooms=(POND, _LAKE)).welcomed()
    talk.hears(
        ":duck!~quack@host.example JOIN #lake", ":al!u@h JOIN #pond", ":al!u@h JOIN #lake", ":bob!u@h JOIN #lake"
    )
    before = len(talk.events)
    talk.hears(":al!u@h NICK ally", ":ally!u@h QUIT :bye", ":bob!u@h QUIT :bye", ":carol!u@h QUIT :bye")
    assert [event.room for event in talk.events[before:]] == [POND, _LAKE, POND, _LAKE, _LAKE]


def test_nobody_joins_when_we_are_told_who_is_there_already() -> None:
    talk = Talk().welcomed()
    talk.hears(":irc 353 duck = #pond :@op +al duck", ":irc 366 duck #pond :end")
    assert talk.events == []


def test_who_leaves_a_channel_is_told_after_their_last_words_though_these_had_to_wait() -> None:
    talk = Talk().welcomed()
    talk.hears(":irc 353 duck = #pond :al duck", ":al!u@h PRIVMSG #pond :bye", ":al!u@h QUIT :gone")
    assert [type(each) for each in bodies(talk)] == [Message, Membership]


def test_a_thousand_people_who_come_at_once_are_not_asked_for_and_push_no_waiting_words_out() -> None:
    talk = Talk().welcomed()
    talk.hears(":irc 353 duck = #pond :al duck", ":al!u@h PRIVMSG #pond :hi")
    written: list[str] = []
    work = growth(
        lambda some: written.extend(talk.hears(*(f":n{each}-{some}!u@h JOIN #pond" for each in range(some)))), 333
    )
    assert work < 3
    assert written == []
    talk.hears(*answer("al", "Alice"))
    assert len(talk.events) == 1 + 333 + 666
    assert [event.sender.proofs for event in talk.heard] == [(_ALICE,)]


def test_a_kick_of_somebody_who_is_not_there_is_ignored() -> None:
    talk = Talk().welcomed()
    talk.hears(":op!o@h KICK #pond nobody :out", ":nobody!u@h PART #pond", ":nobody!u@h NICK x")
    assert talk.events == []


def test_what_people_do_while_we_catch_up_is_told_after_what_was_said_before() -> None:
    talk = Return()
    talk.batch(old("m1", 10, tags=";account=Bob"))
    talk.hears(f"@time={at(61)} :al!u@h JOIN #pond * :A", f"@time={at(62)};account=Bob :bob!u@h TOPIC #pond :t")
    assert talk.events == []
    talk.fence()
    assert [type(each) for each in bodies(talk)] == [Message, Membership, Topic]


# Typing


def test_typing_is_heard_at_most_every_two_seconds_of_one_person_and_its_end_at_once() -> None:
    talk = Talk().welcomed(ALL)
    active, done = (f"@account=Alice;+typing={state} :al!u@h TAGMSG #pond" for state in ("active", "done"))
    talk.hears(done, active, active)
    assert signals(talk) == [("al", True)]
    talk.passes(2)
    talk.hears(active, done, done, active)
    assert signals(talk) == [("al", True), ("al", True), ("al", False)]
    assert talk.of(Typed)[0].signal.sender.proofs == (_ALICE,)
    assert talk.events == []


@pytest.mark.parametrize(
    "line", [":al!u@h PRIVMSG #pond :hi", ":al!u@h PART #pond", ":op!o@h KICK #pond al", ":al!u@h QUIT"]
)
def test_who_says_something_or_leaves_types_no_more(line: str) -> None:
    talk = Talk().welcomed(ALL)
    talk.hears(":al!u@h JOIN #pond Alice :A", "@+typing=active :al!u@h TAGMSG #pond", line)
    assert signals(talk) == [("al", True), ("al", False)]


def test_who_gives_no_new_sign_for_six_seconds_types_no_more() -> None:
    talk = Talk().welcomed(ALL)
    talk.hears("@+typing=active :al!u@h TAGMSG #pond")
    talk.passes(6)
    assert signals(talk) == [("al", True)]
    talk.passes(10)
    assert signals(talk) == [("al", True), ("al", False)]


def test_typing_of_somebody_whose_account_is_unknown_is_dropped_and_asks_nobody() -> None:
    talk = Talk().welcomed("message-tags")
    assert talk.hears(":irc 353 duck = #pond :al duck", "@+typing=active :al!u@h TAGMSG #pond") == []
    assert talk.of(Typed) == []


def typing(who: str, active: bool = True) -> Typed:
    return Typed(Typing(POND, Sender("net", who, who), active))


async def test_the_newest_signal_of_each_person_comes_with_the_next_batch_and_moves_no_cursor() -> None:
    inbox = Inbox(Cursor({POND.id: Position(1.0, "m", 1.0)}))
    inbox.until = 50.0
    inbox.present.add(POND)
    for who, active in (("al", True), ("bob", True), ("al", False)):
        inbox.put(typing(who, active))
    batch = await inbox.take()
    assert batch is not None
    assert sorted((each.sender.address, each.active) for each in batch.signals) == [("al", False), ("bob", True)]
    assert (batch.events, batch.cursor) == ((), Cursor({POND.id: Position(1.0, "m", 1.0)}).dump())


async def test_at_most_a_hundred_signals_wait() -> None:
    inbox = Inbox(Cursor({}))
    for number in range(1000):
        inbox.put(typing(f"n{number}"))
    batch = await inbox.take()
    assert batch is not None
    assert len(batch.signals) == 100


async def test_what_no_history_repeats_moves_no_position_but_shows_that_we_were_there() -> None:
    inbox = Inbox(Cursor({POND.id: Position(10.0, "m0", 10.0)}))
    al = Sender("net", "al", "al")
    for at_, body in ((20.0, Membership(al, Change.JOINED)), (30.0, Redaction(of("m0")))):
        inbox.until = at_ + 1
        inbox.put(Heard(Event(str(at_), POND, al, at_, body), f"x{at_}"))
    await inbox.take()
    assert inbox.cursor.of(POND.id) == Position(10.0, "m0", 31.0)
    inbox.put(Heard(Event("m1", POND, al, 40.0, Message(words("hi"))), "m1"))
    await inbox.take()
    assert inbox.cursor.of(POND.id) == Position(40.0, "m1", 31.0)
