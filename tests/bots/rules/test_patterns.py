"""Patterns of rules: what they match and capture, and what matching costs at most."""

import re
from unittest.mock import patch

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bots.rules import patterns, programs
from bots.rules.patterns import Lexicon, parse, phrases
from bots.rules.problems import Wrong
from bots.rules.programs import Pattern, compiled
from bots.rules.tokens import LONGEST, tokens

_PLAIN = Lexicon({}, {})


def _made(source: str, lexicon: Lexicon = _PLAIN) -> Pattern:
    return compiled(source, parse(source, lexicon))


def _match(source: str, text: str) -> tuple[str, ...] | None:
    return _made(source).match(tokens(text))


@pytest.mark.parametrize(
    ("source", "text", "stars"),
    [
        ("hello", "Hello!!", ()),
        ("hello", "hello you", None),
        ("hello *", "hello", None),
        ("hello *", "hello my Dear friend.", ("my Dear friend",)),
        ("hello [*]", "hello", ()),
        ("hello [*] friend", "hello my dear friend", ()),
        ("my name is * and *", "my name is Bob and I and you", ("Bob", "I and you")),
        ("i am # years old", "I am 42 years old", ("42",)),
        ("i am # years old", "I am old years old", None),
        ("call me _", "call me R2D2", None),
        ("call me _", "call me Özgür", ("Özgür",)),
        ("(yes|of course|sure) *", "Of course, do it", ("Of course", "do it")),
        ("what is [the] time", "what is time", ()),
        ("what is [the|your] time", "what is your time?", ()),
        ("[a (b|c)] d", "a c d", ("c",)),
        ("[a (b|c)] d", "d", ("",)),
        ("qué tal", "QUE TAL?", ()),
        ("straße", "STRASSE", ()),
        ("don't", "dont", ()),
        ("don't", "don’t", ()),
        ("你是(谁|什么)", "你是什么？", ("什么",)),
        ("我叫*", "我叫 小明", ("小明",)),
        ("who are you", "\uff57\uff48\uff4f are y\u200bou", ()),
    ],
)
def test_a_pattern_matches_whole_texts_and_captures_what_was_written(
    source: str, text: str, stars: tuple[str, ...] | None
) -> None:
    assert _match(source, text) == stars


@pytest.mark.parametrize(
    ("source", "says"),
    [
        ("", "no words"),
        ("?!", "no words"),
        ("(a|b", "is missing"),
        ("a]", "closes nothing"),
        ("a|b", "for ( ) and [ ] only"),
        ("(a|)", "an alternative has no words"),
        ("()", "an alternative has no words"),
        ("(a]", "closes nothing"),
        ("@nosuch", "no set called '@nosuch'"),
        ("(" * 50 + "a" + ")" * 50, "nested deeper"),
        ("a " * 400, "at most"),
        ("a @big", "too long"),
    ],
    ids=range(12),
)
def test_a_broken_pattern_is_refused_with_the_reason(source: str, says: str) -> None:
    lexicon = Lexicon({"big": phrases([f"a{n} b c d" for n in range(200)], _PLAIN)}, {})
    with pytest.raises(Wrong, match=re.escape(says)):
        compiled(source, parse(source, lexicon))


def test_sets_stand_for_their_phrases_and_spoken_words_for_others() -> None:
    lexicon = Lexicon({"ways": phrases(["how do I", "can i"], _PLAIN)}, {"whats": ("what", "is")})
    assert _made("@ways join", lexicon).match(tokens("How do I join?")) == ()
    assert _made("(@ways) join", lexicon).match(tokens("can I join?")) == ("can I",)
    assert _made("what is this", lexicon).match(tokens("what's this", lexicon.spoken)) == ()


def test_manners_before_and_after_change_nothing() -> None:
    before, after = (
        patterns.Choice(phrases(each, _PLAIN).options, repeats=True) for each in (["hi", "oh my"], ["please"])
    )
    made = compiled("help", parse("help", _PLAIN), (before, after))
    for text in ("help", "hi help", "Oh my, hi: help please please"):
        assert made.match(tokens(text)) == ()
    for text in ("hi", "oh help", "please help", "help hi"):
        assert made.match(tokens(text)) is None


_LEAF = st.sampled_from(["a", "b", "c", "*"])
_SOURCES = st.recursive(
    _LEAF,
    lambda inner: st.one_of(
        st.lists(inner, min_size=1, max_size=3).map(" ".join),
        st.lists(inner, min_size=1, max_size=3).map(lambda each: f"({'|'.join(each)})"),
        st.lists(inner, min_size=1, max_size=3).map(lambda each: f"[{'|'.join(each)}]"),
    ),
    max_leaves=6,
)


def _regex(source: str) -> str:
    """The same as a regular expression over words that end with a blank."""
    spelled = source.replace("[", "(?:").replace("]", ")?").replace(" ", "")
    spelled = re.sub(r"\((?!\?)", "(?:", spelled)
    return re.sub(r"[abc*]", lambda match: "(?:[abc] )+?" if match[0] == "*" else f"{match[0]} ", spelled)


@given(_SOURCES, st.lists(st.sampled_from("abc"), max_size=7))
def test_a_pattern_matches_what_the_same_regular_expression_does(source: str, text: list[str]) -> None:
    if source.count("(") + source.count("[") > 6:
        return
    expected = re.fullmatch(_regex(source), "".join(f"{each} " for each in text))
    assert (_match(source, " ".join(text)) is not None) == (expected is not None)


@given(_SOURCES, st.lists(st.sampled_from("abc"), min_size=1, max_size=7))
def test_a_text_that_matches_has_one_of_the_words_that_the_pattern_needs(source: str, text: list[str]) -> None:
    made = _made(source)
    if made.match(tokens(" ".join(text))) is not None:
        assert made.needs is None or made.needs.intersection(text)


@given(st.text(max_size=600))
def test_words_are_cut_out_of_any_text_and_found_in_it(text: str) -> None:
    found = tokens(text)
    assert len(found.words) <= LONGEST
    for number, each in enumerate(found.words):
        assert each.word
        assert found.cut(number, number + 1) == found.shown[each.start : each.end] != ""


@pytest.mark.parametrize("source", ["* * * * * * b", "[*] [*] [*] [*] [*] b", "(*|* *|a *) (*|* *) b"], ids=range(3))
def test_matching_looks_at_each_step_at_most_once_a_word(source: str) -> None:
    made, text = _made(source), tokens("a " * 249)
    looked = 0
    fits = programs._fits

    def counted(step: programs._Step, word: str) -> bool:
        nonlocal looked
        looked += 1
        return fits(step, word)

    with patch.object(programs, "_fits", counted):
        assert made.match(text) is None
    assert looked <= len(made.steps) * len(text.words)
