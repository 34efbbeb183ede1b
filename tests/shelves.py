"""The stores that workers can share, each on a real server, and a look into them from outside."""

from typing import Protocol

import pytest
from redis import Redis

from bridge.store.postgres.users import UsersText as PostgresUsers
from bridge.store.redis.address import Address
from bridge.store.redis.users import UsersText as RedisUsers
from bridge.users.shared import SharedText, Slips
from tests.conftest import need
from tests.fakes.redis import RedisServer, shared, unique
from tests.postgres import Postgres


class Shelf(Protocol):
    """A store that is empty at first."""

    url: str

    def worker(self, network: str) -> str:
        """What the worker that took `network` last calls itself; '': nobody has."""
        ...

    def remembered(self, network: str, key: str) -> str: ...

    def age(self, network: str, seconds: float) -> None:
        """The lease of `network` was renewed that much earlier."""
        ...

    def users(self) -> SharedText: ...

    def slips(self) -> Slips: ...


class PostgresShelf:
    def __init__(self, server: Postgres) -> None:
        server.empty()
        self.url = server.url
        self._server = server

    def worker(self, network: str) -> str:
        return self._found("SELECT worker FROM networks WHERE name = %s", network)

    def remembered(self, network: str, key: str) -> str:
        return self._found("SELECT value FROM memory WHERE network = %s AND key = %s", network, key)

    def age(self, network: str, seconds: float) -> None:
        self._server.execute("UPDATE networks SET until = until - %s WHERE name = %s", seconds, network)

    def users(self) -> SharedText:
        return PostgresUsers(self.url)

    def slips(self) -> Slips:
        return PostgresUsers(self.url)

    def _found(self, query: str, *values: str) -> str:
        return next((str(value) for (value,) in self._server.execute(query, *values)), "")


class RedisShelf:
    def __init__(self) -> None:
        self.url = shared().url(unique())
        self._address = Address.parse(self.url)

    def worker(self, network: str) -> str:
        return self._found(f"net:{network}", "worker")

    def remembered(self, network: str, key: str) -> str:
        return self._found(f"mem:{network}", key)

    def age(self, network: str, seconds: float) -> None:
        with Redis(**self._address.login()) as client:
            client.hincrbyfloat(f"{self._address.prefix}net:{network}", "until", -seconds)

    def users(self) -> SharedText:
        return RedisUsers(self.url)

    def slips(self) -> Slips:
        return RedisUsers(self.url)

    def _found(self, name: str, field: str) -> str:
        with Redis(**self._address.login()) as client:
            found = client.hget(f"{self._address.prefix}{name}", field)
        return found.decode() if isinstance(found, bytes) else ""


@pytest.fixture(params=["postgres", "redis"])
def shelf(request: pytest.FixtureRequest) -> Shelf:
    """Each in turn."""
    if request.param == "redis":
        need(RedisServer)
        return RedisShelf()
    return PostgresShelf(request.getfixturevalue("postgres"))
