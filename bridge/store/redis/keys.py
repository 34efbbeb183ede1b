"""The names of the keys. All begin with one prefix, whose hash tag keeps them in one slot of a cluster."""

from bridge.model.event import Room
from bridge.store.redis.verbs import Request

_TABLES = (
    "bells",
    "busy",
    "confirmed",
    "counters",
    "done",
    "guests",
    "lasting",
    "linked",
    "minutes",
    "moving",
    "nets",
    "outages",
)
_MORE_TABLES = ("places", "runs", "texts", "traffic:bytes", "traffic:number", "until")
_OF_NETWORK = ("answers", "calls", "dead", "losses", "mem", "net", "work")
_OF_ROOM = ("e", "gather", "held", "in", "p", "q", "sentto", "src", "w")


class Keys:
    """The keys that begin with `prefix`. What each holds is said in the files of `lua/shared`."""

    def __init__(self, prefix: str) -> None:
        self.prefix = prefix
        self._tables = [self.name(table) for table in (*_TABLES, *_MORE_TABLES)]

    def name(self, *parts: str) -> str:
        return self.prefix + ":".join(parts)

    def of(self, request: Request) -> list[str]:
        """The keys that are known before the script of `request` runs; the prefix is the first. It finds others, of
        events and deliveries, by what is in these."""
        network = request.lease[0] if request.lease is not None else ""
        places = [f"{len(room.network.encode())}:{room.network}{room.id}" for room in _rooms(request)]
        return [
            self.prefix,
            *self._tables,
            *(self.name(table, network) for table in _OF_NETWORK),
            *(self.name(table, place) for place in places for table in _OF_ROOM),
        ]


def _rooms(request: Request) -> list[Room]:
    return [*dict.fromkeys(request.rooms)]
