"""Our application service: requests that a ghost makes, with the token of the registration."""

import json
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path

from bridge.matrix.acting import Voice
from bridge.matrix.dialect.fields import Json
from bridge.matrix.ghosts.registration import Tokens, service_id
from bridge.matrix.http.homeserver import ApiError, ClientApi, Homeserver

_UNKNOWN_URL = "M_URL_NOT_SET"
_NO_ANSWER = ("M_BAD_STATUS", "M_CONNECTION_TIMEOUT", "M_CONNECTION_FAILED")
_GIVE = "give it what `quackbridge registration` prints now, and start it anew"
_LOOK = "let the bridge run, and `http.listen` be reached from the homeserver at that URL"
_NOT_KNOWN = frozenset({"M_UNKNOWN_TOKEN", "M_MISSING_TOKEN", "M_EXCLUSIVE"})


class NotRegistered(Exception):
    """There is no registration, or none that the homeserver knows. `hint` is what the operator may do."""

    def __init__(self, reason: str, hint: str) -> None:
        super().__init__(reason)
        self.hint = hint


class NotReached(Exception):
    """The homeserver does not reach our application service. `hint` is what the operator may do."""

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

    def _said(self) -> str:
        """Our token, which is read before the first `check`, too; '' if there is none."""
        if not self._token:
            with suppress(ValueError, OSError):
                tokens = Tokens.read(self.path)
                self._token = tokens.ours if tokens is not None else ""
        return self._token

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
        return await self._homeserver.service(self._said(), method, path, asked, text)

    async def ping(self, network: str) -> None:
        """Have the homeserver try whether it reaches us. Raises NotReached, and what `Homeserver` raises."""
        try:
            await self.ask("POST", "appservice", service_id(network), "ping")
        except ApiError as error:
            if error.code == _UNKNOWN_URL:
                raise NotReached("the homeserver has a registration without `url`", _GIVE) from None
            if error.code in _NO_ANSWER:
                raise NotReached(f"the homeserver does not reach the bridge at `ghosts.url` ({error})", _LOOK) from None
            raise

    def as_ghost(self, user: str) -> ClientApi:
        """Requests that the ghost `user` makes."""
        return _AsGhost(self, user)

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


class _AsGhost(ClientApi):
    """Requests of one ghost."""

    def __init__(self, service: Service, user: str) -> None:
        self._service = service
        self._user = user

    async def _ask(
        self,
        method: str,
        path: Sequence[str],
        query: Mapping[str, str] | None,
        body: str | None,
        within: float,
        take: Callable[[Json], None] | None = None,
    ) -> Json:
        return await self._service.ask(method, *path, user=self._user, body=body, query=query)
