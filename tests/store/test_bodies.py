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
from bridge.model.accounting import Account
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
from bridge.network import Needless, PermanentError
from bridge.store.contract import Commit, Dead, Lease
from bridge.store.sqlite import SqliteStore
from tests.events import HOME, LIBERA, irc, matrix

pytestmark = pytest.mark.real_time

NEEDLESS = "needless"
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
async def test_a_body_is_read_back_unchanged_and_is_rendered_or_counted_as_dead_with_its_reason(
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
        posts, refused = _rendered(owed)
        if to == LIBERA and isinstance(body, Redaction | Reaction):
            assert (posts, refused) == ((), NEEDLESS)
            return
        if to == LIBERA or isinstance(body, Message | Edit) or (isinstance(body, Reaction) and not body.removed):
            assert [post.deliveries for post in posts] == [(delivery.id,)]
            return
        assert refused
        await target.settle(Dead([delivery.id], refused))
        ledger = await store.ledger(0.0)
        assert Account(to, dead=1) in ledger.accounts
        assert [entry.reason for entry in await store.outbox()] == [refused]


def _rendered(owed: Owed) -> tuple[Sequence[Post], str]:
    """The posts of `owed`, or why there are none."""
    try:
        return RENDERERS[owed.room]([owed]), ""
    except PermanentError as error:
        return (), str(error)
    except Needless:
        return (), NEEDLESS


async def _lease(store: SqliteStore, network: str) -> Lease:
    lease = await store.acquire(network, "test")
    assert lease is not None
    return lease
