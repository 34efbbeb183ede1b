"""What is certain of a post whose sending failed."""

import pytest

from bridge.matrix.http.homeserver import ApiError, Unreachable
from bridge.model.event import Room
from bridge.model.outbox import Post
from bridge.network import TransientError
from tests.matrix.test_private import Adapter, Told

_ROOM = Room("home", "#pond:hs")
_PUT = f"rooms/!pond/send/m.room.message/{Post.of(_ROOM, ('d',), 0, '').id}"


@pytest.mark.parametrize(
    ("place", "error", "unclear"),
    [
        (_PUT, Unreachable("the connection broke"), True),
        (_PUT, ApiError(502, "", "bad gateway"), True),
        (_PUT, ApiError(429, "M_LIMIT_EXCEEDED", "too many", 1.0), False),
        (_PUT, ApiError(403, "M_FORBIDDEN", "no"), False),
        ("rooms/!pond/state/m.room.encryption/", Unreachable("the connection broke"), False),
    ],
)
async def test_a_post_may_have_been_sent_unless_it_was_refused_or_not_put_at_all(
    place: str, error: Exception, unclear: bool
) -> None:
    adapter = Adapter(Told())
    adapter.rooms.add("!pond", _ROOM).enter()
    adapter.rooms.doubt()
    adapter.homeserver.troubles = {place: lambda: error}
    with pytest.raises(TransientError) as failed:
        await adapter.send("#pond:hs")
    assert failed.value.unclear is unclear
