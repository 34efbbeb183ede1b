"""Manners of a bot in the host: what is asked, what is answered, what is remembered, and what outlives a restart."""

import asyncio
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import aclosing, asynccontextmanager
from dataclasses import replace

import pytest
from pydantic import JsonValue
from structlog.testing import capture_logs

from bots.api import Question, Said
from bots.attention import Attention, Manners
from bots.hosting.attending import FORGOTTEN, HEARS_ALL, Attending
from bots.hosting.host import About, BotHost, Hosted
from bots.hosting.places import Places
from bots.hosting.talks import Context, Talks
from bots.hosting.unseen import Forgetful
from bridge.model.event import Edit, Event, Kind, Redaction, Room
from bridge.model.outbox import Delivery, Owed, Post
from bridge.model.people import Role, Sender
from bridge.model.text import plain, words
from bridge.network import Batch
from bridge.rules.routing import ear, everywhere
from tests.events import HOME, LIBERA, irc, matrix, rebodied, said

ALICE = replace(matrix("alice"), user="alice")
EVE = irc("eve")
THERE = Room("home", "!private")


class Bot:
    """Answers everything with how many questions there were; keeps what it was asked."""

    name = "Duck"

    def __init__(self) -> None:
        self.asked: list[Question] = []

    async def answer(self, question: Question) -> Sequence[Said]:
        self.asked.append(question)
        return [f"answer {len(self.asked)}"] if question.called else []


class World:
    def __init__(
        self,
        *,
        memory: Forgetful | None = None,
        now: float = 1_000.0,
        context: Context = Context.ROOM,
        **manners: object,
    ) -> None:
        self.now = now
        self.bot = Bot()
        self.memory = memory or Forgetful()
        chosen = Manners(names=("duck", "Duck"), **manners)  # type: ignore[arg-type]
        attention = Attention(chosen, lambda: 0.99)
        self.attending = Attending(attention, Talks(Context.ROOM), self.memory, hears_all=chosen.hears_all)
        hosted = Hosted(self.bot, ("duck", "Duck"), self.attending)
        places = Places(lambda key, _room: key == "duck", rooms=lambda _key: {"pond": HOME})
        self.host = BotHost({"duck": hosted}, clock=lambda: self.now, typing=_typing, about=_about, places=places)

    async def hears(self, *events: Event, scope: str = "") -> list[str]:
        """What is said to these, which come together."""
        room = ear("duck", scope or (str(events[0].room) if events[0].private else everywhere(events[0].room)))
        owed = [Owed(Delivery.of(event.key, room).id, room, replace(event, time=self.now)) for event in events]
        (post,) = self.host.render(owed)
        return await self._said(post)

    async def _said(self, post: Post) -> list[str]:
        found: list[str] = []
        async with aclosing(self.host.events(None)) as batches:
            sending = asyncio.create_task(self.host.send(post))
            coming = asyncio.ensure_future(anext(batches))
            while True:
                await asyncio.wait({sending, coming}, return_when=asyncio.FIRST_COMPLETED)
                if not coming.done():
                    break
                found += [plain(event.text) for event in coming.result().events]
                coming = asyncio.ensure_future(anext(batches))
            coming.cancel()
            await asyncio.wait({coming})
        await sending
        return found


@asynccontextmanager
async def _typing(_room: Room) -> AsyncGenerator[None, None]:
    yield


def _about(event: Event) -> About:
    member = event.sender.user is not None
    return About(Role.MEMBER if member else None, "" if event.private else "pond", member, member)


def _says(text: str, sender: Sender = ALICE, room: Room = HOME, **more: object) -> Event:
    return said(room, sender, text, f"{sender.name} {text}", **more)  # type: ignore[arg-type]


async def test_a_talk_stays_open_for_a_minute_and_thanks_end_it() -> None:
    world = World()
    assert await world.hears(_says("nobody asked")) == []
    assert await world.hears(_says("duck: hi")) == ["answer 1"]
    question = replace(_says("and then?"), time=world.now)
    assert world.host.listens("duck", question)
    assert not world.host.listens("duck", replace(_says("and then?", EVE, LIBERA), time=world.now))
    assert await world.hears(_says("and then?")) == ["answer 2"]
    assert await world.hears(_says("bob: and you?")) == []
    world.now += 61
    assert await world.hears(_says("still there?")) == []
    assert await world.hears(_says("duck: hello")) == ["answer 3"]
    await world.hears(_says("thanks"))
    assert await world.hears(_says("one more thing")) == []


