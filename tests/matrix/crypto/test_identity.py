"""Cross-signing on a scripted homeserver (bridge.matrix.crypto.account.identity): what is made or left."""

import asyncio
import json
import random
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any

import pytest

from bridge.matrix.account import Account
from bridge.matrix.crypto import unpadded
from bridge.matrix.crypto.account import recovery_key, signing
from bridge.matrix.crypto.account.identity import Identity
from bridge.matrix.crypto.account.signing import SigningKey
from bridge.matrix.crypto.rows import SECRET, SHOWN
from bridge.matrix.crypto.signatures import is_signed
from bridge.matrix.dialect.fields import Json, table
from bridge.matrix.http.homeserver import ApiError, Homeserver
from bridge.matrix.http.patience import Patience
from bridge.network import News, NotSigned
from tests.fakes.memory import Notebook
from tests.matrix.crypto.parties import Party
from tests.settings import matrix_settings

_US = "@duck:hs"


class _Directory(Homeserver):
    """Keeps published keys and account data. `asks`: wants the password once more for cross-signing keys."""

    def __init__(self, duck: Party, *, asks: bool = False) -> None:
        super().__init__("http://localhost", _US)
        self.keys: dict[str, Any] = {"device_keys": {_US: {duck.device: duck.published["device_keys"]}}}
        self.data: dict[str, Any] = {}
        self.asks = asks
        self.refuses = False
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
                if self.asks and (self.refuses or "auth" not in asked):
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
    assert recovery_key.shown(bytes.fromhex(duck.rows.get(SECRET) or "")) not in stored


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
    key = recovery_key.shown(bytes.fromhex(duck.rows.get(SECRET) or ""))
    new = await Party(_US, "NEW").begin()
    homeserver.keys["device_keys"] = {_US: {"NEW": new.published["device_keys"]}}
    for wrong, reason in ((None, "there is no"), ("x", "typing error"), (recovery_key.shown(bytes(32)), "another one")):
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
    key = recovery_key.shown(bytes.fromhex(duck.rows.get(SECRET) or ""))
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


async def _restored(
    duck: Party, homeserver: _Directory, spoil: Callable[[_Directory, bytes], None], *, config: bool = False
) -> tuple[Party, str]:
    """A bridge with a lost store that is given the right recovery key, after the homeserver has done `spoil`: it, and
    why its device is not signed."""
    await _identity(duck, homeserver).ensure(duck.machine)
    secret = bytes.fromhex(duck.rows.get(SECRET) or "")
    new = await Party(_US, "NEW").begin()
    homeserver.keys["device_keys"] = {_US: {"NEW": new.published["device_keys"]}}
    spoil(homeserver, secret)
    before = json.dumps([homeserver.keys, homeserver.data])
    key = recovery_key.shown(secret)
    with pytest.raises(NotSigned) as found:
        await _identity(new, homeserver, key if config else None).ensure(new.machine, None if config else key)
    assert json.dumps([homeserver.keys, homeserver.data]) == before  # nothing was changed
    return new, found.value.reason


def _boxes(homeserver: _Directory, kind: str = "self_signing") -> dict[str, Any]:
    (box,) = homeserver.data[f"m.cross_signing.{kind}"]["encrypted"].values()
    found: dict[str, Any] = box
    return found


def _described(homeserver: _Directory) -> dict[str, Any]:
    found: dict[str, Any] = homeserver.data[f"m.secret_storage.key.{_default(homeserver)}"]
    return found


def _default(homeserver: _Directory) -> str:
    return str(homeserver.data["m.secret_storage.default_key"]["key"])


def _reseal(homeserver: _Directory, secret: bytes, kind: str, plain: bytes) -> None:
    _boxes(homeserver, kind).update(signing.seal(secret, f"m.cross_signing.{kind}", plain))


def _other(homeserver: _Directory, secret: bytes, kind: str) -> None:
    _reseal(homeserver, secret, kind, unpadded.encode(bytes(range(32))).encode())


_DAMAGED, _NOT_OURS, _ANOTHER = "damaged", "are not the account's", "is another one"


