"""What a bot keeps in mind: how many answers are left, which questions it was asked, and all of it over a restart."""

import json
from dataclasses import replace

import pytest

from bots.attention import OLD_S, Act, Decision, Manners, Why
from tests.bots.attention.heard import NOW, attention, hear, heard


class TestBudget:
    def test_a_person_gets_so_many_answers_an_hour_wherever_they_ask(self) -> None:
        bot = attention(per_person=2)
        assert hear(bot, called=True).asked
        assert hear(bot, called=True, room="libera/#lake").asked
        assert hear(bot, now=NOW + 10, private=True, room="libera/alice").why is Why.PERSON
        assert hear(bot, called=True, who="bob").asked
        assert hear(bot, now=NOW + 1_801, called=True).asked

    def test_a_room_gets_so_many_answers_an_hour(self) -> None:
        bot = attention(per_room=2)
        assert [hear(bot, called=True, who=who).why for who in "abc"] == [None, None, Why.ROOM]
        assert hear(bot, called=True, who="d", room="libera/#lake").asked

    def test_guests_who_change_their_names_leave_some_answers_of_a_room_to_members(self) -> None:
        bot = attention(per_room=8, per_person=None)
        whys = [hear(bot, called=True, who=f"guest{n}", member=False, now=NOW + 10 * n).why for n in range(20)]
        assert whys[:6] == [None] * 6
        assert set(whys[7:]) == {Why.ROOM}
        assert hear(bot, called=True, now=NOW + 300).asked
        assert hear(bot, called=True, who="guest", member=False, private=True, room="libera/guest", now=NOW + 300).asked

    def test_what_is_not_answered_costs_nothing(self) -> None:
        bot = attention(per_person=1, per_room=1)
        for n in range(10):
            hear(bot, now=NOW + n)
        assert hear(bot, called=True).asked

    def test_without_a_limit_there_is_none_and_zero_is_silence(self) -> None:
        bot = attention(per_person=None, per_room=None)
        assert all(hear(bot, now=NOW + 10 * n, called=True).asked for n in range(150))
        assert hear(attention(per_person=0), private=True).why is Why.PERSON
        assert hear(attention(per_room=0), private=True).why is Why.ROOM

    def test_after_a_reload_other_limits_count_anew_and_the_same_go_on(self) -> None:
        bot = attention(per_person=1, per_room=1)
        hear(bot, called=True)
        bot.exchange(Manners(per_person=1, per_room=2))
        assert hear(bot, called=True).why is Why.PERSON
        bot.exchange(Manners(per_person=None, per_room=2))
        whys = [hear(bot, called=True, now=NOW + 10 * n).why for n in range(3)]
        assert whys == [None, None, Why.ROOM]

    def test_what_a_brain_says_unasked_is_counted(self) -> None:
        bot = attention(hears_all=True, per_room=1)
        message = heard()
        decision = bot.decide(message, NOW)
        assert bot.may_send(message, decision, NOW)
        bot.answered(message, decision, NOW)
        decision = hear(bot, who="bob")
        assert (decision.act, decision.why) == (Act.HEAR, Why.ROOM)


class TestOnce:
    def test_a_question_is_answered_once(self) -> None:
        bot, question = attention(hears_all=True), heard(called=True)
        assert bot.decide(question, NOW).asked
        assert bot.decide(question, NOW) == Decision(Act.IGNORE, NOW, Why.TWICE)

    def test_one_that_was_withdrawn_may_come_again(self) -> None:
        bot, question = attention(), heard(called=True)
        bot.decide(question, NOW)
        bot.withdraw(question)
        assert bot.decide(question, NOW).asked

    def test_one_that_was_heard_and_spoken_about_is_not_answered_again(self) -> None:
        bot, message = attention(hears_all=True), heard()
        decision = bot.decide(message, NOW)
        assert bot.may_send(message, decision, NOW)
        bot.answered(message, decision, NOW)
        assert bot.decide(replace(message, called=True), NOW).why is Why.TWICE

    def test_a_flood_cannot_make_it_forget_one(self) -> None:
        bot, first = attention(per_person=None, per_room=None), heard(called=True)
        bot.decide(first, NOW)
        whys = [hear(bot, called=True, who=f"w{n}").why for n in range(200)]
        assert whys == [None] * 199 + [Why.BUSY]
        assert bot.decide(first, NOW).why is Why.TWICE
        assert hear(bot, now=NOW + OLD_S, called=True).asked


