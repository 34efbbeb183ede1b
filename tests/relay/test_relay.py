"""The promises of the bridge, each as a story, on a relay between networks in memory."""

import asyncio
import random
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import pytest
from structlog.testing import capture_logs

from bridge.model.answering import Answers
from bridge.model.event import Event, Kind, Room
from bridge.model.outbox import Delivery
from bridge.model.people import Identity, Proof
from bridge.network import PermanentError, TransientError
from bridge.relay.intake import Relay
from bridge.relay.limits import Terms
from bridge.relay.notices import Notices
from bridge.relay.previews import Previews
from bridge.relay.shared import Shared
from bridge.relay.watch import Lookout
from bridge.rules.gate import Gate
from bridge.rules.joining import Door
from bridge.rules.link import Guests, Link, LinkedBot, Rules
from bridge.store import Commit, Committed, Full, Lease, Waits
from bridge.users import User
from bridge.users.sessions import Sessions
from tests.events import HOME, LIBERA, OFTC, asks_for_help, irc, matrix, said
from tests.fakes.network import MemoryNetwork
from tests.fakes.store import MemoryStore
from tests.fakes.users import MemoryUsers

DUCK = LinkedBot("duck", ("duck",), Answers.MENTIONED)
ALICE = User("alice", identities=(Identity(Proof.MATRIX, "", "@alice:hs"),))
BOB = User("bob", identities=(Identity(Proof.IRC, "libera", "bob"),))


@dataclass
class World:
    """Three networks, one link, a store that outlives the relay, and a clock that stands still."""

    link: Link = field(
        default_factory=lambda: Link("pond", (HOME, LIBERA, OFTC), welcome_guest="You are not logged in.")
    )
    now: float = 1_000.0
    more: Sequence[Link] = ()
    """More links than that one."""
    doors: Mapping[str, Door] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.home, self.libera, self.oftc = MemoryNetwork("home"), MemoryNetwork("libera"), MemoryNetwork("oftc")
        self.networks = {network.name: network for network in (self.home, self.libera, self.oftc)}
        self.store = MemoryStore(clock=lambda: self.now)
        self.users = MemoryUsers()
        self.users.add(ALICE)
        self.users.add(BOB)
        self.sessions = Sessions(self.users, lambda: self.now, 3_600.0)
        self.whispered: list[Event] = []
        self.leases: dict[str, Lease] = {}
        self.terms = Terms()
        self.previews = Previews()

    def whisper(self, event: Event) -> bool:
        self.whispered.append(event)
        return len(self.whispered) < 3

    @asynccontextmanager
    async def running(self) -> AsyncGenerator[asyncio.Event, None]:
        """Run the relay, and end it as the daemon does: posts in flight arrive, then nothing more is heard."""
        links = [self.link, *self.more]
        gate = self.gate = Gate(
            self.users, self.sessions, links, clock=lambda: self.now, commands=asks_for_help, doors=self.doors
        )
        notices = Notices(lambda: self.now)
        shared = self.shared = Shared(
            lambda: self.now, random.Random(1), notices, terms=self.terms, previews=self.previews
        )
        relay = Relay(gate, shared, self.whisper)
        self.lookout = Lookout(gate, shared)
        stopping = asyncio.Event()
        async with asyncio.TaskGroup() as group:
            accepting = []
            for name, network in self.networks.items():
                lease = self.leases[name] = await self.store.acquire(name, "test")
                await self.lookout.resume(lease)
                accepting.append(group.create_task(relay.accept(network, lease)))
                group.create_task(relay.deliver(network, lease, stopping))
            yield stopping
            stopping.set()
            for task in accepting:
                task.cancel()


@pytest.fixture
def world() -> World:
    return World()


async def test_a_members_message_is_carried_to_every_other_room_of_the_link_with_their_name(world: World) -> None:
    async with world.running():
        await world.home.hear(said(HOME, matrix("alice"), "hi\n<bob> I am bob"))
        assert await world.libera.delivered(2) == ["<alice> hi", "<alice> <bob> I am bob"]
        assert await world.oftc.delivered(2) == ["<alice> hi", "<alice> <bob> I am bob"]
        await world.home.settled()
    assert world.home.sent == []


async def test_an_action_is_carried_with_a_star_before_the_name(world: World) -> None:
    async with world.running():
        await world.libera.hear(said(LIBERA, irc("bob", "bob"), "waves", kind=Kind.ACTION))
        assert await world.home.delivered(1) == ["* bob waves"]


