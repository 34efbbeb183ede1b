"""What strangers and their homeservers send in masses, and what it costs (bridge.matrix.crypto, hearing.unsealing)."""

import json
from collections.abc import Mapping
from typing import Any

import pytest
import vodozemac
from nio.crypto import Olm
from structlog.testing import capture_logs

from bridge.matrix.crypto import unpadded
from bridge.matrix.crypto.account.signing import SigningKey
from bridge.matrix.crypto.keys import Keys
from bridge.matrix.crypto.olm import strangers
from bridge.matrix.crypto.olm.machine import Machine
from bridge.matrix.crypto.olm.opened import Unproven
from bridge.matrix.crypto.signatures import ALGORITHM
from bridge.matrix.crypto.verification.sas import Side
from bridge.matrix.crypto.verification.vouching import Known
from bridge.matrix.dialect.fields import Json, table
from bridge.matrix.hearing.unsealing import Unsealing
from bridge.matrix.http.homeserver import Homeserver
from tests.matrix.crypto.parties import Party

_EVE = "@eve:hs"


class _Hostile(Homeserver):
    """Shows another master key each time, and has no one-time keys."""

    def __init__(self) -> None:
        super().__init__("http://localhost", "@duck:hs")
        self.claims = 0

    async def post(self, *path: str, query: Any = None, body: Mapping[str, Any] | None = None) -> Json:
        if path == ("keys", "claim"):
            self.claims += 1
            return {}
        users = table(body or {}, "device_keys")
        masters = {user: SigningKey.new().published(user, "master") for user in users}
        return {"device_keys": {user: {} for user in users}, "master_keys": masters}

    async def put(self, *path: str, body: Any) -> Json:
        return {}


async def _keys(homeserver: Homeserver) -> tuple[Keys, Machine]:
    duck, nothing = await Party("@duck:hs").begin(), None
    found = Keys("home", homeserver, nothing, nothing, duck.rows, lambda: 1000.0)  # type: ignore[arg-type]
    found.machine = duck.machine
    return found, duck.machine


async def test_identities_that_change_all_the_time_do_not_flood_the_log() -> None:
    keys, machine = await _keys(_Hostile())
    with capture_logs() as logs:
        for _ in range(300):
            keys.directory._fresh.clear()
            await keys.directory.know(machine, [_EVE])
    lines = [line for line in logs if line["event"] == "identity_changed"]
    assert len(lines) == 100
    assert "others are not named" in lines[-1]["hint"]
    assert "others are not named" not in lines[-2]["hint"]


async def test_hundreds_of_devices_without_keys_are_one_question_to_a_homeserver_that_may_keep_us_waiting() -> None:
    homeserver = _Hostile()
    keys, machine = await _keys(homeserver)
    await keys.claims.meet(machine, [(_EVE, f"D{number}") for number in range(500)])
    assert homeserver.claims == 1
    await keys.claims.meet(machine, [(_EVE, f"D{number}") for number in range(500)])
    assert homeserver.claims == 1


def test_messages_that_cannot_be_opened_do_not_flood_the_log_and_hide_none_of_others() -> None:
    unsealing = Unsealing("home")
    assert sum(unsealing._may_name(_EVE) for _ in range(1000)) == 20
    assert unsealing._may_name("@ann:hs")


def test_a_master_key_that_is_published_with_another_one_is_none() -> None:
    proven, other = SigningKey.new(), SigningKey.new()
    published: dict[str, Any] = proven.published(_EVE, "master")
    assert Known(Side(_EVE, "D", {}), master=published).master_key == proven.public
    published["keys"] |= {f"ed25519:{other.public}": other.public}
    assert Known(Side(_EVE, "D", {}), master=published).master_key == ""


