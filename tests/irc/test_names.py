"""Names of people on IRC (bridge.irc.dialect.names)."""

from collections.abc import Iterator
from dataclasses import replace

import pytest

from bridge.irc.dialect import palette
from bridge.irc.dialect.formatting import stripped
from bridge.irc.dialect.names import COLOURS, GUARD, Names, clipped, coloured
from bridge.irc.dialect.operations import Say
from bridge.irc.dialect.place import Limits, Place
from bridge.irc.dialect.render import refit
from bridge.model.casemap import Casemapping
from bridge.model.event import Edit, Kind, Mentioned, Message
from bridge.model.presentation import DEFAULT, Presentation
from bridge.model.text import Span, Style, words
from tests.events import irc, matrix
from tests.irc.rendering import ALICE, PLACE, TARGET, operations, owed, said

HI = Message(words("hi"))
COLOURED = replace(PLACE, colours=True)


def guarded(name: str, *nicks: str) -> str:
    return Names(Place(nicks=frozenset(nicks)), DEFAULT).guarded(name)


@pytest.mark.parametrize(
    "nick", ["alice", "alice_", "alice__", "alice|away", "alice2", "alice-m", "alice{m}", "alice[m]"]
)
@pytest.mark.parametrize("name", ["alice", "Alice", "ALICE_", "alice|work", "alice7", "alice-m", "alice[m]"])
def test_a_name_is_guarded_that_a_client_in_the_channel_may_take_for_its_users_nick(name: str, nick: str) -> None:
    assert guarded(name, "bob", nick) == name[0] + GUARD + name[1:]


@pytest.mark.parametrize("name", ["alice", "alicia", "malice", "al", "", "_", "42"])
def test_other_names_stay_as_they_are(name: str) -> None:
    assert guarded(name) == name
    assert guarded(name, "bob", "alicea", "__", "1") == name


def test_each_word_of_a_name_is_guarded() -> None:
    assert guarded("Alice Smith (bob)", "alice", "bob") == f"A{GUARD}lice Smith (b{GUARD}ob)"


def test_a_guard_does_not_cut_a_grapheme() -> None:
    assert guarded("e\u0301ve", "e\u0301ve") == f"e\u0301{GUARD}ve"


def test_our_own_nick_guards_no_name() -> None:
    place = replace(PLACE, nicks={"duck", "bob"}, us="duck")
    assert Names(place, DEFAULT).guarded("Duck bob") == f"Duck b{GUARD}ob"
    assert Names(replace(place, nicks={"duck", "duck_"}), DEFAULT).guarded("Duck") == f"D{GUARD}uck"


class _Crowd(frozenset[str]):
    """Thousands of nicks, which no message may look through."""

    def __iter__(self) -> Iterator[str]:
        raise AssertionError


def test_a_name_is_guarded_without_a_look_at_everybody_once_they_are_counted() -> None:
    place = Place(nicks=_Crowd(["alice", "duck"]), stems={"alice": 1, "duck": 1}, us="duck")
    assert Names(place, DEFAULT).guarded("alice bob duck") == f"a{GUARD}lice bob duck"


def test_names_are_compared_by_the_casemapping_of_the_network() -> None:
    place = Place(nicks={"{al}"}, casemapping=Casemapping.RFC1459)
    assert Names(place, DEFAULT).guarded("[AL]") == f"[{GUARD}AL]"
    assert Names(replace(place, casemapping=Casemapping.ASCII), DEFAULT).guarded("[AL]") == "[AL]"


def test_names_are_guarded_in_marks_and_only_where_the_link_wants_it() -> None:
    place = replace(PLACE, nicks={"alice"})
    assert said(owed(HI), place) == [f"<a{GUARD}lice> hi"]
    assert said(owed(Message(words("waves"), Kind.ACTION)), place) == [f"* a{GUARD}lice waves"]
    assert said(owed(HI), place, Presentation(guard_names=False)) == ["<alice> hi"]


