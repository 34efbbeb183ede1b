"""One IRC connection, line by line: registration, rooms, liveness, and what a hostile server may do."""

import random
from typing import TypeVar

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.irc.dialect.operations import Say
from bridge.irc.effects import (
    Barred,
    Broken,
    Effect,
    Failed,
    Heard,
    Joined,
    Left,
    Notable,
    Online,
    Proved,
    Rejected,
    Write,
)
from bridge.irc.session.proof import ID_TAG
from bridge.irc.session.session import Session
from bridge.irc.session.state import Greets, greets_nobody
from bridge.model.event import Event, Kind, Message, Room
from bridge.model.people import Identity, Proof
from bridge.model.text import Span, Style, plain
from bridge.network import PermanentError, TransientError
from tests.events import body_of
from tests.settings import irc_settings
from tests.strategies import with_runs

Of = TypeVar("Of", bound=Effect)
POND = Room("net", "#Pond")
ALL = "message-tags server-time account-tag account-notify extended-join echo-message batch labeled-response"


KEEPALIVE = "PING quackbridge"
"""What a quiet server is asked now and then."""


class Talk:
    """A session with a scripted server: what it wrote, and everything else that it said."""

    def __init__(self, *, rooms: tuple[Room, ...] = (POND,), **changes: object) -> None:
        base = {"name": "net", "host": "irc.test", "port": 6697, "nick": "duck"}
        self.settings = irc_settings(**{**base, **changes})  # type: ignore[arg-type]
        self.now = 0.0
        self.greets: Greets = greets_nobody
        self.session = Session(
            self.settings, rooms, origin="o", now=0.0, rng=random.Random(1), greets=lambda room: self.greets(room)
        )
        self.effects: list[Effect] = []
        self._take(self.session.start())

    def hears(self, *lines: str) -> list[str]:
        """The lines that are written in answer."""
        before = len(self.effects)
        for line in lines:
            self._take(self.session.feed(line, self.now, 1000.0 + self.now))
        return self.written(before)

    def passes(self, seconds: float) -> list[str]:
        """Pass `seconds`, with one tick a second; the lines that are written meanwhile."""
        before = len(self.effects)
        for _ in range(round(seconds)):
            self.now += 1
            self._take(self.session.tick(self.now))
        return [line for line in self.written(before) if line != KEEPALIVE]

    def says(self, post: str, target: str = "#Pond", text: str = "<Ann> hi") -> list[str]:
        before = len(self.effects)
        self._take(self.session.perform(post, Say("PRIVMSG", target, text)))
        return self.written(before)

    def written(self, since: int = 0) -> list[str]:
        return [each.data.decode().rstrip("\r\n") for each in self.effects[since:] if isinstance(each, Write)]

    def of(self, kind: type[Of]) -> list[Of]:
        return [each for each in self.effects if isinstance(each, kind)]

    @property
    def heard(self) -> list[Event]:
        """The messages that were heard."""
        return [each for each in self.events if isinstance(each.body, Message)]

    @property
    def events(self) -> list[Event]:
        return [each.event for each in self.effects if isinstance(each, Heard)]

    def welcomed(self, caps: str = "", supports: str = "CASEMAPPING=ascii PREFIX=(ov)@+ CHANTYPES=#") -> "Talk":
        """Registered, and in the channel."""
        if caps:
            self.hears(f":irc CAP * LS :{caps}")
            asked = self.written()[-1].removeprefix("CAP REQ :").removeprefix("CAP REQ ")
            self.hears(f":irc CAP * ACK :{asked}")
        self.hears(":irc 001 duck :Welcome", f":irc 005 duck {supports} :are supported", ":irc 376 duck :end")
        if "PING history" in self.hears(":duck!~quack@host.example JOIN #pond"):
            self.hears(":irc PONG irc history")
        return self

    def _take(self, effects: list[Effect]) -> None:
        self.effects += effects


# Registration


def test_capabilities_are_asked_for_before_anything_else() -> None:
    assert Talk(server_password="let me in").written() == [
        "CAP LS 302",
        "PASS :let me in",
        "USER quackbridge 0 * :quackbridge",
        "NICK duck",
    ]


def test_capabilities_that_we_want_and_the_server_offers_are_requested_though_its_list_takes_two_lines() -> None:
    talk = Talk()
    assert talk.hears(":irc CAP * LS * :sts=port=6697 message-tags batch", ":irc CAP * LS :foo/bar setname=x") == [
        "CAP REQ :batch message-tags setname"
    ]
    assert talk.hears(":irc CAP * ACK :batch message-tags setname") == ["CAP END"]


def test_capabilities_that_are_refused_together_are_requested_one_by_one() -> None:
    talk = Talk()
    talk.hears(":irc CAP * LS :batch setname")
    assert talk.hears(":irc CAP * NAK :batch setname") == ["CAP REQ batch", "CAP REQ setname"]
    assert talk.hears(":irc CAP * NAK :batch") == []
    assert talk.hears(":irc CAP * ACK :setname ") == ["CAP END"]


