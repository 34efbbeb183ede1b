"""Where the user database and its audit log are: in files, or in the store that several workers share."""

import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from bridge.config import Config
from bridge.store.opening import check_library, is_redis
from bridge.users.audit import Audit
from bridge.users.shared import SharedAudit, Slips
from bridge.users.tinydb import TinyUsers

if TYPE_CHECKING:
    from bridge.store.postgres.users import UsersText
    from bridge.store.redis.users import UsersText as RedisText


def place_of(config: Config) -> "Path | UsersText | RedisText":
    """The file of the user database, or what stands for it in the store. Raises `Unusable` if the library
    for the store is missing."""
    if not config.users_in_store or config.store.url is None:
        return config.users.database
    check_library(config.store.url)
    if is_redis(config.store.url):
        from bridge.store.redis.users import UsersText as RedisText

        return RedisText(config.store.url)
    from bridge.store.postgres.users import UsersText

    return UsersText(config.store.url)


def users_of(config: Config, by: str = "", clock: Callable[[], float] = time.time) -> TinyUsers:
    """The user database of the settings. Raises UsersError if it is missing or broken."""
    return TinyUsers(place_of(config), by, clock)


def audit_of(config: Config, clock: Callable[[], float]) -> Audit:
    """Its audit log."""
    place = place_of(config)
    return Audit(place, clock) if isinstance(place, Path) else SharedAudit(place, clock)


def slips_of(config: Config) -> Slips | None:
    """Where workers keep codes and guesses together; None if there is one daemon, which remembers them by itself."""
    place = place_of(config)
    return None if isinstance(place, Path) else place
