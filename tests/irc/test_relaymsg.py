"""RELAYMSG: each speaker has a nick of their own where the server lets us, and a mark everywhere else."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.irc.dialect.names import nick_of
from bridge.irc.dialect.operations import Operation, Say, decode, encode
from bridge.irc.effects import Failed, Proved
from bridge.irc.session.proof import ID_TAG
from bridge.model.event import Kind, Message
from bridge.model.text import Span, Style, plain, words
from bridge.network import TransientError
from tests.events import matrix
from tests.irc.rendering import PLACE, operations, owed
from tests.irc.test_session import ALL, Talk

_HERE = replace(PLACE, relays=True)
_ANN = Say("PRIVMSG", "#Pond", "<Ann> hi there", 6, speaker="Ann")
_RELAYED = "@draft/relaymsg=duck;msgid=m1 :Ann/matrix!r@irc PRIVMSG #pond :hi there"


def ergo(caps: str = ALL, value: str = "=/", **changes: object) -> Talk:
    talk = Talk(**changes)  # type: ignore[arg-type]
    talk.hears(f":irc CAP * LS :{caps} draft/relaymsg{value}", f":irc CAP * ACK :{caps} draft/relaymsg")
    return talk.welcomed()


def does(talk: Talk, operation: Operation = _ANN, post: str = "p1") -> list[str]:
    before = len(talk.effects)
    talk._take(talk.session.perform(post, operation))
    return talk.written(before)


# Written


def test_a_speaker_has_a_nick_of_their_own_and_no_mark() -> None:
    assert does(ergo()) == [f"@label=p1;{ID_TAG}=p1 RELAYMSG #Pond Ann/matrix :hi there"]


def test_an_action_is_one_and_a_reply_says_what_it_answers() -> None:
    (line,) = does(ergo(), replace(_ANN, text="* Ann waves", acts=True, reply="m0"))
    assert line.endswith(";+draft/reply=m0;+reply=m0 RELAYMSG #Pond Ann/matrix :\x01ACTION waves\x01")


def test_the_nick_has_the_separator_of_the_server() -> None:
    assert does(ergo(value="=%/"))[0].endswith("RELAYMSG #Pond Ann%matrix :hi there")
    assert does(ergo(value=""))[0].endswith("RELAYMSG #Pond Ann/matrix :hi there")


@pytest.mark.parametrize(
    ("talk", "said"),
    [
        (lambda: ergo(relaymsg=False), _ANN),
        (lambda: Talk().welcomed(ALL), _ANN),
        (ergo, replace(_ANN, speaker="")),
        (ergo, replace(_ANN, command="NOTICE", speaker="")),
        (ergo, replace(_ANN, text="<Ann> " + "x" * 460)),
    ],
)
def test_elsewhere_the_mark_stands_before_the_words(talk: type[Talk], said: Say) -> None:
    (line,) = does(talk(), said)
    assert f"#Pond :{said.text}" in line


def test_a_private_message_has_no_other_nick_than_ours() -> None:
    talk = ergo()
    assert not talk.session.place("bob").relays
    assert "RELAYMSG" not in does(talk, replace(_ANN, target="bob"))[0]


# Proved, and refused


@pytest.mark.parametrize("label", ["label=p1;", f"{ID_TAG}=p1;"])
def test_the_echo_proves_it_and_is_nobodys_words(label: str) -> None:
    talk = ergo(ALL if label.startswith("label") else "message-tags echo-message")
    does(talk)
    talk.hears(f"@{label}{_RELAYED[1:]}")
    assert talk.of(Proved) == [Proved("p1", "m1")]
    assert not talk.heard


def test_without_echoes_the_pong_proves_it() -> None:
    talk = ergo("message-tags")
    assert does(talk)[-1] == "PING p1"
    talk.hears(":irc PONG irc p1")
    assert talk.of(Proved) == [Proved("p1", "p1")]


def test_a_server_that_does_not_echo_what_it_relays_has_it_all_the_same() -> None:
    talk = ergo("message-tags echo-message")
    does(talk)
    talk.hears(":irc PONG irc p1")
    talk.passes(10)
    assert talk.of(Proved) == [Proved("p1", "p1")]


@pytest.mark.parametrize("label", ["@label=p1 ", ""])
@pytest.mark.parametrize(
    "error",
    [
        "FAIL RELAYMSG PRIVS_NEEDED :Only channel operators may",
        "421 duck RELAYMSG :Unknown command",
        "482 duck #pond :You're not channel operator",
    ],
)
def test_where_we_may_not_relay_the_words_go_out_with_the_mark_at_once_and_relaying_is_tried_an_hour_later(
    label: str, error: str
) -> None:
    talk = ergo(ALL if label else "message-tags")
    assert talk.session.place("#Pond").relays
    does(talk)
    talk.hears(f"{label}:irc {error}")
    (failed,) = talk.of(Failed)
    assert isinstance(failed.error, TransientError)
    assert failed.error.retry_after == 0.1
    assert "PRIVMSG #Pond :<Ann> hi there" in does(talk)[0]
    assert not talk.session.place("#Pond").relays
    talk.now += 3700
    talk.session.tick(talk.now)
    assert "RELAYMSG" in does(talk, post="p2")[0]


def test_once_we_are_an_operator_we_relay_again() -> None:
    talk = ergo()
    does(talk)
    talk.hears("@label=p1 :irc FAIL RELAYMSG PRIVS_NEEDED :no", ":op!o@h MODE #pond +o duck")
    assert "RELAYMSG" in does(talk, post="p2")[0]


def test_a_nick_that_the_server_does_not_take_is_not_tried_again_and_those_of_others_are() -> None:
    talk = ergo()
    does(talk)
    talk.hears("@label=p1 :irc FAIL RELAYMSG INVALID_NICK :Invalid nickname")
    assert "PRIVMSG" in does(talk, post="p2")[0]
    assert "RELAYMSG" in does(talk, replace(_ANN, speaker="Bob"), post="p3")[0]


# Heard


def test_what_another_bridge_relays_is_heard_and_what_we_relay_is_not_also_without_the_tag() -> None:
    talk = ergo()
    talk.hears(
        "@draft/relaymsg=other :bob/discord!r@irc PRIVMSG #pond :from another bridge",
        "@draft/relaymsg=other :ann/matrix!r@irc PRIVMSG #pond :from another bridge to Matrix",
        _RELAYED,
        ":ANN/MATRIX!r@irc PRIVMSG #pond :as a history shows it",
    )
    assert [event.sender.address for event in talk.heard] == ["bob/discord", "ann/matrix"]
    assert not any(event.sender.proofs for event in talk.heard)


def test_on_a_server_without_relaymsg_such_a_nick_is_anybodys() -> None:
    talk = Talk().welcomed(ALL)
    talk.hears(":ann/matrix!r@irc PRIVMSG #pond :hi")
    assert [plain(event.text) for event in talk.heard] == ["hi"]


@pytest.mark.parametrize(
    ("text", "heard"),
    [
        ("Ann/matrix: yes", "Ann: yes"),
        ("@ann/MATRIX, yes", "@ann, yes"),
        ("Ann/matrix", "Ann"),
        ("see Ann/matrix: yes", "see Ann/matrix: yes"),
        ("Ann/matrixes: yes", "Ann/matrixes: yes"),
        ("/matrix: yes", "/matrix: yes"),
    ],
)
def test_whoever_answers_such_a_nick_answers_the_person(text: str, heard: str) -> None:
    talk = ergo()
    talk.hears(f":bob!u@h PRIVMSG #pond :{text}")
    assert [plain(event.text) for event in talk.heard] == [heard]
    other = Talk().welcomed(ALL)
    other.hears(f":bob!u@h PRIVMSG #pond :{text}")
    assert [plain(event.text) for event in other.heard] == [text]


# Rendered


def test_each_line_names_the_speaker_and_has_the_mark_in_case_that_it_is_refused() -> None:
    first, second = operations(owed(Message(words("one\ntwo"))), _HERE)
    assert first == Say("PRIVMSG", "#pond", "<alice> one", 8, speaker="alice")
    assert second == Say("PRIVMSG", "#pond", "<alice> two", 8, speaker="alice")
    assert decode(encode(first)) == first


def test_an_action_is_told_as_one() -> None:
    (said,) = operations(owed(Message(words("waves"), Kind.ACTION)), _HERE)
    assert said == Say("PRIVMSG", "#pond", "* alice waves", 8, speaker="alice", acts=True)


def test_a_notice_stays_one_with_a_mark() -> None:
    (said,) = operations(owed(Message((Span("loud", Style.BOLD),), Kind.NOTICE)), _HERE)
    assert said == Say("NOTICE", "#pond", "<alice> \x02loud", 8)


@pytest.mark.parametrize(
    ("name", "nick"), [("Ann", "Ann"), ("Ann Lee", "Ann_Lee"), ("Ann[away]", "Ann[away]"), ("x" * 20, "x" * 20)]
)
def test_a_name_that_may_be_a_nick_is_one(name: str, nick: str) -> None:
    assert nick_of(replace(matrix("ann"), name=name)) == nick
    assert nick_of(replace(matrix("ann"), name=name, note="guest")) == f"{nick}|guest"


def test_names_that_become_alike_are_told_apart_and_none_can_pretend_to_have_a_note() -> None:
    names = ["Ann", "A.nn", "\u00c4nn", "Ann!", "Ann|guest", "Ann/matrix", "x" * 21, "x" * 20, "Ann_Lee", "Ann Lee_"]
    nicks = [nick_of(replace(matrix(f"u{index}"), name=name)) for index, name in enumerate(names)]
    assert len({*nicks}) == len(names)
    assert not any("|" in nick for nick in nicks)


@pytest.mark.parametrize("name", ["\u65e5\u672c", "...", "\u200b", ""])
def test_a_name_without_a_letter_that_may_be_in_a_nick_has_a_mark(name: str) -> None:
    assert nick_of(replace(matrix("x"), name=name)) == ""


@given(st.text(max_size=60), st.sampled_from(["", "guest", "someone else"]))
def test_whatever_the_name_the_nick_has_only_what_the_specification_lets_it_have(name: str, note: str) -> None:
    nick = nick_of(replace(matrix("x"), name=name, note=note))
    assert not set(nick) & set("!+%@&#$:'\"?*,./ \t\r\n\0")
    assert len(nick) <= 50
