"""The shell around the session, on a scripted server of our own on loopback."""

import asyncio
import random
from asyncio import StreamReader, StreamWriter
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import asynccontextmanager, suppress

import pytest

from bridge.irc import connection as link
from bridge.irc.backoff import Ending, ReconnectPause
from bridge.irc.client import IrcNetwork
from bridge.irc.dialing import dial
from bridge.irc.effects import Heard
from bridge.irc.hearing.cursor import Cursor, Position
from bridge.irc.inbox import Inbox
from bridge.model.event import Event, Message, Room
from bridge.model.outbox import Post
from bridge.model.people import Sender
from bridge.model.text import plain, words
from bridge.network import Batch, InDoubt, PermanentError, Refused, SendError, TransientError
from tests.settings import irc_settings

pytestmark = pytest.mark.real_time

_POND, _LAKE = Room("net", "#pond"), Room("net", "#lake")
_WELCOME = (":irc 001 duck :Welcome", ":irc 376 duck :end")


class Ircd:
    """A scripted IRC server: `_answers` gives its answers; `lines` are all lines that it was sent."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.connections = 0
        self.echo_pongs = True
        self._stir = asyncio.Condition()
        self._writer: StreamWriter | None = None
        self.greeting: tuple[str, ...] = _WELCOME
        self.farewell: tuple[str, ...] = ("ERROR :bye",)
        self.slow: set[str] = set()
        """Channels whose JOIN is not answered."""

    async def serve(self, reader: StreamReader, writer: StreamWriter) -> None:
        self._writer = writer
        self.connections += 1
        while data := await reader.readline():
            line = data.decode().rstrip("\r\n")
            async with self._stir:
                self.lines.append(line)
                self._stir.notify_all()
            self.tell(*self._answers(line))
        writer.close()

    def tell(self, *lines: str) -> None:
        self.tell_bytes("".join(f"{line}\r\n" for line in lines).encode())

    def tell_bytes(self, data: bytes) -> None:
        assert self._writer is not None
        self._writer.write(data)

    def hang_up(self) -> None:
        assert self._writer is not None
        self._writer.close()

    async def told(self, wanted: Callable[[str], bool], count: int = 1) -> None:
        async with asyncio.timeout(10), self._stir:
            await self._stir.wait_for(lambda: sum(map(wanted, self.lines)) >= count)

    def _answers(self, line: str) -> tuple[str, ...]:
        match line.split(" "):
            case ["NICK", _]:
                return self.greeting
            case ["JOIN", name, *_] if name not in self.slow:
                return (f":duck!u@h JOIN {name}", f":irc 353 duck = {name} :@bob duck")
            case ["PING", token] if self.echo_pongs:
                return (f":irc PONG irc {token}",)
            case ["WHOIS", nick]:
                return (f":irc 311 duck {nick} u h * :x", f":irc 318 duck {nick} :end")
            case ["QUIT", *_]:
                return self.farewell
        return ()


@pytest.fixture
async def ircd() -> Ircd:
    return Ircd()


@asynccontextmanager
async def network(ircd: Ircd, **changes: object) -> AsyncGenerator[IrcNetwork, None]:
    server = await asyncio.start_server(ircd.serve, "127.0.0.1", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        base = {"name": "net", "host": "127.0.0.1", "port": port, "nick": "duck", "tls": False, "burst": 100}
        settings = irc_settings(**{**base, **changes})
        yield IrcNetwork(settings, [_POND], rng=random.Random(1))


@asynccontextmanager
async def running(ircd: Ircd, **changes: object) -> AsyncGenerator[tuple[IrcNetwork, list[Batch]], None]:
    batches: list[Batch] = []

    async def consume(stream: AsyncGenerator[Batch, None]) -> None:
        try:
            async for batch in stream:
                batches.append(batch)  # noqa: PERF401 - seen while it runs
        finally:
            await stream.aclose()

    async with network(ircd, **changes) as net, asyncio.TaskGroup() as group:
        task = group.create_task(consume(net.events(None)))
        async with asyncio.timeout(10):
            await net.ready()
        yield net, batches
        task.cancel()


def post(text: str = "<Ann> hi", room: Room = _POND, command: str = "PRIVMSG") -> Post:
    payload = f'{{"command":"{command}","target":"{room.id}","text":"{text}"}}'
    return Post.of(room, (text,), 0, payload)


async def test_lines_that_arrive_together_are_one_batch_and_closing_sends_quit(ircd: Ircd) -> None:
    async with running(ircd) as (net, batches):
        ircd.tell(*(f":bob!u@h PRIVMSG #pond :{number}" for number in range(3)))
        await ircd.told(lambda line: line.startswith("WHOIS"))
        await net.send(post())
        heard = [[plain(event.text) for event in batch.events] for batch in batches]
        assert heard == [[], ["0", "1", "2"]]  # the first batch only carries the cursor
    assert ircd.lines[-1] == "QUIT :quackbridge"


async def test_sending_waits_until_we_are_in_the_channel(ircd: Ircd) -> None:
    async with network(ircd) as net, asyncio.TaskGroup() as group:
        sending = group.create_task(net.send(post()))
        stream = net.events(None)
        listening = asyncio.ensure_future(anext(stream))
        assert await sending == post().id
        listening.cancel()
        await asyncio.wait([listening])
    assert ircd.lines.index("JOIN #pond") < ircd.lines.index("PRIVMSG #pond :<Ann> hi")


async def test_a_post_that_can_never_be_sent_is_a_dead_letter(ircd: Ircd) -> None:
    async with running(ircd) as (net, _):
        for bad in (post(room=Room("net", "#elsewhere")), post(command="QUIT"), post(room=Room("net", "a b"))):
            with pytest.raises(PermanentError):
                await net.send(bad)


async def test_a_post_fails_for_now_when_the_connection_is_lost_and_is_sent_after_the_reconnect(ircd: Ircd) -> None:
    async with running(ircd) as (net, _):
        ircd.echo_pongs = False
        async with asyncio.TaskGroup() as group:
            sending = group.create_task(_outcome(net, post()))
            await ircd.told(lambda line: line.startswith("PRIVMSG"))
            ircd.echo_pongs = True
            ircd.hang_up()
        lost = sending.result()
        assert isinstance(lost, TransientError)
        assert lost.unclear
        with pytest.raises(InDoubt) as doubt:
            await net.send(post())
        assert doubt.value.resend
        assert await net.send(post()) == post().id
    assert ircd.connections == 2


async def test_a_server_that_remembers_nothing_recognises_no_post(ircd: Ircd) -> None:
    """So its proofs are stored at once."""
    async with running(ircd) as (net, _):
        assert await net.send(post())
        assert not net.recognises(_POND)
    assert not net.recognises(_POND)


async def test_a_connection_is_given_up_when_a_post_is_not_proved_in_time(
    ircd: Ircd, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(link, "_PROOF_WITHIN", 0.2)
    async with running(ircd) as (net, _):
        ircd.echo_pongs = False
        error = await _outcome(net, post())
        assert isinstance(error, TransientError)
        assert error.unclear
        assert "no confirmation" in str(error)
        ircd.echo_pongs = True
        assert isinstance(await _outcome(net, post()), InDoubt)
        assert await net.send(post()) == post().id


async def test_a_wrong_server_password_at_the_first_login_ends_the_network(ircd: Ircd) -> None:
    ircd.greeting = (":irc 464 duck :Password incorrect",)
    async with network(ircd, server_password="hunter2") as net:
        with pytest.raises(Refused, match=r"^net: the server does not accept the server password") as caught:
            await anext(net.events(None))
        assert "hunter2" not in str(caught.value)
        assert caught.value.key == ("networks", "net", "password")


async def test_a_server_password_that_is_refused_after_a_first_login_is_tried_again(
    ircd: Ircd, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A server that refuses its password for a while does not stop a bridge that was logged in before."""
    endings: list[Ending] = []

    def after(_: ReconnectPause, ending: Ending) -> float:
        endings.append(ending)
        ircd.greeting = _WELCOME if ending.rejected else (":irc 464 duck :Password incorrect",)
        return 0.0

    monkeypatch.setattr(ReconnectPause, "after", after)
    async with running(ircd, server_password="hunter2") as (net, _):
        ircd.hang_up()
        await ircd.told(lambda line: line.startswith("JOIN"), 2)
        assert await net.send(post()) == post().id
    assert [ending.rejected for ending in endings] == [False, True]


