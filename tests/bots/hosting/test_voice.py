"""What a bot says, as events: ids that outlive a crash, and answers that grow."""

import pytest

from bots.hosting.voice import Voice
from bridge.model.event import Edit, Event, Kind, Message, Reach, Redaction
from bridge.model.text import Text, plain, words
from bridge.rules.routing import ear
from tests.events import HOME, matrix, said

EAR = ear("duck", str(HOME))
QUESTION = said(HOME, matrix("alice"), "duck: who comes?")


def _voice(question: Event = QUESTION) -> Voice:
    return Voice(EAR, "duck", "Duck", question, lambda: 5.0)


def _reaches(*events: Event) -> list[tuple[str, str, Reach | None]]:
    return [
        (event.body.type, plain(event.text), event.body.reach if isinstance(event.body, Message) else None)
        for event in events
    ]


def test_a_whole_answer_is_a_message_for_everybody() -> None:
    events = _voice().said([words("alice"), words("and bob")])
    assert _reaches(*events) == [("message", "alice", Reach.ALL), ("message", "and bob", Reach.ALL)]
    assert len({event.id for event in events}) == 2


def test_what_grows_is_one_message_and_its_edits_and_shows_that_there_is_more() -> None:
    voice = _voice()
    (first,), (second,), (third,) = (voice.growing(words(text)) for text in ("a", "a b", "a b c"))
    assert _reaches(first, second, third) == [
        ("message", "a …", Reach.EDITABLE),
        ("edit", "a b …", None),
        ("edit", "a b c …", None),
    ]
    for edit in (second, third):
        assert isinstance(edit.body, Edit)
        assert (edit.body.target, edit.body.kind) == (first.key, Kind.NOTICE)
    assert len({first.id, second.id, third.id}) == 3


@pytest.mark.parametrize("times", [0, 1, 3])
def test_the_end_of_an_answer_is_the_same_however_much_of_it_was_shown(times: int) -> None:
    """What a crash or a second try stores again is stored already."""
    voice = _voice()
    shown = [event for number in range(times) for event in voice.growing(words("a" * number))]
    whole = voice.grown([words("a b c")])
    assert _reaches(*whole) == [
        ("message", "a b c", Reach.EDITABLE),
        ("edit", "a b c", None),
        ("message", "a b c", Reach.FIXED),
    ]
    assert [event.id for event in whole] == [event.id for event in _voice().grown([words("another")])]
    assert {event.id for event in shown[1:]}.isdisjoint(event.id for event in whole)
    assert all(event.id == whole[0].id for event in shown[:1])


def test_what_was_shown_of_an_answer_that_is_none_after_all_is_removed() -> None:
    voice = _voice()
    assert [*voice.grown([])] == []
    (first,) = voice.growing(words("a"))
    (gone,) = voice.grown([])
    assert isinstance(gone.body, Redaction)
    assert gone.body.target == first.key
    assert gone.sender == first.sender


def test_answers_to_two_questions_have_nothing_in_common() -> None:
    other = said(HOME, matrix("alice"), "duck: and who goes?")
    texts: list[Text] = [words("a"), words("b")]
    both = [event.id for question in (QUESTION, other) for event in _voice(question).grown(texts)]
    assert len(set(both)) == len(both) == 8


def test_what_is_said_about_a_private_question_is_private() -> None:
    private = said(HOME, matrix("alice"), "who comes?", private=True)
    voice = _voice(private)
    assert all(event.private for event in [*voice.growing(words("a")), *voice.grown([words("b")])])