def _from_nowhere(duck: Party, account: vodozemac.Account, room_key: vodozemac.GroupSession, room: str) -> Json:
    """A room's key, sealed for the duck by a device that no homeserver lists, with the key that all may use."""
    ours = vodozemac.Curve25519PublicKey.from_base64(duck.machine.curve25519)
    (fallback,) = duck.published["fallback_keys"].values()
    session = account.create_outbound_session(ours, vodozemac.Curve25519PublicKey.from_base64(fallback["key"]))
    content = {"algorithm": ALGORITHM, "room_id": room, "session_id": room_key.session_id}
    inner = {
        "type": "m.room_key",
        "sender": _EVE,
        "sender_device": "D",
        "keys": {"ed25519": account.ed25519_key.to_base64()},
        "recipient": "@duck:hs",
        "recipient_keys": {"ed25519": duck.machine.ed25519},
        "content": {**content, "session_key": room_key.session_key.to_base64()},
    }
    kind, body = session.encrypt(json.dumps(inner).encode()).to_parts()
    ciphertext = {duck.machine.curve25519: {"type": kind, "body": unpadded.encode(body)}}
    sealed = {
        "algorithm": Olm._olm_algorithm,
        "sender_key": account.curve25519_key.to_base64(),
        "ciphertext": ciphertext,
    }
    return {"type": "m.room.encrypted", "sender": _EVE, "content": sealed}


async def test_keys_of_devices_that_nobody_lists_are_few_also_after_a_restart(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(strangers, "_MOST", 10)
    ann, duck = await Party("@ann:hs").begin(), await Party("@duck:hs").begin()
    duck.hear(ann.give_key(duck))  # nobody has asked for her devices yet
    event = ann.say("hi")
    with pytest.raises(Unproven):
        duck.read(event)
    duck.learn(ann)
    for number in range(100):
        account, room_key = vodozemac.Account(), vodozemac.GroupSession()
        assert duck.hear([_from_nowhere(duck, account, room_key, f"!{number}:hs")]) != [None]
    assert len(duck.rows.of("olm")) <= 10 + strangers._AT_ONCE + 1
    assert len(duck.rows.of("megolm")) <= 10 + strangers._AT_ONCE + 1
    assert duck.read(event) == "hi"
    await duck.rows.flush()
    again = await duck.again()
    assert len(again.machine._strangers._found) == len(duck.machine._strangers._found)
    assert ann.machine.curve25519 not in again.machine._strangers._found


async def test_one_device_that_nobody_lists_gives_some_keys_and_makes_no_other_key_unwanted() -> None:
    duck, account = await Party("@duck:hs").begin(), vodozemac.Account()
    for number in range(30):
        duck.hear([_from_nowhere(duck, account, vodozemac.GroupSession(), f"!{number}:hs")])
    assert len(duck.rows.of("megolm")) == strangers._KEYS
    assert len(duck.machine._store.group_sessions.spent) == 0


def _of_others() -> vodozemac.AnyOlmMessage:
    """A message in the midst of a conversation of two others."""
    one, two = vodozemac.Account(), vodozemac.Account()
    two.generate_one_time_keys(1)
    (key,) = two.one_time_keys.values()
    begun = one.create_outbound_session(two.curve25519_key, key)
    _, first = begun.encrypt(b"x").to_parts()
    answering, _ = two.create_inbound_session(
        one.curve25519_key, vodozemac.PreKeyMessage.from_base64(unpadded.encode(first))
    )
    return answering.encrypt(b"y")


async def test_what_makes_no_sense_takes_nobodys_place() -> None:
    duck = await Party("@duck:hs").begin()
    duck.hear([_from_nowhere(duck, vodozemac.Account(), vodozemac.GroupSession(), "!1:hs")])
    before = [*duck.machine._strangers._found]
    kind, body = _of_others().to_parts()
    for number in range(50):
        ciphertext = {duck.machine.curve25519: {"type": kind, "body": unpadded.encode(body)}}
        content = {"algorithm": Olm._olm_algorithm, "sender_key": str(number), "ciphertext": ciphertext}
        assert duck.hear([{"type": "m.room.encrypted", "sender": _EVE, "content": content}]) == [None]
    garbled: Any = _from_nowhere(duck, vodozemac.Account(), vodozemac.GroupSession(), "!2:hs")
    for number in range(50):
        content = {**garbled["content"], "sender_key": str(number)}
        assert duck.hear([{**garbled, "content": content}]) == [None]
    assert [*duck.machine._strangers._found] == before
    assert len(duck.rows.of("olm")) == 1
