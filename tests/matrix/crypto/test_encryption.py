"""The encryption of one account as the adapter has it (bridge.matrix.crypto.encryption), on a scripted homeserver."""

import random
from typing import Any

import pytest

from bridge.matrix.account import Account
from bridge.matrix.crypto.encryption import Encryption
from bridge.matrix.dialect.fields import Json, table
from bridge.matrix.http.homeserver import Homeserver, Unreachable
from bridge.matrix.http.patience import Patience
from bridge.matrix.rooms.joined import Rooms
from tests.fakes.memory import Notebook
from tests.matrix.crypto.parties import Party
from tests.settings import matrix_settings

_US = "@duck:hs"


class _Directory(Homeserver):
    """Knows the devices of `parties`; does not tell any while it `is_away`."""

    def __init__(self) -> None:
        super().__init__("http://localhost", _US)
        self.parties: list[Party] = []
        self.is_away = False

    async def post(self, *path: str, query: Any = None, body: Json | None = None) -> Json:
        assert path == ("keys", "query")
        if self.is_away:
            raise Unreachable("away")
        found: dict[str, dict[str, Any]] = {user: {} for user in table(body or {}, "device_keys")}
        for party in self.parties:
            if party.user in found:
                found[party.user][party.device] = party.published["device_keys"]
        return {"device_keys": found}


def _encryption(homeserver: Homeserver, trust: str = "all") -> Encryption:
    memory, patience = Notebook(), Patience("home", random.Random(1))
    settings = matrix_settings("home", "http://localhost", _US, "x").model_copy(update={"trust": trust})
    account = Account(settings, homeserver, memory, patience)
    return Encryption(settings, homeserver, account, patience, memory, Rooms("home"), lambda: 0.0)


@pytest.mark.parametrize("trust", ["all", "cross-signed"])
async def test_a_person_is_reached_once_they_have_a_device_with_keys(trust: str) -> None:
    directory = _Directory()
    encryption = _encryption(directory, trust)
    assert not await encryption.reaches("@ann:hs")
    encryption.keys.machine = (await Party(_US).begin()).machine
    assert not await encryption.reaches("@ann:hs")
    directory.parties = [await Party("@ann:hs").begin()]
    assert await encryption.reaches("@ann:hs")
    directory.parties = []
    assert not await encryption.reaches("@ann:hs")
    directory.is_away = True
    with pytest.raises(Unreachable):
        await encryption.reaches("@ann:hs")
