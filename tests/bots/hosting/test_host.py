import asyncio
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing, asynccontextmanager
from pathlib import Path

import pytest

from bots.api import Question, Reply
from bots.brains.echo import Echo
from bots.duck import Duck
from bots.hosting.host import BotHost, Hosted
from bots.load import load_bot
from bridge.model.attribution import mark
from bridge.model.event import DESK, Edit, Event, Kind, Room
from bridge.model.outbox import Delivery, Owed, Post
from bridge.model.text import Text, plain, words
from bridge.network import Needless, PermanentError
from bridge.rules.routing import ear
from tests.events import HOME, LIBERA, body_of, irc, matrix, said

NAMES = ("duck", "Little Yellow Duck")
EAR = ear("duck", "pond")


class Silent:
    """A bot with nothing to say."""

    name = "silent"

    async def answer(self, question: Question) -> Sequence[Text]:
        return []


class Broken:
    """A bot that fails."""

    name = "broken"

    async def answer(self, question: Question) -> Sequence[Text]:
        raise RuntimeError("out of seeds")


class Ears:
    """A host of the duck, a silent bot and a broken one; `typing` records the typing signals."""

    def __init__(self, now: float = 2_000.0) -> None:
        self.typing: list[tuple[Room, str]] = []
        bots = {
            "duck": Hosted(Duck("Little Yellow Duck", Echo(), delay=0), NAMES),
            "silent": Hosted(Silent(), ("silent",)),
            "broken": Hosted(Broken(), ("broken",)),
            DESK: Hosted(Duck("quackbridge", Echo(), delay=0), NAMES),
        }
        self.host = BotHost(bots, clock=lambda: now, typing=self._typing)

    @asynccontextmanager
    async def _typing(self, room: Room) -> AsyncGenerator[None, None]:
        self.typing.append((room, "begins"))
        yield
        self.typing.append((room, "ends"))

    def post(self, room: Room, *questions: Event) -> Post:
        (post,) = self.host.render([Owed(Delivery.of(event.key, room).id, room, event) for event in questions])
        return post

    async def ask(self, room: Room, *questions: Event) -> list[Event]:
        """Send, and store what comes back, as the relay does."""
        sending = asyncio.create_task(self.host.send(self.post(room, *questions)))
        async with aclosing(self.host.events(None)) as batches:
            batch = await anext(batches)
            assert not sending.done()
            acknowledged = asyncio.create_task(anext(batches))
            await sending
            acknowledged.cancel()
            await asyncio.wait({acknowledged})
        return list(batch.events)


async def test_the_duck_echoes_what_it_was_asked_without_its_name() -> None:
    (reply,) = await Ears().ask(EAR, said(HOME, matrix("alice"), "duck: what a day"))
    assert plain(reply.text) == "what a day"
    assert reply.room == EAR
    assert body_of(reply).kind is Kind.NOTICE
    assert reply.sender.bot
    assert mark(reply) == "<Little Yellow Duck> "


@pytest.mark.parametrize(("claimed", "told"), [(9e12, 2_000.0), (-9e12, 0.0), (1_500.0, 1_500.0)])
async def test_a_bot_is_told_of_no_time_to_come_whatever_a_homeserver_claims(claimed: float, told: float) -> None:
    times: list[float] = []

    class Listener:
        name = "listener"

        async def answer(self, question: Question) -> Sequence[Text]:
            times.append(question.time)
            return []

    host = BotHost({"duck": Hosted(Listener(), NAMES)}, clock=lambda: 2_000.0, typing=Ears()._typing)
    event = said(HOME, matrix("mallory"), "duck: hi", time=claimed)
    (post,) = host.render([Owed(Delivery.of(event.key, EAR).id, EAR, event)])
    await host.send(post)
    assert times == [told]


async def test_the_duck_knows_the_name_of_our_account_on_the_network() -> None:
    (reply,) = await Ears().ask(EAR, said(LIBERA, irc("bob"), "littleduck: hi", called="littleduck"))
    assert plain(reply.text) == "hi"


async def test_a_duck_that_is_called_without_a_question_says_quack() -> None:
    (reply,) = await Ears().ask(EAR, said(HOME, matrix("alice"), "duck:"))
    assert plain(reply.text) == "Quack!"


async def test_a_private_answer_is_private_and_has_no_mark() -> None:
    (reply,) = await Ears().ask(
        ear("duck", "libera/bob"), said(Room("libera", "bob"), irc("bob"), "psst", private=True)
    )
    assert reply.private
    assert mark(reply) == ""


async def test_the_desk_answers_in_private_what_it_was_asked_in_a_room_and_without_a_bots_name() -> None:
    (reply,) = await Ears().ask(ear(DESK, "home/@eve:hs"), said(HOME, matrix("eve"), "Little Yellow Duck: request"))
    assert (plain(reply.text), reply.private, mark(reply)) == ("request", True, "")