@pytest.mark.parametrize(
    ("spoil", "reason"),
    [
        (lambda hs, _: hs.data.clear(), "no secret storage"),
        (lambda hs, _: hs.data.update({"m.secret_storage.default_key": {"key": ["x"]}}), "no secret storage"),
        (lambda hs, _: hs.data.update({"m.secret_storage.default_key": {"key": "x"}}), "missing, or of a kind"),
        (lambda hs, _: _described(hs).update(algorithm="m.secret_storage.v2.rot13"), "of a kind"),
        (lambda hs, _: _described(hs).update(algorithm=[7]), "of a kind"),
        (lambda hs, _: _described(hs).update(iv="AAAA"), _ANOTHER),
        (lambda hs, _: _described(hs).update(mac="A" * 43), _ANOTHER),
        (lambda hs, _: _described(hs).update(iv={"a": 1}, mac=None), _ANOTHER),
        (lambda hs, _: hs.data.update({"m.cross_signing.master": {"encrypted": [1, 2]}}), "not in its secret storage"),
        (lambda hs, _: _boxes(hs).update(ciphertext="A" * 5_000_000), "not in its secret storage"),
        (lambda hs, _: _boxes(hs).update(iv="AAAA"), _DAMAGED),
        (lambda hs, _: _boxes(hs).update(iv=""), _DAMAGED),
        (lambda hs, _: _boxes(hs).update(mac="A" * 43), _DAMAGED),
        (lambda hs, _: _boxes(hs).update(_boxes(hs, "master")), _DAMAGED),
        (lambda hs, key: _reseal(hs, key, "master", b"AAAA"), _DAMAGED),
        (lambda hs, key: _reseal(hs, key, "user_signing", b"\xff\xfe"), _DAMAGED),
        (lambda hs, key: _reseal(hs, key, "user_signing", b"A" * 400), _DAMAGED),
        (lambda hs, key: _other(hs, key, "master"), _NOT_OURS),
        (lambda hs, key: _other(hs, key, "self_signing"), _NOT_OURS),
        (lambda hs, key: _other(hs, key, "user_signing"), _NOT_OURS),
    ],
)
@pytest.mark.parametrize("config", [False, True])
async def test_a_hostile_homeserver_gets_no_signature_and_each_of_its_tricks_has_its_reason(
    spoil: Callable[[_Directory, bytes], None], reason: str, config: bool
) -> None:
    duck = await Party(_US).begin()
    homeserver = _Directory(duck)
    new, said = await _restored(duck, homeserver, spoil, config=config)
    assert reason in said
    assert len(said) < 200
    assert new.rows.get("seeds") is None
    assert not homeserver.is_whole


@pytest.mark.parametrize(
    "altered",
    [
        {"keys": {"ed25519:DUCK": "A" * 43, "curve25519:DUCK": "A" * 43}},
        {"keys": 7},
        {"user_id": "@eve:hs"},
        {"algorithms": ["m.rot13"]},
    ],
)
async def test_other_keys_that_a_homeserver_shows_as_our_device_are_not_signed(altered: Json) -> None:
    duck = await Party(_US).begin()
    homeserver = _Directory(duck)
    homeserver.keys["device_keys"][_US][duck.device].update(altered)
    with pytest.raises(NotSigned, match="other keys of the bridge's device"):
        await _identity(duck, homeserver).ensure(duck.machine)
    assert not homeserver.is_whole


async def test_neither_somebody_elses_device_with_our_name_nor_a_key_that_ours_has_signed_is_taken_for_it() -> None:
    duck, eve = await Party(_US).begin(), await Party(_US, "DUCK").begin()
    homeserver = _Directory(duck)
    for shown in (eve.published["device_keys"], next(iter(duck.published["one_time_keys"].values()))):
        homeserver.keys["device_keys"][_US]["DUCK"] = shown
        with pytest.raises(NotSigned, match="other keys of the bridge's device"):
            await _identity(duck, homeserver).ensure(duck.machine)


