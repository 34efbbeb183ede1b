"""The contract of every network (bridge.network.Network), checked in memory and on real servers."""

import asyncio
import random
import time
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, aclosing, asynccontextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any

import pytest

from bridge.demo.people import IrcPerson, MatrixPerson
from bridge.demo.servers import InspIRCd, Synapse
from bridge.demo.servers.process import HOST
from bridge.irc.client import IrcNetwork
from bridge.irc.dialect.formatting import stripped
from bridge.matrix.client import MatrixNetwork
from bridge.model.event import Event, Room
from bridge.model.outbox import Delivery, Owed, Post
from bridge.model.people import Sender
from bridge.model.text import plain
from bridge.network import Batch, Network, PermanentError
from tests.events import said
from tests.fakes.memory import Notebook
from tests.fakes.network import MemoryNetwork
from tests.integration.servers import NgIrcd, unique
from tests.settings import irc_settings, matrix_settings

pytestmark = pytest.mark.real_time

US = "quack-quack"


@dataclass(frozen=True)
class Shore:
    """A network, a room of it, and somebody else there, who says and who waits until something is heard. They are in
    `other` too, which is not configured."""

    network: Network
    room: Room
    other: Room
    says: Callable[[str], Awaitable[None]]
    says_in_other: Callable[[str], Awaitable[None]]
    hears: Callable[[str], Awaitable[None]]
    heard: Callable[[], list[str]]

    def owed(self, *events: Event) -> list[Owed]:
        return [Owed(Delivery.of(event.key, self.room).id, self.room, event) for event in events]


@asynccontextmanager
async def _memory(_server: object) -> AsyncIterator[Shore]:
    network, numbers = MemoryNetwork("memory"), iter(range(1000))
    room, other = Room("memory", "pond"), Room("memory", "lake")

    async def says_in(where: Room, text: str) -> None:
        await network.hear(said(where, Sender("memory", "alice", "alice"), text, f"${next(numbers)}"))

    async def hears(text: str) -> None:
        while not any(text in payload for _, payload in network.sent):
            await network.delivered(len(network.sent) + 1)

    network.use([room])
    says, says_in_other = partial(says_in, room), partial(says_in, other)
    yield Shore(network, room, other, says, says_in_other, hears, lambda: [text for _, text in network.sent])


@asynccontextmanager
async def _irc(port: int) -> AsyncIterator[Shore]:
    nick, channel, other = unique("duck"), f"#{unique('Pond')}", f"#{unique('Lake')}"
    settings = irc_settings(name="irc", host=HOST, port=port, tls=False, nick=nick, burst=1000, per_second=1000)
    room = Room("irc", channel)
    network = IrcNetwork(settings, [room], clock=time.time, rng=random.Random(1))
    async with IrcPerson(HOST, port, unique("alice")) as alice:
        await alice.join(channel.lower())  # a channel is the same in any letter case
        await alice.join(other)

        async def says_in(where: str, text: str) -> None:
            await alice.say(where, text)
            await alice.ping()  # the server has it, before it hears anything else from us

        async def hears(text: str) -> None:
            await alice.heard(text)

        yield Shore(
            network,
            room,
            Room("irc", other.lower()),
            partial(says_in, channel),
            partial(says_in, other),
            hears,
            lambda: [stripped(m.text) for m in alice.messages if m.sender == nick],
        )


@asynccontextmanager
async def _inspircd(server: InspIRCd) -> AsyncIterator[Shore]:
    async with _irc(server.port) as shore:
        yield shore


@asynccontextmanager
async def _ngircd(server: NgIrcd) -> AsyncIterator[Shore]:
    async with _irc(server.port) as shore:
        yield shore


@asynccontextmanager
async def _matrix(server: Synapse) -> AsyncIterator[Shore]:
    duck, alias, other = unique("duck"), unique("pond"), unique("lake")
    user = await server.register(duck, US)
    settings = matrix_settings(name="home", homeserver=server.url, user=user, password=US, access_token=None)
    room = Room("home", f"#{alias}:{server.server_name}")
    network = MatrixNetwork(settings, [room], Notebook(), clock=time.time, rng=random.Random(1))
    async with MatrixPerson(server.url, unique("alice")) as alice:
        place, other_place = await alice.create_room(alias), await alice.create_room(other)

        async def says(text: str) -> None:
            await alice.send(place, text)

        async def says_in_other(text: str) -> None:
            await alice.send(other_place, text)

        async def hears(text: str) -> None:
            await alice.heard(text)

        yield Shore(
            network,
            room,
            Room("home", f"#{other}:{server.server_name}"),
            says,
            says_in_other,
            hears,
            lambda: [m.text for m in alice.messages if m.sender == user],
        )


