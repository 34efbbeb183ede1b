"""The master keys of others (spec, "Cross-signing"), as they were at first: a changed one is news for admins."""

from collections.abc import Callable
from datetime import UTC, datetime

from bridge.lib.bucket import SlidingWindow
from bridge.lib.ids import digest
from bridge.matrix.crypto.rows import Rows
from bridge.model.text import one_line
from bridge.network import News

_PIN = "master"
"""The kind of the rows, by user."""
_MOST = 20_000
_SHOWN = 100
"""Characters of a Matrix id at most."""
_A_DAY, _DAY_S = 10, 86_400.0
"""Most people of whom admins are told in a day: a homeserver can change the keys of all of its people at any time."""
_CHANGED = (
    "{} has a new identity on Matrix: their clients say that it was reset. Perhaps they have lost their recovery key;"
    " or somebody else has got into their account, or runs their homeserver. Ask them in another way whether it was"
    " they. Until you know, `mute-user` stops what they say from being carried."
)
_MORE = "More people have new identities on Matrix today than I tell you of. The bridge's log names them."


class Pins:
    """`tell` takes news for admins, and `knows` says of which users they are told."""

    def __init__(self, rows: Rows, clock: Callable[[], float]) -> None:
        self._rows = rows
        self._clock = clock
        self._told = SlidingWindow(_A_DAY, _DAY_S)
        self.tell: Callable[[News], None] = lambda _: None
        self.knows: Callable[[str], bool] = lambda _: True

    def note(self, user: str, master: str) -> bool:
        """`user` has that master key now, or none (empty). Returns whether it is another one than before."""
        before = self._rows.get(_PIN, user)
        if not master or master == before:
            return False
        if before is None and len(self._rows.of(_PIN)) >= _MOST:
            self._rows.put(_PIN, next(iter(self._rows.of(_PIN))), None)
        self._rows.put(_PIN, user, master)
        if before is not None and self.knows(user):
            self._tell(user, master)
        return before is not None

    def _tell(self, user: str, master: str) -> None:
        now = self._clock()
        if self._told.left(now) > 0:
            self._told.spend(now)
            self.tell(News(f"master {digest(user, master)}", _CHANGED.format(one_line(user, _SHOWN))))
        else:
            self.tell(News(f"masters {datetime.fromtimestamp(now, UTC).date().isoformat()}", _MORE))