@pytest.mark.parametrize("named", ["batch setname ", "BATCH SETNAME", "setname batch", "batch setna", "", "-batch"])
def test_capabilities_are_requested_one_by_one_though_the_nak_words_the_list_differently(named: str) -> None:
    talk = Talk()
    talk.hears(":irc CAP * LS :batch setname")
    assert talk.hears(f":irc CAP * NAK :{named}") == ["CAP REQ batch", "CAP REQ setname"]
    assert talk.hears(f":irc CAP * NAK :{named}", ":irc CAP * NAK :x") == ["CAP END"]


def test_a_capability_is_used_once_the_server_adds_it_and_no_longer_once_the_server_removes_it() -> None:
    talk = Talk().welcomed("message-tags echo-message")
    assert talk.hears(":irc CAP duck NEW :labeled-response batch foo") == ["CAP REQ :batch labeled-response"]
    talk.hears(":irc CAP duck ACK :batch labeled-response")
    assert talk.says("p1") == [f"@label=p1;{ID_TAG}=p1 PRIVMSG #Pond :<Ann> hi"]
    talk.hears(":irc CAP duck DEL :labeled-response")
    assert talk.says("p2") == [f"@{ID_TAG}=p2 PRIVMSG #Pond :<Ann> hi", "PING p2"]


def test_we_come_online_and_join_on_a_server_without_capabilities() -> None:
    talk = Talk()
    talk.hears(":irc 421 CAP :Unknown command", ":irc 001 duck :Welcome")
    assert talk.of(Online) == [Online("duck")]
    assert talk.passes(6) == ["JOIN #Pond"]


def test_a_wrong_server_password_is_a_rejection_and_a_ban_is_a_pause_of_five_minutes() -> None:
    talk = Talk(server_password="x")
    talk.hears(":irc 464 * :Password incorrect")
    assert talk.of(Rejected)
    talk = Talk()
    talk.hears(":irc 465 * :You are banned (\x034spam)", "ERROR :Closing link: [K-lined: \x02begone]")
    (broken,) = talk.of(Broken)
    assert broken == Broken(
        "the server has banned us: You are banned ( 4spam) (Closing link: [K-lined:  begone])",
        300.0,
        turned_away=True,
        everywhere=True,
    )
    talk = Talk()
    talk.hears("ERROR :Closing link: (u@h) [Z-lined: go]")
    (broken,) = talk.of(Broken)
    reason = "the server has banned us: Closing link: (u@h) [Z-lined: go]"
    assert broken == Broken(reason, 300.0, turned_away=True, everywhere=True)


def test_a_nick_in_use_gets_underscores_then_is_replaced_by_a_nick_of_nine_characters() -> None:
    talk = Talk(nick="littleduck")
    nicks = [talk.hears(":irc 433 * x :in use")[0] for _ in range(8)]
    assert nicks[:3] == ["NICK littleduck_", "NICK littleduck__", "NICK littleduck___"]
    assert all(len(nick.removeprefix("NICK ")) == 9 for nick in nicks[3:])
    assert talk.hears(":irc 433 * x :in use") == []
    assert talk.of(Broken)


def test_the_nick_is_regained_when_its_holder_leaves_and_from_time_to_time() -> None:
    talk = Talk()
    talk.hears(":irc 433 * duck :in use", ":irc 001 duck_ :Welcome", ":irc 376 duck_ :end")
    assert talk.hears(":duck!x@y QUIT :gone") == ["NICK duck"]
    assert talk.hears(":irc 433 duck_ duck :in use") == []
    assert talk.hears(":duck!x@y NICK goose") == []  # not so soon again
    assert talk.passes(11)[-1] == "ISON duck"
    assert talk.hears(":irc 303 duck_ :") == ["NICK duck"]
    talk.hears(":duck_!a@b NICK duck")
    assert Notable("nick_regained", "duck") in talk.effects
    talk.hears(":irc PONG irc :quackbridge")
    assert "NICK duck" not in talk.passes(70)


def test_our_nick_is_the_one_that_the_server_gave_us() -> None:
    """First a nick that the server shortened at registration, then one that services forced on us."""
    talk = Talk(nick="littleduckling")
    talk.hears(":irc 001 littleduc :Welcome", ":irc 376 littleduc :end", ":littleduc!a@b JOIN #pond")
    assert talk.of(Joined) == [Joined(POND)]
    talk.hears(":littleduc!a@b NICK Guest12")
    talk.hears(":Guest12!a@b PRIVMSG #pond :an echo", ":bob!a@b PRIVMSG Guest12 :psst")
    assert [plain(each.text) for each in talk.heard] == ["psst"]


def test_a_server_that_does_not_welcome_us_within_a_minute_is_left() -> None:
    talk = Talk()
    talk.passes(59)
    assert not talk.of(Broken)
    talk.passes(3)
    assert talk.of(Broken)


# Liveness


def test_a_dead_connection_is_given_up_within_90_seconds_and_pinged_once_until_then() -> None:
    talk = Talk().welcomed()
    before = len(talk.effects)
    talk.passes(70)
    assert talk.written(before) == [KEEPALIVE]
    assert not talk.of(Broken)
    talk.passes(20)
    assert talk.of(Broken)


def test_a_server_that_says_nothing_counts_as_dead_after_12_seconds_and_lives_again_with_its_first_word() -> None:
    talk = Talk().welcomed()
    for _ in range(4):  # it is quiet, and answers
        talk.passes(7)
        talk.hears(":irc PONG irc :quackbridge")
        assert not talk.session.is_silent(talk.now)
    talk.passes(12)
    assert not talk.session.is_silent(talk.now)
    talk.passes(1)
    assert talk.session.is_silent(talk.now)
    talk.hears(":irc PONG irc :quackbridge")
    assert not talk.session.is_silent(talk.now)