async def test_a_members_nick_without_its_account_is_not_carried(world: World) -> None:
    async with world.running():
        await world.libera.hear(said(LIBERA, irc("bob"), "let me in"), said(LIBERA, irc("bob", "bob"), "it is me"))
        assert await world.home.delivered(1) == ["<bob> it is me"]


async def test_a_guest_gets_a_private_hint_once_a_day(world: World) -> None:
    async with world.running():
        await world.libera.hear(*(said(LIBERA, irc("mallory"), f"hi {number}") for number in range(3)))
        assert await world.libera.delivered(1) == ["You are not logged in."]
        assert world.libera.sent[0][0] == Room("libera", "mallory")
        await world.libera.settled()
    async with world.running():
        await world.libera.hear(said(LIBERA, irc("mallory"), "again"))
        await world.libera.settled()
    assert len(world.libera.sent) == 1
    world.now += 86_400
    async with world.running():
        await world.libera.hear(said(LIBERA, irc("mallory"), "next day"))
        await world.libera.delivered(2)


async def test_the_default_hint_says_what_to_do_next_on_that_network_and_the_operators_own_hint_does_not() -> None:
    for shows_the_way, ends in ((True, " log in to services first (`/msg NickServ identify`), then say"), (False, "")):
        world = World(Link("pond", (HOME, LIBERA), welcome_guest="Go.", shows_the_way=shows_the_way))
        async with world.running():
            await world.libera.hear(said(LIBERA, irc("mallory"), "hi"))
            await world.home.hear(said(HOME, matrix("mallory"), "hi"))
            (there,) = await world.libera.delivered(1)
            (here,) = await world.home.delivered(1)
        assert ends in there
        assert here == ("Go. To become a member, say `request` to me." if shows_the_way else "Go.")
        assert there.startswith("Go. To become a member," if shows_the_way else "Go.")
        assert (there == "Go.") is not shows_the_way


async def test_a_hint_to_a_guest_names_the_room_that_they_spoke_in() -> None:
    world = World(Link("pond", (HOME, LIBERA), welcome_guest="Your messages stay in {room}."))
    async with world.running():
        await world.libera.hear(said(LIBERA, irc("mallory"), "hi"))
        assert await world.libera.delivered(1) == [f"Your messages stay in {LIBERA.id}."]


async def test_a_crowd_of_guests_gets_thirty_private_hints_at_most(world: World) -> None:
    async with world.running():
        await world.libera.hear(*(said(LIBERA, irc(f"m{number}"), f"hi {number}") for number in range(100)))
        await world.libera.settled()
        await world.libera.delivered(30)
    assert len(await world.store.outbox()) == 0
    assert len(world.libera.sent) == 30


async def test_a_relayed_guest_is_shown_as_a_guest() -> None:
    world = World(Link("pond", (HOME, LIBERA), rules=Rules(Guests.RELAY)))
    async with world.running():
        await world.libera.hear(said(LIBERA, irc("alice"), "I am alice"))
        assert await world.home.delivered(1) == ["<alice (guest)> I am alice"]


async def test_the_log_of_a_first_refusal_says_how_to_let_them_in(world: World) -> None:
    with capture_logs() as logs:
        async with world.running():
            stranger = irc("eve", "eve; rm -rf /")
            await world.libera.hear(said(LIBERA, stranger, "one"), said(LIBERA, stranger, "two"))
            await world.libera.settled()
    first, second = (line for line in logs if line["event"] == "refused")
    assert first["hint"] == "quackbridge add-user NAME --irc 'libera/eve; rm -rf /'"
    assert "hint" not in second
    assert second["reason"] == "not a member"


async def test_order_is_kept_and_a_failing_room_holds_up_no_other(world: World) -> None:
    world.libera.failures[LIBERA] = [TransientError("offline", retry_after=50)]
    async with world.running():
        await world.home.hear(*(said(HOME, matrix("alice"), str(number)) for number in range(30)))
        expected = [f"<alice> {number}" for number in range(30)]
        assert await world.oftc.delivered(30) == expected
        assert world.libera.sent == []
        world.now += 51
        assert await world.libera.delivered(30) == expected


