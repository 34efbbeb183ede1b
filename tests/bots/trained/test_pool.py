"""What may be said: short, neither personal nor rude, each once."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bots.trained.corpora import Talk
from bots.trained.pool import LONGEST, Screen, pool, screen

PLAIN = Screen(frozenset({"miriam"}))


@pytest.mark.parametrize(
    "text",
    [
        "call 555 1234",
        "i am twenty one years old",
        "look at https://example.org",
        "it is on example.com",
        "mail ann@example.org",
        "ask @room",
        "my name is nobody",
        "My last name is odd",
        "i live in a small town",
        "ich heiße anders",
        "Je m'appelle autrement",
        "我叫小明",
        "so says miriam",
        "you idiot",
        "Tu es con",
        "a\x02b",
        "a\u202eb",
        "!?!",
        " ".join(["word"] * (LONGEST + 1)),
        "x" * 300,
    ],
)
def test_what_is_personal_rude_or_long_is_not_said(text: str) -> None:
    assert not PLAIN.lets_through(text)


SMALL_TALK = ("I love cats", "Haha, yes!", "你好吗", "¿Qué tal?", "that's great 😀", "classic grass")


@pytest.mark.parametrize("text", SMALL_TALK)
def test_small_talk_is(text: str) -> None:
    assert PLAIN.lets_through(text)


def chat(*texts: str) -> Talk:
    return tuple((("ann", "bob")[place % 2], text) for place, text in enumerate(texts))


def test_names_are_learnt_from_how_people_write_them() -> None:
    learnt = screen(
        [chat("hi, do you know Priya?", "yes, she likes tea and books and long walks", "so it is, Priya does")]
    )
    assert "priya" in learnt.names
    assert not learnt.lets_through("priya says hello")
    assert learnt.lets_through("she likes tea")


def test_the_names_of_those_who_speak_are_not_said() -> None:
    assert not screen([chat("hello", "hi ann")]).lets_through("hi ann")


def test_a_language_that_writes_nouns_with_capitals_still_has_messages() -> None:
    german = screen([chat("was macht der Hund im Haus?", "er frisst das Brot und die Wurst und den Kuchen")])
    assert german.lets_through("das Brot ist gut")


def test_only_the_first_message_of_an_answer_and_each_once() -> None:
    said = ("a hello", "b Hi!", "b all fine?", "a sure", "b hi", "a Sure.")
    talk: Talk = tuple((each[0], each[2:]) for each in said)
    assert pool([talk]) == ["Hi!", "sure"]


@given(st.lists(st.text(max_size=80), max_size=8))
def test_whatever_people_write_what_is_said_passes_the_screen(texts: list[str]) -> None:
    talk = chat(*texts)
    let = screen([talk])
    assert all(let.lets_through(text) for text in pool([talk]))