def test_a_server_does_not_count_as_dead_because_we_have_slept() -> None:
    talk = Talk().welcomed()
    talk.passes(6)
    talk.now += 3600
    assert not talk.session.is_silent(talk.now)
    talk.session.tick(talk.now)
    assert not talk.session.is_silent(talk.now)


@pytest.mark.parametrize(
    ("closed", "opened", "why"),
    [
        (":op!o@h MODE #pond +m", ":op!o@h MODE #pond -m", "moderated"),
        (":irc 324 duck #pond +mnt", ":op!o@h MODE #pond +v duck", "moderated"),
        (":op!o@h MODE #pond +M", ":op!o@h MODE #pond -M", "registered"),
        (":irc 324 duck #pond +M", ":irc 900 duck duck!u@h duck :You are logged in", "registered"),
        (":op!o@h MODE #pond +b *!*@HOST.example", ":op!o@h MODE #pond -b *!*@HOST.example", "banned"),
        (":op!o@h MODE #pond +b m:duck!*@*", ":op!o@h MODE #pond -b m:duck!*@*", "banned or muted"),
        (":op!o@h MODE #pond +q duck!*@*", ":op!o@h MODE #pond +v duck", "banned or muted"),
    ],
)
def test_it_is_known_that_a_channel_does_not_let_us_speak_before_anything_is_said(
    closed: str, opened: str, why: str
) -> None:
    talk = Talk().welcomed(supports="CASEMAPPING=ascii PREFIX=(ov)@+ CHANTYPES=# CHANMODES=beq,k,l,imnptM")
    talk.hears(":irc 353 duck = #pond :@op duck")
    assert not talk.session.hushed("#pond")
    talk.hears(closed)
    assert why in talk.session.hushed("#Pond")
    talk.hears(opened)
    assert not talk.session.hushed("#pond")


def test_a_channel_that_takes_our_line_although_it_is_moderated_lets_us_speak() -> None:
    talk = Talk().welcomed(supports="CASEMAPPING=ascii PREFIX=(ov)@+ CHANTYPES=# CHANMODES=b,k,l,imnpt")
    talk.hears(":irc 353 duck = #pond :@op duck", ":op!o@h MODE #pond +m")
    talk.session.spoke("#pond")
    assert not talk.session.hushed("#pond")
    talk.hears(":op!o@h MODE #pond +t")
    assert talk.session.hushed("#pond")


def test_a_ban_of_somebody_else_and_a_rank_named_q_do_not_hush_us() -> None:
    talk = Talk().welcomed(supports="CASEMAPPING=ascii PREFIX=(qov)~@+ CHANTYPES=# CHANMODES=b,k,l,imnpt")
    talk.hears(":op!o@h MODE #pond +b *!*@elsewhere", ":op!o@h MODE #pond +q duck", ":op!o@h MODE #pond +b ~a:duck")
    assert not talk.session.hushed("#pond")


def test_a_silent_connection_is_not_taken_for_dead_while_we_do_not_read_from_it() -> None:
    talk = Talk().welcomed()
    for _ in range(200):
        talk.session.paused(talk.now)
        talk.passes(1)
    assert not talk.of(Broken)


def test_a_ping_is_answered_with_its_own_parameters_unless_they_are_too_long() -> None:
    talk = Talk()
    assert talk.hears("PING :a b") == ["PONG :a b"]
    assert talk.hears(":irc PING x") == ["PONG x"]
    assert talk.hears("PING") == ["PONG :"]
    assert talk.hears("PING :" + "x" * 600) == []


def test_an_error_line_ends_the_connection_with_its_reason() -> None:
    talk = Talk()
    talk.hears("ERROR :Closing link: (begone)")
    assert talk.of(Broken) == [Broken("the server closed the connection: Closing link: (begone)", turned_away=True)]


# Rooms


def test_channels_are_joined_after_the_greeting_ten_to_a_line() -> None:
    rooms = tuple(Room("net", f"#c{number}") for number in range(12))
    talk = Talk(rooms=rooms)
    talk.hears(":irc 001 duck :Welcome")
    written = talk.hears(":irc 376 duck :end")
    assert written == ["JOIN " + ",".join(room.id for room in rooms[:10]), "JOIN #c10,#c11"]


@pytest.mark.parametrize("name", ["#a,#b", "#a b", "", "0", ":#a", "#a\r\nQUIT", "#a\x07"])
def test_a_channel_name_that_would_join_something_else_is_never_sent(name: str) -> None:
    talk = Talk(rooms=(Room("net", name), POND))
    talk.hears(":irc 001 duck :Welcome")
    assert talk.hears(":irc 376 duck :end") == ["JOIN #Pond"]
    assert talk.of(Barred)


