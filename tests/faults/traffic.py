"""Numbered messages in both directions at once, by people who speak to the servers and not through the bridge's way."""

import asyncio
import re
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from urllib.parse import quote

import aiohttp

from bridge.demo.people import Heard, IrcError, IrcPerson, Line, MatrixError, MatrixPerson, NotHeard
from tests.faults.checker import Said, Seen

RATE = 8.0  # messages a second in each direction

_ANSWER = 10.0  # seconds for a server to acknowledge, before it is asked again
_AGAIN = 0.2  # seconds before trying again a server that is away
_NUMBER = {word: re.compile(rf"\b{word}(\d{{6}})\b") for word in ("m", "i")}


class Pace:
    """Evenly spaced turns; what was missed while a server was away is not made good by a burst."""

    def __init__(self, rate: float) -> None:
        self._gap = 1 / rate
        self._next = time.monotonic()

    async def turn(self) -> None:
        now = time.monotonic()
        self._next = max(self._next + self._gap, now)
        await asyncio.sleep(self._next - now)


class MatrixSide:
    """Alice, in turns with the `others`: says `m000001`... and sees `i000001`... A message is said again under its
    transaction id, so that the homeserver has it once."""

    def __init__(self, alice: MatrixPerson, room: str, duck: str, others: Sequence[MatrixPerson] = ()) -> None:
        self.said: list[Said] = []
        self._alice = alice
        self._speakers = (alice, *others)
        self._room = room
        self._duck = duck

    async def say(self) -> None:
        """Return when the homeserver has acknowledged the next number, however often it has to be asked."""
        one = Said(len(self.said), time.monotonic())
        self.said.append(one)
        text, speaker = _token("m", one.number), self._speakers[one.number % len(self._speakers)]
        path = f"rooms/{quote(self._room, safe='')}/send/m.room.message/{text}"
        while one.acked is None:
            try:
                async with asyncio.timeout(_ANSWER):
                    await speaker.call("PUT", path, {"msgtype": "m.text", "body": text})
                one.acked = time.monotonic()
            except (aiohttp.ClientError, OSError, ValueError):  # TimeoutError is an OSError
                await asyncio.sleep(_AGAIN)
            except MatrixError as error:
                if error.status < 500:
                    raise
                await asyncio.sleep(_AGAIN)

    def seen(self) -> list[Seen]:
        return list(_numbers("i", (heard for heard in self._alice.messages if self._is_carried(heard))))

    def by_ghosts(self) -> int:
        """How many events were not said by the bridge's own account."""
        return sum(self._is_carried(heard) and heard.sender != self._duck for heard in self._alice.messages)

    def _is_carried(self, heard: Heard) -> bool:
        return heard.sender == self._duck or heard.sender.startswith("@irc_")


