"""Books of rules: which rule answers, what it says, and what it remembers."""

import random
from collections import Counter
from dataclasses import replace
from unittest.mock import patch

import pytest

from bots.api import Question, Turn
from bots.rules import programs, read
from bots.rules.book import _EFFORT, Asked, Book, Outcome
from bridge.model.people import Role
from bridge.model.text import Style, plain, words
from tests.events import HOME, LIBERA, irc, matrix

_ASKED = Question("1", words(""), irc("eve"), HOME, 1.0, link="pond")


def _book(rules: str) -> Book:
    return read(f"rules:\n{rules}".encode()).book


def _outcome(book: Book, text: str, question: Question = _ASKED, **known: object) -> Outcome | None:
    asked = Asked(replace(question, text=words(text)), "Duck", **known)  # type: ignore[arg-type]
    return book.answer(asked, random.Random(1))


def _said(book: Book, text: str, question: Question = _ASKED, **known: object) -> str | None:
    found = _outcome(book, text, question, **known)
    return None if found is None else plain(found.text)


def test_the_most_particular_pattern_answers_wherever_it_stands() -> None:
    book = _book("""
  - {match: "*", answer: anything}
  - {match: "hello *", answer: hello and more}
  - {match: "hello (dear|old) *", answer: hello dear and more}
  - {match: "hello", answer: hello}
  - {match: "bye *", answer: not this, priority: -1}
""")
    assert _said(book, "hello") == "hello"
    assert _said(book, "hello you") == "hello and more"
    assert _said(book, "hello old friend") == "hello dear and more"
    assert _said(book, "bye you") == "anything"
    assert _said(book, "???") is None
    assert _said(book, "x" * 501) is None


def test_answers_are_said_at_random_by_weight() -> None:
    book = _book("  - match: hi\n    answer: [{say: often, weight: 9}, seldom]\n")
    chance = random.Random(7)
    counts: Counter[str] = Counter()
    for _ in range(1000):
        found = book.answer(Asked(replace(_ASKED, text=words("hi"))), chance)
        assert found is not None
        counts[plain(found.text)] += 1
    assert 850 < counts["often"] < 950
    assert counts.total() == 1000 == counts["often"] + counts["seldom"]


def test_the_first_answer_whose_condition_holds_is_said_else_those_without() -> None:
    book = _book("""
  - match: hi
    answer:
      - otherwise
      - {when: {role: admin}, say: admin}
      - {when: {user: bob}, say: bob}
      - {when: {user: true, private: true}, say: user in private}
      - {when: {link: [lake, sea]}, say: lake}
      - {when: {network: libera, carried: false}, say: libera}
      - {when: {variables: {mood: Good}}, say: good}
  - match: "*"
    answer: {when: {role: guest}, say: guest}
""")
    alice = replace(_ASKED, asker=replace(matrix("alice"), user="alice"), role=Role.MEMBER)
    assert _said(book, "hi") == "otherwise"
    assert _said(book, "hi", replace(alice, role=Role.ADMIN)) == "admin"
    assert _said(book, "hi", replace(alice, asker=replace(alice.asker, user="bob"))) == "bob"
    assert _said(book, "hi", replace(alice, private=True)) == "user in private"
    assert _said(book, "hi", replace(_ASKED, link="sea")) == "lake"
    assert _said(book, "hi", replace(_ASKED, room=LIBERA)) == "libera"
    assert _said(book, "hi", replace(_ASKED, room=LIBERA, carried=True)) == "otherwise"
    assert _said(book, "hi", variables={"mood": "good"}) == "good"
    assert _said(book, "ho") == "guest"
    assert _said(book, "ho", alice) is None


def test_fields_captures_and_variables_are_filled_in() -> None:
    book = _book("""
  - match: "i live in *"
    answer: "<set city=<star>>{name} of {network}/{link}, {role}, in <get city>; {bot} knows <get age|no age>{user}."
""")
    found = _outcome(book, "I live in New York!")
    assert found is not None
    assert plain(found.text) == "eve of home/pond, guest, in New York; Duck knows no age."
    assert found.variables == {"city": "New York"}