@pytest.mark.parametrize(
    ("mapping", "same"), [("ascii", "#POND[]"), ("rfc1459", "#POND{}"), ("rfc1459-strict", "#POND{}")]
)
def test_channel_names_are_compared_by_the_servers_casemapping(mapping: str, same: str) -> None:
    room = Room("net", "#Pond[]")
    talk = Talk(rooms=(room,))
    talk.hears(":irc 001 duck :x", f":irc 005 duck CASEMAPPING={mapping} :are supported", ":irc 376 duck :end")
    talk.hears(f":duck!a@b JOIN {same}", f":bob!a@b PRIVMSG {same} :hi")
    assert talk.of(Joined) == [Joined(room)]
    assert [each.room for each in talk.heard] == [room]


@pytest.mark.parametrize(
    ("numeric", "words"),
    [("471", "full"), ("473", "invite-only"), ("474", "banned"), ("475", "key"), ("477", "registered")],
)
def test_a_refused_join_is_news_once_and_is_tried_again_after_growing_pauses(numeric: str, words: str) -> None:
    talk = Talk()
    talk.hears(":irc 001 duck :Welcome", ":irc 376 duck :end")
    for _ in range(3):
        talk.hears(f":irc {numeric} duck #POND :Cannot join channel")
        talk.hears("PING x")
        talk.passes(16 if len(talk.of(Barred)) == 1 else 31)
        talk.hears("PING x")
    barred = [each for each in talk.of(Barred) if isinstance(each, Barred)]
    assert [each.news for each in barred] == [True, False, False]
    assert [each.pause for each in barred] == [15.0, 30.0, 60.0]
    assert words in barred[0].reason
    talk.hears(":duck!a@b JOIN #pond")
    assert talk.of(Joined) == [Joined(POND)]


def test_a_join_that_is_never_answered_is_tried_again() -> None:
    talk = Talk()
    talk.hears(":irc 001 duck :Welcome", ":irc 376 duck :end")
    for _ in range(62):
        talk.passes(1)
        talk.hears("PING x")
    assert talk.of(Barred)
    talk.passes(20)
    assert talk.written().count("JOIN #Pond") == 2


def test_we_rejoin_after_a_kick_and_wait_twice_as_long_each_time() -> None:
    talk = Talk().welcomed()
    for pause in (5.0, 10.0, 20.0):
        talk.hears(":op!a@b KICK #pond duck :go away")
        assert talk.of(Left)[-1] == Left(POND, "kicked by op: go away", pause)
        assert "JOIN #Pond" not in talk.passes(pause - 1)
        assert "JOIN #Pond" in talk.passes(2)
        talk.hears(":duck!a@b JOIN #pond")


def test_an_invitation_is_followed_into_configured_channels_only() -> None:
    talk = Talk()
    talk.hears(":irc 001 duck :x", ":irc 376 duck :end", ":irc 473 duck #Pond :invite only")
    assert talk.hears(":op!a@b INVITE duck :#evil") == []
    assert talk.hears(":op!a@b INVITE bob :#pond") == []
    assert talk.hears(":op!a@b INVITE duck :#pond") == ["JOIN #Pond"]


def test_a_channel_that_we_did_not_ask_for_is_left() -> None:
    talk = Talk().welcomed()
    assert talk.hears(":duck!a@b JOIN ##overflow") == ["PART ##overflow"]
    talk.hears(":bob!a@b PRIVMSG ##overflow :hi")
    assert talk.heard == []


# Hearing


def test_a_privmsg_becomes_a_message_with_id_time_formatting_and_account() -> None:
    talk = Talk().welcomed(ALL)
    talk.hears(
        "@time=2026-11-23T00:00:01.500Z;msgid=m1;account=Bob;bot :bob\u202e!u@h PRIVMSG #pond :duck: \x02hi\x02 you"
    )
    (message,) = talk.heard
    assert (message.id, message.room, message.time, body_of(message).kind) == ("m1", POND, 1795392001.5, Kind.TEXT)
    assert message.text == (Span("duck: "), Span("hi", Style.BOLD), Span(" you"))
    assert body_of(message).called == "duck"
    assert (message.sender.name, message.sender.address, message.sender.bot) == ("bob", "bob\u202e", True)
    assert message.sender.proofs == (Identity(Proof.IRC, "net", "Bob"),)
    (heard,) = talk.of(Heard)
    assert isinstance(heard, Heard)
    assert heard.msgid == "m1"


def test_messages_without_tags_get_distinct_ids_and_our_own_time() -> None:
    talk = Talk().welcomed()
    talk.hears(":irc 421 duck WHOIS :Unknown command")
    talk.hears(
        ":bob!u@h PRIVMSG #pond :same", ":bob!u@h PRIVMSG #pond :same", "@time=soon :bob!u@h PRIVMSG #pond :same"
    )
    assert len({each.id for each in talk.heard}) == 3
    assert {each.time for each in talk.heard} == {1000.0}


@pytest.mark.parametrize(
    "line",
    [
        ":duck!u@h PRIVMSG #pond :our own, from anywhere",
        ":DUCK!u@h PRIVMSG #pond :our own, from anywhere",
        ":bob!u@h PRIVMSG @#pond :for operators only",
        ":bob!u@h PRIVMSG #other :not ours",
        ":bob!u@h PRIVMSG $* :to everybody",
        ":irc.test NOTICE duck :*** a server",
        ":irc.test NOTICE #pond :*** a server",
        "PRIVMSG #pond :from nobody",
        ":bob!u@h PRIVMSG #pond",
        ":bob!u@h PRIVMSG #pond :",
        ":bob!u@h PRIVMSG #pond :\x02\x03",
        ":bob!u@h PRIVMSG",
        ":bob!u@h PRIVMSG duck :\x01DCC SEND x\x01",
        ":bob!u@h NOTICE duck :\x01VERSION mirc\x01",
        ":bob!u@h TAGMSG #pond",
    ],
)
def test_a_line_that_is_no_message_to_us_is_ignored(line: str) -> None:
    talk = Talk().welcomed("account-tag")
    talk.hears(line)
    assert talk.heard == []


