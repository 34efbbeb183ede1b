"""When a bot is silent: told to be quiet, at quiet hours, and unless chance lets it speak unasked."""

import pytest

from bots.attention import Act, Decision, QuietHours, Said, Why
from bridge.model.answering import Answers
from tests.bots.attention.heard import NOW, attention, hear, heard


class TestHush:
    def test_any_member_may_tell_it_to_be_quiet_for_a_time(self) -> None:
        bot = attention(answers=Answers.ALWAYS, chatty=1.0)
        told = hear(bot, "be quiet for 30m", who="bob", called=True)
        assert told == Decision(Act.SAY, NOW, say=Said.HUSHED, until=NOW + 1_800)
        for now in (NOW, NOW + 1_799):
            assert hear(bot, now=now, called=True).why is Why.HUSHED
            assert hear(bot, now=now, who="eve", member=False).why is Why.HUSHED
        assert hear(bot, now=NOW + 1_800, called=True).asked

    def test_it_says_so_once(self) -> None:
        bot = attention()
        assert hear(bot, "quiet", called=True).say is Said.HUSHED
        assert hear(bot, "quiet for 2 hours", called=True).why is Why.HUSHED
        assert bot.hushed_until("libera/#pond", "", NOW) == NOW + 7_200

    def test_it_is_about_one_place_and_not_about_private_talks(self) -> None:
        bot = attention()
        hear(bot, "shut up", called=True)
        assert bot.hushed_until("libera/#lake", "", NOW) is None
        assert hear(bot, room="libera/#lake", called=True).asked
        assert hear(bot, room="libera/alice", private=True).asked

    def test_it_ends_talks_and_an_answer_that_comes_late_begins_none(self) -> None:
        bot, question = attention(), heard(called=True)
        decision = bot.decide(question, NOW)
        hear(bot, "quiet for 10 seconds", called=True, who="bob")
        bot.answered(question, decision, NOW + 5)
        assert hear(bot, "and geese?", NOW + 20).why is Why.UNASKED

    def test_an_answer_that_it_still_thinks_about_is_not_sent(self) -> None:
        bot, question, private = attention(), heard(called=True), heard(private=True)
        decision, whispered = bot.decide(question, NOW), bot.decide(private, NOW)
        order = heard("be quiet", called=True, who="bob")
        told = bot.decide(order, NOW)
        assert bot.may_send(order, told, NOW + 1)
        assert not bot.may_send(question, decision, NOW + 1)
        assert bot.may_send(private, whispered, NOW + 1)

    def test_what_was_not_to_be_said_is_not_sent(self) -> None:
        bot, message = attention(), heard()
        assert not bot.may_send(message, bot.decide(message, NOW), NOW)

    def test_guests_cannot_but_it_leaves_their_talk(self) -> None:
        bot = attention()
        hear(bot, called=True, who="eve", member=False)
        assert hear(bot, "shut up", who="eve", member=False) == Decision(Act.IGNORE, NOW, Why.LEFT)
        assert hear(bot, "and geese?", who="eve", member=False).why is Why.UNASKED
        assert hear(bot, called=True).asked

    def test_what_is_not_said_to_it_is_none(self) -> None:
        bot = attention()
        assert hear(bot, "quiet!").why is Why.UNASKED
        assert hear(bot, "bob: shut up").why is Why.UNASKED
        assert hear(bot, called=True).asked

    def test_in_private_there_is_none(self) -> None:
        bot = attention()
        assert hear(bot, "be quiet", private=True).why is Why.LEFT
        assert hear(bot, private=True).asked

    def test_a_member_wakes_it(self) -> None:
        bot = attention()
        hear(bot, "be quiet", called=True)
        assert hear(bot, "wake up", called=True, who="eve", member=False).why is Why.HUSHED
        assert hear(bot, "wake up", called=True, who="bob").say is Said.WOKEN
        assert hear(bot, called=True).asked

    def test_a_bot_that_is_awake_takes_speak_for_a_question(self) -> None:
        assert hear(attention(), "speak", called=True).asked

    def test_it_is_over_if_the_clock_was_set_back_by_days(self) -> None:
        bot = attention()
        hear(bot, "be quiet", called=True)
        assert hear(bot, now=NOW - 200_000, called=True).asked

    def test_a_bot_that_hears_all_hears_on_but_may_not_speak(self) -> None:
        bot = attention(hears_all=True)
        hear(bot, "be quiet", called=True)
        decision = hear(bot)
        assert (decision.act, decision.why, decision.may_speak) == (Act.HEAR, Why.HUSHED, False)


class TestQuietHours:
    def test_it_answers_only_in_private(self) -> None:
        bot = attention(quiet_hours=QuietHours(22 * 60, 9 * 60), chatty=1.0)
        assert hear(bot, called=True).why is Why.QUIET_HOURS
        assert hear(bot).why is Why.QUIET_HOURS
        assert hear(bot, private=True).asked
        assert hear(bot, now=NOW + 3_600, called=True).asked

    def test_orders_count_but_nothing_is_said(self) -> None:
        bot = attention(quiet_hours=QuietHours(480, 485))
        assert hear(bot, "be quiet", called=True).why is Why.QUIET_HOURS
        assert bot.hushed_until("libera/#pond", "", NOW) == NOW + 3_600

    @pytest.mark.parametrize(
        ("start", "end", "zone", "quiet"),
        [
            (480, 540, "UTC", True),
            (420, 480, "UTC", False),
            (481, 480, "UTC", False),
            (1_320, 480, "UTC", False),
            (1_320, 481, "UTC", True),
            (480, 100, "UTC", True),
            (480, 480, "UTC", False),
            (0, 1_440, "UTC", True),
            (540, 600, "Europe/Berlin", True),
            (480, 540, "Europe/Berlin", False),
            (13 * 60 + 30, 14 * 60, "Asia/Kolkata", True),
        ],
    )
    def test_they_are_minutes_of_the_day_in_a_zone(self, start: int, end: int, zone: str, *, quiet: bool) -> None:
        assert QuietHours(start, end, zone).covers(NOW) is quiet

    @pytest.mark.parametrize(
        ("start", "end", "zone"),
        [(-1, 5, "UTC"), (1_440, 5, "UTC"), (0, 1_441, "UTC"), (0, 5, "Pond"), (0, 5, ""), (0, 5, "../../etc/passwd")],
    )
    def test_what_is_none_is_an_error(self, start: int, end: int, zone: str) -> None:
        with pytest.raises(ValueError, match=r"minutes of a day|no time zone"):
            QuietHours(start, end, zone)

    def test_they_follow_summer_time(self) -> None:
        hours, july = QuietHours(600, 660, "Europe/Berlin"), NOW + 181 * 86_400
        assert (hours.covers(NOW), hours.covers(july)) == (False, True)


class TestChatty:
    def test_it_speaks_unasked_by_chance(self) -> None:
        dice = iter([0.2, 0.05, 0.1])
        bot = attention(lambda: next(dice), chatty=0.1)
        assert [hear(bot, who=who).act for who in "abc"] == [Act.IGNORE, Act.ANSWER, Act.IGNORE]

    def test_chance_is_not_asked_when_it_is_off(self) -> None:
        def never() -> float:
            raise AssertionError

        assert hear(attention(never)).why is Why.UNASKED

    def test_it_does_not_break_into_what_is_to_others(self) -> None:
        bot = attention(lambda: 0.0, chatty=1.0)
        assert hear(bot, "bob: hi").why is Why.UNASKED
