"""Whatever people and programs say in whatever rooms: what a bot's attention promises."""

import json
from collections.abc import Sequence
from dataclasses import replace
from itertools import accumulate, pairwise

from hypothesis import given
from hypothesis import strategies as st
from pydantic import JsonValue

from bots.attention import OLD_S, Act, Attention, Decision, Heard, Manners, QuietHours, Why
from bots.attention.phrases import order
from bridge.model.answering import Answers
from tests.bots.attention.heard import NOW

_TEXTS = st.sampled_from(
    ["hello", "thanks", "bye duck", "be quiet for 10m", "shut up", "quiet, duck", "wake up", "bob: hi", "danke", "安静"]
)
_NAMES = st.sampled_from(["alice", "bob", "eve"])


Said = tuple[Heard, float]
"""A message, and when it is heard."""


def _messages(most: int = 40) -> st.SearchStrategy[list[Said]]:
    """Messages one after the other, some of them old; ids come again."""
    message = st.builds(
        Heard,
        id=st.integers(0, 30).map(str),
        room=st.sampled_from(["libera/#pond", "matrix/!pond", "libera/#lake"]),
        who=_NAMES,
        text=_TEXTS | st.text(max_size=20),
        time=st.just(0.0) | st.sampled_from([OLD_S, OLD_S + 1, 1e6, -1e6]),
        link=st.sampled_from(["pond", ""]),
        name=_NAMES | st.text(max_size=100),
        member=st.booleans(),
        automatic=st.booleans(),
        called=st.booleans(),
        private=st.booleans(),
        elsewhere=st.booleans(),
    )
    return st.lists(st.tuples(message, st.floats(0, 3) | st.floats(0, 100)), max_size=most).map(_in_turn)


def _in_turn(messages: Sequence[Said]) -> list[Said]:
    """The messages, each so many seconds after the one before, and so old as its time says."""
    heard = accumulate((pause for _, pause in messages), initial=NOW)
    return [
        (replace(message, time=now - message.time), now) for (message, _), now in zip(messages, heard, strict=False)
    ]


_MANNERS = st.builds(
    Manners,
    names=st.just(("duck",)),
    answers=st.sampled_from(Answers),
    stay_s=st.sampled_from([0.0, 60.0, 1e9]),
    hears_all=st.booleans(),
    chatty=st.sampled_from([0.0, 0.5, 1.0]),
    quiet_hours=st.none() | st.builds(QuietHours, st.integers(470, 490), st.integers(470, 490)),
    per_person=st.none() | st.integers(0, 5),
    per_room=st.none() | st.integers(0, 5),
)


def _hear(bot: Attention, message: Heard, now: float) -> Decision:
    """What the bot decides; whatever it may say, it says."""
    decision = bot.decide(message, now)
    if bot.may_send(message, decision, now):
        bot.answered(message, decision, now)
    return decision


@given(_MANNERS, _messages())
def test_bots_notices_and_what_is_old_are_never_answered(manners: Manners, messages: list[Said]) -> None:
    bot = Attention(manners, lambda: 0.4)
    for message, now in messages:
        decision = _hear(bot, message, now)
        if message.automatic or now - message.time > OLD_S:
            assert decision.act is Act.IGNORE


@given(_MANNERS, _messages())
def test_no_question_is_answered_twice(manners: Manners, messages: list[Said]) -> None:
    bot, answered = Attention(manners, lambda: 0.4), set()
    for message, now in messages:
        decision = _hear(bot, message, now)
        place = ("private", message.room) if message.private else ("link", message.link or message.room)
        if decision.act in {Act.ANSWER, Act.SAY}:
            assert (place, message.id) not in answered
            answered.add((place, message.id))


