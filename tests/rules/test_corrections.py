"""Corrections and answers that people on IRC write by hand."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.model.event import Edit, EventKey
from bridge.model.outbox import Known
from bridge.rules.corrections import Correction, correction, understood
from tests.events import HOME, LIBERA, irc, said


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("s/wrld/world/", Correction("wrld", "world")),
        ("s/wrld/world", Correction("wrld", "world")),
        ("s/a/b/g", Correction("a", "b", everywhere=True)),
        (r"s/a\/b/c/", Correction("a/b", "c")),
        (r"s/\\/x/", Correction("\\", "x")),
        ("s/gone //", Correction("gone ", "")),
        ("s|/usr|/opt|", Correction("/usr", "/opt")),
        ("s/.*/x/", Correction(".*", "x")),  # words, no pattern
        ("s//x/", None),
        ("s/a/a/", None),
        ("s,a,b", None),
        ("s/a", None),
        ("s/a/b/c/", None),
        ("s/a/b/i", None),
        ("so s/a/b/", None),
        ("s/" + "a" * 300 + "/b/", None),
    ],
)
def test_a_correction_is_read_as_people_write_it(text: str, wanted: Correction | None) -> None:
    assert correction(text) == wanted


@given(st.text(st.sampled_from("s/\\|ag,. "), max_size=300))
def test_no_text_is_slow_to_read_or_raises(text: str) -> None:
    found = correction(text)
    assert found is None or found.wrong != found.right


def test_a_short_correction_makes_no_long_message() -> None:
    bob, text = irc("bob", "bob"), f"s/a/{'x' * 100}/g"
    event = said(LIBERA, bob, text)
    for earlier, is_understood in (("aa", True), ("a" * 299, False)):
        known = Known(EventKey(LIBERA, "1"), bob, earlier, (LIBERA, HOME))
        meant = understood(event, [known], 300, edits=True, replies=True)
        assert isinstance(meant.body, Edit) == is_understood
        assert is_understood or meant == event


def test_many_backslashes_are_read_at_once() -> None:
    assert correction("s/" + "\\" * 297) is None


@given(st.text(min_size=1, max_size=20), st.text(max_size=20), st.text(max_size=40))
def test_a_correction_written_with_escapes_replaces_the_words_literally(wrong: str, right: str, text: str) -> None:
    def escaped(words: str) -> str:
        return words.replace("\\", "\\\\").replace("/", "\\/")

    found = correction(f"s/{escaped(wrong)}/{escaped(right)}/g")
    if wrong != right:
        assert found == Correction(wrong, right, everywhere=True)
        assert found.of(text) == text.replace(wrong, right)