async def test_a_question_asked_twice_gets_answers_with_the_same_id() -> None:
    question = said(HOME, matrix("alice"), "duck: hi")
    (first,) = await Ears().ask(EAR, question)
    (second,) = await Ears(now=3_000.0).ask(EAR, question)
    (other,) = await Ears().ask(EAR, said(HOME, matrix("alice"), "duck: hello"))
    assert first.id == second.id != other.id


async def test_questions_that_wait_together_are_answered_in_their_order() -> None:
    questions = [said(HOME, matrix("alice"), f"duck: {number}") for number in range(5)]
    assert [plain(reply.text) for reply in await Ears().ask(EAR, *questions)] == ["0", "1", "2", "3", "4"]


async def test_typing_is_shown_while_the_duck_thinks() -> None:
    ears = Ears()
    await ears.ask(EAR, said(HOME, matrix("alice"), "duck: hi"))
    assert ears.typing == [(EAR, "begins"), (EAR, "ends")]


@pytest.mark.parametrize("bot", ["silent", "broken"])
async def test_a_bot_that_says_nothing_or_fails_holds_nothing_up(bot: str) -> None:
    ears = Ears()
    post = ears.post(ear(bot, "pond"), said(HOME, matrix("alice"), f"{bot}: hi"))
    assert await ears.host.send(post) == post.id


async def test_a_question_to_a_bot_that_does_not_exist_is_a_dead_letter() -> None:
    ears = Ears()
    with pytest.raises(PermanentError, match="no bot called 'goose'"):
        await ears.host.send(ears.post(ear("goose", "pond"), said(HOME, matrix("alice"), "goose: hi")))


async def test_a_bot_and_its_brain_are_loaded_by_their_configured_names() -> None:
    duck = load_bot("bots.duck:Duck", "Duck", "echo", 0)
    question = Question("1", words("hi"), matrix("alice"), HOME, 1.0)
    assert await duck.answer(question) == [Reply(words("hi"), "echo")]


@pytest.mark.parametrize(("use", "brain"), [("bots.goose:Goose", "echo"), ("bots.duck:Duck", "../etc"), ("x", "echo")])
def test_a_bot_or_brain_that_does_not_exist_is_an_error(use: str, brain: str) -> None:
    with pytest.raises(ValueError, match="there is no"):
        load_bot(use, "Duck", brain, 0)


async def test_a_bot_that_is_removed_while_it_is_asked_still_answers() -> None:
    ears = Ears()

    @asynccontextmanager
    async def slow(_: Room) -> AsyncGenerator[None, None]:
        ears.host.exchange({})
        yield

    ears.host._typing = slow
    async with aclosing(ears.host.events(None)) as batches:
        sending = asyncio.create_task(ears.host.send(ears.post(EAR, said(HOME, matrix("alice"), "duck: hi"))))
        batch = await anext(batches)
        assert [plain(event.text) for event in batch.events] == ["hi"]
        coming = asyncio.ensure_future(anext(batches))  # asking for the next batch acknowledges this one
        await sending
        coming.cancel()
        await asyncio.wait([coming])


class Unlucky:
    """A brain that cannot be made."""

    def __init__(self) -> None:
        raise KeyError("NO_SUCH_API_KEY")


@pytest.mark.parametrize(
    ("brain", "said"),
    [
        (f"{__name__}:Unlucky", "cannot be started: KeyError: 'NO_SUCH_API_KEY'"),
        ("quackbridge_broken_brain:Brain", "cannot be imported: SyntaxError"),
        ("nowhere", "there is no"),
    ],
)
def test_an_error_while_a_brain_is_made_is_reported_with_its_cause(
    brain: str, said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "quackbridge_broken_brain.py").write_text("class Brain(:")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(ValueError, match=said):
        load_bot("bots.duck:Duck", "Duck", brain, 0.0)


async def test_a_whispered_message_is_answered_and_at_most_sixteen_may_wait() -> None:
    ears = Ears()
    event = said(Room("libera", "eve"), irc("eve"), "login eve x", private=True)
    assert [ears.host.whisper(EAR, event) for _ in range(17)] == [True] * 16 + [False]
    listening = asyncio.create_task(ears.host.listen())
    async with aclosing(ears.host.events(None)) as batches:
        batch = await anext(batches)
    listening.cancel()
    (answer,) = batch.events
    assert plain(answer.text) == "login eve x"
    assert answer.private


def test_a_question_that_is_edited_while_it_waits_is_asked_as_it_is_now_and_too_late_an_edit_asks_nothing() -> None:
    host = Ears().host
    question = said(HOME, matrix("alice"), "duck: hello", "$1")
    edit = Event("$2", HOME, matrix("alice"), 1_000.0, Edit(question.key, words("duck: bye")))
    late = Owed(Delivery.of(edit.key, EAR).id, EAR, edit)
    waits = Owed(Delivery.of(question.key, EAR).id, EAR, question, also=("edited",))
    (post,) = host.render([waits, late])
    assert post.deliveries == (waits.delivery, "edited")
    with pytest.raises(Needless):
        host.render([late])