async def test_a_bot_that_is_told_to_be_quiet_is_quiet_also_after_a_restart_and_answers_in_private() -> None:
    world = World()
    (told,) = await world.hears(_says("duck: quiet for an hour"))
    assert told == "I am quiet here until 01:16 UTC. Say `wake up` to me if you want me back sooner."
    again = World(memory=world.memory, now=world.now + 10)
    assert await again.hears(_says("duck: hi")) == []
    assert await again.hears(_says("hi", room=THERE, private=True)) == ["answer 1"]
    assert await again.hears(_says("duck: wake up")) == ["I am here again."]
    assert await again.hears(_says("duck: hi again")) == ["answer 2"]


async def test_a_bot_that_is_told_to_be_quiet_says_nothing_unasked_there_also_after_a_restart() -> None:
    world = World()
    await world.hears(_says("duck: quiet for an hour"))
    again = World(memory=world.memory, now=world.now + 10)
    for each in (world, again):
        with pytest.raises(PermissionError, match="quiet"):
            await each.host.speak("duck", LIBERA, "bob: alice said")
    again.now += 3_600
    speaking = asyncio.create_task(again.host.speak("duck", LIBERA, "bob: alice said"))
    async with aclosing(again.host.events(None)) as batches:
        assert [plain(event.text) for event in (await anext(batches)).events] == ["bob: alice said"]
        speaking.cancel()
        await asyncio.wait({speaking})


async def test_a_bot_that_is_told_to_be_quiet_is_so_for_all_who_ask_right_after_a_restart() -> None:
    class Slow(Forgetful):
        async def items(self, prefix: str = "") -> Mapping[str, JsonValue]:
            await asyncio.sleep(1)
            return await Forgetful.items(self, prefix)

    world = World(memory=Slow())
    await world.hears(_says("duck: quiet for an hour"))
    again = World(memory=world.memory)
    bob = _says("duck: hi", replace(irc("bob"), user="bob"), LIBERA)
    posts = [again.host.render([Owed("d", ear("duck", str(each.room)), each)])[0] for each in (_says("duck: ho"), bob)]
    await asyncio.wait_for(asyncio.gather(*map(again.host.send, posts)), 60)  # an answer would wait to be stored


async def test_a_question_is_answered_once_though_it_comes_again_and_not_when_it_is_old() -> None:
    world = World()
    assert await world.hears(_says("duck: hi")) == ["answer 1"]
    assert await world.hears(_says("duck: hi")) == []
    assert await World(memory=world.memory).hears(_says("duck: hi")) == []
    late = World(now=10_000.0)
    post = late.host.render([Owed("d", ear("duck", everywhere(HOME)), replace(_says("duck: hi"), time=9_000.0))])[0]
    assert await late._said(post) == []


async def test_a_question_whose_answer_was_not_stored_is_asked_again_after_a_crash() -> None:
    world = World()
    room = ear("duck", everywhere(HOME))
    (post,) = world.host.render([Owed("d", room, _says("duck: hi"))])
    sending = asyncio.create_task(world.host.send(post))
    await asyncio.sleep(1)
    assert len(world.bot.asked) == 1
    sending.cancel()
    await asyncio.wait({sending})
    assert await World(memory=world.memory).hears(_says("duck: hi")) == ["answer 1"]


async def test_brains_get_what_was_said_before_to_those_who_hear_the_answer_and_nothing_else() -> None:
    world = World()
    await world.hears(_says("duck: my name is Alice"))
    await world.hears(_says("my secret", room=THERE, private=True))
    await world.hears(_says("duck: what is the secret?", EVE, LIBERA), scope=str(LIBERA))
    await world.hears(_says("duck: what is my name?"))
    private, guest, last = world.bot.asked[1:]
    assert (private.turns, guest.turns) == ((), ())
    assert [(turn.name, turn.text, turn.ours) for turn in last.turns] == [
        ("alice", "my name is Alice", False),
        ("Duck", "answer 1", True),
    ]


