"""Cross-signing on a scripted homeserver (bridge.matrix.crypto.identity): what is made, and what is left alone."""

import json
import random
from collections.abc import Mapping
from typing import Any

import pytest
from structlog.testing import capture_logs

from bridge.matrix.account import Account
from bridge.matrix.crypto import recovery
from bridge.matrix.crypto.identity import Identity
from bridge.matrix.crypto.rows import SECRET
from bridge.matrix.crypto.trust import is_signed
from bridge.matrix.dialect.fields import Json, table
from bridge.matrix.http.homeserver import ApiError, Homeserver
from bridge.matrix.http.patience import Patience
from tests.fakes.memory import Notebook
from tests.matrix.parties import Party
from tests.settings import matrix_settings

_US = "@duck:hs"


class _Directory(Homeserver):
    """Keeps published keys and account data. `asks`: wants the password once more for cross-signing keys."""

    def __init__(self, duck: Party, *, asks: bool = False) -> None:
        super().__init__("http://localhost", _US)
        self.keys: dict[str, Any] = {"device_keys": {_US: {duck.device: duck.published["device_keys"]}}}
        self.data: dict[str, Any] = {}
        self.asks = asks
        self.uploads: list[Json] = []

    async def get(self, *path: str, query: Any = None, within: float = 0) -> Json:
        if path[3] not in self.data:
            raise ApiError(404, "M_NOT_FOUND", "")
        found: Json = self.data[path[3]]
        return found

    async def put(self, *path: str, body: Any) -> Json:
        self.data[path[3]] = json.loads(json.dumps(body))
        return {}

    async def post(self, *path: str, query: Any = None, body: Mapping[str, Any] | None = None) -> Json:
        asked: Any = json.loads(json.dumps(body))
        match path:
            case ("keys", "query"):
                return json.loads(json.dumps(self.keys))  # type: ignore[no-any-return]
            case ("keys", "device_signing", "upload"):
                self.uploads.append(asked)
                if self.asks and "auth" not in asked:
                    raise ApiError(401, "", "", session="a session")
                self.keys |= {f"{key}s": {_US: asked[key]} for key in asked if key != "auth"}
            case ("keys", "signatures", "upload"):
                for device, signed in asked[_US].items():
                    self.keys["device_keys"][_US][device]["signatures"][_US] |= signed["signatures"][_US]
        return {}

    @property
    def is_whole(self) -> bool:
        (own,) = self.keys["self_signing_keys"][_US]["keys"].values()
        (master,) = self.keys["master_keys"][_US]["keys"].values()
        (device,) = self.keys["device_keys"][_US].values()
        return is_signed(device, _US, own, own) and is_signed(self.keys["self_signing_keys"][_US], _US, master, master)


def _identity(duck: Party, homeserver: Homeserver, key: str | None = None, password: str | None = "pw") -> Identity:
    token = None if password else "token"
    settings, rng = matrix_settings("home", "http://localhost", _US, password, token), random.Random(1)
    account = Account(settings, homeserver, Notebook(), Patience("home", rng))
    return Identity("home", homeserver, account, duck.rows, key)


async def test_keys_are_made_once_stored_signed_and_kept_in_the_secret_storage() -> None:
    duck = await Party(_US).begin()
    homeserver = _Directory(duck)
    await _identity(duck, homeserver).ensure(duck.machine)
    assert homeserver.is_whole
    before = json.dumps(homeserver.keys)
    await _identity(duck, homeserver).ensure(duck.machine)
    assert (json.dumps(homeserver.keys), len(homeserver.uploads)) == (before, 1)
    stored = json.dumps(homeserver.data)
    assert json.loads(duck.rows.get("seeds") or "")[0] not in stored
    assert recovery.shown(bytes.fromhex(duck.rows.get(SECRET) or "")) not in stored


async def test_the_password_is_given_once_more_if_the_homeserver_wants_it() -> None:
    duck = await Party(_US).begin()
    homeserver = _Directory(duck, asks=True)
    await _identity(duck, homeserver).ensure(duck.machine)
    assert homeserver.is_whole
    auth = homeserver.uploads[1]["auth"]
    user = {"type": "m.id.user", "user": _US}
    assert auth == {"type": "m.login.password", "identifier": user, "password": "pw", "session": "a session"}


async def test_without_a_password_the_keys_stay_unpublished_and_are_published_when_there_is_one() -> None:
    duck = await Party(_US).begin()
    homeserver = _Directory(duck, asks=True)
    with capture_logs() as logs:
        await _identity(duck, homeserver, password=None).ensure(duck.machine)
    assert [line["event"] for line in logs] == ["not_verified"]
    assert "password" in logs[0]["hint"]
    seeds = duck.rows.get("seeds")
    await _identity(duck, homeserver).ensure(duck.machine)
    assert homeserver.is_whole
    assert duck.rows.get("seeds") == seeds


async def test_lost_keys_come_back_with_the_recovery_key_and_sign_the_new_device() -> None:
    duck = await Party(_US).begin()
    homeserver = _Directory(duck)
    await _identity(duck, homeserver).ensure(duck.machine)
    key = recovery.shown(bytes.fromhex(duck.rows.get(SECRET) or ""))
    new = await Party(_US, "NEW").begin()
    homeserver.keys["device_keys"] = {_US: {"NEW": new.published["device_keys"]}}
    for wrong, reason in ((None, "there is no"), ("x", "typing error"), (recovery.shown(bytes(32)), "another one")):
        with capture_logs() as logs:
            await _identity(new, homeserver, wrong).ensure(new.machine)
        assert reason in logs[0]["reason"]
        assert not homeserver.is_whole
    await _identity(new, homeserver, key).ensure(new.machine)
    assert homeserver.is_whole
    assert new.rows.get("seeds") == duck.rows.get("seeds")
    assert new.rows.get(SECRET) == duck.rows.get(SECRET)


@pytest.mark.parametrize("odd", [{}, {"encrypted": 7}, {"encrypted": {}}])
async def test_a_damaged_secret_storage_is_no_trouble(odd: Json) -> None:
    duck = await Party(_US).begin()
    homeserver = _Directory(duck)
    await _identity(duck, homeserver).ensure(duck.machine)
    key = recovery.shown(bytes.fromhex(duck.rows.get(SECRET) or ""))
    new = await Party(_US, "NEW").begin()
    homeserver.data["m.cross_signing.self_signing"] = odd
    with capture_logs() as logs:
        await _identity(new, homeserver, key).ensure(new.machine)
    assert [line["event"] for line in logs] == ["not_verified"]


async def test_the_secret_storage_of_another_client_stays_and_no_recovery_key_is_shown() -> None:
    duck = await Party(_US).begin()
    homeserver = _Directory(duck)
    homeserver.data["m.secret_storage.default_key"] = {"key": "theirs"}
    homeserver.data["m.secret_storage.key.theirs"] = {"iv": "AAAA", "mac": "AAAA"}
    before = json.dumps(homeserver.data)
    await _identity(duck, homeserver).ensure(duck.machine)
    assert homeserver.is_whole
    assert json.dumps(homeserver.data) == before
    assert duck.rows.get(SECRET) is None
    assert table(homeserver.data, "m.cross_signing.master") == {}
