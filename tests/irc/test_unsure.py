"""A channel that has refused a line gets one at a time until it takes one."""

from bridge.irc.session.channels import Channels
from bridge.model.event import Room

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
