"""Our keys at the homeserver when all begins (bridge.matrix.crypto.keys), on a scripted one."""

import asyncio
import json
import random
from collections.abc import Mapping
from typing import Any

import pytest
from structlog.testing import capture_logs

from bridge.matrix.account import Account
from bridge.matrix.crypto.keys import Keys
from bridge.matrix.crypto.rows import Rows
from bridge.matrix.dialect.fields import Json, table
from bridge.matrix.dialect.sync import ForDevice
from bridge.matrix.http.homeserver import ApiError, Homeserver, Unreachable
from bridge.matrix.http.patience import Patience
from bridge.network import NotSigned
from tests.fakes.memory import Notebook
from tests.settings import matrix_settings

_US = "@duck:hs"


class _Server(Homeserver):
    """Keeps the keys of our devices; `device` is the one that we are logged in as."""

    def __init__(self, trouble: ApiError | None = None) -> None:
        super().__init__("http://localhost", _US)
        self.device = "ONE"
        self.trouble = trouble
        self.keys: dict[str, Any] = {}
        self.uploads: list[Json] = []

    async def once(
        self, method: str, path: Any, query: Any = None, body: Any = None, within: float = 0, take: Any = None
    ) -> Json:
        asked: Mapping[str, Any] = json.loads(body) if body else {}
        match path:
            case ("account", "whoami"):
                return {"user_id": _US, "device_id": self.device}
            case ("login",) if method == "POST":
                self.device = "TWO"
                return {"user_id": _US, "device_id": "TWO", "access_token": "new"}
            case ("logout",):
                self.keys.pop(self.device, None)
            case ("keys", _) if self.trouble is not None:
                raise self.trouble
            case ("keys", "query"):
                return {"device_keys": {_US: self.keys}}
            case ("keys", "upload"):
                self.uploads.append(asked)
                self.keys |= {self.device: asked["device_keys"]} if "device_keys" in asked else {}
                return {"one_time_key_counts": {"signed_curve25519": 50}}
        return {}


async def _begun(server: _Server, memory: Notebook, password: str | None = "pw") -> tuple[Keys, Rows]:
    settings = matrix_settings("home", "http://localhost", _US, password, None if password else "token")
    memory.kept.setdefault("access_token", "token")
    patience, rows = Patience("home", random.Random(1)), Rows(memory)
    account = Account(settings, server, memory, patience)
    await account.log_in()
    keys = Keys("home", server, account, patience, rows, lambda: 0.0)
    await keys.begin()
    await rows.flush()
    return keys, rows


async def test_keys_are_published_once_and_are_the_same_after_a_restart() -> None:
    server, memory = _Server(), Notebook()
    await _begun(server, memory)
    keys, _ = await _begun(server, memory)
    assert len(server.uploads) == 1
    assert {*server.uploads[0]} == {"device_keys", "one_time_keys", "fallback_keys"}
    assert keys.machine is not None
    assert table(server.keys, "ONE", "keys")["ed25519:ONE"] == keys.machine.ed25519
    server.keys.clear()
    await _begun(server, memory)
    assert server.uploads[1]["device_keys"] == server.uploads[0]["device_keys"]


async def test_a_bridge_that_has_lost_its_keys_becomes_a_new_device() -> None:
    server = _Server()
    await _begun(server, Notebook())
    with capture_logs() as logs:
        keys, _ = await _begun(server, Notebook())
    assert [*server.keys] == ["TWO"]
    assert keys.machine is not None
    assert keys.machine.device == "TWO"
    assert [line["event"] for line in logs if line["log_level"] == "warning"] == ["new_device"]


@pytest.mark.parametrize("device", ["ONE", ""])
async def test_without_a_password_or_a_device_there_is_no_encryption_and_the_log_says_so(device: str) -> None:
    server = _Server()
    await _begun(server, Notebook())
    server.device = device
    with capture_logs() as logs:
        keys, _ = await _begun(server, Notebook(), None)
    assert keys.machine is None
    assert [line["event"] for line in logs] == ["encryption_unavailable"]
    assert len(server.uploads) == 1


async def test_a_homeserver_that_takes_no_keys_does_not_end_the_bridge() -> None:
    with capture_logs() as logs:
        keys, _ = await _begun(_Server(ApiError(404, "M_UNRECOGNIZED", "no")), Notebook())
    assert keys.machine is None
    assert [line["event"] for line in logs] == ["encryption_unavailable"]
    assert await keys.hear(ForDevice(({"type": "m.room.encrypted"},))) == set()


class _Face:
    """What signs our device: fails as it is told, and notes how often it was asked."""

    def __init__(self, *trouble: Exception) -> None:
        self.unsigned = "it has not been looked at yet"
        self.trouble = [*trouble]
        self.asked = 0

    async def ensure(self, _machine: object) -> None:
        self.asked += 1
        if self.trouble:
            raise self.trouble.pop(0)
        self.unsigned = ""


async def _with_face(face: _Face) -> Keys:
    settings, patience = matrix_settings("home", "http://localhost", _US, "pw"), Patience("home", random.Random(1))
    server, rows = _Server(), Rows(Notebook())
    account = Account(settings, server, Notebook(), patience)
    await account.log_in()
    keys = Keys("home", server, account, patience, rows, lambda: 0.0, face)  # type: ignore[arg-type]
    await keys.begin()
    return keys


async def test_a_device_that_cannot_be_signed_now_keeps_nothing_waiting_and_is_signed_later() -> None:
    face = _Face(*[Unreachable("away")] * 30)
    with capture_logs() as logs:
        keys = await _with_face(face)
    assert keys.machine is not None
    assert keys.state(()).unsigned == "the homeserver does not answer: the bridge tries again"
    assert [line["reason"] for line in logs if line["event"] == "not_verified"] == ["the homeserver does not answer"]
    holding = asyncio.create_task(keys.hold())
    await asyncio.sleep(3600)
    holding.cancel()
    assert (keys.state(()).unsigned, face.trouble) == ("", [])


async def test_when_our_own_keys_have_changed_the_signature_is_looked_at_again_and_the_reason_logged_once() -> None:
    face = _Face()
    keys = await _with_face(face)
    assert keys.state(()).unsigned == ""
    holding = asyncio.create_task(keys.hold())
    face.trouble = [NotSigned("they were reset"), NotSigned("they were reset")]
    with capture_logs() as logs:
        for changed in (("@alice:hs",), (_US,), (_US,)):
            await keys.hear(ForDevice(changed=changed, one_time_keys=50))
            await asyncio.sleep(1)
    assert (keys.state(()).unsigned, face.asked) == ("they were reset", 3)
    assert [line["event"] for line in logs] == ["not_verified"]
    holding.cancel()