SHORES: dict[str, Callable[[Any], AbstractAsyncContextManager[Shore]]] = {
    "memory": _memory,
    "inspircd": _inspircd,
    "ngircd": _ngircd,
    "synapse": _matrix,
}


@pytest.fixture(
    params=["memory", *(pytest.param(name, marks=pytest.mark.servers) for name in SHORES if name != "memory")]
)
def place(request: pytest.FixtureRequest) -> tuple[str, object]:
    """The name of a shore, and its server. Only a synchronous fixture may call `getfixturevalue`."""
    name = str(request.param)
    return name, None if name == "memory" else request.getfixturevalue(name)


@pytest.fixture
async def shore(place: tuple[str, object]) -> AsyncGenerator[Shore, None]:
    name, server = place
    async with SHORES[name](server) as shore:
        yield shore


class Hearing:
    """Runs the events of a network, acknowledging as it goes, and keeps them."""

    def __init__(self, network: Network, cursor: str | None = None) -> None:
        self.events: list[Event] = []
        self.cursor = cursor
        self._network = network
        self._news = asyncio.Condition()

    async def run(self) -> None:
        async with aclosing(self._network.events(self.cursor)) as batches:
            async for batch in batches:
                await self._take(batch)

    async def _take(self, batch: Batch) -> None:
        async with self._news:
            self.events.extend(batch.events)
            self.cursor = batch.cursor
            self._news.notify_all()

    async def until(self, text: str) -> list[str]:
        """The texts heard so far, once `text` is among them."""
        async with asyncio.timeout(20), self._news:
            await self._news.wait_for(lambda: text in self.texts())
        return self.texts()

    def texts(self) -> list[str]:
        return [plain(event.text) for event in self.events]


@asynccontextmanager
async def _hearing(shore: Shore, cursor: str | None = None) -> AsyncGenerator[Hearing, None]:
    hearing = Hearing(shore.network, cursor)
    task = asyncio.create_task(hearing.run())
    ready = asyncio.create_task(shore.network.ready())
    async with asyncio.timeout(30):
        await asyncio.wait({task, ready}, return_when=asyncio.FIRST_COMPLETED)
    try:
        assert not task.done(), task.exception()
        yield hearing
    finally:
        task.cancel()
        ready.cancel()
        await asyncio.wait({task, ready})


async def _send(shore: Shore, *events: Event) -> list[str]:
    ids = []
    owed = shore.owed(*events)
    while owed:
        posts = shore.network.render(owed)
        ids += [await shore.network.send(post) for post in posts]
        covered = {delivery for post in posts for delivery in post.deliveries}
        owed = [item for item in owed if item.delivery not in covered]
    return ids


async def _use(shore: Shore, *rooms: Room) -> None:
    """Configure these rooms, and return when they are joined."""
    shore.network.use(rooms)
    async with asyncio.timeout(30):
        await shore.network.ready()


def _elsewhere(text: str, number: int = 0) -> Event:
    """Something said on another network."""
    return said(Room("far", "#pond"), Sender("far", "carol", "carol"), text, f"${number}{text[:50]}")


async def test_messages_are_heard_in_order_and_in_the_configured_room(shore: Shore) -> None:
    async with _hearing(shore) as hearing:
        for number in range(20):
            await shore.says(f"line {number}")
        assert await hearing.until("line 19") == [f"line {number}" for number in range(20)]
        assert {event.room for event in hearing.events} == {shore.room}
        assert len({event.id for event in hearing.events}) == 20
        assert len({event.sender for event in hearing.events}) == 1


async def test_what_we_send_reaches_others_with_the_senders_mark_and_is_not_heard_by_us(shore: Shore) -> None:
    async with _hearing(shore) as hearing:
        assert await _send(shore, _elsewhere("hello\n<admin> hello"))
        await shore.hears("hello")
        await shore.says("barrier")
        assert await hearing.until("barrier") == ["barrier"]
    lines = [line for text in shore.heard() for line in text.split("\n")]
    assert lines == ["<carol> hello", "<carol> <admin> hello"]


async def test_sending_a_post_twice_shows_it_once_except_on_irc(shore: Shore) -> None:
    async with _hearing(shore):
        (post,) = shore.network.render(shore.owed(_elsewhere("once")))
        first = await shore.network.send(post)
        second = await shore.network.send(post)
        await _send(shore, _elsewhere("barrier"))
        await shore.hears("barrier")
        if shore.network.name != "irc":  # nothing on IRC recognises a line that it has seen
            assert first == second
            assert len([text for text in shore.heard() if "once" in text]) == 1


