"""Messages of several lines (IRCv3 multiline): heard as one, and said as one where the server takes them."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.irc.dialect.operations import Operation, Paste, Say, decode, encode
from bridge.irc.dialect.paste import apart
from bridge.irc.dialect.written import lines_of
from bridge.irc.effects import Failed, Proved
from bridge.irc.session.proof import ID_TAG
from bridge.irc.wire.multiline import Capacity
from bridge.model.event import Kind, Message
from bridge.model.text import Span, Style, plain, words
from bridge.network import PermanentError, TransientError
from tests.irc.rendering import PLACE, operations, owed, said
from tests.irc.test_long import LINK, long, verses
from tests.irc.test_session import ALL, Talk

_ERGO = f"{ALL} draft/multiline"
_HERE = replace(PLACE, multiline=Capacity(4096, 100))
_OPENED = "@msgid=m1;account=al;time=2020-01-01T00:00:00Z :al!u@h BATCH +b draft/multiline #pond"
_PASTE = Paste("#Pond", ("<Ann> one", "two", "<Ann> three"), (False, True, False), "<Ann> ")


def ergo(value: str = "max-bytes=4096,max-lines=100", caps: str = ALL) -> Talk:
    talk = Talk()
    talk.hears(f":irc CAP * LS :{caps} draft/multiline={value}")
    talk.hears(f":irc CAP * ACK :{caps} draft/multiline")
    return talk.welcomed()


def does(talk: Talk, operation: Operation, post: str = "p1") -> list[str]:
    before = len(talk.effects)
    talk._take(talk.session.perform(post, operation))
    return talk.written(before)


def texts(talk: Talk) -> list[str]:
    return [plain(each.text) for each in talk.heard]


# Heard


def test_a_batch_is_one_message_with_the_id_account_and_time_of_the_batch() -> None:
    talk = ergo()
    talk.hears(
        _OPENED,
        "@batch=b :al!u@h PRIVMSG #pond :hello",
        "@batch=b :al!u@h PRIVMSG #pond :",
        "@batch=b :al!u@h PRIVMSG #pond :how is ",
        "@batch=b;draft/multiline-concat :al!u@h PRIVMSG #pond :everyone?",
    )
    assert not talk.heard
    talk.hears(":irc BATCH -b")
    (event,) = talk.heard
    assert plain(event.text) == "hello\n\nhow is everyone?"
    assert (event.id, event.sender.address, event.sender.proofs[0].value) == ("m1", "al", "al")
    assert event.time == 1577836800.0


def test_the_formatting_of_a_line_ends_with_it() -> None:
    talk = ergo()
    talk.hears(
        _OPENED, "@batch=b :al!u@h PRIVMSG #pond :\x02loud", "@batch=b :al!u@h PRIVMSG #pond :soft", ":irc BATCH -b"
    )
    assert talk.heard[0].text == (Span("loud", Style.BOLD), Span("\nsoft"))


def test_a_batch_in_a_history_is_one_old_message() -> None:
    talk = ergo(caps=f"{ALL} draft/chathistory")
    talk.hears(
        ":irc BATCH +h chathistory #pond",
        "@batch=h;msgid=m1;account=al;time=2020-01-01T00:00:00Z :al!u@h BATCH +b draft/multiline #pond",
        "@batch=b :al!u@h PRIVMSG #pond :one",
        "@batch=b :al!u@h PRIVMSG #pond :two",
        "@batch=h :irc BATCH -b",
    )
    assert not talk.heard  # we have never been there: no history is told, and none of it is taken for news
    talk.hears(":irc BATCH -h", "@msgid=m2 :al!u@h PRIVMSG #pond :now")
    assert texts(talk) == ["now"]


def test_a_line_for_somebody_else_is_no_part_of_a_batch() -> None:
    talk = ergo()
    talk.hears(_OPENED, "@batch=b :al!u@h PRIVMSG #pond :one", "@batch=b :al!u@h PRIVMSG duck :psst")
    assert texts(talk) == ["psst"]
    talk.hears(":irc BATCH -b")
    assert texts(talk) == ["psst", "one"]


def test_of_a_batch_that_is_not_ended_in_time_what_came_is_heard() -> None:
    talk = ergo()
    talk.hears(_OPENED, "@batch=b :al!u@h PRIVMSG #pond :one")
    talk.passes(29)
    assert not talk.heard
    talk.passes(3)
    assert texts(talk) == ["one"]
    talk.hears("@batch=b :al!u@h PRIVMSG #pond :two", ":irc BATCH -b")
    assert texts(talk) == ["one", "two"]


def test_an_endless_batch_becomes_messages_of_bounded_size_and_no_line_is_lost() -> None:
    talk = ergo()
    talk.hears(_OPENED, *(f"@batch=b :al!u@h PRIVMSG #pond :{number}" for number in range(1100)))
    assert [text.count("\n") for text in texts(talk)] == [499, 499]
    talk.hears(*(f"@batch=b :al!u@h PRIVMSG #pond :{'x' * 400}" for _ in range(100)), ":irc BATCH -b")
    assert max(len(text) for text in texts(talk)) < 17_000
    assert len("\n".join(texts(talk)).split("\n")) == 1200
    assert len({event.id for event in talk.heard}) == len(talk.heard)


def test_thousands_of_open_batches_are_not_kept() -> None:
    talk = ergo()
    talk.hears(*(f":al!u@h BATCH +b{number} draft/multiline #pond" for number in range(5000)))
    talk.hears("@batch=b4999;account=al :al!u@h PRIVMSG #pond :hi")
    assert texts(talk) == ["hi"]


def test_a_batch_that_the_end_of_the_connection_cuts_is_not_heard() -> None:
    talk = ergo()
    talk.hears(_OPENED, "@batch=b :al!u@h PRIVMSG #pond :one")
    talk._take(talk.session.lost())
    assert not talk.heard


@given(st.lists(st.tuples(st.sampled_from(["+a", "+b", "-a", "-b", "a", "b", ""]), st.booleans()), max_size=40))
def test_whatever_the_server_opens_and_ends_each_line_is_heard_once(script: list[tuple[str, bool]]) -> None:
    talk = ergo()
    lines, number = [], 0
    for what, concat in script:
        if what[:1] == "+":
            lines.append(f"@account=al :al!u@h BATCH {what} draft/multiline #pond")
        elif what[:1] == "-":
            lines.append(f":irc BATCH {what}")
        else:
            number += 1
            tags = f"batch={what};" if what else ""
            tags += "draft/multiline-concat;" if concat else ""
            lines.append(f"@{tags}account=al :al!u@h PRIVMSG #pond :<{number}>")
    talk.hears(*lines)
    talk.passes(40)
    every = "".join(texts(talk))
    assert all(every.count(f"<{each}>") == 1 for each in range(1, number + 1))


# Said


@pytest.mark.parametrize(
    ("value", "capacity"),
    [
        ("max-bytes=4096,max-lines=100", Capacity(4096, 100)),
        ("max-bytes=40000", Capacity(40000, 500)),
        ("x,max-lines=2,max-bytes=10,y=z", Capacity(10, 2)),
        ("max-lines=5", None),
        ("max-bytes=-1", None),
        ("max-bytes=0", None),
        ("max-bytes=10,max-lines=0", None),
        ("max-bytes=" + "9" * 5000, None),
        ("", None),
        (None, None),
    ],
)
def test_what_the_server_takes_is_read_from_the_value_of_the_capability(
    value: str | None, capacity: Capacity | None
) -> None:
    assert Capacity.of(value) == capacity


def test_a_message_of_several_lines_is_one_batch_with_the_tags_at_its_beginning() -> None:
    opening, *lines, end = does(ergo(), replace(_PASTE, reply="m0"))
    assert opening == f"@label=p1;{ID_TAG}=p1;+draft/reply=m0;+reply=m0 BATCH +q1 draft/multiline #Pond"
    assert lines == [
        "@batch=q1 PRIVMSG #Pond :<Ann> one",
        "@batch=q1;draft/multiline-concat PRIVMSG #Pond :two",
        "@batch=q1 PRIVMSG #Pond :<Ann> three",
    ]
    assert end == "BATCH -q1"


def test_the_echo_of_the_batch_proves_it_by_its_label() -> None:
    talk = ergo()
    does(talk, _PASTE)
    us = ":duck!~quack@host.example"
    talk.hears(
        f"@label=p1;msgid=m7 {us} BATCH +123 draft/multiline #Pond",
        f"@batch=123 {us} PRIVMSG #Pond :<Ann> one",
        f"@batch=123;draft/multiline-concat {us} PRIVMSG #Pond :two",
        f"@batch=123 {us} PRIVMSG #Pond :<Ann> three",
    )
    assert not talk.of(Proved)
    talk.hears(":irc BATCH -123")
    assert talk.of(Proved) == [Proved("p1", "m7")]
    assert not talk.heard


@pytest.mark.parametrize("tag", [f"{ID_TAG}=p1;", ""])
def test_without_labels_the_echo_proves_it_by_its_id_or_its_words(tag: str) -> None:
    talk = ergo(caps="message-tags echo-message batch")
    assert does(talk, _PASTE)[-1] == "PING p1"
    us = ":duck!~quack@host.example"
    talk.hears(
        ":irc PONG irc p1",
        f"@{tag}msgid=m7 {us} BATCH +123 draft/multiline #Pond",
        f"@batch=123 {us} PRIVMSG #Pond :<Ann> one",
        f"@batch=123;draft/multiline-concat {us} PRIVMSG #Pond :two",
        f"@batch=123 {us} PRIVMSG #Pond :<Ann> three",
        ":irc BATCH -123",
    )
    assert talk.of(Proved) == [Proved("p1", "m7")]


@pytest.mark.parametrize("label", ["", "@label=p1 "])
def test_a_refused_batch_is_tried_again_at_once_and_all_later_ones_are_lines(label: str) -> None:
    talk = ergo()
    assert talk.session.place("#Pond").multiline is not None
    does(talk, _PASTE)
    talk.hears(f"{label}:irc FAIL BATCH MULTILINE_MAX_LINES 2 :too many lines")
    (failed,) = talk.of(Failed)
    assert failed.post == "p1"
    assert isinstance(failed.error, TransientError)
    assert failed.error.retry_after == 0.1
    assert talk.session.place("#Pond").multiline is None
    does(talk, Say("PRIVMSG", "#Pond", "<Ann> hi"), "p2")
    talk.hears(":irc FAIL BATCH MULTILINE_INVALID :unexpected line")
    assert len(talk.of(Failed)) == 1


def test_what_is_left_of_a_refused_batch_refuses_no_other_one() -> None:
    talk = ergo()
    for post in ("p1", "p2"):
        does(talk, _PASTE, post)
    talk.hears(*[":irc FAIL BATCH MULTILINE_INVALID :unexpected line"] * 3)
    assert [each.post for each in talk.of(Failed)] == ["p1"]


def test_the_formatting_goes_where_the_channel_takes_only_plain_words() -> None:
    talk = ergo()
    does(talk, replace(_PASTE, pieces=("<Ann> \x02one", "two", "<Ann> three")))
    talk.hears("@label=p1 :irc 404 duck #Pond :no colours")
    lines = does(talk, replace(_PASTE, pieces=("<Ann> \x02one", "two", "<Ann> three")), "p2")
    assert lines[1] == "@batch=q2 PRIVMSG #Pond :<Ann> one"


def test_a_line_that_would_not_fit_is_an_error_and_nothing_is_written() -> None:
    talk = ergo()
    with pytest.raises(PermanentError):
        does(talk, replace(_PASTE, pieces=("x" * 500, "two", "three")))
    assert does(talk, _PASTE)[0].startswith("@label=p1")


# Rendered


def test_a_long_text_is_one_message_and_the_limit_of_the_link_does_not_count() -> None:
    (paste,) = operations(long(verses(60), most=20, link=LINK), _HERE)
    assert isinstance(paste, Paste)
    assert [*paste.pieces] == [f"<alice> verse {number}" for number in range(1, 61)]
    assert not any(paste.joined)
    assert decode(encode(paste)) == paste


def test_a_text_of_one_line_is_a_line_and_so_is_a_notice() -> None:
    assert said(owed(Message(words("hello"))), _HERE) == ["<alice> hello"]
    assert said(owed(Message(words("a\nb"), Kind.NOTICE)), _HERE) == ["<alice> a", "<alice> b"]


@pytest.mark.parametrize("here", [Capacity(4096, 59), Capacity(200, 100)])
def test_of_a_text_that_is_more_than_the_server_takes_the_beginning_and_a_link_are_one_message(here: Capacity) -> None:
    (paste,) = operations(long(verses(60), most=20, link=LINK), replace(_HERE, multiline=here))
    assert isinstance(paste, Paste)
    assert paste.pieces[-1] == f"<alice> ... 56 more lines: {LINK}"
    assert len(paste.pieces) == 5


def test_a_line_that_is_cut_goes_on_without_a_mark_and_without_the_formatting_of_before() -> None:
    (paste,) = operations(owed(Message((Span("word " * 100, Style.BOLD), Span("end " * 50)))), _HERE)
    assert isinstance(paste, Paste)
    assert paste.joined == (False, True)
    assert paste.pieces[1].startswith("\x0f\x02word")
    assert [each.text for each in apart(paste)] == said(
        owed(Message((Span("word " * 100, Style.BOLD), Span("end " * 50))))
    )


def test_no_piece_without_a_mark_looks_like_the_mark_of_somebody_else() -> None:
    """People whose clients do not know multiline see each piece as a line."""
    for length in range(430, 460):
        text = "x" * length + " <bob> I agree " * 40
        (paste,) = operations(owed(Message(words(text))), _HERE)
        assert isinstance(paste, Paste)
        for piece, joined in zip(paste.pieces, paste.joined, strict=True):
            assert joined or piece.startswith("<alice> ")
            assert not joined or piece.lstrip("\x0f")[0].isalnum()


@given(st.text(max_size=3000), st.integers(20, 4096), st.integers(1, 30))
def test_whatever_is_said_fits_and_is_as_much_as_before(text: str, size: int, lines: int) -> None:
    place = replace(_HERE, multiline=Capacity(size, lines))
    item = owed(Message(words(text)))
    try:
        before = said(item)
    except PermanentError:
        return
    done = operations(item, place)
    if not isinstance(done[0], Paste):
        assert [each.text for each in done if isinstance(each, Say)] == before
        return
    (paste,) = done
    assert isinstance(paste, Paste)
    assert len(paste.pieces) <= lines
    joined = "".join(
        piece if is_joined else f"\n{piece}" for piece, is_joined in zip(paste.pieces, paste.joined, strict=True)
    )
    assert len(joined[1:].encode()) <= size
    assert all(len(piece.encode()) <= place.limits.budget("PRIVMSG", "#pond") for piece in paste.pieces)
    assert "".join(each.text.removeprefix("<alice> ") for each in apart(paste)) == "".join(
        line.removeprefix("<alice> ") for line in before
    )


def test_on_a_server_that_takes_less_than_it_did_a_frozen_message_becomes_lines() -> None:
    assert lines_of(_PASTE, _HERE) == [_PASTE]
    for place in (PLACE, replace(_HERE, multiline=Capacity(20, 9)), replace(_HERE, multiline=Capacity(99, 2))):
        says = lines_of(replace(_PASTE, reply="m"), place)
        assert [each.text for each in says if isinstance(each, Say)] == ["<Ann> one", "<Ann> two", "<Ann> three"]
        assert [each.reply for each in says if isinstance(each, Say)] == ["m", "", ""]