async def test_who_takes_a_nick_does_not_get_what_was_said_in_private_before() -> None:
    world, alice = World(), Room("libera", "alice")
    people = [
        replace(irc("alice"), user="alice"),
        replace(irc("alice"), connection="1"),
        replace(irc("alice"), connection="2"),
        replace(irc("alice", "thief"), connection="3"),
    ]
    for number, each in enumerate(people):
        await world.hears(_says(f"my secret is {number}", each, alice, private=True))
    assert [question.turns for question in world.bot.asked] == [()] * 4
    world.now += 30
    await world.hears(_says("do you know it?", people[0], alice, private=True))
    assert [turn.text for turn in world.bot.asked[4].turns] == ["my secret is 0", "answer 1"]


async def test_who_takes_a_nick_gets_nothing_of_what_was_said_in_private_under_it() -> None:
    world, alone = World(), Room("libera", "eve")
    first, second = (replace(EVE, connection=each) for each in ("1 1", "1 2"))
    for sender, text in ((first, "my secret"), (second, "the same nick"), (EVE, "unknown"), (EVE, "who?")):
        await world.hears(_says(text, sender, alone, private=True))
        world.now += 30
    await world.hears(_says("and then?", first, alone, private=True))
    heard = [[turn.text for turn in question.turns] for question in world.bot.asked]
    assert heard == [[], [], [], [], ["my secret", "answer 1"]]


async def test_a_talk_goes_on_in_the_other_rooms_of_the_link() -> None:
    world = World()
    await world.hears(_says("duck: my name is Alice"))
    await world.hears(_says("duck: what is my name?", replace(irc("al"), user="alice"), LIBERA))
    assert [turn.text for turn in world.bot.asked[1].turns] == ["my name is Alice", "answer 1"]


async def test_what_a_bot_thought_before_it_was_told_to_be_quiet_is_not_said() -> None:
    world = World()
    goes_on = asyncio.Event()

    class Slow(Bot):
        async def answer(self, question: Question) -> Sequence[Said]:
            await goes_on.wait()
            return ["late"]

    world.host.exchange({"duck": Hosted(Slow(), ("duck",), world.attending)})
    asking = asyncio.create_task(world.hears(_says("duck: hi")))
    await asyncio.sleep(1)
    hush = _says("duck: be quiet", replace(irc("bob"), user="bob"), LIBERA)
    (post,) = world.host.render([Owed("d", ear("duck", everywhere(LIBERA)), hush)])
    await world.host.send(post)
    goes_on.set()
    (said_,) = await asking
    assert said_.startswith("I am quiet here until")


async def test_a_bot_that_hears_all_is_given_old_messages_and_does_not_answer_them() -> None:
    world = World(hears_all=True, now=10_000.0)
    ours = ear("duck", everywhere(HOME))
    (post,) = world.host.render([Owed("d", ours, replace(_says("duck: hi"), time=9_000.0))])
    assert await world._said(post) == []
    assert [question.called for question in world.bot.asked] == [False]


async def test_words_that_were_removed_or_changed_are_removed_or_changed_in_what_is_remembered() -> None:
    world = World()
    first, second = _says("duck: one"), _says("duck: two")
    await world.hears(first)
    await world.hears(second)
    world.host.changed(replace(_says("x"), id="r", body=Redaction(first.key)))
    world.host.changed(replace(_says("x"), id="e", body=Edit(second.key, words("TWO"))))
    await world.hears(_says("duck: three"))
    assert [turn.text for turn in world.bot.asked[2].turns] == ["TWO", "answer 2"]


async def test_forget_clears_what_was_said_in_one_place() -> None:
    world = World()
    await world.hears(_says("duck: one"))
    await world.hears(_says("between us", room=THERE, private=True))
    world.now += 30
    assert await world.hears(_says("duck: forget")) == [plain(FORGOTTEN)]
    world.now += 30
    await world.hears(_says("duck: two"))
    await world.hears(_says("more between us", room=THERE, private=True))
    assert world.bot.asked[2].turns == ()
    assert [turn.text for turn in world.bot.asked[3].turns] == ["between us", "answer 2"]


