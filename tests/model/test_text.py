from dataclasses import replace
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.model.text import Span, Style, addressed, lines, merge, one_line, plain, printable, shown_name, words
from tests.strategies import with_runs

spans = st.builds(
    Span,
    with_runs(st.text()),
    st.sampled_from(list(Style)),
    st.sampled_from([None, "https://example.org"]),
    st.sampled_from(["", "#ff0000"]),
    st.sampled_from(["", "#00007f"]),
    st.sampled_from(["", "@bob:hs"]),
)


@given(st.lists(spans).map(tuple))
def test_merging_changes_no_word_and_leaves_nothing_to_merge(text: tuple[Span, ...]) -> None:
    merged = merge(text)
    assert plain(merged) == plain(text)
    assert all(span.text for span in merged)
    assert merge(merged) == merged
    assert all(replace(one, text="") != replace(other, text="") for one, other in pairwise(merged))
    signs = [replace(span, text=sign) for span in text for sign in span.text]
    assert [replace(span, text=sign) for span in merged for sign in span.text] == signs


@given(st.lists(spans).map(tuple))
def test_no_line_holds_a_line_end_of_any_client(text: tuple[Span, ...]) -> None:
    for line in lines(text):
        assert len(plain(line).splitlines()) <= 1


def test_a_line_end_inside_a_span_keeps_the_style_on_both_sides() -> None:
    text = (Span("one ", Style.BOLD), Span("two\r\nthree", Style.ITALIC))
    assert list(lines(text)) == [
        (Span("one ", Style.BOLD), Span("two", Style.ITALIC)),
        (Span("three", Style.ITALIC),),
    ]


@pytest.mark.parametrize(
    "change",
    [{"style": Style.BOLD}, {"link": "https://x.y"}, {"fg": "#ff0000"}, {"bg": "#ff0000"}, {"mention": "@b:h"}],
)
def test_a_span_is_plain_if_its_text_is_all_and_another_text_in_it_looks_the_same(change: dict[str, Any]) -> None:
    span = Span("one", **change)
    assert not span.is_plain
    assert span.with_text("two") == Span("two", **change)
    assert Span("one").is_plain


def test_an_empty_line_is_a_line() -> None:
    assert [plain(line) for line in lines(words("a\n\nb"))] == ["a", "", "b"]


@given(with_runs(st.text()), st.integers(1, 300))
def test_text_of_others_becomes_one_line_of_limited_length(text: str, limit: int) -> None:
    shown = one_line(text, limit)
    assert len(shown) <= limit
    assert len(shown.splitlines()) <= 1
    assert printable(text).startswith(shown)


@given(with_runs(st.text()))
def test_a_shown_name_is_one_short_line_that_cannot_close_its_brackets(name: str) -> None:
    shown = shown_name(name, "@someone:example.org")
    assert 0 < len(shown) <= 64
    assert not set(shown) & set("<>\r\n\x00\u202e\u2066\u200b")
    assert shown == shown.strip()


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("admin> hello <x", "admin› hello ‹x"),
        ("ad\u200bmin", "admin"),
        ("\u202enimda", "nimda"),
        ("a\r\nQUIT", "a QUIT"),
        ("  \u3164 ", "@me:hs"),
        ("👩‍👩‍👧", "👩‍👩‍👧"),
    ],
)
def test_a_shown_name_is_cleaned_of_brackets_line_ends_and_invisible_characters(name: str, shown: str) -> None:
    assert shown_name(name, "@me:hs") == shown


def test_printable_words_keep_emoji_and_lose_controls() -> None:
    assert printable("a\x02b\u202ec 👩‍👧 \ufe0f") == "a bc 👩‍👧 \ufe0f"


@pytest.mark.parametrize(
    ("said", "heard"),
    [
        ("duck: hi", "hi"),
        ("Duck, hi there", "hi there"),
        ("@duck hi", "hi"),
        ("duck", ""),
        ("Little Yellow Duck: quack", "quack"),
        ("ducks are nice", None),
        ("hello duck", None),
        ("duck-hunt", None),
    ],
)
def test_a_text_addresses_a_name_at_its_head_only(said: str, heard: str | None) -> None:
    assert addressed(said, ["duck", "Little Yellow Duck"]) == heard


def test_a_name_is_compared_literally_and_not_as_a_regular_expression() -> None:
    assert addressed("duck hi", ["d.*"]) is None
    assert addressed("[x]: hi", ["[x]"]) == "hi"