async def test_rendering_the_same_deliveries_gives_the_same_posts_in_order(shore: Shore) -> None:
    async with _hearing(shore):
        owed = shore.owed(*(_elsewhere("quack " * 400, number) for number in range(5)))
        posts = shore.network.render(owed)
        assert posts == shore.network.render(owed)
        assert len({post.id for post in posts}) == len(posts)
        assert {post.room for post in posts} == {shore.room}
        assert owed[0].delivery in posts[0].deliveries
        order = [delivery for post in posts for delivery in post.deliveries]
        assert order == sorted(order, key=[item.delivery for item in owed].index)


async def test_resuming_at_a_cursor_hears_later_messages_and_none_again(shore: Shore) -> None:
    async with _hearing(shore) as hearing:
        await shore.says("before")
        await hearing.until("before")
    async with _hearing(shore, hearing.cursor) as again:
        await shore.says("after")
        assert await again.until("after") == ["after"]


async def test_hostile_text_arrives_as_harmless_text(shore: Shore) -> None:
    hostile = "a\x00b\x01c\x02d\u202e\x7f <b>x</b> \r\nQUIT :gone\r\n@room " + "é👩‍👩‍👧" * 300
    async with _hearing(shore):
        await _send(shore, _elsewhere(hostile), _elsewhere("the end"))
        await shore.hears("the end")
    lines = [line for text in shore.heard() for line in text.split("\n")]
    assert all(line.startswith("<carol> ") for line in lines)
    assert "".join(lines).count("👩‍👩‍👧") == 300
    assert not any(set(line) & set("\x00\x01\r\u202e\x7f") for line in lines)


async def test_many_posts_can_be_sent_concurrently(shore: Shore) -> None:
    async with _hearing(shore):
        posts: list[Post] = []
        for number in range(20):
            posts += shore.network.render(shore.owed(_elsewhere(f"line {number}", number)))
        ids = await asyncio.gather(*(shore.network.send(post) for post in posts))
        assert len(set(ids)) == len(posts)
        await shore.hears("line 19")


async def test_a_room_that_is_removed_is_not_heard_until_it_is_added_again(shore: Shore) -> None:
    async with _hearing(shore) as hearing:
        await shore.says("before")
        await hearing.until("before")
        shore.network.use([])
        await shore.says("meanwhile")
        async with asyncio.timeout(10):
            await shore.network.ready()
        shore.network.use([shore.room])
        async with asyncio.timeout(30):
            await shore.network.ready()
        await shore.says("after")
        assert await hearing.until("after") == ["before", "after"]
        assert await _send(shore, _elsewhere("hello again"))
        await shore.hears("hello again")


async def test_a_room_that_stays_is_heard_without_a_gap_while_another_is_added_and_removed(shore: Shore) -> None:
    async with _hearing(shore) as hearing:
        other = Room(shore.room.network, f"{shore.room.id[0]}{unique('nowhere')}")
        for number in range(4):
            shore.network.use([shore.room, other] if number % 2 else [shore.room])
            await shore.says(f"line {number}")
        assert await hearing.until("line 3") == [f"line {number}" for number in range(4)]


async def test_a_room_is_heard_only_while_it_is_configured_and_another_room_all_the_time(shore: Shore) -> None:
    async with _hearing(shore) as hearing:
        await shore.says_in_other("not yet")
        await shore.says("one")
        await hearing.until("one")
        await _use(shore, shore.room, shore.other)
        await shore.says_in_other("two")
        await hearing.until("two")
        await _use(shore, shore.room)
        await shore.says_in_other("not any more")
        await shore.says("three")
        assert await hearing.until("three") == ["one", "two", "three"]
        assert [event.room for event in hearing.events] == [shore.room, shore.other, shore.room]


async def test_a_post_to_a_room_that_was_removed_is_a_permanent_error(shore: Shore) -> None:
    async with _hearing(shore) as hearing:
        await shore.says("before")
        await hearing.until("before")
        await _use(shore, shore.other)
        with pytest.raises(PermanentError):
            await _send(shore, _elsewhere("too late"))
        await _use(shore, shore.room)
        await _send(shore, _elsewhere("in time"))
        await shore.hears("in time")
    assert [text for text in shore.heard() if "too late" in text] == []