async def test_a_nick_that_irc_does_not_allow_is_refused(ircd: Ircd) -> None:
    async with network(ircd, nick="two words") as net:
        with pytest.raises(Refused, match="net: "):
            await anext(net.events(None))


async def test_a_missing_ca_file_is_refused(ircd: Ircd) -> None:
    async with network(ircd, tls=True, tls_ca_file="/nowhere/ca.pem") as net:
        with pytest.raises(Refused, match=r"/nowhere/ca\.pem"):
            await anext(net.events(None))


async def test_a_ping_is_answered_while_a_thousand_messages_wait_to_be_taken(ircd: Ircd) -> None:
    async with network(ircd) as net:
        stream = net.events(None)
        await anext(stream)  # where we begin
        first = asyncio.ensure_future(anext(stream))
        await net.ready()
        ircd.tell(":irc 421 duck WHOIS :Unknown command", *(f":bob!u@h PRIVMSG #pond :{n}" for n in range(1000)))
        await first
        ircd.tell(":irc PING :awake?")
        await ircd.told(lambda line: line == "PONG awake?")
        heard = list(first.result().events)
        while len(heard) < 1000:
            heard += (await anext(stream)).events
        await stream.aclose()
    assert [plain(event.text) for event in heard] == [str(number) for number in range(1000)]