@given(_MANNERS, _messages(), st.floats(0, 599))
def test_after_a_hush_nothing_is_said_in_that_room_until_it_ends(
    manners: Manners, messages: list[Said], late: float
) -> None:
    bot = Attention(replace(manners, answers=Answers.ALWAYS), lambda: 0.4)
    bot.decide(Heard("hush", "libera/#pond", "carol", "quiet for 10m", NOW, member=True, called=True), NOW)
    for message, _ in messages:
        is_there = message.room == "libera/#pond" and not message.link and not message.private
        if is_there and order(message.text) is None:
            assert not _hear(bot, replace(message, time=NOW + late), NOW + late).may_speak


@given(_MANNERS, _messages(), _messages(10))
def test_a_restart_changes_no_decision(manners: Manners, before: list[Said], after: list[Said]) -> None:
    bot, again = Attention(manners, lambda: 0.4), Attention(manners, lambda: 0.4)
    kept: dict[str, JsonValue] = {}
    for message, now in before:
        _hear(bot, replace(message, name=""), now)
        kept |= json.loads(json.dumps(bot.unsaved()))
    again.restore({name: value for name, value in kept.items() if value is not None})
    passed = max([NOW, *(now for _, now in before)]) - NOW
    for message, then in after:
        heard, now = replace(message, name="", time=message.time + passed), then + passed
        assert _hear(again, heard, now) == _hear(bot, heard, now)


@given(_MANNERS, st.lists(st.tuples(st.text(max_size=300), st.text(max_size=300)), min_size=1, max_size=5), st.data())
def test_a_value_is_small_whatever_rooms_and_people_are_called(
    manners: Manners, names: list[tuple[str, str]], data: st.DataObject
) -> None:
    bot = Attention(manners, lambda: 0.4)
    for room, who in names:
        for n in range(data.draw(st.integers(0, 5))):
            message = Heard(f"{who}{n}", room, who, "hi", NOW, name=who, called=True, member=n % 2 == 0)
            _hear(bot, message, NOW + n)
    for name, value in bot.unsaved().items():
        assert len(name) <= 200
        assert len(json.dumps(value)) <= 16_384


def test_a_mind_that_is_full_is_bounded_and_so_is_each_value() -> None:
    bot = Attention(Manners(answers=Answers.ALWAYS, per_person=10**6, per_room=10**6), lambda: 0.0)
    sizes = []
    for n in range(3_000):
        now = NOW + n * 1.7 + 1 / 3
        _hear(bot, Heard(f"q{n}", "libera/#pond", f"w{n % 900}", f"hi {n}", now, name=f"n{n}", called=True), now)
        _hear(bot, Heard(f"m{n}", "libera/#pond", f"w{n % 900}", f"hi {n}", now, member=True, called=True), now)
        _hear(bot, Heard(f"p{n}", f"libera/w{n}", f"w{n}", f"hi {n}", now, private=True), now)
        if n % 500 == 499:
            values = bot.unsaved()
            assert all(len(json.dumps(value)) <= 16_384 for value in values.values())
            sizes.append(sum(value is not None for value in values.values()))
    assert max(sizes) <= 1_000 + 500 + 1
    for one, other in pairwise(sizes):
        assert other <= one + 1_000


@given(
    st.dictionaries(
        st.sampled_from(["attention people", "attention room x", "attention private x"]) | st.text(max_size=20),
        st.recursive(
            st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
            lambda inner: (
                st.lists(inner, max_size=3)
                | st.dictionaries(
                    st.sampled_from(["hushed", "talks", "answered", "spoke", "runs", "broken", "left"])
                    | st.text(max_size=3),
                    inner,
                    max_size=4,
                )
            ),
        ),
        max_size=5,
    )
)
def test_whatever_was_saved_is_read_or_left_out(saved: dict[str, JsonValue]) -> None:
    bot = Attention(Manners(), lambda: 0.4)
    bot.restore(saved)
    assert bot.decide(Heard("q", "libera/#pond", "alice", "hi", NOW, called=True), NOW).why in {None, Why.PERSON}
    json.dumps(bot.unsaved(), allow_nan=False)