async def test_two_ducks_in_one_room_fall_silent_within_three_answers() -> None:
    """The other one does not say that it is a bot."""
    one, other = World(answers="always"), World(answers="always", now=1_000.0)
    text, answers = "duck: hi", 0
    for number in range(20):
        speaker = one if number % 2 == 0 else other
        said_ = await speaker.hears(_says(f"{text} {number}", irc("goose"), LIBERA), scope=str(LIBERA))
        one.now = other.now = one.now + 1
        if not said_:
            break
        text, answers = said_[0], answers + 1
    assert answers <= 6  # three of each
    assert number < 10


async def test_who_says_that_it_is_a_bot_or_sends_notices_is_never_answered() -> None:
    world = World(answers="always")
    assert await world.hears(_says("duck: hi", irc("bot", bot=True), LIBERA), scope=str(LIBERA)) == []
    assert await world.hears(_says("duck: hi", EVE, LIBERA, kind=Kind.NOTICE), scope=str(LIBERA)) == []
    assert world.bot.asked == []


async def test_a_bot_that_hears_all_is_given_all_answers_only_questions_and_says_so_once() -> None:
    world = World(hears_all=True)
    assert await world.hears(_says("nobody asked")) == []
    assert [question.called for question in world.bot.asked] == [False]
    assert await world.hears(_says("duck: now I ask")) == ["answer 2"]
    for told in ([HEARS_ALL], []):
        found: list[str] = []

        async def store(batches: AsyncGenerator[Batch, None], found: list[str] = found) -> None:
            async for batch in batches:  # asking for the next one says that this one is stored
                found += [plain(event.text) for event in batch.events]

        tasks = {asyncio.create_task(store(world.host.events(None))), asyncio.create_task(world.host.work())}
        await asyncio.wait(tasks, timeout=10)
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)
        assert found == told


async def test_what_calls_another_bot_is_heard_and_no_question_though_it_mentions_the_account_of_both() -> None:
    world = World(hears_all=True)
    assert await world.hears(rebodied(_says("and you?"), called="", bot="heron")) == []
    assert await world.hears(rebodied(_says("and you, now?"), called="", bot="duck")) == ["answer 2"]
    assert [question.called for question in world.bot.asked] == [False, True]


async def test_a_full_memory_costs_no_answer_and_is_logged_once() -> None:
    class Full(Forgetful):
        async def put(self, key: str, value: JsonValue) -> None:
            raise ValueError("a bot remembers at most 10000 values")

    world = World(memory=Full())
    with capture_logs() as logs:
        assert await world.hears(_says("duck: one")) == ["answer 1"]
        world.now += 30
        assert await world.hears(_says("duck: two")) == ["answer 2"]
    assert [line["event"] for line in logs] == ["manners_not_kept"]


async def test_people_are_told_again_that_all_is_heard_if_the_bridge_was_killed_before() -> None:
    world = World(hears_all=True)
    working = asyncio.create_task(world.host.work())
    await asyncio.sleep(1)
    working.cancel()
    await asyncio.wait({working})
    assert await world.attending.is_untold("pond")


async def test_an_answer_that_grows_is_no_edit_of_what_people_said() -> None:
    changes: list[str] = []

    class Keeps(Bot):
        def removed(self, message: str) -> None:
            changes.append(message)

        def edited(self, message: str, text: str) -> None:
            changes.append(text)

    world = World()
    world.host.exchange({"duck": Hosted(Keeps(), ("duck",))})
    ours = said(ear("duck", everywhere(HOME)), ALICE, "grown")
    world.host.changed(replace(ours, body=Edit(ours.key, words("grown"))))
    assert changes == []
    theirs = _says("wrng")
    world.host.changed(replace(theirs, body=Edit(theirs.key, words("wrong"))))
    assert changes == ["wrong"]


async def test_a_person_who_asks_too_much_is_not_answered_for_a_while_and_others_are() -> None:
    world = World(per_person=2, answers="always")
    answers = [await world.hears(_says(f"duck: {number}")) for number in range(4)]
    assert [bool(each) for each in answers] == [True, True, False, False]
    assert await world.hears(_says("duck: me", replace(matrix("bob"), user="bob"))) == ["answer 3"]
    world.now += 1800
    assert await world.hears(_says("duck: again")) == ["answer 4"]