class IrcSide:
    """Bob: says `i000001`... and sees `m000001`... He comes back when his server has been away, and says again what it
    had not acknowledged (by an echo, else by the answer to a PING)."""

    def __init__(self, person: Callable[[], IrcPerson], channel: str, duck: str, puppets: Sequence[str] = ()) -> None:
        """`puppets`: how the nicks of members begin who have one of their own."""
        self.said: list[Said] = []
        self.came = 0.0
        """When he was last in the channel anew."""
        self._person = person
        self._channel = channel
        self._nicks = (duck, *puppets)
        self.faces: set[str] = set()
        """Under which of these messages came."""
        self._visits: list[IrcPerson] = []
        self._here: IrcPerson | None = None
        self._coming = asyncio.Lock()

    async def come(self) -> IrcPerson:
        """Return when he is in the channel, which keeps its history as far as the server can."""
        async with self._coming:  # whoever speaks and whoever watches need him once
            return self._here or await self._come()

    async def _come(self) -> IrcPerson:
        while True:
            person = self._person()
            try:
                await person.connect()
            except (IrcError, NotHeard, OSError):
                await asyncio.sleep(_AGAIN)
                continue
            try:
                self._visits.append(person)
                await person.join(self._channel)
                await person.raw(f"MODE {self._channel} +H 2000:1h")
                await person.ping()
            except (IrcError, NotHeard, OSError):
                await person.close()
                continue
            self._here, self.came = person, time.monotonic()
            return person

    async def leave(self) -> None:
        if self._here is not None:
            await self._here.quit()
            self._here = None

    async def say(self) -> None:
        """Return when the server has acknowledged the next number, however often it has to be said."""
        one = Said(len(self.said), time.monotonic(), times=0)
        self.said.append(one)
        text = _token("i", one.number)
        while one.acked is None:
            person = self._here or await self.come()
            start = len(person.lines)
            try:
                one.times += 1
                await person.say(self._channel, text)
                await self._proof(person, text, start)
                one.acked = time.monotonic()
            except (NotHeard, OSError):
                self._here = None
                with suppress(OSError):
                    await person.close()

    async def watch(self) -> None:
        """Come back whenever the server has been away, also while there is nothing to say. For ever."""
        while True:
            person = self._here or await self.come()
            async for _ in person.listen():
                pass
            if self._here is person:
                self._here = None

    async def _proof(self, person: IrcPerson, text: str, start: int) -> None:
        def echo(line: Line) -> bool:
            return line.command == "PRIVMSG" and line.source == person.nick and line.params[-1] == text

        if "echo-message" in person.active:
            await person.line(echo, start, _ANSWER, "echo")
        else:
            await person.ping(_ANSWER)

    def seen(self) -> list[Seen]:
        """What came, each message once: history that is played again at JOIN is known by its id, and what he missed
        by being away himself came all the same."""
        return list(_numbers("m", _once(self._heard())))

    def _heard(self) -> Iterator[Heard]:
        for visit in self._visits:
            for heard in visit.messages:
                if heard.sender.startswith(self._nicks):
                    self.faces.add(next(nick for nick in self._nicks if heard.sender.startswith(nick)))
                    yield heard


class Traffic:
    """Both directions of one room, `rate` messages a second each."""

    def __init__(self, matrix: MatrixSide, irc: IrcSide, rate: float = RATE) -> None:
        self.matrix = matrix
        self.irc = irc
        self._rate = rate

    async def talk(self, count: int) -> None:
        """`count` messages each way. Ends when the servers have acknowledged all."""
        async with asyncio.TaskGroup() as speakers:
            for side in (self.matrix, self.irc):
                speakers.create_task(self._speak(side, count), name=f"{type(side).__name__} speaks")

    async def _speak(self, side: MatrixSide | IrcSide, count: int) -> None:
        pace = Pace(self._rate)
        for _ in range(count):
            await pace.turn()
            await side.say()

    def missing(self) -> int:
        """How many were said and have not arrived."""
        pairs = ((self.matrix.said, self.irc.seen()), (self.irc.said, self.matrix.seen()))
        return sum(len({one.number for one in said} - {one.number for one in seen}) for said, seen in pairs)

    async def heard(self, timeout: float) -> None:
        """Wait until what has been said on IRC until now has arrived, at most `timeout` seconds: a server that is
        killed takes with it what we were away for."""
        until, deadline = {one.number for one in self.irc.said}, time.monotonic() + timeout
        while until - {one.number for one in self.matrix.seen()} and time.monotonic() < deadline:  # noqa: ASYNC110
            await asyncio.sleep(_AGAIN)

    async def arrived(self, timeout: float) -> bool:
        """Wait until all has arrived; whether it has, after at most `timeout` seconds."""
        deadline = time.monotonic() + timeout
        while self.missing() and time.monotonic() < deadline:  # noqa: ASYNC110  (two people hear, by two loops)
            await asyncio.sleep(_AGAIN)
        return not self.missing()


def _token(word: str, number: int) -> str:
    return f"{word}{number:06}"


def _numbers(word: str, messages: Iterable[Heard]) -> Iterator[Seen]:
    """Several lines may have become one message."""
    for heard in messages:
        yield from (Seen(int(number), heard.at) for number in _NUMBER[word].findall(heard.text))


def _once(messages: Iterable[Heard]) -> Iterator[Heard]:
    known: set[str] = set()
    for heard in messages:
        if not heard.id or heard.id not in known:
            yield heard
        known.add(heard.id)
