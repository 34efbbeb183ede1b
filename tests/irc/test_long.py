"""Long texts on IRC: the first lines, how many more there are, and the link to the whole."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.irc.dialect.place import Limits, Place
from bridge.model.event import Edit, EventKey, Kind, Media, Mentioned, Message
from bridge.model.outbox import Known, Owed
from bridge.model.text import Span, Style, Text, words
from bridge.network import PermanentError
from bridge.rules.offers import may_be_long
from tests.irc.rendering import ALICE, BOB, PLACE, TARGET, known, operations, owed, said
from tests.strategies import looks

LINK = "https://pond.social/t/" + "A" * 48
VERSES = [f"verse {number}" for number in range(1, 61)]


def long(body: Message | Edit | Text, *, most: int = 20, link: str = "", context: tuple[Known, ...] = ()) -> Owed:
    item = owed(Message(body) if isinstance(body, tuple) else body, context=context)
    return replace(item, event=replace(item.event, max_lines=most, text_link=link))


def verses(number: int) -> Text:
    return words("\n".join(VERSES[:number]))


@pytest.mark.parametrize(
    ("lines", "most", "shown"),
    [(60, 20, 4), (21, 20, 4), (6, 5, 4), (5, 4, 3), (60, 3, 2), (3, 2, 1)],
)
def test_a_long_text_is_its_first_lines_and_a_link_to_the_whole(lines: int, most: int, shown: int) -> None:
    *first, last = said(long(verses(lines), most=most, link=LINK))
    assert first == [f"<alice> {verse}" for verse in VERSES[:shown]]
    assert last == f"<alice> ... {lines - shown} more lines: {LINK}"
    assert len(first) + 1 <= most


@pytest.mark.parametrize(("lines", "most"), [(60, 20), (22, 20), (4, 2)])
def test_without_a_link_a_long_text_is_as_many_lines_as_may_be_and_how_many_more_there_are(
    lines: int, most: int
) -> None:
    *first, last = said(long(verses(lines), most=most))
    assert first == [f"<alice> {verse}" for verse in VERSES[:most]]
    assert last == f"<alice> ... {lines - most} more lines"


def test_one_line_more_is_shown_as_it_takes_the_room_of_the_line_that_would_say_so() -> None:
    assert said(long(verses(21))) == [f"<alice> {verse}" for verse in VERSES[:21]]


@pytest.mark.parametrize("link", ["", LINK])
def test_a_text_of_as_many_lines_as_may_be_is_whole_and_one_without_a_limit_too(link: str) -> None:
    assert said(long(verses(20), link=link)) == [f"<alice> {verse}" for verse in VERSES[:20]]
    assert len(said(long(words("x\n" * 100), most=0, link=link))) == 100


@pytest.mark.parametrize(
    "text",
    [
        "x\n" * 30_000,
        "\n\n \t\n\u200e\nx" * 10_000,
        "x\r\ny\u2028z\x0b" * 3_000,
        ("word " * 12 + "\n") * 800,
        "word " * 300 + "\nx" * 5_000,
        "é\n" * 61,
        "é\n" * 59,
    ],
)
def test_the_number_is_that_of_all_lines_without_those_that_are_shown(text: str) -> None:
    number = len(said(owed(Message(words(text)))))
    assert said(long(words(text), most=2, link=LINK))[-1] == f"<alice> ... {number - 1:,} more lines: {LINK}"
    assert said(long(words(text), most=6))[-1] == f"<alice> ... {number - 6:,} more lines"


@pytest.mark.parametrize("text", ["x" * 64_000, "ab " * 20_000, "a\u0301" * 20_000, "word " * 12_000])
def test_the_number_is_about_that_of_a_text_in_lines_that_do_not_fit(text: str) -> None:
    number = len(said(owed(Message(words(text)))))
    left = int(said(long(words(text), most=6))[-1].removeprefix("<alice> ... ").split()[0].replace(",", ""))
    assert abs(left + 6 - number) <= number / 50


def test_a_long_action_and_a_long_notice_end_as_they_begin() -> None:
    action = Message(verses(60), Kind.ACTION)
    assert said(long(action, link=LINK))[-1] == f"* alice ... 56 more lines: {LINK}"
    private = long(action)
    private = replace(private, event=replace(private.event, private=True))
    assert said(private)[-1] == "\x01ACTION ... 40 more lines\x01"
    notice = operations(long(Message(verses(60), Kind.NOTICE), link=LINK))
    assert {line.command for line in notice} == {"NOTICE"}  # type: ignore[union-attr]


def test_an_edit_that_is_shown_whole_has_the_link_too() -> None:
    edit = Edit(TARGET, verses(60))
    assert said(long(edit, link=LINK, context=(known("quite another text"),))) == [
        "<alice> (edited) verse 1",
        *(f"<alice> {verse}" for verse in VERSES[1:4]),
        f"<alice> ... 56 more lines: {LINK}",
    ]


def test_a_long_answer_has_the_quotation_in_its_first_line_and_answers_by_it() -> None:
    other = known("which song?", last=False)
    item = long(Message(verses(60), reply_to=TARGET), link=LINK, context=(other,))
    tagged = operations(item, replace(PLACE, tags=True))
    assert said(item)[0] == '<alice> (re bob: "which song?") verse 1'
    assert [bool(line.reply) for line in tagged] == [True] + 4 * [False]  # type: ignore[union-attr]


def test_the_last_line_is_plain_whatever_the_text_before_it_looks_like() -> None:
    for style in Style:
        lines = said(long((Span("\n".join(VERSES), style, fg="#ff0000"),), link=LINK))
        assert lines[-1] == f"<alice> ... 56 more lines: {LINK}"


def test_a_text_that_fits_is_whole_and_its_file_has_a_line_more() -> None:
    picture = Media("image", "cat.png", 5, "image/png", "mxc://hs/cat", link=LINK.replace("/t/", "/m/"))
    lines = said(long(Message(verses(20), media=(picture,)), link=LINK))
    assert lines == [*(f"<alice> {verse}" for verse in VERSES[:20]), f"<alice> {picture.described} {picture.link}"]
    lines = said(long(Message(verses(60), media=(picture,)), link=LINK))
    assert lines[4:] == [f"<alice> ... 56 more lines: {LINK} {picture.described} {picture.link}"]


_PIECES = st.one_of(
    looks(st.text(max_size=30)),
    looks(
        st.sampled_from(
            ["\n", "\r\n", " ", "\t", "word ", "x" * 90, "x" * 101 + " ", "\u00a0", "👨‍👩‍👧‍👦", "🇩🇪", "a\u0301", ","]
        )
    ),
    looks(
        st.sampled_from(["quack " * 40, "é" * 300, "x" * 500, "a\u0301" * 100, "b " + "a" + "\u0301" * 90, "y\n" * 5])
    ),
    st.builds(
        Span, st.sampled_from(["pond", "see the pond "]), link=st.sampled_from(["https://pond.social/", LINK * 3])
    ),
    st.builds(Span, st.sampled_from(["bob", "a b c d e f"]), mention=st.just("@bob:hs")),
)
_FAR = Place(Limits(512, 224), colours=True, nick_of=lambda _: "n" * 30)
"""With a name of 64 letters in a colour, 200 bytes of a line are left for words."""
_NAMED = replace(ALICE, name="N" * 64)


@pytest.mark.parametrize("word", ["x" * number for number in range(60, 260, 7)] + ["é" * 70, "a" + "\u0301" * 80])
def test_words_of_which_only_one_fits_a_line_are_counted_as_many_lines(word: str) -> None:
    text, most = words(f"{word} " * 9), 6
    assert may_be_long(text, most) or len(said(owed(Message(text), sender=_NAMED), _FAR)) <= most + 1


@given(st.lists(_PIECES, max_size=12).map(tuple), st.integers(2, 8), st.sampled_from([None, TARGET]))
def test_a_text_that_is_cut_was_offered_as_long_before(text: Text, most: int, target: EventKey | None) -> None:
    answered = known("which one of all the many songs of the pond? " * 3, who=replace(BOB, name="B" * 60), last=False)
    item = owed(Message(text, reply_to=target), sender=_NAMED, context=(answered,))
    mentioned = (Mentioned("@bob:hs", "bob", ()),)
    item = replace(item, event=replace(item.event, mentioned=mentioned))
    try:
        number = len(said(item, _FAR))
    except PermanentError:
        return
    cut = said(replace(item, event=replace(item.event, max_lines=most)), _FAR)
    assert (len(cut) < number) == (number > most + 1)
    assert may_be_long(text, most) or number <= most + 1


@pytest.mark.parametrize(
    ("text", "most"),
    [("x\n" * 19, 20), ("\n\nword\n\n" * 5, 6), ("word " * 30, 6), ("word " * 150, 6), ("x" * 1_000, 20)],
)
def test_a_text_that_is_surely_short_is_not_offered(text: str, most: int) -> None:
    assert not may_be_long(words(text), most)
    assert not may_be_long(words(text * 1_000), 0)
