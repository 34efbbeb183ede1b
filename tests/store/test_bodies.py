"""Each kind of body in the store and both renderers: one without a rendering yet is refused with its reason, and
what is about a message that was never shown is not shown."""

from collections.abc import Callable, Sequence
from contextlib import aclosing
from functools import partial
from pathlib import Path

import pytest

from bridge.irc.dialect.place import Place
from bridge.irc.dialect.render import render as to_irc
from bridge.matrix.dialect.render import render as to_matrix
from bridge.model.event import (
    Body,
    Change,
    Edit,
    Event,
    EventKey,
    Kind,
    Membership,
    Message,
    Reaction,
    Redaction,
    Room,
    Topic,
)
from bridge.model.outbox import Delivery, Owed, Post
from bridge.model.text import words
from bridge.network import Needless
from bridge.store.contract import Commit, Lease, Shown
from bridge.store.sqlite import SqliteStore
from tests.events import HOME, LIBERA, irc, matrix

pytestmark = pytest.mark.real_time

TARGET = EventKey(HOME, "$earlier")
BODIES: Sequence[Body] = (
    Message(words("hi")),
    Message(words("waves"), Kind.ACTION),
    Message(words("psst"), Kind.NOTICE, reply_to=TARGET),
    Edit(TARGET, words("hello")),
    Redaction(TARGET, "spam"),
    Reaction(TARGET, "+1"),
    Reaction(TARGET, "+1", removed=True),
    Membership(irc("bob", "bob"), Change.JOINED),
    Membership(irc("bob", "bob"), Change.LEFT, "ping timeout"),
    Topic("ducks"),
)
RENDERERS: dict[Room, Callable[[Sequence[Owed]], Sequence[Post]]] = {
    LIBERA: partial(to_irc, place=Place()),
    HOME: to_matrix,
}


@pytest.mark.parametrize("to", [LIBERA, HOME], ids=str)
@pytest.mark.parametrize("body", BODIES, ids=lambda body: f"{body.type}")
async def test_a_body_is_read_back_unchanged_and_is_rendered_or_needless_where_its_target_is_unknown(
    tmp_path: Path, body: Body, to: Room
) -> None:
    event = Event("$1", Room("other", "#pond"), matrix("alice"), 100.0, body)
    async with aclosing(SqliteStore.open(tmp_path / "store.db", lambda: 100.0)) as store:
        source, target = await _lease(store, "other"), await _lease(store, to.network)
        delivery = Delivery.of(event.key, to)
        await source.commit(Commit(None, "1", [event], [delivery]))
        (backlog,) = await target.due(100.0)
        (owed,) = backlog.owed
        assert owed.event == event
        posts = _rendered(owed)
        if to == LIBERA and isinstance(body, Redaction | Reaction):  # nothing is known of it there
            assert posts is None
            await target.settle(Shown([delivery.id]))
            assert await store.outbox() == []
        else:
            assert posts is not None
            assert [post.deliveries for post in posts] == [(delivery.id,)]


def _rendered(owed: Owed) -> Sequence[Post] | None:
    """The posts of `owed`; None if it needs none."""
    try:
        return RENDERERS[owed.room]([owed])
    except Needless:
        return None


async def _lease(store: SqliteStore, network: str) -> Lease:
    lease = await store.acquire(network, "test")
    assert lease is not None
    return lease