def test_a_history_batch_is_ignored_while_we_are_in_the_channel() -> None:
    talk = Talk().welcomed(ALL)
    talk.hears(
        ":irc BATCH +1 chathistory #pond",
        "@batch=1;msgid=m1 :bob!u@h PRIVMSG #pond :old",
        "@batch=1 :irc BATCH +2 draft/multiline #pond",
        "@batch=2;msgid=m2 :bob!u@h PRIVMSG #pond :old too",
        ":irc BATCH -2",
        ":irc BATCH -1",
        "@batch=1;msgid=m3 :bob!u@h PRIVMSG #pond :new",
    )
    assert [plain(each.text) for each in talk.heard] == ["new"]


def test_ctcp_version_and_ping_are_answered_in_private_and_with_a_rate_limit() -> None:
    talk = Talk().welcomed("account-tag")
    talk.passes(1)
    assert talk.hears(":bob!u@h PRIVMSG duck :\x01VERSION\x01") == ["NOTICE bob :\x01VERSION quackbridge\x01"]
    assert talk.hears(":bob!u@h PRIVMSG duck :\x01PING 1\x01") == ["NOTICE bob :\x01PING 1\x01"]
    assert talk.hears(":bob!u@h PRIVMSG duck :\x01PING 2\x01") == []
    talk.passes(16)
    assert talk.hears(":bob!u@h PRIVMSG #pond :\x01VERSION\x01") == []
    assert talk.hears(":bob!u@h PRIVMSG duck :\x01PING 12\x01") == ["NOTICE bob :\x01PING 12\x01"]


# Sending


def test_with_labeled_response_the_labelled_echo_proves_a_post() -> None:
    talk = Talk().welcomed(ALL)
    assert talk.says("p1") == [f"@label=p1;{ID_TAG}=p1 PRIVMSG #Pond :<Ann> hi"]
    talk.hears("@msgid=m0 :duck!u@h PRIVMSG #pond :somebody else's")
    assert not talk.of(Proved)
    talk.hears("@label=p1;msgid=m1 :duck!u@h PRIVMSG #pond :<Ann> hi")
    assert talk.of(Proved) == [Proved("p1", "m1")]


def test_an_error_in_a_labelled_batch_fails_the_post_with_that_label() -> None:
    talk = Talk().welcomed(ALL)
    talk.says("p1")
    talk.hears("@label=p1 :irc BATCH +9 labeled-response", "@batch=9 :irc 404 duck #Pond :no", ":irc BATCH -9")
    (failed,) = talk.of(Failed)
    assert isinstance(failed, Failed)
    assert failed.post == "p1"


def test_a_post_that_the_server_acknowledges_without_an_echo_is_a_dead_letter() -> None:
    talk = Talk().welcomed(ALL)
    talk.says("p1")
    talk.hears("@label=p1 :irc ACK")
    (failed,) = talk.of(Failed)
    assert isinstance(failed, Failed)
    assert isinstance(failed.error, PermanentError)


def test_without_labeled_response_a_post_is_proved_by_its_echo_or_else_by_the_pong_after_it() -> None:
    talk = Talk().welcomed("echo-message")
    assert talk.says("p1") == ["PRIVMSG #Pond :<Ann> hi", "PING p1"]
    talk.hears(":duck!u@h PRIVMSG #pond :<Ann> hi", ":irc PONG irc p1")
    assert talk.of(Proved) == [Proved("p1", "p1")]
    talk = Talk().welcomed()
    talk.says("p1")
    talk.says("p2", "bob")
    talk.hears(":irc PONG irc :p1")
    assert talk.of(Proved) == [Proved("p1", "p1")]
    talk.hears(":irc PONG irc :p2")
    assert talk.of(Proved) == [Proved("p1", "p1"), Proved("p2", "p2")]


@pytest.mark.parametrize("tags", ["", "@+quackbridge.example/id=p2 "])
def test_an_echo_that_comes_after_the_pong_is_the_proof(tags: str) -> None:
    talk = Talk().welcomed("echo-message", "message-tags")
    talk.says("p1")
    talk.says("p2", text="<Ann> second")
    talk.hears(":irc PONG irc p1", ":irc PONG irc p2")
    talk.passes(2)
    assert not talk.of(Failed)
    talk.hears(f"{tags}:duck!u@h PRIVMSG #pond :<Ann> second")
    assert talk.of(Proved) == [Proved("p2", "p2")]
    talk.passes(6)
    (failed,) = talk.of(Failed)
    assert isinstance(failed, Failed)
    assert failed.post == "p1"


def test_with_echo_message_a_post_is_a_dead_letter_when_the_pong_arrives_without_the_echo() -> None:
    talk = Talk().welcomed("echo-message")
    talk.says("p1")
    talk.hears(":irc PONG irc p1")
    assert not talk.of(Proved)
    talk.passes(6)
    (failed,) = talk.of(Failed)
    assert isinstance(failed, Failed)
    assert isinstance(failed.error, PermanentError)