async def test_a_room_that_is_added_while_we_are_connected_is_joined_and_ready_waits_for_it(ircd: Ircd) -> None:
    async with running(ircd) as (net, _):
        ircd.slow = {"#lake"}
        net.use([_POND, _LAKE])
        await ircd.told(lambda line: line == "JOIN #lake")
        ready = asyncio.ensure_future(net.ready())
        assert await net.send(post()) == post().id  # in the room that stays
        assert not ready.done()
        ircd.tell(":duck!u@h JOIN #lake")
        await ready
        assert await net.send(post(room=_LAKE)) == post().id
    assert ircd.connections == 1


async def test_ready_waits_until_the_first_cursor_is_acknowledged(ircd: Ircd) -> None:
    async with network(ircd) as net:
        stream = net.events(None)
        batch = await anext(stream)
        assert Cursor.parse(batch.cursor).of("#pond") is not None
        ready = asyncio.ensure_future(net.ready())
        await asyncio.sleep(0.1)
        assert not ready.done(), "where to resume is not kept yet"
        following = asyncio.ensure_future(anext(stream))
        await ready
        following.cancel()
        await asyncio.wait([following])


async def test_rooms_that_change_while_we_are_disconnected_are_joined_on_the_next_connection(ircd: Ircd) -> None:
    async with network(ircd) as net:
        net.use([_LAKE])
        stream = net.events(None)
        await anext(stream)  # where we begin
        listening = asyncio.ensure_future(anext(stream))
        async with asyncio.timeout(10):
            await net.ready()
        assert [line for line in ircd.lines if line.startswith(("JOIN", "PART"))] == ["JOIN #lake"]
        listening.cancel()
        await asyncio.wait([listening])


async def test_posts_that_wait_in_the_flood_queue_are_not_sent_to_a_room_that_is_removed(ircd: Ircd) -> None:
    async with running(ircd, burst=2, per_second=10) as (net, _), asyncio.TaskGroup() as group:
        posts = [group.create_task(_outcome(net, post(str(number)))) for number in range(5)]
        await ircd.told(lambda line: line.startswith("PRIVMSG"))
        net.use([])
    assert isinstance(posts[-1].result(), PermanentError)
    part = ircd.lines.index("PART #pond unlinked")
    assert not [line for line in ircd.lines[part:] if line.startswith("PRIVMSG")]


async def test_a_post_that_waits_for_a_join_fails_for_good_when_its_room_is_removed(ircd: Ircd) -> None:
    async with running(ircd) as (net, _), asyncio.TaskGroup() as group:
        ircd.slow = {"#lake"}
        net.use([_POND, _LAKE])
        sending = group.create_task(_outcome(net, post(room=_LAKE)))
        await ircd.told(lambda line: line == "JOIN #lake")
        net.use([_POND])
    assert isinstance(sending.result(), PermanentError)


async def test_secrets_are_not_in_the_settings_repr() -> None:
    settings = irc_settings("net", "h", 1, "n", sasl_account="a", sasl_password="s3cret", server_password="s3cret")
    assert "s3cret" not in repr(settings)


async def test_the_inbox_is_bounded_and_opens_again_when_half_is_taken() -> None:
    inbox = Inbox(Cursor({}))
    message = Event("1", _POND, Sender("net", "bob", "bob"), 0.0, Message(words("x")))
    for number in range(5000):
        inbox.put(Heard(message, str(number)))
    assert inbox.full
    sizes = []
    for _ in range(24):
        batch = await inbox.take()
        assert batch is not None
        sizes.append(len(batch.events))
    assert sizes == [100] * 24
    room = asyncio.ensure_future(inbox.room())
    await asyncio.sleep(0)
    assert not room.done()
    await inbox.take()
    await room


