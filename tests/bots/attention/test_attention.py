"""Whether a bot answers: called, in a talk, told to leave, and in time."""

import pytest

from bots.attention import OLD_S, Act, Decision, Manners, Said, Why
from bridge.model.answering import Answers
from tests.bots.attention.heard import NOW, attention, hear, heard

ANSWERED = Decision(Act.ANSWER, NOW, asked=True)


def test_who_calls_it_or_asks_in_private_is_answered() -> None:
    assert hear(attention(), called=True) == hear(attention(), private=True) == ANSWERED


def test_what_nobody_asked_it_is_ignored_or_only_heard() -> None:
    assert hear(attention()) == Decision(Act.IGNORE, NOW, Why.UNASKED)
    assert hear(attention(hears_all=True)) == Decision(Act.HEAR, NOW)
    assert hear(attention(hears_all=True)).may_speak


def test_a_bot_that_answers_always_answers_what_is_not_to_others() -> None:
    bot = attention(answers=Answers.ALWAYS)
    assert hear(bot) == ANSWERED
    assert hear(bot, "bob: what is a duck?").why is Why.UNASKED
    assert hear(bot, elsewhere=True).why is Why.UNASKED


def test_a_bot_that_answers_never_is_silent_even_in_private() -> None:
    assert hear(attention(answers=Answers.NEVER), private=True).why is Why.NEVER
    decision = hear(attention(answers=Answers.NEVER, hears_all=True), called=True)
    assert (decision.act, decision.may_speak) == (Act.HEAR, False)


def test_bots_and_notices_are_never_answered_nor_heard() -> None:
    for called, private in ((True, False), (False, True), (False, False)):
        bot = attention(answers=Answers.ALWAYS, hears_all=True, chatty=1.0)
        assert hear(bot, automatic=True, called=called, private=private) == Decision(Act.IGNORE, NOW, Why.AUTOMATIC)


def test_nothing_old_is_answered() -> None:
    bot = attention(hears_all=True)
    assert hear(bot, called=True, time=NOW - OLD_S - 1) == Decision(Act.IGNORE, NOW, Why.OLD)
    assert hear(bot, called=True, time=NOW - OLD_S) == ANSWERED
    assert hear(bot, called=True, time=NOW + 10_000) == ANSWERED


class TestTalk:
    def test_it_stays_open_for_a_minute_after_each_answer(self) -> None:
        bot = attention()
        assert hear(bot, called=True) == ANSWERED
        assert hear(bot, "and geese?", NOW + 59).asked
        assert hear(bot, "and swans?", NOW + 118).asked
        assert hear(bot, "and hens?", NOW + 179).why is Why.UNASKED

    def test_it_is_open_once_the_answer_is_sent(self) -> None:
        bot, question = attention(), heard(called=True)
        decision = bot.decide(question, NOW)
        assert hear(bot, "and geese?").why is Why.UNASKED
        bot.answered(question, decision, NOW + 30)
        assert hear(bot, "and geese?", NOW + 89).asked

    def test_it_is_with_one_person_in_one_place(self) -> None:
        bot = attention()
        hear(bot, called=True)
        assert hear(bot, "me too", who="bob").why is Why.UNASKED
        assert hear(bot, "me too", room="libera/#lake").why is Why.UNASKED
        assert hear(bot, "me too", member=False).why is Why.UNASKED  # a guest who is called like the user

    def test_all_rooms_of_a_link_are_one_place(self) -> None:
        bot = attention()
        hear(bot, called=True, link="pond")
        assert hear(bot, "and geese?", room="matrix/!pond", link="pond").asked

    @pytest.mark.parametrize(("stay_s", "lasts"), [(-1.0, 0), (0.0, 0), (600.0, 600), (86_400.0, 3_600)])
    def test_it_lasts_as_long_as_the_config_says_but_an_hour_at_most(self, stay_s: float, lasts: int) -> None:
        for seconds in {0, lasts - 1, lasts, lasts + 1} - {-1}:
            bot = attention(stay_s=stay_s)
            hear(bot, called=True)
            assert hear(bot, "more", NOW + seconds).asked is (seconds < lasts)

    @pytest.mark.parametrize("text", ["bob: look", "@bob look", "bob, look", "小明：看"])
    def test_what_is_to_another_person_is_not_for_the_bot(self, text: str) -> None:
        bot = attention()
        hear(bot, "hello all", who="bob", name="Bob")
        hear(bot, called=True)
        assert hear(bot, text).why is Why.UNASKED
        assert hear(bot, "look", elsewhere=True).why is Why.UNASKED
        assert hear(bot, text, called=True).asked

    def test_who_calls_another_bot_has_left_it(self) -> None:
        bot = attention()
        hear(bot, called=True)
        hear(bot, called=True, who="bob")
        assert hear(bot, "hello", other=True).why is Why.UNASKED
        assert hear(bot, "and geese?").why is Why.UNASKED
        assert hear(bot, "and geese?", who="bob").asked

    def test_it_is_over_if_the_clock_was_set_back(self) -> None:
        bot = attention()
        hear(bot, called=True)
        assert hear(bot, "and geese?", NOW - 4_000).why is Why.UNASKED

    def test_nothing_unasked_begins_a_talk(self) -> None:
        bot = attention(lambda: 0.0, chatty=0.5)
        assert hear(bot) == Decision(Act.ANSWER, NOW)
        bot.exchange(Manners())
        assert hear(bot).why is Why.UNASKED


class TestLeaving:
    def test_thanks_end_a_talk_politely(self) -> None:
        bot = attention()
        hear(bot, called=True)
        assert hear(bot, "thanks!") == Decision(Act.SAY, NOW, say=Said.LEFT)
        assert hear(bot, "nice weather").why is Why.UNASKED

    def test_thanks_without_its_name_end_ones_own_talk(self) -> None:
        bot = attention()
        hear(bot, called=True)
        hear(bot, called=True, who="bob")
        assert hear(bot, "thanks").say is Said.LEFT
        assert hear(bot, "and geese?", who="bob").asked

    def test_thanks_to_others_are_not_for_the_bot(self) -> None:
        bot = attention()
        hear(bot, called=True)
        assert hear(bot, "thanks", who="bob").why is Why.UNASKED
        assert hear(bot, "thanks", elsewhere=True).why is Why.UNASKED
        assert hear(bot, "and geese?").asked

    @pytest.mark.parametrize(("text", "called"), [("that's all", True), ("bye duck", False)])
    def test_a_member_ends_all_talks_in_the_room(self, text: str, *, called: bool) -> None:
        bot = attention()
        hear(bot, called=True)
        assert hear(bot, text, who="bob", called=called).say is Said.LEFT
        assert hear(bot, "and geese?").why is Why.UNASKED

    def test_a_guest_ends_only_their_own(self) -> None:
        bot = attention()
        hear(bot, called=True)
        hear(bot, called=True, who="eve", member=False)
        assert hear(bot, "bye", called=True, who="eve", member=False).say is Said.LEFT
        assert hear(bot, "and geese?", who="eve", member=False).why is Why.UNASKED
        assert hear(bot, "and geese?").asked