async def test_keys_that_somebody_has_reset_are_told_nothing_is_signed_and_setup_takes_the_new_ones() -> None:
    duck, client = await Party(_US).begin(), await Party(_US, "CLIENT").begin()
    homeserver = _Directory(duck)
    identity = _identity(duck, homeserver)
    await identity.ensure(duck.machine)
    old, theirs = _shown(duck), _Directory(client)
    await identity.recovery_key_shown()
    await _identity(client, theirs).ensure(client.machine)  # as another client would
    homeserver.data = theirs.data
    for kind in ("master", "self_signing", "user_signing"):
        homeserver.keys[f"{kind}_keys"] = theirs.keys[f"{kind}_keys"]
    before, news = json.dumps([homeserver.keys, homeserver.data]), list[News]()
    identity.tell = news.append
    for key, reason in ((None, "other cross-signing keys"), (old, "the recovery key is another one")):
        with pytest.raises(NotSigned, match=reason) as found:
            await identity.ensure(duck.machine, key)
        assert "change its password" in found.value.hint
    with pytest.raises(NotSigned, match="other cross-signing keys"):
        await identity.renew_recovery_key()
    assert json.dumps([homeserver.keys, homeserver.data]) == before
    assert {each.id for each in news} == {"own master 1970-01-01"}
    assert "Somebody has reset" in news[0].text
    assert "change its password" in news[0].text
    await identity.ensure(duck.machine, _shown(client))
    assert homeserver.is_whole
    assert duck.rows.get("seeds") == client.rows.get("seeds")
    assert duck.rows.get(SHOWN) is None  # what was shown is not this key


async def test_only_one_of_the_keys_that_is_another_counts_as_reset() -> None:
    duck = await Party(_US).begin()
    homeserver = _Directory(duck)
    await _identity(duck, homeserver).ensure(duck.machine)
    other = SigningKey.new().published(_US, "self_signing")
    homeserver.keys["self_signing_keys"] = {_US: other}
    with pytest.raises(NotSigned, match="other cross-signing keys"):
        await _identity(duck, homeserver).ensure(duck.machine)


async def test_a_new_device_is_signed_with_the_keys_that_an_earlier_one_has_made() -> None:
    duck = await Party(_US).begin()
    homeserver = _Directory(duck)
    await _identity(duck, homeserver).ensure(duck.machine)
    await duck.rows.flush()
    new = await Party(_US, "NEW", duck.memory).begin()
    homeserver.keys["device_keys"] = {_US: {"NEW": new.published["device_keys"]}}
    await _identity(new, homeserver).ensure(new.machine)
    assert homeserver.is_whole


async def test_the_keys_of_one_account_are_not_given_to_another() -> None:
    duck = await Party("@drake:hs", "DRAKE").begin()
    duck.rows.put("seeds", "", json.dumps(["11" * 32] * 3))
    duck.rows.put("owner", "", "@drake:hs")
    duck.rows.put(SECRET, "", "22" * 32)
    await duck.rows.flush()
    other = await Party(_US, "DUCK", duck.memory).begin()
    homeserver = _Directory(other)
    await _identity(other, homeserver).ensure(other.machine)
    assert homeserver.is_whole
    assert "11" * 32 not in (other.rows.get("seeds") or "")
    assert other.rows.get(SECRET) not in (None, "22" * 32)


async def test_two_who_sign_at_once_make_one_set_of_keys() -> None:
    duck = await Party(_US).begin()
    homeserver = _Directory(duck)
    identity = _identity(duck, homeserver)
    await asyncio.gather(identity.ensure(duck.machine), identity.ensure(duck.machine))
    assert len(homeserver.uploads) == 1


@pytest.mark.parametrize("configured", [None, "pw"])
async def test_why_the_homeserver_does_not_take_the_password_is_told(configured: str | None) -> None:
    duck = await Party(_US).begin()
    homeserver = _Directory(duck, asks=True)
    homeserver.refuses = True
    with pytest.raises(NotSigned) as found:
        await _identity(duck, homeserver, password=configured).ensure(duck.machine)
    assert found.value.reason == (
        "the homeserver does not accept the account's password for it"
        if configured
        else "the homeserver wants the account's password for it, and the configuration has none"
    )
    assert "quackbridge matrix-setup home" in found.value.hint


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
    return recovery_key.shown(bytes.fromhex(duck.rows.get(SECRET) or ""))


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
