"""Cross-signing on a scripted homeserver (bridge.matrix.crypto.identity): what is made, and what is left alone."""

import json
import random
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

import pytest

from bridge.matrix.account import Account
from bridge.matrix.crypto import recovery
from bridge.matrix.crypto.identity import Identity
from bridge.matrix.crypto.rows import SECRET, SHOWN
from bridge.matrix.crypto.trust import is_signed
from bridge.matrix.dialect.fields import Json, table
from bridge.matrix.http.homeserver import ApiError, Homeserver
from bridge.matrix.http.patience import Patience
from bridge.network import NotSigned
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
    return Identity("home", homeserver, account, duck.rows, key, lambda: 1000.0)


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
    with pytest.raises(NotSigned, match="password") as found:
        await _identity(duck, homeserver, password=None).ensure(duck.machine)
    assert found.value.needs == "password"
    seeds = duck.rows.get("seeds")
    typed = await Party(_US).begin()
    asking = _Directory(typed, asks=True)
    await _identity(typed, asking, password=None).ensure(typed.machine, password="pw")
    assert asking.is_whole
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
        identity = _identity(new, homeserver, wrong)
        with pytest.raises(NotSigned, match=reason) as found:
            await identity.ensure(new.machine)
        assert found.value.needs == "recovery key"
        assert not homeserver.is_whole
    await identity.ensure(new.machine, key)
    assert homeserver.is_whole
    assert identity.unsigned == ""
    assert new.rows.get("seeds") == duck.rows.get("seeds")
    assert new.rows.get(SECRET) is None  # who has typed it need not be shown it


@pytest.mark.parametrize("odd", [{}, {"encrypted": 7}, {"encrypted": {}}])
async def test_a_damaged_secret_storage_is_no_trouble(odd: Json) -> None:
    duck = await Party(_US).begin()
    homeserver = _Directory(duck)
    await _identity(duck, homeserver).ensure(duck.machine)
    key = recovery.shown(bytes.fromhex(duck.rows.get(SECRET) or ""))
    new = await Party(_US, "NEW").begin()
    homeserver.data["m.cross_signing.self_signing"] = odd
    with pytest.raises(NotSigned):
        await _identity(new, homeserver, key).ensure(new.machine)
    assert new.rows.get("seeds") is None


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


async def _opens(duck: Party, homeserver: _Directory, key: str) -> bool:
    """Whether a new device gets the account's keys with that recovery key."""
    new = await Party(_US, "NEW").begin()
    homeserver.keys["device_keys"][_US]["NEW"] = new.published["device_keys"]
    try:
        await _identity(new, homeserver, key).ensure(new.machine)
    except NotSigned:
        return False
    finally:
        del homeserver.keys["device_keys"][_US]["NEW"]
    return new.rows.get("seeds") == duck.rows.get("seeds")


def _shown(duck: Party) -> str:
    return recovery.shown(bytes.fromhex(duck.rows.get(SECRET) or ""))


async def test_a_recovery_key_that_was_shown_is_kept_no_longer_and_goes_on_working() -> None:
    duck = await Party(_US).begin()
    homeserver = _Directory(duck)
    identity = _identity(duck, homeserver)
    await identity.ensure(duck.machine)
    key = _shown(duck)
    await identity.recovery_key_shown()
    assert duck.rows.get(SECRET) is None
    assert duck.rows.get(SHOWN) == "1000.0"
    await identity.ensure(duck.machine)
    assert duck.rows.get(SECRET) is None
    assert await _opens(duck, homeserver, key)


async def test_another_recovery_key_takes_the_place_of_the_one_before() -> None:
    duck = await Party(_US).begin()
    homeserver = _Directory(duck)
    identity = _identity(duck, homeserver)
    await identity.ensure(duck.machine)
    first = _shown(duck)
    await identity.recovery_key_shown()
    await identity.renew_recovery_key()
    second = _shown(duck)
    assert first != second
    assert not await _opens(duck, homeserver, first)
    assert await _opens(duck, homeserver, second)


@pytest.mark.parametrize("steps", range(9))
async def test_a_crash_while_the_recovery_key_is_renewed_leaves_one_that_opens_and_is_completed(steps: int) -> None:
    duck = await Party(_US).begin()
    homeserver = _Directory(duck)
    identity = _identity(duck, homeserver)
    await identity.ensure(duck.machine)
    first, left = _shown(duck), steps
    await identity.recovery_key_shown()
    put = homeserver.put

    async def fails(*path: str, body: Any) -> Json:
        nonlocal left
        left -= 1
        if left < 0:
            raise ApiError(500, "", "")
        return await put(*path, body=body)

    homeserver.put = fails  # type: ignore[method-assign]
    with suppress(ApiError):
        await identity.renew_recovery_key()
    homeserver.put = put  # type: ignore[method-assign]
    assert await _opens(duck, homeserver, first) or await _opens(duck, homeserver, _shown(duck))
    await _identity(duck, homeserver).ensure(duck.machine)
    assert await _opens(duck, homeserver, _shown(duck))


async def test_the_recovery_key_of_another_client_is_not_replaced() -> None:
    duck = await Party(_US).begin()
    homeserver = _Directory(duck)
    homeserver.data["m.secret_storage.default_key"] = {"key": "theirs"}
    homeserver.data["m.secret_storage.key.theirs"] = {"iv": "AAAA", "mac": "AAAA"}
    identity = _identity(duck, homeserver)
    await identity.ensure(duck.machine)
    before = json.dumps(homeserver.data)
    with pytest.raises(NotSigned, match="another client"):
        await identity.renew_recovery_key()
    assert json.dumps(homeserver.data) == before


async def test_only_our_own_device_is_signed_whatever_the_homeserver_shows() -> None:
    duck, eve = await Party(_US).begin(), await Party(_US, "EVIL").begin()
    foreign = {**eve.published["device_keys"], "device_id": "DUCK"}
    renamed = await Party(_US, "DUCK").begin()
    several: list[Any] = [eve.published["device_keys"], foreign, renamed.published["device_keys"], {"keys": {}}, {}]
    for shown in several:
        homeserver = _Directory(duck)
        homeserver.keys["device_keys"][_US][duck.device] = json.loads(json.dumps(shown)) | {"signatures": {_US: {}}}
        if "signatures" in shown:
            homeserver.keys["device_keys"][_US][duck.device]["signatures"] = shown["signatures"]
        with pytest.raises(NotSigned, match="other keys"):
            await _identity(duck, homeserver).ensure(duck.machine)
        assert not homeserver.is_whole
