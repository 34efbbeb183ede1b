"""What people link to is fetched, and goes with their words; these wait for it for a moment, and never longer."""

import asyncio
from collections.abc import Callable, Collection, Sequence
from dataclasses import replace

import pytest
from structlog.testing import capture_logs

from bridge.model.accounting import Traffic, TrafficKind
from bridge.model.event import Edit, Event, EventKey, Origin, Redaction, Room
from bridge.model.outbox import Attached, Delivery, Owed, Post
from bridge.model.people import Sender
from bridge.model.presentation import DEFAULT, Presentation
from bridge.model.text import words
from bridge.network import Fetched, NoSuchFile, NotFetched, NotStored, TransientError
from bridge.relay.previews import PATIENCE_S, Previews
from bridge.rules.link import Guests, Link, Rules
from bridge.store import Commit
from tests.events import HOME, LIBERA, OFTC, irc, said
from tests.fakes.network import MemoryNetwork
from tests.relay.test_relay import World
from tests.relay.test_suspects import _passing

BOB = irc("bob", "bob")
CAT = "https://pics.example/cat.png"


class Sink(MemoryNetwork):
    """A network where messages can have files, shown as `[NAME]` behind the words."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.stored: list[str] = []
        self.store_takes_s = 0.0
        self.refuses = False

    async def attach(self, file: Fetched, rooms: Collection[Room] = ()) -> Attached:
        await asyncio.sleep(self.store_takes_s)
        if self.refuses:
            raise NotStored("full")
        self.stored.append(file.name)
        return Attached(file.kind, file.name, len(file.data), file.mime, f"mxc://hs/{file.name}")

    def render(self, owed: Sequence[Owed], how: Presentation = DEFAULT) -> Sequence[Post]:
        posts = super().render(owed, how)
        names = {item.delivery: f" [{item.attached.name}]" for item in owed if item.attached is not None}
        return [replace(post, payload=post.payload + names.get(post.deliveries[0], "")) for post in posts]


class Web:
    """`answers` by addresses: an error, or how many bytes the file has (5 if it is in there not); it takes `takes_s`
    seconds each."""

    def __init__(self, takes_s: float = 2.0) -> None:
        self.takes_s: dict[str, float] = {}
        self.usual_s = takes_s
        self.answers: dict[str, int | Exception] = {}
        self.reads: dict[str, int] = {}
        self.asked: list[str] = []
        self.ended = 0
        self.limit = 0
        self.most = 0

    async def __call__(self, address: str, limit: int, spend: Callable[[int], bool]) -> Fetched:
        self.asked.append(address)
        self.limit = limit
        self.most = max(self.most, len(self.asked) - self.ended)
        try:
            await asyncio.sleep(self.takes_s.get(address, self.usual_s))
        finally:
            self.ended += 1
        if not spend(self.reads.get(address, 0)):
            raise NoSuchFile("enough")
        answer = self.answers.get(address, 5)
        if isinstance(answer, Exception):
            raise answer
        return Fetched("image", address.rpartition("/")[2], bytes(answer), "image/png")


class Pond(World):
    """Bob and others on IRC; pictures are shown on the networks that `sinks` names."""

    def __init__(self, web: Web, *, rooms: tuple[Room, ...] = (HOME, LIBERA), guests: Guests = Guests.RELAY) -> None:
        rules = Rules(preview=True, guests=guests)
        super().__init__(Link("pond", rooms, rules, by_hand=(LIBERA, OFTC)))
        self.web = web
        self.sink = Sink("home")
        self.home = self.sink
        self.networks["home"] = self.sink
        self.previews = Previews(web, self.store, lambda: self.now)

    async def says(self, text: str, sender: Sender = BOB, **more: object) -> None:
        await self.libera.hear(said(LIBERA, sender, text, **more))  # type: ignore[arg-type]
        await self.libera.settled()

    async def used(self) -> Traffic:
        return (await self.store.traffic_since(self.now)).get(TrafficKind.UPLOADED, Traffic())


def _now() -> float:
    return asyncio.get_running_loop().time()


async def test_the_picture_that_a_member_links_to_goes_with_their_words_and_is_counted() -> None:
    pond = Pond(Web())
    async with pond.running():
        await pond.says(f"look: {CAT}")
        assert await pond.home.delivered(1) == [f"<bob> look: {CAT} [cat.png]"]
        await pond.says("nice, no?")
        await pond.home.delivered(2)
    assert pond.web.limit == 20_000_000
    assert await pond.used() == Traffic(1, 5)


async def test_a_message_is_stored_at_once_and_waits_with_all_that_comes_after_it_in_its_room_alone() -> None:
    pond = Pond(Web(takes_s=5), rooms=(HOME, LIBERA, OFTC))
    async with pond.running():
        start = _now()
        await pond.says("before")
        await pond.says(CAT)
        await pond.says("after", irc("mallory"))
        assert _now() - start < 0.5
        assert await pond.oftc.delivered(3) == ["<bob> before", f"<bob> {CAT}", "<mallory (guest)> after"]
        assert await pond.home.delivered(1) == ["<bob> before"]
        assert _now() - start < 1
        assert await pond.home.delivered(3) == ["<bob> before", f"<bob> {CAT} [cat.png]", "<mallory (guest)> after"]
        assert 5 <= _now() - start < 5.5


async def test_what_waits_before_a_picture_goes_while_the_picture_is_fetched() -> None:
    pond = Pond(Web(takes_s=5))
    pond.home.away[HOME] = "no connection"
    async with pond.running():
        await pond.lookout.look(pond.networks, pond.leases)
        await pond.libera.hear(*(said(LIBERA, BOB, text) for text in ("before", CAT, "after")))
        await pond.libera.settled()
        start = _now()
        pond.home.away.clear()
        await pond.lookout.look(pond.networks, pond.leases)
        assert (await pond.home.delivered(1))[0] == "<bob> before"
        assert _now() - start < 2
        assert (await pond.home.delivered(3))[1:] == [f"<bob> {CAT} [cat.png]", "<bob> after"]


@pytest.mark.parametrize("slow", ["web", "network"])
async def test_a_message_waits_ten_seconds_at_most_and_then_its_link_goes_as_it_is(slow: str) -> None:
    pond = Pond(Web(takes_s=60 if slow == "web" else 0))
    pond.sink.store_takes_s = 60 if slow == "network" else 0
    async with pond.running():
        start = _now()
        await pond.says(CAT)
        assert await pond.home.delivered(1) == [f"<bob> {CAT}"]
        assert PATIENCE_S <= _now() - start < PATIENCE_S + 0.5
        assert pond.web.ended == 1
    assert pond.sink.stored == []


@pytest.mark.parametrize("error", [NoSuchFile("404"), NotFetched("away"), RuntimeError("a bug of a library")])
async def test_what_cannot_be_fetched_stays_a_link_at_once_and_nobody_is_told(error: Exception) -> None:
    pond = Pond(Web())
    pond.web.answers[CAT] = error
    async with pond.running():
        start = _now()
        with capture_logs() as logs:
            await pond.says(CAT)
            assert await pond.home.delivered(1) == [f"<bob> {CAT}"]
        assert _now() - start < 2.5
    told = {line["event"]: line["log_level"] for line in logs if "preview" in line["event"]}
    assert told == ({"preview_failed": "warning"} if isinstance(error, RuntimeError) else {"no_preview": "info"})


async def test_what_the_network_does_not_take_stays_a_link() -> None:
    pond = Pond(Web())
    pond.sink.refuses = True
    async with pond.running():
        await pond.says(CAT)
        assert await pond.home.delivered(1) == [f"<bob> {CAT}"]
    assert await pond.used() == Traffic()


async def test_a_file_is_stored_once_for_all_rooms_of_a_network_and_on_each_network_by_itself() -> None:
    other = Room("home", "#lake:hs")
    pond = Pond(Web(), rooms=(HOME, other, LIBERA, OFTC))
    slow = pond.networks["oftc"] = Sink("oftc")
    slow.store_takes_s = 4.0
    async with pond.running():
        start = _now()
        await pond.says(CAT)
        assert await pond.home.delivered(2) == [f"<bob> {CAT} [cat.png]"] * 2
        assert _now() - start < 2.5
        assert await slow.delivered(1) == [f"<bob> {CAT} [cat.png]"]
    assert (pond.sink.stored, slow.stored, pond.web.asked) == (["cat.png"], ["cat.png"], [CAT])
    assert await pond.used() == Traffic(2, 10)


async def test_where_no_network_can_show_files_nothing_is_fetched() -> None:
    pond = Pond(Web(), rooms=(LIBERA, OFTC))
    async with pond.running():
        await pond.says(CAT)
        await pond.oftc.delivered(1)
    assert pond.web.asked == []


async def test_of_one_person_one_file_at_a_time_is_fetched_and_of_all_four() -> None:
    pond = Pond(Web(takes_s=3))
    async with pond.running():
        for number in range(3):
            await pond.says(f"{CAT}?bob={number}")
        for number in range(6):
            await pond.says(f"https://pics.example/{number}.png", irc(f"guest{number}"))
        assert pond.web.asked == [f"{CAT}?bob=0", *(f"https://pics.example/{number}.png" for number in range(3))]
        sent = await pond.home.delivered(9)
        assert [line.rpartition(" ")[2] for line in sent if line.endswith("]")] == [
            f"[{name}]" for name in ("cat.png?bob=0", "0.png", "1.png", "2.png")
        ]
        await pond.says(f"{CAT}?bob=3")
        assert (await pond.home.delivered(10))[-1] == f"<bob> {CAT}?bob=3 [cat.png?bob=3]"
    assert pond.web.most == 4


async def test_a_server_in_trouble_is_left_alone_for_five_minutes_and_one_without_the_file_is_not() -> None:
    pond = Pond(Web())
    pond.web.answers |= {CAT: NotFetched("away"), "https://other.example/0.png": NoSuchFile("404")}
    async with pond.running():
        await pond.says("https://other.example/0.png")
        await pond.home.delivered(1)
        await pond.says("https://other.example/1.png")
        assert (await pond.home.delivered(2))[-1].endswith("[1.png]")
        await pond.says(CAT)
        await pond.home.delivered(3)
        await asyncio.sleep(290)
        await pond.says("HTTPS://PICS.example:443/2.png")
        await pond.home.delivered(4)
        await asyncio.sleep(15)
        await pond.says("https://pics.example/3.png")
        assert (await pond.home.delivered(5))[-1].endswith("[3.png]")
    assert len(pond.web.asked) == 4


@pytest.mark.parametrize("other", ["https://pics.example:80/0.png", "http://pics.example/0.png"])
async def test_who_names_a_host_at_a_port_where_it_does_not_answer_does_not_keep_others_from_it(other: str) -> None:
    pond = Pond(Web())
    pond.web.answers[other] = NotFetched("no public address")
    async with pond.running():
        await pond.says(other, irc("mallory"))
        await pond.home.delivered(1)
        await pond.says(CAT)
        assert (await pond.home.delivered(2))[-1].endswith("[cat.png]")


@pytest.mark.parametrize("nick", ["mallory", "MALLORY", "eve"])
async def test_a_guest_with_many_slow_servers_does_not_keep_a_room_waiting_and_members_are_not_suspected(
    nick: str,
) -> None:
    pond = Pond(Web())
    slow = [f"https://{number}.example/cat.png" for number in range(3)]
    pond.web.answers |= dict.fromkeys(slow, NotFetched("too slow"))
    connection = "1" if nick == "eve" else ""
    async with pond.running():
        await pond.says(slow[0], replace(irc("mallory"), connection=connection))
        await pond.home.delivered(1)
        await pond.says(slow[1], replace(irc(nick), connection=connection))
        await pond.says(slow[2])
        await pond.home.delivered(3)
        await pond.says(CAT)
        assert (await pond.home.delivered(4))[-1].endswith("[cat.png]")
        await asyncio.sleep(301)
        await pond.says(slow[1], replace(irc(nick), connection=connection), event_id="$later")
        await pond.home.delivered(5)
    assert pond.web.asked == [slow[0], slow[2], CAT, slow[1]]


@pytest.mark.parametrize("how", ["later", "in the same batch"])
async def test_what_is_removed_is_neither_fetched_to_the_end_nor_stored(how: str) -> None:
    pond = Pond(Web(takes_s=5))
    removal = Event("$gone", LIBERA, BOB, 1_000.0, Redaction(EventKey(LIBERA, "$cat")))
    async with pond.running():
        if how == "later":
            await pond.says(CAT, event_id="$cat")
            await asyncio.sleep(2)
            await pond.libera.hear(removal)
        else:
            await pond.libera.hear(said(LIBERA, BOB, CAT, "$cat"), removal)
        await pond.libera.settled()
        await asyncio.sleep(1)
        assert pond.web.ended == len(pond.web.asked)
        await pond.says("sorry")
        assert await pond.home.delivered(1) == ["<bob> sorry"]
        await asyncio.sleep(10)
    assert pond.sink.stored == []
    assert [entry for entry in await pond.store.outbox() if entry.room == HOME] == []


async def test_what_is_removed_once_it_was_fetched_is_not_stored_where_that_has_not_begun() -> None:
    pond = Pond(Web(takes_s=3))

    async def fetch(address: str, limit: int, spend: Callable[[int], bool]) -> Fetched:
        file = await pond.web(address, limit, spend)
        delivery = Delivery.of(EventKey(LIBERA, "$cat"), HOME).id
        pond.previews.cancel_deliveries([delivery])
        return file

    pond.previews = Previews(fetch, pond.store, lambda: pond.now)
    async with pond.running():
        await pond.says(CAT, event_id="$cat")
        await pond.home.delivered(1)
    assert pond.sink.stored == []


@pytest.mark.parametrize(("text", "shown"), [("look: " + CAT, " [cat.png]"), ("never mind", "")])
async def test_an_edit_that_comes_while_a_message_waits_is_in_it_and_takes_the_picture_away_with_its_address(
    text: str, shown: str
) -> None:
    pond = Pond(Web(takes_s=5))
    async with pond.running():
        await pond.says(CAT, event_id="$cat")
        edit = Event("$edit", LIBERA, BOB, 1_000.0, Edit(EventKey(LIBERA, "$cat"), words(text)))
        await pond.libera.hear(edit)
        assert await pond.home.delivered(1) == [f"<bob> {text}{shown}"]


async def test_a_message_that_was_heard_in_a_history_or_before_a_restart_does_not_wait() -> None:
    pond = Pond(Web(takes_s=5))
    lease = await pond.store.acquire("libera", "test")
    event = replace(said(LIBERA, BOB, CAT, "$old"), preview=CAT)
    await lease.commit(Commit(None, "0", [event], [Delivery.of(event.key, HOME)]))
    async with pond.running():
        start = _now()
        assert await pond.home.delivered(1) == [f"<bob> {CAT}"]
        await pond.says(CAT, event_id="$replayed", origin=Origin.REPLAYED)
        await pond.home.delivered(2)
        assert _now() - start < 2
    assert pond.web.asked == []


async def test_a_stop_does_not_wait_and_what_waited_goes_as_a_link_after_it() -> None:
    pond = Pond(Web(takes_s=8))
    async with pond.running():
        await pond.says(CAT)
        await asyncio.sleep(1)
        start = _now()
    assert _now() - start < 0.5
    assert pond.home.sent == []
    await asyncio.sleep(0)
    assert pond.web.ended == 1
    async with pond.running():
        assert await pond.home.delivered(1) == [f"<bob> {CAT}"]


async def test_a_network_that_is_left_gets_nothing_more_and_others_do() -> None:
    pond = Pond(Web(takes_s=5), rooms=(HOME, LIBERA, OFTC))
    other = pond.networks["oftc"] = Sink("oftc")
    async with pond.running():
        await pond.says(CAT)
        start = _now()
        pond.previews.remove_network("home", MemoryNetwork("home"))  # one that was exchanged
        pond.previews.remove_network("home", pond.sink)
        assert await pond.home.delivered(1) == [f"<bob> {CAT}"]
        assert _now() - start < 0.5
        assert await other.delivered(1) == [f"<bob> {CAT} [cat.png]"]
    assert pond.sink.stored == []


async def test_a_message_that_has_to_be_sent_again_keeps_its_file() -> None:
    pond = Pond(Web())
    pond.home.failures[HOME] = [TransientError("no connection"), TransientError("no connection")]
    async with pond.running(), _passing(pond):
        await pond.says(CAT)
        assert await pond.home.delivered(1) == [f"<bob> {CAT} [cat.png]"]
    assert pond.sink.stored == ["cat.png"]


async def test_a_message_that_is_heard_again_is_not_fetched_for_again() -> None:
    pond = Pond(Web())
    async with pond.running():
        for _ in range(2):
            await pond.says(CAT, event_id="$cat")
            assert await pond.home.delivered(1) == [f"<bob> {CAT} [cat.png]"]
        await pond.says("next")
        assert (await pond.home.delivered(2))[1:] == ["<bob> next"]
    assert pond.web.asked == [CAT]


async def test_a_message_keeps_its_file_also_where_the_one_before_it_is_refused_and_it_is_tried_instead() -> None:
    pond = Pond(Web(takes_s=9.5))
    pond.home.refused["bad"] = TransientError("a word filter", refused=True)
    async with pond.running(), _passing(pond):
        await pond.says("bad")
        await asyncio.sleep(4)
        await pond.says(CAT)
        assert await pond.home.delivered(1) == [f"<bob> {CAT} [cat.png]"]


async def test_what_is_uploaded_in_a_day_is_bounded_also_after_a_restart_and_the_operator_learns_of_it_once() -> None:
    pond = Pond(Web())
    pond.terms = replace(pond.terms, uploads_per_day=12, largest_upload=7)
    async with pond.running():
        for number in (1, 2):
            await pond.says(f"{CAT}?{number}")
            assert (await pond.home.delivered(number))[-1].endswith("]")
    assert pond.web.limit == 7
    pond.previews = Previews(pond.web, pond.store, lambda: pond.now)
    await pond.previews.recall_uploads()
    with capture_logs() as logs:
        async with pond.running():
            for number in (3, 4):
                await pond.says(f"{CAT}?{number}")
                assert not (await pond.home.delivered(number))[-1].endswith("]")
            pond.web.answers[f"{CAT}?5"] = 2
            await pond.says(f"{CAT}?5")
            assert (await pond.home.delivered(5))[-1].endswith("]")
            await pond.says(f"{CAT}?6")
            await pond.home.delivered(6)
            assert len(pond.web.asked) == 5  # nothing fits any more
            pond.now += 86_400
            await pond.says(f"{CAT}?7")
            assert (await pond.home.delivered(7))[-1].endswith("]")
    assert [line["bytes"] for line in logs if line["event"] == "media_limit_reached"] == [12]
    assert await pond.used() == Traffic(1, 5)


async def test_what_is_read_in_a_day_is_bounded_as_what_is_uploaded_though_it_is_no_file() -> None:
    pond = Pond(Web())
    pond.terms = replace(pond.terms, uploads_per_day=12)
    async with pond.running():
        for number, (reads, shown) in enumerate(((7, False), (4, True), (7, False), (1, False)), 1):
            pond.web.reads[f"{CAT}?{number}"] = reads
            if not shown:
                pond.web.answers[f"{CAT}?{number}"] = NoSuchFile("too large")
            await pond.says(f"{CAT}?{number}")
            assert (await pond.home.delivered(number))[-1].endswith("]") is shown
        assert len(pond.web.asked) == 3
        pond.now += 86_400
        await pond.says(f"{CAT}?5")
        assert (await pond.home.delivered(5))[-1].endswith("]")


async def test_nothing_is_kept_of_what_is_over() -> None:
    pond = Pond(Web(takes_s=1))
    async with pond.running():
        for number in range(3):
            pond.web.answers[f"{CAT}?{number}"] = (5, NotFetched("away"), NoSuchFile("404"))[number]
            await pond.says(f"{CAT}?{number}", irc(f"guest{number}"))
        await pond.home.delivered(3)
        await asyncio.sleep(1)
        assert (pond.previews._coming, pond.previews._busy) == ({}, set())
