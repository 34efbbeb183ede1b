"""The health of the bridge as JSON, in full: what `status` asks the daemon for. Pure."""

from collections.abc import Mapping

from bridge.model.health import Check, Health, NetworkHealth, Queue, RoomHealth, rfc3339

Json = Mapping[str, object]
_NO_QUEUE = Queue()


def in_full(health: Health) -> Json:
    """What `/readyz` says, and each network, room and link with all that is known of it. Times are RFC 3339, UTC; null:
    never, or not known."""
    return {
        **health.as_json(),
        "version": health.version,
        "worker": health.worker,
        "started": rfc3339(health.started),
        "networks": {
            name: _network(network, health.queues.get(name, _NO_QUEUE)) for name, network in health.networks.items()
        },
        "rooms": {str(room.room): _room(room) for room in health.rooms},
        "outbox": {
            name: {"queued": queue.queued, "dead": queue.dead, "oldest": _time(queue.oldest)}
            for name, queue in health.queues.items()
        },
        "free": health.free,
        "lag": round(health.lag, 3),
    }


def _network(network: NetworkHealth, queue: Queue) -> Json:
    return {
        **_check(network.check, network.worker),
        "type": network.type,
        "heard": _time(network.heard),
        "puppets": network.puppets,
        "queued": queue.queued,
        "dead": queue.dead,
        "oldest": _time(queue.oldest),
    }


def _room(room: RoomHealth) -> Json:
    return {
        **_check(room.check, room.worker),
        "link": room.link,
        "joined": room.joined,
        "may_speak": room.may_speak,
        "encrypted": room.encrypted,
        "readable": room.readable,
        "heard": _time(room.heard),
        "said": _time(room.said),
    }


def _check(check: Check, worker: str) -> Json:
    return {"ok": check.ok, "since": rfc3339(check.since), "reason": check.reason, "worker": worker}


def _time(seconds: float | None) -> str | None:
    return None if seconds is None else rfc3339(seconds)
