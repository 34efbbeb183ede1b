"""How store-v1.sqlite was made, with the tables as version 1 had them. The file is frozen: do not make it again."""

import sqlite3
from pathlib import Path

from bridge.model.outbox import Delivery, Post
from bridge.store.core import Core
from bridge.store.schema import MIGRATIONS
from tests.events import HOME, LIBERA, matrix, said

_events = [said(HOME, matrix("alice"), text) for text in ("sent", "dead", "queued")]
_deliveries = [Delivery.of(event.key, LIBERA) for event in _events]
SENT = _events[0].key
DEAD = _deliveries[1].id
QUEUED = _deliveries[2].id
REMOTE = "irc-1"


def make(path: Path) -> None:
    sql = sqlite3.connect(path, isolation_level=None)
    sql.executescript(f"BEGIN; {MIGRATIONS[0]} PRAGMA user_version = 1; COMMIT;")
    core = Core(sql)
    core.acquire("home", "t")
    core.acquire("libera", "t")
    core.remember("home", "t", {"device": "DUCK"})
    core.commit("home", "t", None, _events, _deliveries, "s3", 1_000.0)
    (post,) = core.plan("libera", "t", LIBERA, [Post.of(LIBERA, (_deliveries[0].id,), 0, "sent")])
    core.sent("libera", "t", post, REMOTE, (), 1_001.0)
    core.bury("libera", "t", [DEAD], "too large", 1_002.0)
    core.plan("libera", "t", LIBERA, [Post.of(LIBERA, (QUEUED,), 0, "frozen")])
    sql.close()


if __name__ == "__main__":
    make(Path(__file__).with_name("store-v1.sqlite"))
