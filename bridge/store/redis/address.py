"""The address of a Redis server, as the config has it."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Self
from urllib.parse import parse_qsl, unquote, urlsplit

from bridge.store.contract import Unusable

_PORT = 6379
_NAME = "bridge"
_SCHEMES = ("redis", "rediss", "redis+sentinel", "rediss+sentinel")
_SENTINEL_PORT = 26379


@dataclass(frozen=True, slots=True)
class Address:
    """Where a server is, and how to log in. `name` tells apart bridges that share a server. `wait` is how many replicas
    have to confirm each write; None: as many as were ever seen. With `sentinels`, these tell where the primary of
    `service` is."""

    host: str
    port: int = _PORT
    database: int = 0
    user: str | None = None
    password: str | None = field(default=None, repr=False)
    tls: bool = False
    name: str = _NAME
    wait: int | None = None
    sentinels: tuple[tuple[str, int], ...] = ()
    service: str = ""

    @classmethod
    def parse(cls, url: str) -> Self:
        """Read `redis://[[USER]:PASSWORD@]HOST[:PORT][/DATABASE][?name=NAME&wait=REPLICAS]`; `rediss://` is TLS;
        `redis+sentinel://` takes several hosts, with commas, and `service=NAME`. Raises `Unusable`, which says what is
        wrong, but nothing of the address: it may hold a password."""
        try:
            parts = urlsplit(url)
            sentinels = tuple(_sentinels(parts.netloc)) if parts.scheme.endswith("+sentinel") else ()
            host, port = sentinels[0] if sentinels else (parts.hostname, parts.port or _PORT)
            database = int(parts.path.strip("/") or 0)
            options = dict(parse_qsl(parts.query, strict_parsing=True)) if parts.query else {}
            name, wait = options.pop("name", _NAME), options.pop("wait", "1" if sentinels else None)
            service = options.pop("service", "") if sentinels else ""
            replicas = int(wait) if wait is not None else None
        except ValueError as error:
            raise Unusable(f"the address of the store {_SHAPE}: a number in it is none") from error
        if parts.scheme not in _SCHEMES or not host or options or bool(sentinels) is not bool(service):
            raise Unusable(f"the address of the store {_SHAPE}")
        if not name.replace("-", "").replace("_", "").isalnum() or not name.isascii():
            raise Unusable("the name in the address of the store has to be of letters, digits, - and _")
        if replicas is not None and replicas < 0:
            raise Unusable("the number of replicas to wait for, in the address of the store, cannot be negative")
        user, password = (unquote(each) if each else None for each in (parts.username, parts.password))
        tls = parts.scheme.startswith("rediss")
        return cls(host, port, database, user, password, tls, name, replicas, sentinels, service)

    def __str__(self) -> str:
        """Without the password."""
        if self.service:
            return f"the primary of {self.service}"
        return f"{'rediss' if self.tls else 'redis'}://{self.host}:{self.port}/{self.database}"

    @property
    def prefix(self) -> str:
        """What all keys begin with. The braces keep them in one slot of a cluster."""
        return f"qb:{{{self.name}}}:"

    def login(self) -> dict[str, Any]:
        """How redis-py connects there."""
        secure = {"ssl": True, "ssl_check_hostname": True} if self.tls else {}
        where = {"db": self.database} if self.sentinels else {"host": self.host, "port": self.port, "db": self.database}
        return {**where, "username": self.user, "password": self.password, **secure}


_SHAPE = (
    "has to look like redis://:PASSWORD@HOST:6379/0, or rediss:// for TLS; it may end with ?name=NAME&wait=REPLICAS"
)


def _sentinels(netloc: str) -> Iterator[tuple[str, int]]:
    """The hosts and ports of an address with several hosts."""
    for each in netloc.rpartition("@")[2].split(","):
        one = urlsplit(f"//{each}")
        if one.hostname:
            yield one.hostname, one.port or _SENTINEL_PORT