async def test_the_cursor_reaches_to_the_time_when_the_server_last_spoke_and_no_further() -> None:
    """A dead connection may be noticed much later; what was said in between is part of the gap."""
    inbox = Inbox(Cursor({}))
    message = Event("1", _POND, Sender("net", "bob", "bob"), 100.0, Message(words("x")))
    inbox.present.add(_POND)
    inbox.until = 101.0
    inbox.put(Heard(message, ""))
    inbox.until = 130.0
    await inbox.take()
    assert inbox.cursor.of("#pond") == Position(100.0, "", 130.0)
    inbox.leave(_POND)
    assert inbox.heard.of("#pond") == Position(100.0, "", 130.0)


async def test_the_cursor_of_a_batch_does_not_cover_events_that_still_wait_in_the_inbox() -> None:
    """Events that still wait are lost if the process dies."""
    inbox = Inbox(Cursor({}))
    message = Event("1", _POND, Sender("net", "bob", "bob"), 100.0, Message(words("x")))
    inbox.present.add(_POND)
    for at in range(150):
        inbox.until = 101.0 + at
        inbox.put(Heard(message, ""))
    await inbox.take()
    assert inbox.cursor.of("#pond") == Position(100.0, "", 200.0)
    await inbox.take()
    assert inbox.cursor.of("#pond") == Position(100.0, "", 250.0)


@pytest.mark.parametrize(
    ("lost", "fulls"),
    [(Ending("lost"), [1, 2, 4, 8, 10, 10]), (Ending("no", turned_away=True), [1, 2, 4, 8, 16, 32, 60, 60])],
)
def test_reconnect_pauses_double_to_a_bound_and_start_over_after_a_connection_that_lasted(
    lost: Ending, fulls: Sequence[float]
) -> None:
    backoff = ReconnectPause(random.Random(1))
    for pause, full in [(backoff.after(lost), full) for full in fulls]:
        assert full / 2 <= pause <= full
    assert backoff.after(Ending("lost", online_for=61.0)) <= 1
    assert 150 <= ReconnectPause(random.Random(1)).after(Ending("banned", pause=300.0)) <= 300


def test_the_pause_is_at_most_4_seconds_when_each_connection_lasts_ten_seconds() -> None:
    backoff = ReconnectPause(random.Random(1))
    assert max(backoff.after(Ending("lost", online_for=10.0)) for _ in range(50)) <= 4


def test_the_pause_grows_beyond_30_seconds_when_the_server_turns_us_away_at_once() -> None:
    backoff = ReconnectPause(random.Random(1))
    assert [backoff.after(Ending("shoo", turned_away=True, online_for=0.3)) for _ in range(8)][-1] > 30


async def _outcome(net: IrcNetwork, what: Post) -> str | Exception:
    try:
        return await net.send(what)
    except SendError as error:
        return error


async def test_lines_that_arrive_between_our_quit_and_the_end_of_the_connection_are_heard(ircd: Ircd) -> None:
    async with network(ircd) as net:
        ircd.farewell = (":bob!u@h PRIVMSG #pond :one", ":bob!u@h PRIVMSG #pond :two", "ERROR :bye")
        stream = net.events(None)
        batch = await anext(stream)
        ircd.tell(":irc 421 duck WHOIS :Unknown command")
        assert net.leave()
        heard = [plain(event.text) for batch in [batch, *[each async for each in stream]] for event in batch.events]
    assert heard == ["one", "two"]


async def test_leaving_a_network_without_a_connection_ends_its_events_at_once() -> None:
    settings = irc_settings(name="net", host="127.0.0.1", port=1, nick="duck", tls=False)
    net = IrcNetwork(settings, [_POND], rng=random.Random(1))
    stream = net.events(None)
    first = asyncio.ensure_future(anext(stream))
    await asyncio.sleep(0)
    assert net.leave()
    with pytest.raises(StopAsyncIteration):
        await first