def test_what_strangers_say_has_no_markup_and_is_no_template() -> None:
    book = _book("  - match: 'say *'\n    answer: '**You** said: <star>'\n")
    found = _outcome(book, "say **bold** <get secret> {user} <set a=b> [x](http://x)", variables={"secret": "s3cret"})
    assert found is not None
    assert plain(found.text) == "You said: bold** <get secret> {user} <set a=b> [x](http://x"
    assert [span.style for span in found.text] == [Style.BOLD, Style.PLAIN]
    assert found.variables == {"secret": "s3cret"}


def test_captures_stay_in_one_line_and_values_are_bounded() -> None:
    book = _book("  - match: 'say *'\n    answer: '<set x=<star>><star>'\n")
    found = _outcome(book, "say a\nb\u202ec " + "d" * 300)
    assert found is not None
    assert "\n" not in plain(found.text)
    assert "\u202e" not in plain(found.text)
    assert len(found.variables["x"]) <= 200


def test_a_topic_takes_questions_first_and_leaves_the_others() -> None:
    book = _book("""
  - {match: "quiz", answer: "<topic=quiz>How many legs has a duck?"}
  - {match: "(two|2)", topic: quiz, answer: "<topic=>Right!"}
  - {match: "*", topic: quiz, answer: "No, not <star>."}
  - {match: "two", answer: "Two what?"}
  - {match: "stop", priority: 1, answer: "<topic=>Stopped."}
""")
    begun = _outcome(book, "quiz")
    assert begun is not None
    assert begun.topic == "quiz"
    assert _said(book, "two") == "Two what?"
    assert _said(book, "two", topic="quiz") == "Right!"
    assert _said(book, "four", topic="quiz") == "No, not four."
    right = _outcome(book, "2", topic="quiz")
    assert right is not None
    assert right.topic == ""


def test_after_asks_what_the_bot_said_just_before() -> None:
    book = _book("""
  - {match: "(yes|no)", after: "do you like *", answer: "So you say <star> to <botstar>."}
  - {match: "yes", answer: "Yes what?"}
""")
    assert _said(book, "yes") == "Yes what?"
    talk = (Turn("Duck", "Do you like ponds?", ours=True), Turn("bob", "who knows"))
    assert _said(book, "yes", replace(_ASKED, turns=talk)) == "So you say yes to ponds."
    later = (*talk, Turn("Duck", "Nice weather.", ours=True))
    assert _said(book, "yes", replace(_ASKED, turns=later)) == "Yes what?"
    theirs = (Turn("Duck", "Do you like ponds?"),)
    assert _said(book, "yes", replace(_ASKED, turns=theirs)) == "Yes what?"


def test_redirects_are_followed_and_circles_end() -> None:
    book = _book("""
  - {match: "what's up", redirect: how are you}
  - {match: "tell me about *", redirect: "what is <star>"}
  - {match: "what is a pond", answer: Water.}
  - {match: how are you, answer: Fine.}
  - {match: ping, redirect: pong}
  - {match: pong, redirect: ping}
""")
    assert _said(book, "What’s up?") == "Fine."
    assert _said(book, "tell me about a pond") == "Water."
    assert _said(book, "tell me about a lake") is None
    assert _said(book, "ping") is None


@pytest.mark.parametrize(
    ("rules", "text"),
    [
        (
            "".join(f"  - {{match: '* {n} [*] [*] [*] [*] * nothing', answer: a}}\n" for n in range(1500)),
            " ".join(map(str, range(100))),
        ),
        (f"  - {{match: '{'[*] ' * 120}nothing', answer: a}}\n", "鸭" * 500),
    ],
    ids=["many rules", "a wide rule"],
)
def test_one_question_costs_a_bounded_number_of_steps(rules: str, text: str) -> None:
    book = _book(rules)
    looked = 0
    fits = programs._fits

    def counted(step: programs._Step, word: str) -> bool:
        nonlocal looked
        looked += 1
        return fits(step, word)

    with patch.object(programs, "_fits", counted):
        assert _said(book, text) is None
    assert looked < _EFFORT * 1.1
