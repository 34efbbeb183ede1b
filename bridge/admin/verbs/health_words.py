"""The health of the daemon in words, from what it answers to `health`. Pure."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from bridge.lib.durations import spelled

Json = Mapping[str, Any]
_PARTS = ("outbox", "disk", "clock", "loop")
_HEADLINES: Mapping[str, str] = {
    "ok": "all is well",
    "degraded": "something is not well:",
    "down": "no network is up:",
}


def lines(health: Json, now: float) -> Sequence[str]:
    """What is not well first, then each network, and the rooms of each link. `now`: seconds since the epoch."""
    running = spelled(now - _seconds(health["started"]))
    headline = _HEADLINES.get(health["status"], health["status"])
    return [
        f"quackbridge {health['version']} on {health['worker']}, up for {running}; {headline}",
        *_wrong(health, now),
        *(f"{name}: {_network(each, now)}" for name, each in health["networks"].items() if each["ok"]),
        *(f"{name}: {_room(each, now)}" for name, each in health["rooms"].items() if each["ok"]),
    ]


def _wrong(health: Json, now: float) -> Iterator[str]:
    """A line for each network, each room that is not well for another reason than its network, and each other part."""
    away = {name: each["reason"] for name, each in health["networks"].items() if not each["ok"]}
    for name, each in health["networks"].items():
        if not each["ok"]:
            yield f"NOT WELL {name}: {each['reason']} ({_for(each, now)})"
    for name, each in health["rooms"].items():
        if not each["ok"] and away.get(name.partition("/")[0]) != each["reason"]:
            yield f"NOT WELL {name}: {each['reason']} ({_for(each, now)})"
    for name in _PARTS:
        check = health["checks"].get(name)
        if check is not None and not check["ok"]:
            yield f"NOT WELL {name}: {check['reason']} ({_for(check, now)})"


def _network(network: Json, now: float) -> str:
    heard = network["heard"]
    faces = network.get("puppets")
    said = f"up for {_age(network['since'], now)}" + (f", heard {_age(heard, now)} ago" if heard else "")
    return f"{said}, {faces} members with a nick of their own" if faces else said


def _room(room: Json, now: float) -> str:
    sealed = "encrypted, " if room["encrypted"] else ""
    heard, said = (_ago(room[key], now) for key in ("heard", "said"))
    return f"well, {sealed}last line heard {heard}, sent {said}"


def _ago(time: str | None, now: float) -> str:
    return "never" if time is None else f"{_age(time, now)} ago"


def _for(check: Json, now: float) -> str:
    return f"for {_age(check['since'], now)}"


def _age(time: str, now: float) -> str:
    return spelled(now - _seconds(time))


def _seconds(time: str) -> float:
    return datetime.strptime(time, "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC).timestamp()