def test_pongs_without_a_token_prove_posts_by_their_order() -> None:
    talk = Talk().welcomed()
    talk.passes(46)
    talk.says("p1")
    talk.hears(":irc PONG :irc")
    assert talk.of(Proved) == []
    talk.hears(":irc PONG :irc")
    assert talk.of(Proved) == [Proved("p1", "p1")]


@pytest.mark.parametrize(
    ("target", "error", "permanent"),
    [
        ("#Pond", ":irc 404 duck #pond :Cannot send", False),
        ("#Pond", ":irc 442 duck #pond :Not on channel", False),
        ("#Pond", ":irc 403 duck #pond :No such channel", False),
        ("#Pond", ":irc 404 #Pond :without our nick", False),
        ("#Pond", "FAIL PRIVMSG CANNOT_SEND #pond :Nope", False),
        ("bob", ":irc 401 duck bob :No such nick", True),
        ("bob", ":irc 716 duck bob :is in +g mode", True),
        ("#Pond", ":irc 412 duck :No text to send", True),
    ],
)
def test_an_error_before_the_pong_fails_the_post_for_now_or_for_good(target: str, error: str, permanent: bool) -> None:
    talk = Talk().welcomed()
    talk.says("p1", target)
    talk.hears(error, ":irc PONG irc :p1")
    (failed,) = talk.of(Failed)
    assert isinstance(failed, Failed)
    assert isinstance(failed.error, PermanentError if permanent else TransientError)
    assert not talk.of(Proved)


def test_errors_about_another_target_or_command_do_not_fail_a_post() -> None:
    talk = Talk().welcomed()
    talk.says("p1")
    talk.hears(":irc 401 duck somebody :No such nick", ":irc 433 duck duck :in use", ":irc 421 duck FOO :Unknown")
    assert not talk.of(Failed)


def test_a_post_that_was_in_flight_when_we_were_kicked_fails_with_the_kick_as_reason() -> None:
    talk = Talk().welcomed()
    talk.says("p1")
    talk.hears(":op!a@b KICK #pond duck :shoo", ":irc 404 duck #Pond :Cannot send")
    (failed,) = talk.of(Failed)
    assert isinstance(failed, Failed)
    assert isinstance(failed.error, TransientError)
    assert "kicked by op: shoo" in str(failed.error)
    assert failed.error.retry_after == 5.0


def test_our_id_tag_is_not_sent_where_clienttagdeny_forbids_it() -> None:
    for denied in ("*", "typing,quackbridge.example/id"):
        talk = Talk().welcomed("message-tags", f"CLIENTTAGDENY={denied} CHANTYPES=#")
        assert talk.says("p1")[0] == "PRIVMSG #Pond :<Ann> hi"
    talk = Talk().welcomed("message-tags", "CLIENTTAGDENY=*,-quackbridge.example/id CHANTYPES=#")
    assert talk.says("p1")[0].startswith(f"@{ID_TAG}=p1 ")


_NOBODY = tuple((target, "x") for target in ("bob,#pond", "@#pond", "+#pond", "$*", "*!*@*", "a!b@c", "", ":x"))


def test_a_post_with_an_invalid_target_or_text_is_a_dead_letter() -> None:
    talk = Talk().welcomed()
    for target, text in (("#a b", "x"), ("bob\r\nQUIT", "x"), ("bob", "x\0"), ("bob", "x" * 600), *_NOBODY):
        with pytest.raises(PermanentError):
            talk.says("p", target, text)
    assert not any("QUIT" in line for line in talk.written())


def test_the_length_limit_of_a_line_follows_changes_of_our_nick_user_and_host() -> None:
    talk = Talk().welcomed()
    assert talk.session.limits.prefix == len(":duck!~quack@host.example ")
    talk.hears(":irc 396 duck cloak.example.org :is now your displayed host")
    assert talk.session.limits.prefix == len(":duck!~quack@cloak.example.org ")
    talk.hears(":duck!~quack@cloak.example.org CHGHOST q h")
    assert talk.session.limits.prefix == len(":duck!q@h ")
    talk.hears(":duck!q@h NICK littleduck", ":irc 005 duck LINELEN=2048 :are supported")
    assert talk.session.limits.prefix == len(":littleduck!q@h ")
    assert talk.session.limits.line == 2048


def test_until_our_mask_is_known_the_longest_possible_mask_is_assumed() -> None:
    talk = Talk()
    talk.hears(":irc 001 duck :x", ":irc 005 duck USERLEN=10 HOSTLEN=63 :are supported")
    assert talk.session.limits.prefix == len(":duck!@ ") + 11 + 63


# Hostile servers

