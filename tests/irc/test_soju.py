"""The whole adapter behind a scripted soju: its network is found by name, and its history is read."""

import asyncio

import pytest

from bridge.irc.client import IrcNetwork
from bridge.model.event import Message
from bridge.model.text import plain
from bridge.network import Batch, Refused
from tests.irc.test_client import Ircd, network, running

pytestmark = pytest.mark.real_time

_CAPS = "batch draft/chathistory echo-message message-tags server-time soju.im/bouncer-networks"
_NETWORKS = ("42 name=OFTC;state=connected", "43 name=Libera;state=connected")


class Soju(Ircd):
    """soju with two networks; `remembers` are times and words that bob has said in #pond, as soju would tell them."""

    def __init__(self) -> None:
        super().__init__()
        self.remembers: list[tuple[str, str]] = []
        self._bound = ""

    def _answers(self, line: str) -> tuple[str, ...]:
        match line.split(" "):
            case ["CAP", "LS", *_]:
                self._bound = ""
                return (f":soju CAP * LS :{_CAPS}",)
            case ["CAP", "REQ", *names]:
                return (f":soju CAP * ACK {' '.join(names)}",)
            case ["NICK", _]:
                return ()
            case ["BOUNCER", "BIND", netid]:
                self._bound = netid
                known = any(each.startswith(f"{netid} ") for each in _NETWORKS)
                return () if known else (f":soju FAIL BOUNCER INVALID_NETID {netid} :Unknown network ID",)
            case ["CAP", "END"]:
                supports = f"BOUNCER_NETID={self._bound} CHANTYPES=# CHATHISTORY=2 MSGREFTYPES=timestamp"
                welcome = "@time=2026-11-23T00:00:00.000Z :soju 001 duck :hi"
                return (welcome, f":soju 005 duck {supports if self._bound else 'CHANTYPES='} :x", ":soju 422 duck :x")
            case ["BOUNCER", "LISTNETWORKS"]:
                lines = (f"@batch=n BOUNCER NETWORK {each}" for each in _NETWORKS)
                return (":soju BATCH +n soju.im/bouncer-networks", *lines, ":soju BATCH -n")
            case ["JOIN", name]:
                return (f"@time={self._now} :duck!u@h JOIN {name}",)
            case ["CHATHISTORY", "AFTER", name, reference, limit]:
                assert reference.startswith("timestamp=")
                after = [each for each in self.remembers if each[0] > reference.removeprefix("timestamp=")]
                page = (f"@batch=h;time={time} :bob!u@h PRIVMSG {name} :{text}" for time, text in after[: int(limit)])
                return (f":soju BATCH +h chathistory {name}", *page, ":soju BATCH -h")
            case _:
                return super()._answers(line)

    @property
    def _now(self) -> str:
        return self.remembers[-1][0] if self.remembers else "2026-11-23T00:00:01.000Z"


@pytest.fixture
async def soju() -> Soju:
    return Soju()


async def heard_of(net: IrcNetwork, cursor: str | None, until: str) -> tuple[list[Batch], list[str]]:
    """Listen from `cursor` on until that is heard."""
    batches: list[Batch] = []
    words: list[str] = []
    stream = net.events(cursor)
    async with asyncio.timeout(20):
        async for batch in stream:
            batches.append(batch)
            words += [plain(event.body.text) for event in batch.events if isinstance(event.body, Message)]
            if until in words or (not until and batch.cursor and "#pond" in batch.cursor):
                break
    await stream.aclose()
    return batches, words


async def test_a_network_is_found_by_its_name_and_the_next_connection_is_for_it(soju: Soju) -> None:
    async with running(soju, bouncer_network="libera"):
        assert soju.connections == 2
        assert [line for line in soju.lines if line.startswith("BOUNCER")] == [
            "BOUNCER LISTNETWORKS",
            "BOUNCER BIND 43",
        ]
        soju.hang_up()
        await soju.told(lambda line: line == "BOUNCER BIND 43", 2)
        assert soju.lines.count("BOUNCER LISTNETWORKS") == 1, "it is known by now"


async def test_a_network_that_the_bouncer_does_not_have_is_refused_with_its_key(soju: Soju) -> None:
    async with network(soju, bouncer_network="librea") as net:
        with pytest.raises(Refused, match="its networks: OFTC, Libera") as refused:
            await heard_of(net, None, "never")
        assert refused.value.key[-1] == "bouncer_network"


async def test_what_was_said_while_we_were_away_is_read_page_by_page_by_time_and_without_a_gap(soju: Soju) -> None:
    async with network(soju, bouncer_network="42") as net:
        batches, words = await heard_of(net, None, "")
        assert words == []
        cursor = batches[-1].cursor
        seconds = [1, 2, 2, 3, 4, 5, 5, 6]
        soju.remembers = [(f"2026-11-23T00:00:{each:02}.500Z", f"m{index}") for index, each in enumerate(seconds)]
        batches, words = await heard_of(net, cursor, f"m{len(seconds) - 1}")
        assert words == [f"m{index}" for index in range(len(seconds))]
        again, words = await heard_of(net, batches[-1].cursor, f"m{len(seconds) - 1}")
        assert words == [f"m{len(seconds) - 1}"], "the last line only, whose id is the same"
        ids = [event.id for batch in [*batches, *again] for event in batch.events]
        assert len({*ids}) == len(seconds)
