"""Puppets of an adapter, on a server that does as the test says."""

import asyncio
import random
from asyncio import StreamReader, StreamWriter
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager

import pytest

from bridge.irc.client import IrcNetwork
from bridge.irc.dialect.operations import Say, Voice, encode
from bridge.irc.puppets import connection as link
from bridge.irc.puppets.crowd import Members, is_of_ban
from bridge.model.event import Event, Message, Moderation, Room
from bridge.model.outbox import Post
from bridge.network import Batch, InDoubt, PermanentError, TransientError
from tests.settings import irc_settings

pytestmark = pytest.mark.real_time

_POND = Room("net", "#pond")


class Server:
    """Shows what people say to all in the channel, each connection by its nick; `lines` are all that came, with the
    nick before it. `hides`: whose lines it shows to nobody; `holds`: whose lines it deals with later (`release`).
    `refuses` gives the answer to a JOIN or a line, instead of doing it."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.writers: dict[str, StreamWriter] = {}
        self.pond: list[str] = []
        self.hides: set[str] = set()
        self.holds: set[str] = set()
        self.held: list[tuple[str, str]] = []
        self.refuses: Callable[[str, str], str | None] = lambda _nick, _line: None
        self.greets: Callable[[str], str | None] = lambda _nick: None
        self._stir = asyncio.Condition()

    async def serve(self, reader: StreamReader, writer: StreamWriter) -> None:
        nick = ""
        while data := await reader.readline():
            line = data.decode().rstrip("\r\n")
            async with self._stir:
                self.lines.append(f"{nick}> {line}")
                self._stir.notify_all()
            if line.startswith("NICK "):
                asked = line.split()[1]
                answer = self.greets(asked) or (f":irc 433 * {asked} :taken" if asked in self.writers else "")
                if answer:
                    writer.write(f"{answer}\r\n".encode())
                    continue
                nick = asked
                self.writers[nick] = writer
                writer.write(
                    f":irc 001 {nick} :Welcome\r\n:irc 005 {nick} NICKLEN=30 :ok\r\n:irc 376 {nick} :end\r\n".encode()
                )
            elif nick in self.holds and line.startswith(("PRIVMSG", "PING", "@")):
                self.held.append((nick, line))
            else:
                self.deal(nick, line)
        self.gone(nick)
        writer.close()

    def deal(self, nick: str, line: str) -> None:
        """Do what a line says."""
        if (answer := self.refuses(nick, line)) is not None:
            self.tell(nick, answer)
        elif line.startswith("JOIN "):
            self.pond.append(nick)
            self.show(f":{nick}!~{self.user(nick)}@h JOIN #pond")
            self.tell(nick, f":irc 353 {nick} = #pond :{' '.join(self.pond)}", f":irc 366 {nick} #pond :end")
        elif "PRIVMSG #pond :" in line and nick not in self.hides:
            words = line.partition("PRIVMSG #pond :")[2]
            self.show(f":{nick}!~{self.user(nick)}@h PRIVMSG #pond :{words}", but=nick)
        elif line.startswith("PING "):
            self.tell(nick, f":irc PONG irc {line.split()[1]}")
        elif line.startswith("QUIT"):
            self.writers[nick].close()

    def user(self, nick: str) -> str:
        said = [line.split()[2] for line in self.lines if "> USER " in line]
        order = [line.split()[2] for line in self.lines if "> NICK " in line]
        return said[order.index(nick)]

    def show(self, line: str, but: str = "") -> None:
        for nick in self.pond:
            if nick != but:
                self.tell(nick, line)

    def tell(self, nick: str, *lines: str) -> None:
        if (writer := self.writers.get(nick)) is not None:
            writer.write("".join(f"{line}\r\n" for line in lines).encode())

    def release(self, nick: str) -> None:
        """Deal with what was held back, and hold no more."""
        self.holds.discard(nick)
        held, self.held = self.held, []
        for each, line in held:
            self.deal(each, line)

    def cut(self, nick: str) -> None:
        """The connection of that nick is over."""
        self.writers[nick].transport.abort()

    def gone(self, nick: str) -> None:
        self.writers.pop(nick, None)
        if nick in self.pond and nick not in self.hides:
            user = self.user(nick)
            self.pond.remove(nick)
            self.show(f":{nick}!~{user}@h QUIT :gone")

    async def told(self, wanted: str, count: int = 1) -> None:
        async with asyncio.timeout(10), self._stir:
            await self._stir.wait_for(lambda: sum(wanted in line for line in self.lines) >= count)

    def said(self) -> list[str]:
        """What was said in the channel, as it was written."""
        return [line for line in self.lines if "PRIVMSG #pond" in line]


@asynccontextmanager
async def running(server: Server, **changes: object) -> AsyncGenerator[tuple[IrcNetwork, list[Batch]], None]:
    batches: list[Batch] = []

    async def consume(stream: AsyncGenerator[Batch, None]) -> None:
        try:
            async for batch in stream:
                batches.append(batch)  # noqa: PERF401 - seen while it runs
        finally:
            await stream.aclose()

    listening = await asyncio.start_server(server.serve, "127.0.0.1", 0)
    async with listening:
        base = {"port": listening.sockets[0].getsockname()[1], "tls": False, "burst": 100}
        puppets = {"connect_every": "off", **changes.pop("puppets", {})}  # type: ignore[dict-item]
        members: Members | None = changes.pop("members", None)  # type: ignore[assignment]
        settings = irc_settings(**{**base, **changes}, puppets=puppets)
        net = IrcNetwork(settings, [_POND], rng=random.Random(1), members=members)
        async with asyncio.TaskGroup() as group:
            task = group.create_task(consume(net.events(None)))
            async with asyncio.timeout(10):
                await net.ready()
            yield net, batches
            task.cancel()


def post(user: str, text: str, *, marked: bool = False) -> Post:
    said = Say("PRIVMSG", "#pond", f"<{user}> {text}", len(user) + 3, voice=Voice(user, f"@{user}:hs", marked))
    return Post.of(_POND, (user, text), 0, encode(said))


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """What nobody sees is given up at once."""
    monkeypatch.setattr(link, "_SEEN_WITHIN_S", 0.05)
    monkeypatch.setattr(link, "_GONE_WITHIN_S", 0.05)


async def test_the_next_speaker_writes_when_the_last_line_is_proven() -> None:
    server = Server()
    async with running(server) as (net, _):
        await net.send(post("ann", "hello"))
        await net.send(post("bea", "hello"))
        server.holds.add("ann")
        async with asyncio.TaskGroup() as group:
            group.create_task(net.send(post("ann", "one")))
            await server.told("ann> PRIVMSG #pond :one")
            group.create_task(net.send(post("bea", "two")))
            group.create_task(net.send(Post.of(_POND, ("x",), 0, encode(Say("PRIVMSG", "#pond", "<eve> three", 6)))))
            await asyncio.sleep(0.1)
            assert not any("two" in line or "three" in line for line in server.said())
            server.release("ann")
        assert [line.rpartition(":")[2] for line in server.said()][-3:] == ["one", "two", "<eve> three"]


async def test_a_puppet_waits_for_what_the_bridge_has_said_before() -> None:
    """Its own lines may be on their way several at once, but no line of another connection with them."""
    server = Server()
    async with running(server) as (net, _):
        await net.send(post("ann", "hello"))
        server.holds.add("duck")
        guest = [Post.of(_POND, (text,), 0, encode(Say("PRIVMSG", "#pond", f"<eve> {text}", 6))) for text in "ab"]
        async with asyncio.TaskGroup() as group:
            for each in guest:
                group.create_task(net.send(each))
            await server.told("duck> PRIVMSG #pond :<eve> b")
            group.create_task(net.send(post("ann", "one")))
            await asyncio.sleep(0.1)
            assert not any("one" in line for line in server.said())
            server.release("duck")
        assert server.said()[-1] == "ann> PRIVMSG #pond :one"


async def test_a_line_that_the_server_took_and_nobody_saw_is_in_doubt_and_the_bridge_says_it_then(quick: None) -> None:
    server = Server()
    async with running(server) as (net, _):
        await net.send(post("ann", "hello"))
        server.hides.add("ann")
        with pytest.raises(InDoubt) as raised:
            await net.send(post("ann", "one"))
        assert raised.value.resend
        await net.send(post("ann", "one"))
        assert server.said()[-1] == "duck> PRIVMSG #pond :<ann> one"


async def test_a_line_on_a_connection_that_broke_is_in_doubt_if_the_bridge_does_not_see_the_puppet_leave(
    quick: None,
) -> None:
    """It sees that first on the same server. On another it may not, for a while."""
    server = Server()
    async with running(server, resend_doubtful=False) as (net, _):
        await net.send(post("ann", "hello"))
        server.holds.add("ann")
        server.hides.add("ann")
        sending = asyncio.ensure_future(net.send(post("ann", "one")))
        await server.told("ann> PRIVMSG #pond :one")
        server.cut("ann")
        with pytest.raises(InDoubt) as raised:
            await sending
        assert not raised.value.resend


async def test_a_line_of_a_puppet_that_is_seen_to_leave_before_it_is_said_by_the_bridge() -> None:
    server = Server()
    async with running(server) as (net, batches):
        await net.send(post("ann", "hello"))
        server.holds.add("ann")
        server.greets = lambda _: "ERROR :not now"
        async with asyncio.TaskGroup() as group:
            group.create_task(net.send(post("ann", "one")))
            await server.told("ann> PRIVMSG #pond :one")
            server.cut("ann")
        assert server.said()[-1] == "duck> PRIVMSG #pond :<ann> one"
        assert [event for batch in batches for event in batch.events] == []


async def test_a_line_that_nobody_saw_as_the_bridge_was_lost_itself_is_in_doubt() -> None:
    """The server keeps no history that would tell."""
    server = Server()
    async with running(server) as (net, _):
        await net.send(post("ann", "hello"))
        server.holds.add("ann")
        sending = asyncio.ensure_future(net.send(post("ann", "one")))
        await server.told("ann> PRIVMSG #pond :one")
        server.cut("duck")
        with pytest.raises(TransientError, match="connection was lost"):
            await sending
        with pytest.raises(InDoubt):
            await net.send(post("ann", "one"))


async def test_the_first_words_wait_for_a_puppet_for_a_while_only() -> None:
    server = Server()
    server.refuses = lambda nick, line: "" if nick == "ann" and line.startswith("JOIN") else None
    async with running(server) as (net, _):
        await net.send(post("ann", "one"))
        assert server.said() == ["duck> PRIVMSG #pond :<ann> one"]
        server.refuses = lambda _nick, _line: None
        server.deal("ann", "JOIN #pond")
        await server.told("duck> PRIVMSG")
        while "ann" not in server.pond:  # noqa: ASYNC110
            await asyncio.sleep(0.01)
        await net.send(post("ann", "two"))
        assert server.said()[-1] == "ann> PRIVMSG #pond :two"


async def test_a_ban_of_a_puppet_refuses_its_owners_words_unless_they_are_to_be_marked() -> None:
    server = Server()
    server.refuses = lambda nick, line: (
        f":irc 474 {nick} #pond :Cannot join (+b)" if "JOIN" in line and nick == "ann" else None
    )
    async with running(server) as (net, _):
        with pytest.raises(PermanentError, match="banned"):
            await net.send(post("ann", "one"))
        await net.send(post("ann", "two", marked=True))
        assert server.said() == ["duck> PRIVMSG #pond :<ann> two"]


async def test_a_k_line_of_one_puppet_pauses_new_ones_and_tells_the_admins_and_others_stay() -> None:
    server = Server()
    async with running(server) as (net, batches):
        await net.send(post("ann", "one"))
        await net.send(post("bea", "one"))
        server.tell("ann", "ERROR :Closing link: (K-lined)")
        server.cut("ann")
        await server.told("> NICK", 3)
        while not any(batch.news for batch in batches):  # noqa: ASYNC110
            await asyncio.sleep(0.01)
        await net.send(post("ann", "two"))
        await net.send(post("cat", "two"))
        await net.send(post("bea", "three"))
        assert server.said()[-3:] == [
            "duck> PRIVMSG #pond :<ann> two",
            "duck> PRIVMSG #pond :<cat> two",
            "bea> PRIVMSG #pond :three",
        ]
        told = [news for batch in batches for news in batch.news]
        assert {news.user for news in told} == {None, "ann"}


async def test_what_becomes_of_a_puppet_is_told_to_its_owner_alone() -> None:
    server = Server()
    async with running(server) as (net, batches):
        await net.send(post("ann", "one"))
        server.show(":op!u@h KICK #pond ann :enough")
        while not any(batch.news for batch in batches):  # noqa: ASYNC110
            await asyncio.sleep(0.01)
        (news,) = [news for batch in batches for news in batch.news]
        assert news.user == "ann"
        assert "op has kicked your nick ann from #pond (enough)" in news.text
        others = [event for batch in batches for event in batch.events if not isinstance(event.body, Moderation)]
        assert others == []


async def test_a_nick_that_the_network_has_given_to_somebody_is_not_asked_for() -> None:
    server = Server()
    async with running(server) as (net, _):
        server.show(":ann!u@h JOIN #pond")
        await net.send(post("ann", "one"))
        assert server.said() == ["ann_> PRIVMSG #pond :one"]
        assert not any(line.endswith("> NICK ann") for line in server.lines)


async def test_what_somebody_says_under_the_nick_of_a_puppet_that_is_gone_is_heard() -> None:
    server = Server()
    async with running(server) as (net, batches):
        await net.send(post("ann", "one"))
        server.greets = lambda _: "ERROR :not now"
        server.cut("ann")
        await server.told("> NICK ann", 2)
        server.show(":ann!eve@elsewhere JOIN #pond")
        server.show(":ann!eve@elsewhere PRIVMSG #pond :I am ann")
        await server.told("duck> WHOIS ann")
        server.tell("duck", ":irc 311 duck ann eve elsewhere * :x", ":irc 318 duck ann :end")
        said: list[Event] = []
        while not said:
            await asyncio.sleep(0.01)
            said = [event for batch in batches for event in batch.events if isinstance(event.body, Message)]
        assert [(event.sender.mask, event.sender.proofs) for event in said] == [("ann!eve@elsewhere", ())]


async def test_puppets_leave_a_channel_that_is_linked_no_more() -> None:
    server = Server()
    async with running(server) as (net, _):
        await net.send(post("ann", "one"))
        net.use([_POND])
        net.use([])
        await server.told("ann> PART #pond")
        assert len([line for line in server.lines if "> PART" in line]) == 2


async def test_puppets_are_not_made_faster_than_one_at_a_time() -> None:
    """Who waits for their turn too long speaks through the bridge."""
    server = Server()
    async with running(server, puppets={"connect_every": "1h"}) as (net, _):
        await net.send(post("ann", "one"))
        await net.send(post("bea", "two"))
        assert server.said() == ["ann> PRIVMSG #pond :one", "duck> PRIVMSG #pond :<bea> two"]


@pytest.mark.parametrize(
    ("reason", "banned"),
    [
        ("Cannot send to channel (you're banned)", True),
        ("You are quieted there", True),
        ("Cannot send to channel (+b)", True),
        ("Cannot send to channel (+m)", False),
        ("Cannot send to nick/channel", False),
    ],
)
def test_a_servers_words_tell_a_ban_from_a_moderated_channel(reason: str, banned: bool) -> None:
    assert is_of_ban(reason) is banned