class TestSaved:
    def test_a_restart_forgets_nothing_that_matters(self) -> None:
        before, answered, unanswered = attention(per_room=3), heard(called=True), heard(called=True, who="carol")
        hear(before, "be quiet", called=True, room="libera/#lake")
        before.answered(answered, before.decide(answered, NOW), NOW)
        before.decide(unanswered, NOW)
        after = attention(per_room=3)
        after.restore(json.loads(json.dumps(before.unsaved())))
        assert after.hushed_until("libera/#lake", "", NOW) == NOW + 3_600
        assert after.decide(answered, NOW).why is Why.TWICE
        assert after.decide(unanswered, NOW).asked
        assert hear(after, "and geese?", NOW + 5, who="bob").why is Why.UNASKED
        assert hear(after, "and geese?", NOW + 5).why is Why.ROOM  # still in a talk, but the third answer was the last
        assert hear(after, "and geese?", NOW + 59).why is Why.ROOM
        assert hear(after, "and geese?", NOW + 61).why is Why.UNASKED

    @pytest.mark.parametrize("said", [3, 4], ids=["in-a-circle", "silent"])
    def test_a_circle_goes_on_where_it_was(self, said: int) -> None:
        before, after = attention(), attention()
        for n in range(said):
            hear(before, "quack", NOW + n, called=True, who="eve", member=False)
        after.restore(before.unsaved())
        assert hear(after, "quack", NOW + 4, called=True, who="eve", member=False).why is Why.CIRCLE
        assert hear(after, called=True, now=NOW + 5, who="carol", member=False).why is Why.CIRCLE

    def test_the_answers_of_a_person_are_still_counted(self) -> None:
        before, after = attention(per_person=1), attention(per_person=1)
        hear(before, called=True)
        after.restore(before.unsaved())
        assert hear(after, called=True, now=NOW + 10).why is Why.PERSON
        assert hear(after, called=True, now=NOW + 10, who="bob").asked

    def test_a_room_that_was_forgotten_and_is_new_is_saved_anew(self) -> None:
        before, after = attention(), attention()
        hear(before, "be quiet", called=True)
        saved = dict(before.unsaved())
        for n in range(500):
            hear(before, room=f"libera/#r{n}")
        assert hear(before, called=False).why is Why.UNASKED
        after.restore(saved | dict(before.unsaved()))
        assert after.hushed_until("libera/#pond", "", NOW) is None

    def test_what_makes_no_sense_is_removed(self) -> None:
        bot = attention()
        bot.restore({"attention room x": {"hushed": "for ever"}, "attention people": [1], "karma": 5})
        assert bot.unsaved() == {"attention room x": None}

    def test_what_was_restored_is_not_saved_again(self) -> None:
        before, after = attention(), attention()
        hear(before, called=True)
        after.restore(before.unsaved())
        assert after.unsaved().keys() <= {"attention people"}

    def test_only_what_changed_is_saved_again(self) -> None:
        bot = attention()
        assert bot.unsaved() == {}
        hear(bot)
        assert bot.unsaved() == {}
        hear(bot, called=True)
        assert len(bot.unsaved()) == 2  # the room and the people
        assert bot.unsaved() == {}

    def test_a_place_that_is_forgotten_is_removed(self) -> None:
        bot = attention(per_person=None, per_room=None)
        hear(bot, private=True, room="libera/first")
        (name,) = bot.unsaved()
        for n in range(1_000):
            hear(bot, private=True, room=f"libera/w{n}", who=f"w{n}")
        changes = bot.unsaved()
        assert changes[name] is None
        assert len(changes) == 1_001

    def test_private_talks_of_strangers_take_no_place_of_rooms(self) -> None:
        bot = attention()
        hear(bot, "be quiet", called=True)
        for n in range(1_100):
            hear(bot, private=True, room=f"libera/w{n}", who=f"w{n}", member=False)
        assert hear(bot, called=True).why is Why.HUSHED

    def test_no_names_are_saved(self) -> None:
        bot = attention()
        hear(bot, "my secret", called=True, who="alice-in-wonderland", name="Alice In Wonderland")
        assert not any(word in json.dumps(bot.unsaved()) for word in ("alice", "Alice", "secret", "pond"))
