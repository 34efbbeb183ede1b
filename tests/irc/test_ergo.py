"""The shell on a scripted Ergo: long messages as one, and speakers with nicks of their own."""

import asyncio

import pytest

from bridge.irc.client import IrcNetwork
from bridge.model.event import Event, Message, Room
from bridge.model.outbox import Owed
from bridge.model.presentation import Presentation
from bridge.model.text import words
from bridge.network import TransientError
from tests.events import matrix
from tests.irc.ergo import Ergo
from tests.irc.test_client import running

pytestmark = pytest.mark.real_time

_POND = Room("net", "#pond")


async def carries(net: IrcNetwork, text: str, number: int = 1) -> list[str]:
    """Send as the relay does, again after a refusal; the remote ids."""
    event = Event(f"${number}", Room("home", "!pond"), matrix("Ann"), 0.0, Message(words(text)), max_lines=20)
    ids = []
    for post in net.render([Owed(f"d{number}", _POND, event)], Presentation(colour_names=False)):
        for _ in range(3):
            try:
                ids.append(await net.send(post))
                break
            except TransientError as error:
                assert error.refused or error.retry_after == 0.1  # noqa: PT017 - it is tried again
    return ids


async def test_a_long_text_is_one_message_with_one_id() -> None:
    ergo, text = Ergo(), "\n".join(f"verse {number}" for number in range(30))
    async with running(ergo, relaymsg=False) as (net, batches):
        (msgid,) = await carries(net, text)
    assert ergo.said == [("duck", "\n".join(f"<Ann> {verse}" for verse in text.split("\n")))]
    assert ergo.messages[msgid] == "duck"
    assert not [event for batch in batches for event in batch.events]


async def test_each_line_of_a_message_counts_as_one_for_the_messages_behind_it() -> None:
    ergo, now = Ergo(), asyncio.get_running_loop().time
    async with running(ergo, relaymsg=False, burst=10, per_second=10.0) as (net, _):
        await carries(net, "\n".join("abcdefghijklmnopqrst"))
        before = now()
        await carries(net, "next", 2)
        assert now() - before > 0.5


async def test_a_long_line_is_one_message_too() -> None:
    ergo, text = Ergo(), "word " * 300
    async with running(ergo, relaymsg=False) as (net, _):
        await carries(net, text)
    assert [(who, said.replace("\x0f", "")) for who, said in ergo.said] == [("duck", f"<Ann> {text}")]


async def test_a_message_that_is_refused_comes_as_lines_each_once_and_so_do_all_later_ones() -> None:
    """It takes less than it offers."""
    ergo, text = Ergo(takes=3), "\n".join("abcde")
    async with running(ergo, relaymsg=False) as (net, _):
        await carries(net, text)
        await carries(net, "f\ng", 2)
    assert ergo.said == [("duck", f"<Ann> {letter}") for letter in "abcdefg"]


async def test_a_channel_operator_gives_each_speaker_a_nick_and_hears_nobody_else_in_it() -> None:
    ergo = Ergo(op=True)
    async with running(ergo) as (net, batches):
        (msgid,) = await carries(net, "hello")
        ergo.says("bob", "an answer", account="bob")
        await carries(net, "again", 2)
    assert ergo.said == [("Ann/matrix", "hello"), ("Ann/matrix", "again")]
    assert ergo.messages[msgid] == "duck"
    assert [event.sender.name for batch in batches for event in batch.events] == ["bob"]


async def test_without_the_right_to_relay_the_mark_is_used_and_nothing_is_said_twice() -> None:
    ergo = Ergo()
    async with running(ergo) as (net, _):
        await carries(net, "hello")
        await carries(net, "again", 2)
    assert ergo.said == [("duck", "<Ann> hello"), ("duck", "<Ann> again")]
    assert sum("RELAYMSG" in line for line in ergo.lines) == 1
