"""A channel that has refused a line gets one at a time until it takes one."""

import asyncio

import pytest

from bridge.irc.session.channels import Channels
from bridge.model.event import Room
from bridge.network import SendError
from tests.irc.test_client import Ircd, post, running

POND = Room("irc", "#pond")


def test_a_channel_is_unsure_from_a_refused_line_until_it_takes_one() -> None:
    channels = Channels([POND])
    [*channels.tick(0.0)]
    channels.we_joined("#pond", 0.0)
    assert not channels.is_unsure("#pond")
    channels.mute("#Pond", "moderated", 1.0, fancy=False)
    assert channels.is_unsure("#pond")
    [*channels.changed("#pond")]
    assert channels.is_unsure("#pond"), "its modes changed, but perhaps not those that matter"
    [*channels.spoke("#pond")]
    assert not channels.is_unsure("#pond")


def test_a_channel_that_is_not_ours_is_not() -> None:
    assert not Channels([POND]).is_unsure("#lake")


class Moderated(Ircd):
    """Takes no words while it `refuses`."""

    refuses = True

    def _answers(self, line: str) -> tuple[str, ...]:
        if line.startswith("PRIVMSG") and self.refuses:
            return (":irc 404 duck #pond :Cannot send to channel (+m)",)
        return super()._answers(line)

    def said(self) -> list[str]:
        return [line.rpartition(" ")[2] for line in self.lines if line.startswith("PRIVMSG")]


@pytest.mark.real_time
async def test_two_lines_are_not_on_their_way_at_once_to_a_channel_that_has_just_refused_one() -> None:
    ircd = Moderated()
    async with running(ircd) as (net, _), asyncio.TaskGroup() as group:
        with pytest.raises(SendError):
            await net.send(post("<Ann> one"))
        ircd.refuses = ircd.echo_pongs = False
        ircd.tell(":op!u@h MODE #pond -m")
        sending = [group.create_task(net.send(post(f"<Ann> {text}"))) for text in ("one", "two")]
        await ircd.told(lambda line: line.startswith("PRIVMSG"), count=2)
        await asyncio.sleep(0.2)
        assert ircd.said() == ["one", "one"], "whether the channel takes the first is not known yet"
        ircd.echo_pongs = True
        ircd.tell(*(f":irc PONG irc {line.split()[1]}" for line in ircd.lines if line.startswith("PING")))
        await asyncio.gather(*sending)
        assert ircd.said() == ["one", "one", "two"]
