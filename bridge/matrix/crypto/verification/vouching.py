"""Which lasting keys a comparison of emoji is about, and the signature by which we say that a person's are right."""

import json
from dataclasses import dataclass, field

from bridge.matrix.account import Account
from bridge.matrix.crypto.account.signing import SigningKey
from bridge.matrix.crypto.devices.directory import read
from bridge.matrix.crypto.keys import Keys
from bridge.matrix.crypto.rows import SEEDS, Rows
from bridge.matrix.crypto.verification.sas import Side
from bridge.matrix.dialect.fields import Json, table, word
from bridge.matrix.http.homeserver import Homeserver

_UNSIGNED = ("signatures", "unsigned")


@dataclass(frozen=True, slots=True)
class Known:
    """A device of somebody as their homeserver shows it, and their master key, empty if they have none, both as
    published."""

    side: Side
    device: Json = field(default_factory=dict)
    master: Json = field(default_factory=dict)

    @property
    def master_key(self) -> str:
        return _master(self.master, self.side.user)


class Vouching:
    """`rows` has the seeds of our cross-signing keys, if we have any."""

    def __init__(self, homeserver: Homeserver, account: Account, keys: Keys, rows: Rows) -> None:
        self._homeserver = homeserver
        self._account = account
        self._keys = keys
        self._rows = rows

    def ours(self) -> Side:
        """Our own device and keys."""
        machine = self._keys.machine
        assert machine is not None
        keys = {f"ed25519:{machine.device}": machine.ed25519}
        if (seeds := self._seeds()) is not None:
            keys |= {f"ed25519:{seeds[0].public}": seeds[0].public}
        return Side(machine.user, machine.device, keys)

    async def theirs(self, user: str, device: str) -> Known | None:
        """A device of `user` and its keys, as they are now; None if there is no such device, or it has other keys than
        it had before. Raises what `Homeserver` raises."""
        machine = self._keys.machine
        assert machine is not None
        answer = await self._homeserver.post("keys", "query", body={"device_keys": {user: []}})
        if user not in table(answer, "device_keys"):
            return None  # their homeserver does not tell
        there = {each.id: each for each in await read(answer, user)}
        machine.devices.learn(user, there.values())
        if not machine.devices.has((user, device)):
            return None
        keys = {f"ed25519:{device}": there[device].ed25519}
        master = table(answer, "master_keys", user)
        if (key := _master(master, user)) == device:
            return None  # a name for two keys: what vouches for one would be taken for the other
        if key:
            keys |= {f"ed25519:{key}": key}
        return Known(Side(user, device, keys), table(answer, "device_keys", user, device), master)

    async def sign(self, known: Known, proven: Json) -> bool:
        """Sign what was `proven` of a person: their master key, or, if it is our own account, their device. False if
        we have no keys to do so, or they have no master key. Raises what `Homeserver` raises."""
        us, user, seeds = self._account.us.user, known.side.user, self._seeds()
        if seeds is None:
            return False
        if user == us:
            name, signed = known.side.device, seeds[1].sign(us, _bare(known.device))
        elif known.master_key and f"ed25519:{known.master_key}" in proven:
            name, signed = known.master_key, seeds[2].sign(us, _bare(known.master))
        else:
            return False
        answer = await self._homeserver.post("keys", "signatures", "upload", body={user: {name: signed}})
        return not table(answer, "failures")

    def _seeds(self) -> list[SigningKey] | None:
        """Our master, self-signing and user-signing keys, unless the account may have others by now."""
        kept = self._rows.get(SEEDS) if not self._keys.unsigned else None
        return [SigningKey(bytes.fromhex(seed)) for seed in json.loads(kept)] if kept is not None else None


def _bare(published: Json) -> Json:
    return {key: value for key, value in published.items() if key not in _UNSIGNED}


def _master(published: Json, user: str) -> str:
    """The public key in a person's published master key; empty if there is none."""
    keys = table(published, "keys")
    found = next((word(keys, name) for name in keys if name == f"ed25519:{word(keys, name)}"), "")
    return found if word(published, "user_id") == user and len(keys) == 1 else ""  # what we sign vouches for all of it