async def test_an_unknown_host_and_a_server_without_tls_handshake_are_reported_and_tried_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(dial, "_WITHIN", 0.3)
    endings: asyncio.Queue[str] = asyncio.Queue()

    def after(_: ReconnectPause, ending: Ending) -> float:
        endings.put_nowait(ending.reason)
        assert not ending.rejected
        return 0.0

    async def stall(_: StreamReader, writer: StreamWriter) -> None:
        with suppress(asyncio.CancelledError):
            await asyncio.Event().wait()
        writer.close()

    monkeypatch.setattr(ReconnectPause, "after", after)
    server = await asyncio.start_server(stall, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    cases = (("nobody.invalid", "cannot connect to nobody.invalid:"), ("127.0.0.1", "did not answer within"))
    async with asyncio.timeout(20):
        for host, reason in cases:
            settings = irc_settings(name="net", host=host, port=port, nick="duck")
            stream = IrcNetwork(settings, [_POND], rng=random.Random(1)).events(None)
            first = asyncio.ensure_future(anext(stream))
            said = [await endings.get() for _ in range(2)]
            assert all(reason in each for each in said), said
            first.cancel()
            await asyncio.wait([first])
            await stream.aclose()
            endings = asyncio.Queue()
    server.close()


async def test_after_a_lost_connection_only_one_post_at_a_time_can_be_doubled(ircd: Ircd) -> None:
    """A server without history that closes after every third line."""
    said: list[str] = []

    def answers(line: str) -> tuple[str, ...]:
        if line.startswith("PRIVMSG"):
            said.append(line)
            if len(said) % 3 == 0:
                ircd.hang_up()
        return Ircd._answers(ircd, line)

    ircd._answers = answers  # type: ignore[method-assign]
    async with running(ircd) as (net, _):
        await asyncio.gather(*(_until_sent(net, post(f"m{number}")) for number in range(4)))
    assert len({*said}) == 4
    assert len(said) <= 4 + ircd.connections


async def _until_sent(net: IrcNetwork, said: Post) -> None:
    for _ in range(100):
        if not isinstance(await _outcome(net, said), SendError):
            return
        await asyncio.sleep(0.1)


def test_the_pause_grows_to_a_minute_when_a_server_lets_us_in_and_soon_closes_the_connection() -> None:
    backoff = ReconnectPause(random.Random(1))
    assert [backoff.after(Ending("bye", by_server=True, online_for=0.3)) for _ in range(8)][-1] > 30
    away = ReconnectPause(random.Random(1))
    assert [away.after(Ending("connection refused")) for _ in range(8)][-1] <= 10


@pytest.mark.parametrize("supports", ["CHANTYPES=", "CHANTYPES=&"])
async def test_a_message_waits_for_its_channel_though_the_server_has_another_sign_for_channels(
    ircd: Ircd, supports: str
) -> None:
    """A server, or a bouncer, may say less than is true: what is configured is a channel."""
    ircd.slow, ircd.greeting = {"#pond"}, (*_WELCOME, f":irc 005 duck {supports} :are supported")
    async with network(ircd) as net, asyncio.TaskGroup() as group:
        events = net.events(None)
        reading = group.create_task(_read_on(events))
        await ircd.told(lambda line: line == "JOIN #pond")
        sending = group.create_task(net.send(post("<Ann> later")))
        ircd.tell(":duck!u@h JOIN #pond")
        await ircd.told(lambda line: line == "PRIVMSG #pond :<Ann> later")
        await sending
        reading.cancel()


async def test_what_is_not_utf8_is_read_in_the_encoding_of_the_network(ircd: Ircd) -> None:
    async with running(ircd, encoding="koi8-r") as (net, batches):
        ircd.tell_bytes(":bob!u@h PRIVMSG #pond :утка ".encode("koi8-r") + "🦆\r\n".encode())
        await ircd.told(lambda line: line.startswith("WHOIS"))
        await net.send(post())
        said = [plain(event.text) for batch in batches for event in batch.events]
        assert said == ["утка 🦆"]


async def _read_on(events: AsyncGenerator[Batch, None]) -> None:
    try:
        async for _ in events:
            pass
    finally:
        await events.aclose()


async def test_a_server_that_is_safe_to_write_to_gets_all_at_once(ircd: Ircd) -> None:
    """soju.im/SAFERATE, given and taken back."""
    ircd.greeting = (":irc 001 duck :Welcome", ":irc 005 duck soju.im/SAFERATE :are supported", ":irc 376 duck :end")
    async with running(ircd, burst=1, per_second=0.01) as (net, _):
        async with asyncio.timeout(5):
            for number in range(20):
                await net.send(post(f"line {number}"))
        ircd.tell(":irc 005 duck -soju.im/SAFERATE :are supported")
        ircd.tell(":bob!u@h PRIVMSG #pond :a barrier")
        await ircd.told(lambda line: line.startswith("WHOIS"))
        two = asyncio.gather(*(net.send(post(text)) for text in ("two", "three")))
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(two, 1)