def test_a_name_in_a_mark_has_a_colour_of_its_own_that_never_changes() -> None:
    assert coloured("alice", "@alice:hs") == "\x0330alice\x0f"
    assert said(owed(HI), COLOURED) == ["<\x0330alice\x0f> hi"]
    renamed = replace(ALICE, name="Alice", note="guest")
    assert said(owed(HI, sender=renamed), COLOURED) == ["<\x0330Alice\x0f (guest)> hi"]
    late = replace(owed(Message(words("waves"), Kind.ACTION)), age=100.0)
    assert said(late, COLOURED) == ["[00:00 UTC] * \x0330alice\x0f waves"]
    edit = owed(Edit(TARGET, words("hello")))
    assert said(edit, COLOURED) == ["<\x0330alice\x0f> (edited) hello"]
    assert len({coloured("", f"@user{number}:hs") for number in range(500)}) == len(COLOURS) == 16
    nicks = [said(owed(HI, sender=irc(nick, network="oftc")), COLOURED) for nick in ("Al[x]", "al{X}")]
    assert nicks[0][0][:4] == nicks[1][0][:4]


def test_names_have_no_colour_where_colours_do_not_get_through_or_the_link_wants_none() -> None:
    assert said(owed(HI), PLACE) == ["<alice> hi"]
    assert said(owed(HI), COLOURED, Presentation(colour_names=False)) == ["<alice> hi"]


def test_a_name_that_begins_like_a_colour_code_is_shown_whole() -> None:
    for name in (",5", "12", "1,2"):
        (line,) = said(owed(HI, sender=replace(ALICE, name=name)), COLOURED)
        assert stripped(line) == f"<{name}> hi"


def _luminance(colour: str) -> float:
    """Relative luminance (https://www.w3.org/TR/WCAG21/#dfn-relative-luminance)."""
    parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    red, green, blue = (part / 12.92 if part <= 0.03928 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


@pytest.mark.parametrize("code", COLOURS)
def test_the_colours_can_be_read_on_black_and_on_white_and_are_not_grey(code: str) -> None:
    shown = palette.colour(code)
    luminance = _luminance(shown)
    assert min(1.05 / (luminance + 0.05), (luminance + 0.05) / 0.05) > 2.6
    assert len({shown[1:3], shown[3:5], shown[5:]}) > 1


def test_a_coloured_mark_is_on_each_line_also_if_the_line_is_split_again() -> None:
    text = "word " * 150
    lines = operations(owed(Message(words(text))), COLOURED)
    mark = "<\x0330alice\x0f> "
    for line in lines:
        assert isinstance(line, Say)
        assert line.text.startswith(mark)
        assert line.head == len(mark)
        parts = [*refit(line, Limits(512, 250))]
        assert len(parts) > 1
        assert all(part.text.startswith(mark) and part.head == len(mark) for part in parts)
        assert "".join(part.text[part.head :] for part in parts) == line.text[line.head :]


def test_of_a_long_name_in_colour_only_the_name_is_cut() -> None:
    head = "[10:02 UTC] <\x0304" + "🦆" * 64 + "\x0f (guest)> "
    cut = clipped(head, 60)
    assert cut.startswith("[10:02 UTC] <\x0304🦆")
    assert cut.endswith("🦆…\x0f (guest)> ")
    assert len(cut.encode()) <= 60
    assert clipped(head, 20) == "[10:02 UTC] <…> "
    assert clipped("<\x0304" + "👨‍👩‍👧‍👦" * 9 + "\x0f> ", 50) == "<\x0304👨‍👩‍👧‍👦…\x0f> "
    assert clipped(head, 1000) == head


def mention(name: str = "Carol") -> Message:
    return Message((Span("ask "), Span(name, Style.BOLD, mention="@carol:hs"), Span(" or bob")))


def test_a_mention_calls_the_person_by_their_nick_if_they_are_in_the_channel() -> None:
    carol = Mentioned("@carol:hs", "carol", ())
    place = replace(PLACE, nicks={"car"}, nick_of=lambda who: "car" if who == carol else None)
    item = owed(mention())
    item = replace(item, event=replace(item.event, mentioned=(carol,)))
    assert said(item, place) == ["<alice> ask \x02car\x0f or bob"]
    assert said(item, PLACE) == ["<alice> ask \x02Carol\x0f or bob"]
    unknown = replace(item, event=replace(item.event, mentioned=()))
    assert said(unknown, place) == ["<alice> ask \x02Carol\x0f or bob"]


def test_a_mention_by_a_guest_calls_nobody() -> None:
    item = owed(mention("car"), sender=matrix("eve"))
    item = replace(item, event=replace(item.event, mentioned=(Mentioned("@carol:hs", "carol", ()),)))
    place = replace(PLACE, nicks={"car", "bob"}, nick_of=lambda _: "car")
    assert said(item, place) == [f"<eve> ask \x02c{GUARD}ar\x0f or bob"]
