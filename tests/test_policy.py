import pytest

from bridge.links import ear
from bridge.model import Kind
from bridge.policy import Answers, Guests, asked, judge
from tests.events import HOME, LIBERA, answer, irc, matrix, said

NAMES = ("duck", "Little Yellow Duck")


@pytest.mark.parametrize("guests", list(Guests))
def test_a_member_is_carried_whatever_becomes_of_guests(guests: Guests) -> None:
    assert judge(said(HOME, matrix("alice"), "hi"), member=True, guests=guests) is None


def test_a_guest_is_refused_with_a_reason_and_told() -> None:
    refusal = judge(said(LIBERA, irc("mallory"), "hi"), member=False, guests=Guests.DUCK_ONLY)
    assert refusal is not None
    assert refusal.reason == "not a member"
    assert refusal.told


def test_a_guest_is_carried_where_the_link_relays_guests() -> None:
    assert judge(said(LIBERA, irc("mallory"), "hi"), member=False, guests=Guests.RELAY) is None


def test_an_ignored_guest_is_told_nothing() -> None:
    refusal = judge(said(LIBERA, irc("mallory"), "hi"), member=False, guests=Guests.IGNORE)
    assert refusal is not None
    assert not refusal.told


def test_nobody_is_told_anything_because_of_a_notice_or_a_bot() -> None:
    for event in (said(LIBERA, irc("x"), "hi", kind=Kind.NOTICE), said(LIBERA, irc("x", bot=True), "hi")):
        refusal = judge(event, member=False, guests=Guests.DUCK_ONLY)
        assert refusal is not None
        assert not refusal.told


def test_what_a_bot_of_ours_says_is_carried() -> None:
    assert judge(answer(ear("duck", "pond"), "quack"), member=False, guests=Guests.IGNORE) is None


def test_a_bot_is_asked_by_its_name_or_the_name_of_our_account() -> None:
    assert asked(said(HOME, matrix("alice"), "duck: hi"), NAMES, Answers.MENTIONED)
    assert asked(said(HOME, matrix("alice"), "littleduck hi", called="littleduck"), NAMES, Answers.MENTIONED)
    assert not asked(said(HOME, matrix("alice"), "hi all"), NAMES, Answers.MENTIONED)


def test_a_private_word_is_always_a_question() -> None:
    assert asked(said(LIBERA, irc("bob"), "hi", private=True), NAMES, Answers.MENTIONED)


@pytest.mark.parametrize("answers", list(Answers))
def test_no_bot_is_asked_by_a_notice_or_by_another_bot(answers: Answers) -> None:
    assert not asked(said(LIBERA, irc("bob"), "duck: hi", kind=Kind.NOTICE), NAMES, answers)
    assert not asked(said(LIBERA, irc("bob", bot=True), "duck: hi", private=True), NAMES, answers)


def test_a_bot_answers_everything_or_nothing_where_it_is_told_to() -> None:
    assert asked(said(HOME, matrix("alice"), "hi all"), NAMES, Answers.ALWAYS)
    assert not asked(said(HOME, matrix("alice"), "duck: hi"), NAMES, Answers.NEVER)
