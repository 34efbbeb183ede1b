"""What an edit changed, in words (bridge.model.changes)."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from bridge.model.changes import COVER, CUT, Change, Extent, beginning, change, covered
from bridge.model.text import Span, Style, printable, visible, words
from tests.strategies import with_runs
from tests.work import growth

LONG = (
    "Lorem ipsum dolor sit amet, consectetur adipiscing elit. Sed non risus. Suspendisse lectus tortor, dignissim sit"
    " amet, adipiscing nec, ultricies sed, dolor."
)
_SOME = st.lists(st.sampled_from(["a", "b", "ab", "the", "he", "/", "|", "wrld", "x.", "é", "天", "気"]), max_size=14)
_TEXTS = _SOME.map(" ".join) | _SOME.map("".join) | st.text(max_size=60)


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("hello wrld", "hello world", "s/wrld/world/"),
        ("hello,world", "hello, world", "s/,world/, world/"),
        ("hello wrld.", "hello world.", "s/wrld/world/"),
        ("no", "yes", "s/no/yes/"),
        ("I'll be there before 9", "I'll be there after 9", "s/before/after/"),
        ("dont do it", "don't do it", "s/dont/don't/"),
        ("the he", "the she", "s/the he/the she/"),  # "he" alone is in "the", too
        ("a a b", "a c b", "s/a a/a c/"),
        (LONG, LONG.replace("ipsum", "ip sum"), "s/ipsum/ip sum/"),
        ("this is where i a word", "this is where i missed a word", "s/where i/where i missed/"),
        ("very very good", "very good", "s/very very/very/"),
        ("see http://a.org/x", "see https://a.org/x", "s|http://a.org/x|https://a.org/x|"),  # an address stays whole
        ("either/or", "either/nor", "s/or/nor/"),
        ("a|b and/or", "a|c and/or", "s/b/c/"),
        ("今日は天気がいい", "今日は天気が悪い", "s/がい/が悪/"),
    ],
)
def test_a_short_change_is_a_substitution_with_the_fewest_words_that_fit_one_place(
    old: str, new: str, told: str
) -> None:
    assert change(old, new) == Change(Extent.SUBSTITUTION, told)


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        (LONG, LONG + " I want to know because Y", "…I want to know because Y"),
        ("Is it possible to do X?", "Is it possible to do X? I want to know because Y", "…I want to know because Y"),
        (
            LONG,
            LONG.replace("Lorem", "Larem").replace("ultricies", "altricies"),
            "Larem ipsum dolor sit … adipiscing nec, altricies sed, dolor…",
        ),
        (
            LONG,
            LONG.replace("non risus", "non risus, which is what nobody has ever understood"),
            "…Sed non risus, which is what nobody has ever understood. Suspendisse lectus…",
        ),
    ],
)
def test_of_a_longer_change_the_new_words_are_told_with_some_around(old: str, new: str, told: str) -> None:
    assert change(old, new) == Change(Extent.EXCERPT, told)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("totally different words here", "nothing in common with it"),
        ("", "what was said before is not known"),
        ("/|#", "|#/"),
        (LONG, LONG[::-1]),
    ],
)
def test_what_is_mostly_new_or_was_not_known_is_told_as_a_whole(old: str, new: str) -> None:
    assert change(old, new) == Change(Extent.WHOLE)


def test_white_space_and_invisible_signs_change_nothing_that_is_seen() -> None:
    for new in ("same text", "  same\ttext\n", "same\n\ntext", "sa\u200bme text\u200e"):
        assert change("same  text", new).extent is Extent.NOTHING


def test_of_an_old_text_that_is_cut_only_the_known_part_is_compared() -> None:
    known = beginning(words(LONG), 102)
    assert known.endswith(f"di{CUT}")
    assert len(known) == 102
    assert change(known, LONG.replace("ipsum", "ipsem")).text == "s/ipsum/ipsem/"
    assert change(known, LONG + " and more").extent is Extent.WHOLE
    assert change(known, LONG).extent is Extent.WHOLE
    assert change((LONG * 3)[:300], (LONG * 3).replace("Lorem", "Larem", 1)).text.startswith("Larem ipsum dolor sit")


def test_an_excerpt_has_no_words_of_spoilers() -> None:
    text = (Span("it was "), Span("the ", Style.SPOILER), Span("butler", Style.SPOILER | Style.BOLD), Span("!"))
    assert covered(text) == f"it was {COVER}!"
    assert beginning(text, 10) == "it was [s…"
    assert beginning(text, 0) == ""
    assert beginning(words("exactly"), 7) == "exactly"


def _applied(told: str, old: str) -> str:
    """`old` after `s/a/b/`, of which the first place counts."""
    _, a, b, rest = told[1:].split(told[1])
    assert rest == ""
    return old.replace(a, b, 1)


@given(_TEXTS, _TEXTS)
@example("a a a", "a b a")
@example("x" * 299 + "y", "x")
def test_a_substitution_applied_to_the_old_text_gives_the_new_one(old: str, new: str) -> None:
    told = change(old, new)
    if told.extent is not Extent.SUBSTITUTION:
        return
    before, after = (" ".join(visible(printable(text)).split()) for text in (old, new))
    assert _applied(told.text, before) == after
    assert "\n" not in told.text
    assert len(told.text) <= 90


@given(with_runs(_TEXTS), with_runs(_TEXTS))
def test_what_is_told_of_any_change_is_one_line_no_longer_than_the_new_text_and_a_substitution(
    old: str, new: str
) -> None:
    told = change(old, new)
    assert (told.text == "") is (told.extent in (Extent.NOTHING, Extent.WHOLE))
    assert told.text == printable(told.text)
    assert len(told.text) <= max(len(new) + 2, 90)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("a b " * 16_000, "b a " * 16_000),
        ("x" * 64_000, "x" * 63_999 + "y"),
        ("a\u0301" * 30_000, "a" + "\u0301" * 60_000),
        ("w://" * 16_000, "w:/" * 16_000),
        (" \t" * 32_000, "\n" * 64_000),
        ("-'" * 32_000, "a-" * 32_000),
        ("a'" * 32_000, "a'a" * 20_000),
        (" ".join(map(str, range(10_000))), " ".join(map(str, range(1, 10_000, 2)))),
        ("b " + "a " * 30_000 + "b", "c " + "a " * 30_000 + "c"),
    ],
)
def test_texts_of_64_kb_are_compared_at_once(old: str, new: str) -> None:
    assert growth(lambda size: change(old[:size], new[:size]), 16_000) < 3
    assert change(old, new).extent in Extent  # a square of this would end by the test's time limit