_TARGETS = st.sampled_from(["duck", "#pond", "#Pond", "*", "", "bob", "@#pond", ":", "1"])
_VERBS = (
    "CAP AUTHENTICATE 001 005 311 318 330 353 354 376 396 401 404 421 422 433 437 464 465 471 474 902 903 904 908 "
    "ACCOUNT ACK BATCH CHGHOST ERROR FAIL INVITE JOIN KICK NICK NOTICE PART PING PONG PRIVMSG QUIT TAGMSG"
)
_COMMANDS = st.sampled_from(_VERBS.split())
_NOUNS = "LS NEW ACK NAK DEL sasl batch + +1 -1 chathistory labeled-response p1 271"
_SUPPORTS = "CASEMAPPING=x PREFIX= PREFIX=(ov LINELEN=² LINELEN=-1 CHANTYPES -PREFIX"
_REST = st.lists(
    _TARGETS | st.sampled_from(_NOUNS.split()) | st.sampled_from(_SUPPORTS.split()) | st.text(max_size=8), max_size=9
)
_SOURCES = st.sampled_from(["", ":duck!a@b ", ":bob!c@d ", ":irc ", ":!@ ", ": ", ":bob "])
_TAGS = st.sampled_from(["", "@label=p1 ", "@batch=1;account=x ", "@time=x;msgid= ", "@ ", "@time=9999999999999999Z "])
_HOSTILE = st.builds(
    lambda tags, source, command, rest: f"{tags}{source}{command} {' '.join(rest)}", _TAGS, _SOURCES, _COMMANDS, _REST
)


@given(st.lists(_HOSTILE | with_runs(st.text(max_size=30)), max_size=25), st.booleans())
def test_no_server_can_make_the_session_raise_or_write_two_lines_at_once(lines: list[str], welcomed: bool) -> None:
    talk = Talk(sasl_account="duck", sasl_password="x") if not welcomed else Talk().welcomed(ALL)
    if welcomed:
        talk.says("p1")
    for line in lines:
        talk.hears(line)
        talk.passes(1)
    for effect in talk.effects:
        if isinstance(effect, Write):
            assert effect.data.count(b"\n") == 1
            assert effect.data.endswith(b"\r\n")
    assert talk.session.limits.line >= 256


# Rooms that are added and removed


def test_a_room_that_is_added_is_joined_at_once_and_a_room_that_is_removed_is_left() -> None:
    talk = Talk().welcomed()
    before = len(talk.effects)
    talk._take(talk.session.set_rooms([Room("net", "#lake")]))
    assert talk.written(before) == ["PART #Pond unlinked", "JOIN #lake"]
    talk.hears(":duck!u@h JOIN #lake", ":bob!u@h PRIVMSG #pond :1", ":duck!u@h PART #pond", ":bob!u@h PRIVMSG #lake :2")
    assert [plain(each.text) for each in talk.heard] == ["2"]
    assert talk.passes(40) == []


def test_a_room_that_stays_configured_is_neither_left_nor_joined_again() -> None:
    talk = Talk().welcomed()
    before = len(talk.effects)
    talk._take(talk.session.set_rooms([Room("net", "#POND"), Room("net", "#lake")]))
    assert talk.written(before) == ["JOIN #lake"]
    talk.hears(":bob!u@h PRIVMSG #pond :1")
    assert [each.room for each in talk.heard] == [Room("net", "#POND")]


def test_a_room_that_is_removed_during_its_join_is_left_once_the_join_completes() -> None:
    talk = Talk().welcomed()
    talk._take(talk.session.set_rooms([POND, Room("net", "#lake")]))
    talk._take(talk.session.set_rooms([POND]))
    assert talk.written()[-1] == "PART #lake unlinked"
    assert talk.hears(":duck!u@h JOIN #lake") == ["PART #lake"]


def test_rooms_that_are_removed_are_left_ten_to_a_line() -> None:
    talk = Talk(rooms=tuple(Room("net", f"#{number}") for number in range(12)))
    talk.hears(":irc 001 duck :Welcome", ":irc 376 duck :end")
    before = len(talk.effects)
    talk._take(talk.session.set_rooms([]))
    assert talk.written(before) == [
        "PART #0,#1,#2,#3,#4,#5,#6,#7,#8,#9 unlinked",
        "PART #10,#11 unlinked",
    ]


def test_old_and_new_rooms_are_compared_by_the_servers_casemapping() -> None:
    for mapping, written in [("rfc1459", []), ("ascii", ["PART #a[ unlinked", "JOIN #A{"])]:
        talk = Talk(rooms=(Room("net", "#a["),)).welcomed(supports=f"CASEMAPPING={mapping}")
        talk.hears(":duck!u@h JOIN #a[")
        before = len(talk.effects)
        talk._take(talk.session.set_rooms([Room("net", "#A{")]))
        assert talk.written(before) == written


def test_a_room_that_stays_configured_keeps_its_join_error_and_its_pause() -> None:
    talk = Talk(rooms=(POND, Room("net", "#full"))).welcomed()
    talk.hears(":irc 471 duck #full :Cannot join channel (+l)")
    before = len(talk.effects)
    talk._take(talk.session.set_rooms([POND, Room("net", "#full"), Room("net", "#lake")]))
    assert talk.written(before) == ["JOIN #lake"]
    talk.hears(":duck!u@h JOIN #lake")
    assert "full" in str(talk.session.absence("#full"))
    assert talk.passes(14) == []
    assert talk.passes(2) == ["JOIN #full"]


