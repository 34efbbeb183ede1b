"""A homeserver as our adapter asks it: rooms, devices, their keys, and mail for each until it is acknowledged."""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from bridge.matrix.http.homeserver import ApiError
from tests.simulation.weather import Stir, Weather

US, PASSWORD = "@duck:hs", "quack-quack"
ONE_TIME = "signed_curve25519"
SEALED, ENCRYPTION = "m.room.encrypted", "m.room.encryption"

Json = dict[str, Any]


@dataclass(slots=True)
class Device:
    """A device: what it has published, and the mail that it has not acknowledged, by position."""

    token: str = ""
    keys: Json | None = None
    one_time: dict[str, Json] = field(default_factory=dict)
    fallback: dict[str, Json] = field(default_factory=dict)
    fallback_unused: bool = False
    mail: list[tuple[int, Json]] = field(default_factory=list)
    uploaded: dict[str, Json] = field(default_factory=dict)
    """Every one-time key that it has ever uploaded."""
    transactions: set[str] = field(default_factory=set)


@dataclass(slots=True)
class RoomState:
    """A room: who is in it, and how it is encrypted. `peer`: of a private conversation."""

    id: str
    members: list[str]
    alias: str = ""


class Server:
    """`say`, `post_mail`, `claim` and `query` are for its people; `answer` is for our adapter."""

    def __init__(self, weather: Weather, rooms: Sequence[RoomState]) -> None:
        self.online = True
        self.stir = Stir()
        self.weather = weather
        self.rooms = {room.id: room for room in rooms}
        self.events: list[tuple[str, Json]] = []
        """All events, with the ids of their rooms."""
        self.devices: dict[str, dict[str, Device]] = {US: {}}
        self.heard: list[Callable[[str, Json], None]] = []
        """Called with each new event and its room."""
        self.complaints: list[str] = []
        self.logins: list[float] = []
        """When we have logged in as a new device."""
        self.ours = ""
        """Which device of ours listened last."""
        self._mail = 0
        self._changed: list[str] = []
        self._data: dict[str, Json] = {}
        self._cross: dict[str, Json] = {}
        self._transactions: dict[tuple[str, ...], str] = {}
        for room in rooms:
            self.say(room.id, room.members[0], ENCRYPTION, {"algorithm": "m.megolm.v1.aes-sha2"}, state_key="")
            for user in (*room.members, US):
                self.say(room.id, user, "m.room.member", {"membership": "join"}, state_key=user)

    # For people

    def say(self, room_id: str, user: str, kind: str, content: Json, **more: Any) -> str:
        milliseconds = 1000 * self.weather.clock() if self.events else 0
        event = {
            "type": kind,
            "event_id": f"${len(self.events)}",
            "sender": user,
            "origin_server_ts": int(milliseconds),
            "content": content,
            **more,
        }
        self.events.append((room_id, event))
        for listener in self.heard:
            listener(room_id, event)
        self.stir.ring()
        return f"${len(self.events) - 1}"

    def post_mail(self, sender: str, user: str, device: str, kind: str, content: Json) -> None:
        """Send to a device; `*` is all of that user."""
        for name, each in self.devices[user].items():
            if device in (name, "*"):
                self._mail += 1
                each.mail.append((self._mail, {"type": kind, "sender": sender, "content": content}))
        self.stir.ring()

    def publish(self, user: str, device: str, body: Json) -> None:
        """Take keys of a device. Raises ApiError for another key under a name that is taken."""
        place = self.devices.setdefault(user, {}).setdefault(device, Device())
        for name, key in body.get("one_time_keys", {}).items():
            if place.uploaded.setdefault(name, key) != key:
                self.complaints.append(f"{user} {device} uploads another one-time key as {name}")
                raise ApiError(400, "M_UNKNOWN", f"One time key {name} already exists")
            place.one_time[name] = key  # also one that was claimed, as Synapse does
        if "device_keys" in body:
            if place.keys is not None and place.keys["keys"] != body["device_keys"]["keys"]:
                self.complaints.append(f"{user} {device} changes its keys")
            place.keys = body["device_keys"]
        if body.get("fallback_keys"):
            place.fallback, place.fallback_unused = body["fallback_keys"], True
        self._changed.append(user)
        self.stir.ring()

    def query(self, users: Sequence[str]) -> Json:
        """As /keys/query."""
        there = {
            user: {name: each.keys for name, each in self.devices.get(user, {}).items() if each.keys} for user in users
        }
        crossed = {f"{kind}_keys": {US: self._cross[f"{kind}_key"]} for kind in _CROSS if f"{kind}_key" in self._cross}
        return {"device_keys": there, **crossed}

    def claim(self, wanted: Mapping[str, Sequence[str]]) -> Json:
        """As /keys/claim: a one-time key of each device, else its fallback key."""
        found: Json = {}
        for user, devices in wanted.items():
            for device in devices:
                place = self.devices.get(user, {}).get(device)
                if place is None:
                    continue
                keys = place.one_time or place.fallback
                if keys:
                    name = next(iter(keys))
                    found.setdefault(user, {})[device] = {name: keys[name]}
                    if place.one_time.pop(name, None) is None:
                        place.fallback_unused = False
        self.stir.ring()
        return {"one_time_keys": found}

    # For us

    @property
    def curve25519(self) -> str:
        """The key of the device of ours that listened last; empty if it has published none."""
        keys = self.devices[US][self.ours].keys if self.ours in self.devices[US] else None
        return str(keys["keys"][f"curve25519:{self.ours}"]) if keys else ""

    def has_news(self, device: str, since: str) -> bool:
        events, mail, changed = _position(since)
        place = self.devices[US].get(device)
        waiting = place is not None and any(at > mail for at, _ in place.mail)
        return waiting or len(self.events) > events or len(self._changed) > changed

    def device_of(self, token: str) -> str:
        """Which of our devices has this token. Raises ApiError if none has."""
        for name, device in self.devices[US].items():
            if token and device.token == token:
                return name
        raise ApiError(401, "M_UNKNOWN_TOKEN", "")

    def answer(self, method: str, path: tuple[str, ...], query: Mapping[str, str], body: Json, token: str) -> Json:
        match (method, *path):
            case ("GET", "login"):
                return {"flows": [{"type": "m.login.password"}]}
            case ("POST", "login"):
                return self._log_in(body)
        device = self.device_of(token)
        match (method, *path):
            case ("GET", "sync"):
                self.ours = device
                return self._sync(self.devices[US][device], query.get("since", ""))
            case (_, "keys", *rest):
                return self._keys(device, rest, body)
            case ("PUT", "sendToDevice", kind, transaction):
                self._send(device, kind, transaction, body)
            case (_, "rooms" | "join" | "directory", *_):
                return self._room(method, path, body)
            case (_, "user", _, "account_data", kind):
                return self._account_data(method, kind, body)
        return self._of_account(method, path, device)

    def _of_account(self, method: str, path: tuple[str, ...], device: str) -> Json:
        match (method, *path):
            case ("POST", "logout"):
                del self.devices[US][device]
                self._changed.append(US)
            case ("GET", "account", "whoami"):
                return {"user_id": US, "device_id": device}
            case ("POST", "user", _, "filter"):
                return {"filter_id": "1"}
            case ("GET", "profile", *_):
                return {"displayname": "duck"}
        return {}

    def _account_data(self, method: str, kind: str, body: Json) -> Json:
        if method == "PUT":
            self._data[kind] = body
        elif kind not in self._data:
            raise ApiError(404, "M_NOT_FOUND", "")
        return self._data[kind]

    def _log_in(self, body: Json) -> Json:
        if body.get("password") != PASSWORD:
            raise ApiError(403, "M_FORBIDDEN", "")
        name = body.get("device_id") or f"DUCK{len(self.logins)}"
        if name not in self.devices[US]:
            self.logins.append(self.weather.clock())
        place = self.devices[US].setdefault(name, Device())
        place.token = f"token {self.weather.rng.getrandbits(64):x}"
        self.weather.note(f"logged in as {name}")
        return {"user_id": US, "access_token": place.token, "device_id": name}

    def _sync(self, device: Device, since: str) -> Json:
        events, mail, changed = _position(since)
        device.mail = [(at, event) for at, event in device.mail if at > mail]
        rooms: Json = {}
        if since:
            for room_id, event in self.events[events:]:
                timeline = rooms.setdefault(room_id, {"timeline": {"events": [], "limited": False}})["timeline"]
                timeline["events"].append(event)
        return {
            "next_batch": f"{len(self.events)}.{device.mail[-1][0] if device.mail else mail}.{len(self._changed)}",
            "rooms": {"join": rooms},
            "to_device": {"events": [event for _, event in device.mail]},
            "device_lists": {"changed": sorted({*self._changed[changed:]}) if since else []},
            "device_one_time_keys_count": {ONE_TIME: len(device.one_time)},
            "device_unused_fallback_key_types": [ONE_TIME] if device.fallback_unused else [],
        }

    def _keys(self, device: str, rest: Sequence[str], body: Json) -> Json:
        match rest:
            case ["upload"]:
                self.publish(US, device, body)
                return {"one_time_key_counts": {ONE_TIME: len(self.devices[US][device].one_time)}}
            case ["query"]:
                return self.query([*body["device_keys"]])
            case ["claim"]:
                return self.claim(body["one_time_keys"])
            case ["device_signing", "upload"]:
                self._cross |= body
        return {}

    def _send(self, device: str, kind: str, transaction: str, body: Json) -> None:
        place = self.devices[US][device]
        if transaction not in place.transactions:
            place.transactions.add(transaction)
            for user, devices in body["messages"].items():
                for name, content in devices.items():
                    self.post_mail(US, user, name, kind, content)

    def _room(self, method: str, path: tuple[str, ...], body: Json) -> Json:
        match (method, *path):
            case ("GET", "directory", "room", alias):
                return {"room_id": next(room.id for room in self.rooms.values() if room.alias == alias)}
            case ("POST", "join", room_id):
                return {"room_id": room_id}
            case ("GET", "rooms", room_id, "members"):
                return {"chunk": [*self._of(room_id, "m.room.member")]}
            case ("GET", "rooms", room_id, "messages"):
                return {"chunk": [event for place, event in reversed(self.events) if place == room_id][:100]}
            case ("GET", "rooms", room_id, "state", kind, key):
                return self._state(room_id, kind, key)
            case ("PUT", "rooms", *_) if "send" in path:
                return {"event_id": self._put(path, body)}
            case ("GET", "rooms", *_):
                return {"chunk": []}
        return {}

    def _state(self, room_id: str, kind: str, key: str) -> Json:
        for event in self._of(room_id, kind):
            if event["state_key"] == key:
                return dict(event["content"])
        raise ApiError(404, "M_NOT_FOUND", "")

    def _put(self, path: tuple[str, ...], body: Json) -> str:
        if path not in self._transactions:
            _, room_id, _, kind, _ = path
            self._transactions[path] = self.say(room_id, US, kind, body)
        return self._transactions[path]

    def _of(self, room_id: str, kind: str) -> Iterator[Json]:
        return (event for place, event in self.events if (place, event["type"]) == (room_id, kind))


_CROSS = ("master", "self_signing", "user_signing")


def _position(since: str) -> tuple[int, int, int]:
    """How many events, the position of the mail, and how many changes of devices a token has seen."""
    events, mail, changed = since.split(".") if since else ("0", "0", "0")
    return int(events), int(mail), int(changed)


def copied(value: Any) -> Any:
    """What comes out at the other end of a connection."""
    return json.loads(json.dumps(value))