async def test_a_message_that_can_never_be_sent_is_dead_and_the_room_goes_on(world: World) -> None:
    world.libera.failures[LIBERA] = [PermanentError("too large")]
    async with world.running():
        await world.home.hear(said(HOME, matrix("alice"), "one"))
        await world.oftc.delivered(1)
        await world.home.hear(said(HOME, matrix("alice"), "two"))
        assert await world.libera.delivered(1) == ["<alice> two"]
    (entry,) = await world.store.outbox()
    assert entry.reason == "too large"
    assert await world.store.retry(entry.delivery)
    async with world.running():
        assert await world.libera.delivered(2) == ["<alice> two", "<alice> one"]


async def test_a_message_from_while_the_relay_was_stopped_arrives_once(world: World) -> None:
    async with world.running():
        await world.home.hear(said(HOME, matrix("alice"), "before"))
        await world.libera.delivered(1)
        await world.oftc.delivered(1)
    await world.home.hear(said(HOME, matrix("alice"), "meanwhile"))
    async with world.running():
        assert await world.libera.delivered(2) == ["<alice> before", "<alice> meanwhile"]
        await world.oftc.delivered(2)
    assert len(world.libera.sent) == len(world.oftc.sent) == 2


async def test_messages_that_a_restored_store_has_forgotten_are_heard_again_after_a_restart(world: World) -> None:
    async with world.running():
        await world.home.hear(said(HOME, matrix("alice"), "kept"))
        await world.libera.delivered(1)
    lease = await world.store.acquire("home", "backup")
    assert lease is not None
    stored = await lease.cursor()
    await lease.commit(Commit(stored, "0"))  # the backup is older than what the network has acknowledged
    async with world.running():
        await world.home.hear(said(HOME, matrix("alice"), "new"))
        assert await world.libera.delivered(2) == ["<alice> kept", "<alice> new"]


async def test_a_store_that_is_rewound_while_the_relay_runs_is_noticed_with_the_next_message(world: World) -> None:
    async with world.running():
        await world.home.hear(said(HOME, matrix("alice"), "kept"))
        await world.libera.delivered(1)
        await world.oftc.delivered(1)
        await world.home.settled()
        world.store.forget()
        await world.home.hear(said(HOME, matrix("alice"), "new"))
        assert await world.libera.delivered(2) == ["<alice> kept", "<alice> new"]
        await world.oftc.delivered(2)
        await world.home.settled()
    assert world.store.count("deliveries") == 4


async def test_stopping_finishes_the_post_in_flight_and_keeps_the_rest_for_the_next_start(world: World) -> None:
    world.libera.slots = asyncio.Semaphore(3)
    async with world.running() as stopping:
        await world.home.hear(said(HOME, matrix("alice"), "\n".join(map(str, range(500)))))
        await world.libera.delivered(3)
        await world.oftc.delivered(500)
        stopping.set()
        world.libera.slots.release()
    assert len(world.libera.sent) == 4
    world.libera.slots = asyncio.Semaphore(500)
    async with world.running():
        assert await world.libera.delivered(500) == [f"<alice> {number}" for number in range(500)]