def test_a_room_that_is_removed_and_added_at_once_is_heard_only_after_the_new_join() -> None:
    talk = Talk().welcomed()
    talk._take(talk.session.set_rooms([]))
    talk._take(talk.session.set_rooms([POND]))
    talk.hears(":bob!u@h PRIVMSG #pond :1", ":duck!u@h PART #pond", ":bob!u@h PRIVMSG #pond :2")
    talk.hears(":duck!u@h JOIN #pond", ":bob!u@h JOIN #pond", ":bob!u@h PRIVMSG #pond :3")
    talk.passes(20)
    assert [plain(each.text) for each in talk.heard] == ["3"]
    assert talk.of(Left) == []


def test_rooms_that_are_added_before_the_greeting_are_joined_after_it() -> None:
    talk = Talk(rooms=())
    before = len(talk.effects)
    talk._take(talk.session.set_rooms([POND]))
    assert talk.written(before) == []
    talk.hears(":irc 001 duck :Welcome", ":irc 376 duck :end")
    assert talk.written()[-1] == "JOIN #Pond"


def test_people_who_shared_only_a_removed_room_with_us_are_forgotten() -> None:
    talk = Talk().welcomed("account-tag")
    talk.hears(":al!u@h JOIN #pond", ":al!u@h PRIVMSG duck :1")
    talk._take(talk.session.set_rooms([]))
    talk.hears(":duck!~quack@host.example PART #pond", ":al!u@h PRIVMSG duck :2")
    assert [bool(each.sender.connection) for each in talk.heard] == [True, False]


def test_behind_a_bouncer_we_do_not_part_channels_that_other_clients_join() -> None:
    talk = Talk().welcomed("batch znc.in/batch")
    assert talk.hears(":duck!u@h JOIN #theirs") == []


# Unusual behaviour of servers


def test_after_each_forced_rename_we_wait_longer_before_we_ask_for_our_nick() -> None:
    talk = Talk().welcomed()
    asked = []
    for number in range(5):
        asked += talk.hears(f":duck!~q@h NICK Guest{number}")
        asked += talk.passes(59)
        assert "NICK duck" not in asked  # not at once
        assert any("NICK duck" in talk.passes(1) for _ in range(3600))
        talk.hears(f":Guest{number}!~q@h NICK duck")
    before = talk.now
    talk.hears(":duck!~q@h NICK Guest")
    while "NICK duck" not in talk.passes(1):
        assert talk.now - before < 3600
    assert talk.now - before >= 1800  # the pause doubles each time


def test_we_keep_a_nick_that_the_server_shortened_and_do_not_ask_for_the_full_one() -> None:
    talk = Talk(nick="duckduckduck")
    talk.hears(":irc 001 duckduckd :Welcome", ":irc 376 duckduckd :end")
    assert [line for line in talk.passes(300) if line.startswith("NICK")] == []


@pytest.mark.parametrize("supports", ["CHANTYPES=&", "CHANTYPES=\\x23", "CHANTYPES="])
def test_posts_go_to_a_joined_channel_whatever_chantypes_says(supports: str) -> None:
    talk = Talk().welcomed(supports=f"CASEMAPPING=ascii {supports}")
    assert talk.says("p1") == ["PRIVMSG #Pond :<Ann> hi", "PING p1"]


def test_warn_and_note_lines_of_the_server_are_logged_with_a_rate_limit() -> None:
    talk = Talk().welcomed()
    talk.passes(10)
    talk.hears(*[":irc WARN REHASH CERTS_EXPIRED :Certificate\x02 has expired"] * 100)
    assert talk.of(Notable) == [Notable("warn", "REHASH CERTS_EXPIRED Certificate  has expired")]
    talk.passes(10)
    talk.hears(":irc NOTE * OPER_MESSAGE :maintenance at noon")
    assert talk.of(Notable)[-1] == Notable("note", "* OPER_MESSAGE maintenance at noon")


@pytest.mark.parametrize(
    ("text", "called"),
    [
        ("duck-dev: hi", None),
        ("duck: hi", "duck"),
        ("duck` hi", None),
        ("ask duck-dev", None),
        ("ask duck.", ""),
        ("ask [duck]", None),
    ],
)
def test_only_our_whole_nick_calls_us_and_not_a_part_of_a_longer_nick(text: str, called: str | None) -> None:
    talk = Talk().welcomed()
    talk.hears(f":ann!~a@h PRIVMSG #Pond :{text}")
    (event,) = talk.heard
    assert isinstance(event.body, Message)
    assert event.body.called == called


def test_ctcp_commands_are_understood_in_any_letter_case() -> None:
    talk = Talk().welcomed()
    talk.passes(10)
    talk.hears(":ann!~a@h PRIVMSG #Pond :\x01action waves\x01")
    (event,) = talk.heard
    assert isinstance(event.body, Message)
    assert (event.body.kind, plain(event.text)) == (Kind.ACTION, "waves")
    assert talk.hears(":ann!~a@h PRIVMSG duck :\x01version\x01") == ["NOTICE ann :\x01VERSION quackbridge\x01"]


@pytest.mark.parametrize("text", ["\x01ACTION\x01", "\x01ACTION \x01", "\x01action \u200b\x01"])
def test_a_bare_me_is_an_action_without_words(text: str) -> None:
    talk = Talk().welcomed()
    talk.hears(":bob!u@h JOIN #pond", f":bob!u@h PRIVMSG #pond :{text}")
    talk.passes(15)
    (event,) = talk.heard
    assert isinstance(event.body, Message)
    assert (event.body.kind, event.body.text) == (Kind.ACTION, ())
