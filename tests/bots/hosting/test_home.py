import asyncio
from contextlib import aclosing
from dataclasses import replace
from typing import Any

import pytest

from bots.api import Said
from bots.duck import Duck
from bots.hosting.home import A_MINUTE, BotHome
from bots.hosting.host import BotHost, Hosted
from bots.hosting.places import Places
from bots.hosting.unseen import Forgetful
from bots.hosting.working import Working
from bridge.model.event import BOTS, Event, Room
from bridge.model.text import plain
from tests.bots.hosting.test_memory import Kept
from tests.events import HOME, LIBERA, irc, matrix, said

THERE = Room("home", "!private")


def _home(speak: Any, find: Any = None) -> BotHome:
    return BotHome("duck", "Duck", Forgetful(), clock=lambda: 1.0, speak=speak, find=find, http=lambda: None)  # type: ignore[arg-type, return-value]


def _host(places: Places) -> BotHost:
    duck = Hosted(Duck("Duck", None, delay=0), ("duck",))  # type: ignore[arg-type]
    return BotHost({"duck": duck}, clock=lambda: 5.0, typing=lambda _: None, places=places)  # type: ignore[arg-type, return-value]


async def _spoken(host: BotHost, *words: tuple[Room, Said, str]) -> list[Event]:
    async with aclosing(host.events(None)) as batches:
        found: list[Event] = []
        speaking = asyncio.gather(*(host.speak("duck", room, text, once) for room, text, once in words))
        for _ in words:
            found += (await anext(batches)).events
        coming = asyncio.ensure_future(anext(batches))
        await speaking
        coming.cancel()
        await asyncio.wait([coming])
        return found


async def test_a_bot_speaks_unasked_in_its_links_and_with_an_id_that_is_the_same_after_a_crash() -> None:
    host = _host(Places(lambda key, room: (key, room) == ("duck", LIBERA)))
    first = await _spoken(host, (LIBERA, "**time** to go", "remind 1"), (LIBERA, "other", ""))
    again = await _spoken(host, (LIBERA, "time to go", "remind 1"), (LIBERA, "other", ""))
    assert [event.room for event in first] == [Room(BOTS, f"duck@@{LIBERA}")] * 2
    assert [plain(event.text) for event in first] == ["time to go", "other"]
    assert first[0].id == again[0].id
    assert first[1].id != again[1].id
    assert not first[0].private


async def test_a_bot_does_not_speak_where_it_is_not() -> None:
    host = _host(Places(lambda key, room: (key, room) == ("duck", LIBERA)))
    for key, room in (("duck", HOME), ("goose", LIBERA), ("duck", THERE)):
        with pytest.raises(PermissionError):
            await host.speak(key, room, "hi")


async def test_who_has_asked_is_told_in_private_where_they_spoke_last_also_after_a_restart() -> None:
    kept = Kept()
    places = Places(memory=kept)  # type: ignore[arg-type]
    await places.met(said(HOME, replace(matrix("alice"), user="alice"), "duck: hi"))
    await places.met(said(LIBERA, replace(irc("alice"), user="alice"), "duck: hi"))
    await places.met(said(LIBERA, irc("eve"), "duck: hi"))
    for each in (places, Places(memory=kept)):  # type: ignore[arg-type]
        assert await each.of("alice") == Room("libera", "alice")
        assert await each.of("eve") is None
        assert each.ear("duck", Room("libera", "alice")) == Room(BOTS, "duck@libera/alice")
    assert len(kept.values) == 1


async def test_who_takes_a_nick_is_not_told_what_is_for_the_user_who_had_it() -> None:
    kept = Kept()
    places = Places(memory=kept)  # type: ignore[arg-type]
    await places.met(said(LIBERA, replace(irc("alice"), user="alice"), "duck: hi"))
    await places.met(said(LIBERA, replace(irc("bob"), user="bob"), "duck: hi"))
    await places.met(said(LIBERA, irc("Alice"), "duck: I am alice now"))
    for each in (places, Places(memory=kept)):  # type: ignore[arg-type]
        assert await each.of("alice") is None
        assert await each.of("bob") == Room("libera", "bob")
    await places.met(said(LIBERA, replace(irc("alice_"), user="alice"), "duck: hi"))
    assert await places.of("alice") == Room("libera", "alice_")


async def test_what_is_said_in_private_is_private() -> None:
    places = Places()
    await places.met(said(THERE, matrix("alice"), "hi", private=True))
    (event,) = await _spoken(_host(places), (THERE, "psst", ""))
    assert (event.private, event.room) == (True, Room(BOTS, f"duck@{THERE}"))


async def test_a_guest_is_told_in_private_also_after_a_restart_and_there_is_an_end_to_guests() -> None:
    kept = Kept()
    await Places(memory=kept).met(said(THERE, matrix("eve"), "remind me", private=True))  # type: ignore[arg-type]
    again = Places(memory=kept)  # type: ignore[arg-type]
    (event,) = await _spoken(_host(again), (THERE, "eve: Reminder", ""))
    assert (event.private, event.room) == (True, Room(BOTS, f"duck@{THERE}"))
    for number in range(1_000):
        await again.met(said(Room("home", f"!{number}"), matrix("eve"), "hi", private=True))
    assert len(kept.values) == 1_000
    assert again.ear("duck", THERE) is None
    assert await again.of("guest in private home/!private") is None


async def test_a_person_who_was_never_met_cannot_be_told_anything() -> None:
    async def nowhere(_user: str) -> None:
        return None

    with pytest.raises(LookupError, match="carol"):
        await _home(None, nowhere).tell("carol", "hi")


async def test_a_bot_that_talks_too_much_has_to_wait() -> None:
    said: list[float] = []

    async def speak(*_: object) -> None:
        said.append(asyncio.get_running_loop().time())

    home = _home(speak)
    await asyncio.gather(*(home.say(HOME, "quack") for _ in range(2 * A_MINUTE)))
    assert said[A_MINUTE - 1] - said[0] == 0
    assert said[-1] - said[0] == pytest.approx(60, abs=1)


async def test_what_bots_do_by_themselves_ends_with_them_and_is_begun_again_when_it_fails() -> None:
    log: list[str] = []

    class Bot:
        def __init__(self, name: str) -> None:
            self.name = name

        async def run(self) -> None:
            log.append(f"{self.name} begins")
            try:
                if log.count(f"{self.name} begins") < 3:
                    raise RuntimeError("out of seeds")
                await asyncio.Event().wait()
            finally:
                log.append(f"{self.name} ends")

    one, working = Bot("one"), Working()
    working.use([one, object()])
    running = asyncio.create_task(working.run())
    await asyncio.sleep(60)
    assert log == ["one begins", "one ends"] * 2 + ["one begins"]
    working.use([Bot("two")])
    await asyncio.sleep(60)
    assert log[5:7] in (["one ends", "two begins"], ["two begins", "one ends"])
    running.cancel()
    await asyncio.wait([running])
    assert log[-1] == "two ends"
