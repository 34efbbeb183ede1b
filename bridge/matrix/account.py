"""Our account on the homeserver: logs in once, and again when the homeserver has forgotten us."""

import asyncio
import json
from collections.abc import Callable
from contextlib import suppress
from functools import partial

import structlog

from bridge.matrix.dialect.convert import Us
from bridge.matrix.dialect.fields import Json, word
from bridge.matrix.http import wellknown
from bridge.matrix.http.homeserver import ApiError, Homeserver, expected
from bridge.matrix.http.patience import Patience
from bridge.matrix.settings import MatrixSettings
from bridge.network import Memory, Refused

log = structlog.get_logger()

_DEVICE_NAME = "quackbridge"
_AGAIN = "the homeserver ended our session; logging in again, messages wait meanwhile"
_PASSWORD = "m.login.password"  # noqa: S105
_DEVICE, _TOKEN, _USER = "device_id", "access_token", "user_id"


class Account:
    """`us` has our display name, and `device` the id of our device, once `log_in` has returned; `refused` is why the
    homeserver rejects us, else empty. `memory` keeps device and token: a homeserver recognises a repeated post only
    from the same device."""

    def __init__(self, settings: MatrixSettings, homeserver: Homeserver, memory: Memory, patience: Patience) -> None:
        self.us = Us(settings.user, "")
        self.refused = ""
        self.device = ""
        self.renewed: Callable[[], None] = lambda: None
        """Called when we had to log in again."""
        self._settings = settings
        self._homeserver = homeserver
        self._memory = memory
        self._patience = patience
        self._one_at_a_time = asyncio.Lock()
        homeserver.renew = self._renew

    async def log_in(self) -> None:
        """Log in, however long the homeserver is away. Raises `Refused` if it rejects us."""
        async with self._one_at_a_time:
            await self._patience.ask(partial(wellknown.find, self._homeserver, self._settings.name))
            await self._admitted()
        name = await self._patience.ask(self._shown)
        self.us = Us(self._settings.user, name)

    async def confirmed(self, *path: str, body: Json, password: str | None = None) -> Json:
        """Post what the homeserver may want our password for once more: `password`, or the configured one (spec,
        "User-Interactive Authentication")."""
        password = password or self._settings.password
        try:
            return await self._homeserver.post(*path, body=body)
        except ApiError as error:
            if not error.session or password is None:
                raise
            session = error.session
        user = {"type": "m.id.user", "user": self._settings.user}
        auth = {"type": _PASSWORD, "identifier": user, "password": password, "session": session}
        return await self._homeserver.post(*path, body={**body, "auth": auth})

    @property
    def has_password(self) -> bool:
        """Whether the configuration has the account's password."""
        return self._settings.password is not None

    async def replace_device(self) -> bool:
        """Log in as a new device, and log the present one out. False, and no effect, if we have no password."""
        if self._settings.password is None:
            return False
        async with self._one_at_a_time:
            with suppress(ApiError):
                await self._homeserver.once("POST", ("logout",), body="{}")
            self._homeserver.token = ""
            await self._with_password(None)
        return True

    async def _renew(self, rejected: str) -> None:
        """Log in again, unless the token `rejected` has been replaced already."""
        async with self._one_at_a_time:
            if self._homeserver.token == rejected:
                log.warning("logged_out", network=self._settings.name, hint=_AGAIN)
                await self._admitted()
                self.renewed()

    async def _admitted(self) -> None:
        self.refused = ""
        try:
            await self._log_in()
        except Refused as error:
            self.refused = str(error)
            raise

    async def _log_in(self) -> None:
        kept = await self._memory.recall()
        ours = kept.get(_USER, self._settings.user) == self._settings.user
        for token in (self._settings.access_token, kept.get(_TOKEN) if ours else None):
            if token and await self._accepted(token):
                return
        self._homeserver.token = ""
        if self._settings.password is None:
            raise Refused(
                f"{self._settings.name}: the homeserver does not accept the access token of {self._settings.user}:"
                " put a new one, or the password, into the configuration; messages wait meanwhile",
                self._settings.key("access_token"),
            )
        await self._with_password(kept.get(_DEVICE) if ours else None)

    async def _accepted(self, token: str) -> bool:
        """Use `token`; whether it is accepted. Raises `Refused` if it is another user's."""
        self._homeserver.token = token
        try:
            found = await self._patience.ask(self._whoami)
        except ApiError as error:
            if error.logged_out:
                return False
            raise Refused(
                f"{self._settings.name}: the homeserver does not let {self._settings.user} in ({error})",
                self._settings.key("user"),
            ) from None
        user, self.device = word(found, _USER), word(found, _DEVICE)
        if user != self._settings.user:
            raise Refused(
                f"{self._settings.name}: the access token belongs to {user}, not to {self._settings.user}",
                self._settings.key("access_token"),
            )
        return True

    async def _whoami(self) -> Json:
        found = await self._homeserver.once("GET", ("account", "whoami"))
        expected(found, _USER)
        return found

    async def _with_password(self, device: str | None) -> None:
        login = json.dumps(
            {
                "type": _PASSWORD,
                "identifier": {"type": "m.id.user", "user": self._settings.user},
                "password": self._settings.password,
                "initial_device_display_name": _DEVICE_NAME,
                **({"device_id": device} if device else {}),
            }
        )
        try:
            found = await self._patience.ask(partial(self._session, login))
        except ApiError as error:
            key = self._settings.key("password" if error.code == "M_FORBIDDEN" else "user")
            raise Refused(self._refusal(error), key) from None
        await self._keep(found)
        log.info("logged_in", network=self._settings.name, user=self._settings.user, device=word(found, "device_id"))

    async def _session(self, login: str) -> Json:
        found = await self._homeserver.once("POST", ("login",), body=login)
        for key in (_USER, _TOKEN, _DEVICE):
            expected(found, key)
        return found

    async def _keep(self, found: Json) -> None:
        user, token, device = word(found, "user_id"), word(found, "access_token"), word(found, "device_id")
        if user != self._settings.user:
            raise Refused(
                f"{self._settings.name}: the homeserver logged us in as {user}, not as {self._settings.user}",
                self._settings.key("user"),
            )
        await self._memory.remember({_USER: user, _TOKEN: token, _DEVICE: device})
        self._homeserver.token, self.device = token, device

    def _refusal(self, error: ApiError) -> str:
        if error.code == "M_FORBIDDEN":
            return f"{self._settings.name}: the homeserver does not accept the password of {self._settings.user}"
        return f"{self._settings.name}: {self._settings.user} cannot log in with a password ({error})"

    async def _shown(self) -> str:
        try:
            return word(await self._homeserver.get("profile", self._settings.user, "displayname"), "displayname")
        except ApiError as error:
            if error.passes or error.logged_out:
                raise
            return ""  # an account need not have a name
