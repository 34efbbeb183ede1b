"""Two bots in one room, that do not know of each other, fall silent within three answers; people do not notice."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bots.attention import Said, Why
from bots.attention.breaker import Breaker
from bridge.model.answering import Answers
from tests.bots.attention.heard import NOW, attention, hear, heard
from tests.bots.attention.pond import Duck, Pond


@pytest.mark.parametrize("member", [False, True], ids=["guests", "members"])
@pytest.mark.parametrize("calls", [False, True], ids=["plain", "by-name"])
def test_two_ducks_fall_silent_within_three_answers(*, member: bool, calls: bool) -> None:
    one, other = Duck("one", calls=calls, member=member), Duck("other", calls=calls, member=member)
    pond = Pond([one, other])
    pond.say("other", "one: quack", member=member)
    pond.run()
    assert one.answered == {"other": 3}
    assert other.answered == {"one": 3}


def test_two_ducks_that_a_person_wakes_fall_silent_within_three_answers() -> None:
    one, other = Duck("one"), Duck("other")
    pond = Pond([one, other])
    pond.say("alice", "hello ducks")
    pond.run()
    assert one.answered == {"alice": 1, "other": 3}
    assert other.answered == {"alice": 1, "one": 3}


@st.composite
def _pairs(draw: st.DrawFn) -> tuple[Duck, Duck]:
    """Two ducks of any manners, that answer before a person could."""
    one, other = (
        Duck(
            name,
            thinks_s=draw(st.floats(0, 2.5)),
            calls=draw(st.booleans()),
            member=draw(st.booleans()),
            parts=draw(st.integers(1, 3)),
            hears_all=draw(st.booleans()),
            answers=draw(st.sampled_from([Answers.ALWAYS, Answers.MENTIONED])),
        )
        for name in ("one", "other")
    )
    return one, other


_BEGINNINGS = st.tuples(st.sampled_from(["alice", "one", "other"]), st.sampled_from(["hello", "one: hi", "other: hi"]))


@given(_pairs(), st.floats(0, 0.2), _BEGINNINGS, st.booleans())
def test_whoever_begins_and_in_whatever_order_it_ends_within_three_answers(
    ducks: tuple[Duck, Duck], lag_s: float, begins: tuple[str, str], member: bool
) -> None:
    pond = Pond(ducks, lag_s)
    one, other = ducks
    pond.say(*begins, member={"one": one.member, "other": other.member}.get(begins[0], member))
    pond.run()
    assert one.answered["other"] <= 2 + other.parts  # the first answer may come in parts
    assert other.answered["one"] <= 2 + one.parts


@given(_pairs(), st.lists(st.tuples(_BEGINNINGS, st.floats(0, 500), st.booleans()), min_size=1, max_size=8))
def test_people_who_talk_in_between_do_not_keep_them_going(
    ducks: tuple[Duck, Duck], said: list[tuple[tuple[str, str], float, bool]]
) -> None:
    pond = Pond(ducks)
    for (_, text), after_s, member in said:
        pond.say("alice" if member else "eve", text, after_s, member=member)
    pond.run()
    assert sum(pond.said.values()) <= len(said) * (
        1 + 2 * 3 * (1 + 2 + 3)
    )  # two ducks, parts, answers to a person and to each other


def test_three_ducks_fall_silent_too() -> None:
    ducks = [Duck(name) for name in ("one", "two", "three")]
    pond = Pond(ducks)
    pond.say("alice", "hello ducks")
    pond.run()
    assert sum(pond.said.values()) <= 1 + 3 * (1 + 3 * 2)


@pytest.mark.parametrize("thinks_s", [4.0, 8.0, 15.0])
def test_ducks_that_think_long_and_write_much_fall_silent(thinks_s: float) -> None:
    words = "a duck is a bird that swims, and a pond is where it is at home; " * 6
    one, other = (Duck(name, thinks_s=thinks_s, words=words) for name in ("one", "other"))
    pond = Pond([one, other])
    pond.say("other", "one: quack")
    pond.run()
    assert one.answered["other"] <= 4
    assert other.answered["one"] <= 3


def test_the_rest_of_a_long_message_ends_no_circle() -> None:
    breaker, refused = Breaker(), []
    for now in (0.0, 10.0, 20.0, 30.0):
        for text, after_s in (("long " * 100, 0.0), ("rest", 0.5), ("more", 1.0)):
            refused.append(breaker.objects("eve", text, now + after_s, member=True, called=False))
            breaker.note_answer("eve", text, now + after_s, member=True)
        breaker.spoke = now + 2.0
    assert refused == [False] * 9 + [True] * 3


def test_slow_ducks_that_repeat_themselves_fall_silent_within_six_answers() -> None:
    one, other = (Duck(name, thinks_s=7.0, words="I don't know.") for name in ("one", "other"))
    pond = Pond([one, other])
    pond.say("other", "one: hello")
    pond.run()
    assert one.answered == {"other": 6}
    assert other.answered == {"one": 5}


def test_guests_who_change_their_names_are_one_circle() -> None:
    bot = attention()
    said = [hear(bot, "quack", NOW + n, called=True, who=f"eve{n}", member=False).why for n in range(6)]
    assert said == [None, None, None, Why.CIRCLE, Why.CIRCLE, Why.CIRCLE]


class TestBreak:
    def test_it_lasts_ten_minutes_and_members_who_call_are_still_answered(self) -> None:
        bot = attention(answers=Answers.ALWAYS)
        assert [hear(bot, "quack", NOW + n, who="eve", member=False).why for n in range(4)][3] is Why.CIRCLE
        assert hear(bot, "hello", NOW + 30, who="carol", member=False, called=True).why is Why.CIRCLE
        assert hear(bot, "hello", NOW + 30).why is Why.CIRCLE
        assert hear(bot, "hello", NOW + 30, called=True).asked
        assert hear(bot, "hello", NOW + 602, who="eve", member=False).why is Why.CIRCLE
        assert hear(bot, "hello", NOW + 603, who="eve", member=False).asked

    def test_a_member_who_was_in_the_circle_calls_it_when_they_have_read(self) -> None:
        bot = attention()
        whys = [hear(bot, "roll 2d6", NOW + n, called=True).why for n in range(6)]
        assert whys == [None, None, None, Why.CIRCLE, Why.CIRCLE, Why.CIRCLE]
        assert hear(bot, "roll 2d6", NOW + 6, called=True).asked

    def test_a_member_ends_it(self) -> None:
        bot = attention(answers=Answers.ALWAYS)
        for n in range(4):
            hear(bot, "quack", NOW + n, who="eve", member=False)
        assert hear(bot, "wake up", NOW + 30, called=True).say is Said.WOKEN
        assert hear(bot, "hello", NOW + 40, who="eve", member=False).asked

    def test_it_is_over_if_the_clock_was_set_back(self) -> None:
        bot = attention()
        for n in range(4):
            hear(bot, "quack", NOW + n, called=True, who="eve", member=False)
        assert hear(bot, called=True, now=NOW - 10_000, who="carol", member=False).asked

    def test_it_is_of_one_place(self) -> None:
        bot = attention()
        for n in range(4):
            hear(bot, "quack", NOW + n, called=True, who="eve", member=False)
        assert hear(bot, called=True, now=NOW + 5, room="libera/#lake", who="carol", member=False).asked


class TestPeople:
    def test_who_takes_four_seconds_may_ask_for_ever(self) -> None:
        bot = attention(per_person=None)
        assert all(hear(bot, f"roll {n}d6", NOW + 4 * n, called=True).asked for n in range(100))

    def test_a_member_may_ask_the_same_for_ever(self) -> None:
        bot = attention(per_person=None)
        assert [hear(bot, "roll 2d6", NOW + 4 * n, called=True).why for n in range(20)] == [None] * 20
        assert hear(bot, called=True, now=NOW + 90, who="eve", member=False).asked

    def test_who_asks_right_after_others_now_and_then_is_no_circle(self) -> None:
        bot = attention(per_person=None)
        for minutes in range(0, 40, 2):
            now = NOW + 60 * minutes
            assert hear(bot, called=True, now=now, who="bob").asked
            assert hear(bot, called=True, now=now + 1).asked

    def test_a_crowd_of_guests_is_no_circle(self) -> None:
        bot = attention()
        hear(bot, called=True)
        assert all(hear(bot, called=True, now=NOW + 1, who=f"g{n}", member=False).asked for n in range(1))
        questions = [heard(called=True, now=NOW + 2, who=f"h{n}", member=False) for n in range(10)]
        assert all(bot.decide(question, NOW + 2).asked for question in questions)

    def test_guests_who_say_the_same_are_no_circle(self) -> None:
        bot = attention()
        assert all(hear(bot, "hello", NOW + 5 * n, called=True, who=f"g{n}", member=False).asked for n in range(30))

    def test_a_paste_before_the_first_answer_is_no_circle(self) -> None:
        bot = attention()
        lines = [heard("line", NOW + n / 10, private=True) for n in range(12)]
        assert all(bot.decide(line, NOW + n / 10).asked for n, line in enumerate(lines))
