"""What strangers and their homeservers send in masses, and what it costs (bridge.matrix.crypto, hearing.unsealing)."""

from collections.abc import Mapping
from typing import Any

from structlog.testing import capture_logs

from bridge.matrix.crypto.keys import Keys
from bridge.matrix.crypto.sas import Side
from bridge.matrix.crypto.signing import SigningKey
from bridge.matrix.crypto.vouching import Known
from bridge.matrix.dialect.fields import Json, table
from bridge.matrix.hearing.unsealing import Unsealing
from bridge.matrix.http.homeserver import Homeserver
from tests.matrix.parties import Party

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


async def _keys(homeserver: Homeserver) -> Keys:
    duck, nothing = await Party("@duck:hs").begin(), None
    found = Keys("home", homeserver, nothing, nothing, duck.rows, lambda: 1000.0)  # type: ignore[arg-type]
    found.machine = duck.machine
    return found


async def test_identities_that_change_all_the_time_do_not_flood_the_log() -> None:
    keys = await _keys(_Hostile())
    with capture_logs() as logs:
        for _ in range(300):
            keys._fresh.clear()
            await keys.know([_EVE])
    lines = [line for line in logs if line["event"] == "identity_changed"]
    assert len(lines) == 100
    assert "others are not named" in lines[-1]["hint"]
    assert "others are not named" not in lines[-2]["hint"]


async def test_hundreds_of_devices_without_keys_are_one_question_to_a_homeserver_that_may_keep_us_waiting() -> None:
    homeserver = _Hostile()
    keys = await _keys(homeserver)
    await keys.meet([(_EVE, f"D{number}") for number in range(500)])
    assert homeserver.claims == 1
    await keys.meet([(_EVE, f"D{number}") for number in range(500)])
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
