"""Our application service: requests that a ghost makes, with the token of the registration."""

import json
from collections.abc import Mapping
from functools import partial
from pathlib import Path

from bridge.matrix.acting import Voice
from bridge.matrix.dialect.fields import Json
from bridge.matrix.ghosts.registration import Tokens
from bridge.matrix.http.homeserver import ApiError, Homeserver

_NOT_KNOWN = frozenset({"M_UNKNOWN_TOKEN", "M_MISSING_TOKEN", "M_EXCLUSIVE"})


class NotRegistered(Exception):
    """There is no registration, or none that the homeserver knows. `hint` is what the operator may do."""

    def __init__(self, reason: str, hint: str) -> None:
        super().__init__(reason)
        self.hint = hint


def is_unknown(error: ApiError) -> bool:
    """Whether the homeserver does not know our registration."""
    return error.code in _NOT_KNOWN


class Service:
    """`path` is the file with the tokens. It is read anew with each `check`, and once before the first one: words may
    come earlier after a restart."""

    def __init__(self, homeserver: Homeserver, path: Path) -> None:
        self.path = path
        self._homeserver = homeserver
        self._token = ""

    async def check(self) -> None:
        """Find out whether the homeserver knows us. Raises NotRegistered, and what `Homeserver` raises."""
        try:
            tokens = Tokens.read(self.path)
        except (ValueError, OSError) as error:
            raise NotRegistered(str(error), "let the daemon's user read it") from None
        if tokens is None:
            hint = "give the homeserver's admin what `quackbridge registration` prints"
            raise NotRegistered("there is no registration yet", hint)
        self._token = tokens.ours
        try:
            await self.ask("GET", "account", "whoami")
        except ApiError as error:
            if error.passes:
                raise
            hint = "the homeserver has to be started anew with the registration that `quackbridge registration` prints"
            raise NotRegistered(f"the homeserver does not know the registration ({error})", hint) from None

    async def ask(
        self,
        method: str,
        *path: str,
        user: str = "",
        body: Json | str | None = None,
        query: Mapping[str, str] | None = None,
    ) -> Json:
        """A request as the ghost `user` ("Identity assertion"); '': as the application service. Raises ApiError,
        Unreachable."""
        if not self._token:
            self._token = self._kept()
        text = body if isinstance(body, str) or body is None else json.dumps(body)
        if method != "GET" and text is None:
            text = "{}"
        asked = {**(query or {}), **({"user_id": user} if user else {})}
        return await self._homeserver.service(self._token, method, path, asked, text)

    def _kept(self) -> str:
        """The token; '' if there is none, or none that can be read: `check` says why."""
        try:
            tokens = Tokens.read(self.path)
        except (ValueError, OSError):
            return ""
        return tokens.ours if tokens is not None else ""

    def voice(self, user: str, at: int | None = None) -> Voice:
        """The voice of the ghost `user`. `at`: when it speaks, in milliseconds since the epoch ("Timestamp massaging");
        None: now."""
        query = {"ts": str(at)} if at is not None else {}
        return Voice(user, partial(self._put, user, query))

    async def _put(self, user: str, query: Mapping[str, str], *path: str, body: Json | str) -> Json:
        return await self.ask("PUT", *path, user=user, body=body, query=query)
