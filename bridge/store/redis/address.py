"""The address of a Redis server, as the config has it."""

from dataclasses import dataclass, field
from typing import Any, Self
from urllib.parse import parse_qsl, unquote, urlsplit

from bridge.store.contract import Unusable

_PORT = 6379
_NAME = "bridge"
_SCHEMES = ("redis", "rediss")


@dataclass(frozen=True, slots=True)
class Address:
    """Where a server is, and how to log in. `name` tells apart bridges that share a server. `wait` is how many replicas
    have to confirm each write; None: as many as were ever seen."""

    host: str
    port: int = _PORT
    database: int = 0
    user: str | None = None
    password: str | None = field(default=None, repr=False)
    tls: bool = False
    name: str = _NAME
    wait: int | None = None

    @classmethod
    def parse(cls, url: str) -> Self:
        """Read `redis://[[USER]:PASSWORD@]HOST[:PORT][/DATABASE][?name=NAME&wait=REPLICAS]`; `rediss://` is TLS. Raises
        `Unusable`, which says what is wrong, but nothing of the address: it may hold a password."""
        try:
            parts = urlsplit(url)
            host, port = parts.hostname, parts.port or _PORT
            database = int(parts.path.strip("/") or 0)
            options = dict(parse_qsl(parts.query, strict_parsing=True)) if parts.query else {}
            name, wait = options.pop("name", _NAME), options.pop("wait", None)
            replicas = int(wait) if wait is not None else None
        except ValueError as error:
            raise Unusable(f"the address of the store {_SHAPE}: a number in it is none") from error
        if parts.scheme not in _SCHEMES or not host or options:
            raise Unusable(f"the address of the store {_SHAPE}")
        if not name.replace("-", "").replace("_", "").isalnum() or not name.isascii():
            raise Unusable("the name in the address of the store has to be of letters, digits, - and _")
        if replicas is not None and replicas < 0:
            raise Unusable("the number of replicas to wait for, in the address of the store, cannot be negative")
        user, password = (unquote(each) if each else None for each in (parts.username, parts.password))
        return cls(host, port, database, user, password, parts.scheme == "rediss", name, replicas)

    def __str__(self) -> str:
        """Without the password."""
        return f"{'rediss' if self.tls else 'redis'}://{self.host}:{self.port}/{self.database}"

    @property
    def prefix(self) -> str:
        """What all keys begin with. The braces keep them in one slot of a cluster."""
        return f"qb:{{{self.name}}}:"

    def login(self) -> dict[str, Any]:
        """How redis-py connects there."""
        secure = {"ssl": True, "ssl_check_hostname": True} if self.tls else {}
        where = {"host": self.host, "port": self.port, "db": self.database}
        return {**where, "username": self.user, "password": self.password, **secure}


_SHAPE = (
    "has to look like redis://:PASSWORD@HOST:6379/0, or rediss:// for TLS; it may end with ?name=NAME&wait=REPLICAS"
)
