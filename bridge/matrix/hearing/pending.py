"""The news of a sync, one piece after the other, and those that are not stored yet."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import assert_never

from bridge import network
from bridge.matrix.rooms.joined import JoinedRoom
from bridge.model.accounting import Count
from bridge.model.event import Event
from bridge.network import Batch, Gap, Moved, Typing, Unread


@dataclass(frozen=True, slots=True)
class Fresh:
    """The first sync with a room since we joined it."""

    joined: JoinedRoom


News = Event | Gap | Count | Unread | Fresh
"""One piece of news in a sync; those of a room come in its order."""


@dataclass(slots=True)
class Pending:
    """The news of a sync that are not stored yet."""

    events: list[Event] = field(default_factory=list)
    gaps: list[Gap] = field(default_factory=list)
    fresh: list[JoinedRoom] = field(default_factory=list)
    counts: list[Count] = field(default_factory=list)
    unread: list[Unread] = field(default_factory=list)

    def batch(
        self,
        cursor: str,
        signals: tuple[Typing, ...],
        changes: Mapping[str, str | None],
        news: tuple[network.News, ...] = (),
    ) -> Batch:
        """The batch that ends a sync."""
        moves = tuple(Moved(joined.room, joined.id, joined.moved) for joined in self.fresh if joined.moved)
        gaps, counts, unread = tuple(self.gaps), tuple(self.counts), tuple(self.unread)
        return Batch(tuple(self.events), cursor, gaps, counts, moves, changes, signals, unread, news)

    def add(self, news: News) -> None:
        match news:
            case Event():
                self.events.append(news)
            case Gap():
                self.gaps.append(news)
            case Count():
                self.counts.append(news)
            case Unread():
                self.unread.append(news)
            case Fresh(joined):
                self.fresh.append(joined)
            case _ as never:
                assert_never(never)

    def __bool__(self) -> bool:
        """Whether there is anything to store."""
        return bool(self.events or self.gaps or self.fresh or self.counts or self.unread)
