"""What a bot remembers of a talk: in order, bounded, never across audiences, and nothing that was taken back."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bots.api import TURNS, Turn
from bots.hosting.talks import Context, Place, Talks

ROOM = Place("@libera/#pond", "alice")
BOB = Place("@libera/#pond", "bob")
PRIVATE = Place("libera/alice", "alice")


def said(text: str, name: str = "alice", *, ours: bool = False) -> Turn:
    return Turn(name, text, ours)


def texts(talks: Talks, place: Place = ROOM, now: float = 0.0) -> list[str]:
    return [turn.text for turn in talks.turns(place, now)]


def test_a_talk_is_remembered_in_order() -> None:
    talks = Talks()
    talks.add(ROOM, said("hi"), "1", 0.0)
    talks.add(ROOM, said("Quack!", "Duck", ours=True), "2", 1.0, answers="1")
    assert talks.turns(ROOM, 2.0) == (Turn("alice", "hi"), Turn("Duck", "Quack!", ours=True))


@pytest.mark.parametrize(
    ("context", "alice", "bob"),
    [(Context.ROOM, ["a", "b"], ["a", "b"]), (Context.PERSON, ["a"], ["b"]), (Context.NONE, [], [])],
)
def test_a_talk_is_of_a_room_or_of_a_person_or_there_is_none(
    context: Context, alice: list[str], bob: list[str]
) -> None:
    talks = Talks(context)
    talks.add(ROOM, said("a"), "1", 0.0)
    talks.add(BOB, said("b", "bob"), "2", 0.0)
    assert (texts(talks), texts(talks, BOB)) == (alice, bob)


@pytest.mark.parametrize("context", [Context.ROOM, Context.PERSON])
def test_a_thread_is_a_talk_of_its_own(context: Context) -> None:
    talks = Talks(context)
    talks.add(ROOM._replace(thread="t"), said("in the thread"), "1", 0.0)
    assert texts(talks) == []
    assert texts(talks, ROOM._replace(thread="t")) == ["in the thread"]


def test_what_is_said_in_private_stays_there() -> None:
    talks = Talks()
    talks.add(PRIVATE, said("my secret"), "1", 0.0)
    talks.add(ROOM, said("hello all"), "2", 0.0)
    assert texts(talks) == ["hello all"]
    assert texts(talks, PRIVATE) == ["my secret"]


def test_a_talk_is_over_after_an_hour_of_quiet() -> None:
    talks = Talks()
    talks.add(ROOM, said("old"), "1", 0.0)
    assert texts(talks, now=3_600.0) == ["old"]
    assert texts(talks, now=3_601.0) == []
    talks.add(ROOM, said("new"), "2", 3_601.0)
    assert texts(talks, now=3_602.0) == ["new"]


def test_each_turn_keeps_a_talk_open() -> None:
    talks = Talks()
    for n, now in enumerate((0.0, 3_000.0, 6_000.0)):
        talks.add(ROOM, said(str(n)), str(n), now)
    assert texts(talks, now=9_000.0) == ["0", "1", "2"]


class TestTakenBack:
    def test_removed_words_leave_it_and_so_does_the_answer_that_may_repeat_them(self) -> None:
        talks = Talks()
        talks.add(ROOM, said("my password is swan"), "1", 0.0)
        talks.add(ROOM, said("Your password is swan?", ours=True), "2", 0.0, answers="1")
        talks.add(ROOM, said("hello"), "3", 0.0)
        talks.remove("1")
        assert texts(talks) == ["hello"]

    def test_the_answer_alone_can_be_removed(self) -> None:
        talks = Talks()
        talks.add(ROOM, said("hi"), "1", 0.0)
        talks.add(ROOM, said("Quack!", ours=True), "2", 0.0, answers="1")
        talks.remove("2")
        assert texts(talks) == ["hi"]

    def test_what_is_removed_while_the_bot_thinks_never_enters(self) -> None:
        talks = Talks()
        talks.remove("1")
        talks.add(ROOM, said("my password is swan"), "1", 0.0)
        talks.add(ROOM, said("swan?", ours=True), "2", 0.0, answers="1")
        assert texts(talks) == []

    def test_changed_words_replace_the_old_ones_at_their_place(self) -> None:
        talks = Talks()
        for event, text in enumerate(["a", "b", "c"]):
            talks.add(ROOM, said(text), str(event), 0.0)
        talks.change("1", " B ")
        talks.change("2", "  ")
        talks.change("9", "x")
        assert texts(talks) == ["a", "B"]

    def test_one_message_may_be_in_several_talks(self) -> None:
        talks = Talks()
        for place in (ROOM, PRIVATE):
            talks.add(place, said("a"), "1", 0.0)
        talks.change("1", "b")
        assert texts(talks) == texts(talks, PRIVATE) == ["b"]
        talks.remove("1")
        assert texts(talks) == texts(talks, PRIVATE) == []


class TestForgotten:
    @pytest.mark.parametrize("context", [Context.ROOM, Context.PERSON])
    def test_forget_clears_all_talks_of_those_who_heard_it(self, context: Context) -> None:
        talks = Talks(context)
        for event, place in enumerate((ROOM, BOB, ROOM._replace(thread="t"), PRIVATE)):
            talks.add(place, said("a"), str(event), 0.0)
        talks.forget(ROOM.key)
        assert texts(talks) == texts(talks, BOB) == texts(talks, ROOM._replace(thread="t")) == []
        assert texts(talks, PRIVATE) == ["a"]

    def test_a_persons_talks_can_be_forgotten_alone(self) -> None:
        talks = Talks(Context.PERSON)
        for event, place in enumerate((ROOM, BOB, ROOM._replace(thread="t"))):
            talks.add(place, said("a"), str(event), 0.0)
        talks.forget_person(ROOM.key, "alice")
        assert (texts(talks), texts(talks, ROOM._replace(thread="t")), texts(talks, BOB)) == ([], [], ["a"])

    def test_a_persons_talks_with_others_who_hear_stay(self) -> None:
        talks = Talks(Context.PERSON)
        talks.add(PRIVATE, said("a"), "1", 0.0)
        talks.forget_person(ROOM.key, "alice")
        assert texts(talks, PRIVATE) == ["a"]

    def test_in_a_room_all_is_forgotten_with_them(self) -> None:
        talks = Talks()
        talks.add(BOB, said("alice said so"), "1", 0.0)
        talks.forget_person(ROOM.key, "alice")
        assert texts(talks, BOB) == []


class TestBounds:
    def test_a_talk_has_the_last_turns(self) -> None:
        talks = Talks()
        for n in range(TURNS + 5):
            talks.add(ROOM, said(str(n)), str(n), 0.0)
        talks.change(str(TURNS), "changed")
        assert len(texts(talks)) == TURNS
        talks.add(ROOM, said("last"), "last", 0.0)
        talks.remove("last")
        talks.add(ROOM, said(str(TURNS + 5)), "more", 0.0)
        assert texts(talks) == [*map(str, range(6, TURNS)), "changed", *map(str, range(TURNS + 1, TURNS + 6))]

    def test_the_talk_that_rested_longest_is_forgotten(self) -> None:
        talks = Talks()
        for n in range(201):
            talks.add(Place(f"k{n}", "w"), said("a"), str(n), 0.0)
            assert texts(talks, Place("k0", "w")) == ["a"]
        assert texts(talks, Place("k1", "w")) == []
        assert texts(talks, Place("k2", "w")) == ["a"]

    def test_long_words_and_names_are_cut(self) -> None:
        talks = Talks()
        talks.add(ROOM, said("x" * 10_000, "y" * 10_000), "1", 0.0)
        talks.add(ROOM, said("a"), "2", 0.0)
        talks.change("2", "z" * 10_000)
        one, other = talks.turns(ROOM, 0.0)
        assert (len(one.text), len(one.name), len(other.text)) == (500, 64, 500)

    def test_nothing_said_is_no_turn(self) -> None:
        talks = Talks()
        talks.add(ROOM, said(" \n "), "1", 0.0)
        assert talks.turns(ROOM, 0.0) == ()


_PLACES = st.builds(
    Place, st.sampled_from(["@a", "a", "b", ""]), st.sampled_from(["al", "bo"]), st.sampled_from(["", "t"])
)
_DONE = st.lists(
    st.tuples(
        st.sampled_from(["add", "add", "add", "remove", "change", "forget", "person"]),
        _PLACES,
        st.integers(0, 12),
        st.integers(0, 12),
        st.floats(0, 4_000),
    ),
    max_size=60,
)


@given(st.sampled_from(Context), _DONE, st.booleans())
def test_nothing_crosses_from_one_audience_to_another_nor_comes_back(
    context: Context, done: list[tuple[str, Place, int, int, float]], answering: bool
) -> None:
    """Each turn says where it was said and which message it is of; a change keeps the mark."""
    talks, now, removed = Talks(context), 0.0, set[str]()
    for number, (what, place, one, other, pause) in enumerate(done):
        now += pause
        event = f"{place.key}/{one}"
        if what == "add":
            mark = json.dumps([*place, event])
            talks.add(place, Turn("x", mark), event, now, answers=f"{place.key}/{other}" if answering else "")
        elif what == "remove":
            talks.remove(event)
            removed.add(event)
        elif what == "change":
            talks.change(f"other/{number}", "changed")
        elif what == "forget":
            talks.forget(place.key)
            assert talks.turns(place, now) == ()
        else:
            talks.forget_person(place.key, place.person)
            assert talks.turns(place, now) == ()
        for asked in (place, place._replace(person="al"), Place("@a", "al"), Place("b", "bo", "t")):
            turns = talks.turns(asked, now)
            assert len(turns) <= TURNS
            for turn in turns:
                key, person, thread, said_in = json.loads(turn.text)
                assert (key, thread) == (asked.key, asked.thread)
                assert context is Context.ROOM or (context is Context.PERSON and person == asked.person)
                assert said_in not in removed