async def test_a_room_goes_on_delivering_while_the_store_is_full(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """A delivery queued earlier is sent while a commit for the same room waits for space."""
    commit, room = Lease.commit, asyncio.Event()
    room.set()

    async def where_there_is_room(self: Lease, value: Commit) -> Committed:
        if not room.is_set():
            raise Full("no room")
        return await commit(self, value)

    monkeypatch.setattr(Lease, "commit", where_there_is_room)
    world.libera.failures[LIBERA] = [TransientError("not now", 30.0)]
    async with world.running():
        await world.home.hear(said(HOME, matrix("alice"), "before"))
        await world.oftc.delivered(1)
        room.clear()
        await world.home.hear(said(HOME, matrix("alice"), "after"))
        await asyncio.sleep(5)
        world.now += 31
        assert await world.libera.delivered(1) == ["<alice> before"]
        room.set()
        assert await world.libera.delivered(2) == ["<alice> before", "<alice> after"]


async def test_stopping_in_a_backlog_finishes_the_posts_in_flight_so_that_none_is_in_doubt(world: World) -> None:
    world.libera.window = 4
    world.libera.slots = asyncio.Semaphore(0)
    async with world.running() as stopping:
        await world.home.hear(*(said(HOME, matrix("alice"), f"{number}") for number in range(30)))
        await world.oftc.delivered(30)
        stopping.set()
        for _ in range(4):
            world.libera.slots.release()
    assert len(world.libera.sent) == 4
    world.libera.slots = asyncio.Semaphore(100)
    async with world.running():
        assert await world.libera.delivered(30) == [f"<alice> {number}" for number in range(30)]
    assert world.libera.again == []


async def test_a_message_that_is_being_stored_when_we_stop_is_still_sent(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Otherwise the next start would not know whether it was sent."""
    commit, begun, go_on = Lease.commit, asyncio.Event(), asyncio.Event()

    async def slowly(self: Lease, value: Commit) -> Committed:
        begun.set()
        await go_on.wait()
        return await commit(self, value)

    monkeypatch.setattr(Lease, "commit", slowly)
    async with world.running() as stopping:
        await world.home.hear(said(HOME, matrix("alice"), "hi"))
        await begun.wait()
        stopping.set()
        await asyncio.sleep(0)
        go_on.set()
        assert await world.libera.delivered(1) == ["<alice> hi"]
    assert world.libera.again == []


async def test_a_member_gets_the_welcome_of_the_link_once_and_in_private() -> None:
    world = World(Link("pond", (HOME, LIBERA), welcome_member="Welcome to the pond."))
    async with world.running():
        await world.home.hear(said(HOME, matrix("alice"), "hi"), said(HOME, matrix("alice"), "hi again"))
        assert await world.home.delivered(1) == ["Welcome to the pond."]
        assert world.home.sent[0][0] == Room("home", "@alice:hs")
        await world.libera.delivered(2)
    assert len(world.home.sent) == 1


async def test_a_member_who_shows_a_password_is_warned_though_many_guests_got_hints(world: World) -> None:
    async with world.running():
        await world.libera.hear(*(said(LIBERA, irc(f"m{number}"), f"hi {number}") for number in range(40)))
        await world.libera.hear(said(LIBERA, irc("bob", "bob"), "login bob quack"))
        await world.libera.settled()
        await world.libera.delivered(31)
    assert "looked like a password" in world.libera.sent[-1][1]
    assert world.home.sent == []
    assert not any("quack" in text for _, text in world.libera.sent)


async def test_a_private_login_is_not_stored_and_is_refused_with_a_notice_when_there_are_too_many(world: World) -> None:
    alone = Room("libera", "eve")
    async with world.running():
        lines = (said(alone, irc("eve"), "login alice hunter", f"${number}", private=True) for number in range(4))
        await world.libera.hear(*lines)
        await world.libera.settled()
        assert "Too many people are logging in" in (await world.libera.delivered(1))[0]
    assert len(world.whispered) == 4
    assert "hunter" not in "".join(world.store.sql.iterdump())


async def test_a_room_with_more_than_a_thousand_failed_attempts_is_tried_again(world: World) -> None:
    """Doubling the pause that many times would overflow a float."""
    event = said(HOME, matrix("alice"), "hi")
    home, libera = await world.store.acquire("home", "before"), await world.store.acquire("libera", "before")
    await home.commit(Commit(None, "0", [event], [Delivery.of(event.key, LIBERA)]))
    for _ in range(1_100):
        await libera.settle(Waits(LIBERA, world.now, "you may not speak"))
    world.libera.failures[LIBERA] = [TransientError("not reached")]
    async with world.running():
        for _ in range(10):
            await asyncio.sleep(1)
            world.now += 100
        assert await world.libera.delivered(1) == ["<alice> hi"]


async def test_a_network_that_asks_for_a_pause_of_a_year_is_tried_again_after_an_hour(world: World) -> None:
    world.libera.failures[LIBERA] = [TransientError("come back next year", retry_after=3e7) for _ in range(2)]
    async with world.running():
        await world.home.hear(said(HOME, matrix("alice"), "hi"))
        await asyncio.sleep(10)
        assert len(world.libera.failures[LIBERA]) == 1
        for _ in range(2):
            assert world.libera.sent == []
            world.now += 3_601
            await asyncio.sleep(10)
        assert await world.libera.delivered(1) == ["<alice> hi"]


async def test_rooms_that_are_away_hold_up_no_other_room(world: World) -> None:
    away = [Room("libera", f"#away{number}") for number in range(40)]
    world.link = Link("pond", (HOME, *away, LIBERA))
    async with world.running():
        world.libera.away = dict.fromkeys(away, "banned")
        await world.lookout.look(world.networks, world.leases)
        await world.home.hear(*(said(HOME, matrix("alice"), f"line {number}") for number in range(3)))
        assert await world.libera.delivered(3) == [f"<alice> line {number}" for number in range(3)]
