"""The status: whether all is well, what is queued or dead on each network, and today's downloads."""

from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any

import click

from bridge import __version__
from bridge.admin.live import NotDone, NotRunning
from bridge.admin.misfits import orphans
from bridge.admin.verbs import health_words
from bridge.admin.verbs.office import Again, Answer, Office
from bridge.lib import exits
from bridge.lib.durations import spelled
from bridge.lib.sizes import spelled as size
from bridge.matrix.settings import MatrixSettings
from bridge.model.accounting import Traffic, TrafficKind
from bridge.model.elsewhere import heard
from bridge.model.event import BOTS, VOICES
from bridge.model.health import rfc3339
from bridge.model.outbox import Entry, State
from bridge.store import Owner, Unavailable, Unusable
from bridge.users import UsersUnavailable

_UNKNOWN = "encryption: not known, as the daemon does not answer (`no_admin_socket` in its log may say why)"
_UNANSWERED = "the daemon does not answer: whether all is well is not known; look at its log, or restart it"
_WATCH_S = 2.0
"""Seconds between two answers."""
_CODES: Mapping[str, int] = {"ok": exits.DONE, "stopped": exits.NOT_RUNNING}


@click.command("status")
@click.option("--watch", is_flag=True, help="Show it again every 2 seconds, until Ctrl-C.")
@click.pass_obj
def status(office: Office, watch: bool) -> Answer:
    """Show whether all is well: networks, rooms, the outbox, and today's downloads.

    Exits with 0 if all is well, 1 if something is not, 3 if no daemon runs."""
    from bridge.store.backup import is_in_use  # few verbs need it

    if watch and not office.at_terminal:
        raise click.UsageError("--watch works on the command line only")
    running = is_in_use(office.config.store.path)
    owners = _owners(office)
    if owners and not running:
        return _elsewhere(owners)
    health: Mapping[str, Any] = _health(office) if running else {"status": "stopped"}
    entries = _entries(office)
    networks = {name: _of(name, entries, office.clock()) for name in (*office.config.networks, BOTS)}
    for name, of in health.get("networks", {}).items():
        if name in networks:
            told = {key: of[key] for key in ("ok", "since", "reason", "worker", "type", "heard")}
            told["puppets"] = of.get("puppets", 0)
            networks[name].update(told if told["reason"] else {**told, "reason": networks[name]["reason"]})
    traffic = _traffic(office)
    encryption, unknown = _encryption(office) if running else ({}, [])
    ghosts = _ghosts(office) if running else {}
    data: dict[str, Any] = {
        "running": running,
        "users": _users(office),
        "links": len(office.config.links),
        "networks": networks,
        "encryption": encryption,
        "ghosts": ghosts,
        "media": {use.value: {"number": each.number, "bytes": each.bytes} for use, each in traffic.items()},
        "checks": {},
        "rooms": {},
        "version": __version__,
        "worker": None,
        **{key: health[key] for key in health if key not in ("networks", "outbox")},
    }
    words = [
        f"the daemon {'runs' if running else 'does not run'}; users: {_shown(data['users'])}, links: {data['links']}",
        *(health_words.lines(health, office.clock()) if "checks" in health else [_UNANSWERED] if running else []),
        *(_waiting(networks) if owners is not None else ["the outbox is not known"]),
        *([f"{name}: {_sealed(state)}" for name, state in encryption.items()] or unknown),
        *(f"{name}: {_haunted(state)}" for name, state in ghosts.items()),
        *_today(traffic),
    ]
    changed = [health["status"], [(name, check["ok"], check["reason"]) for name, check in data["checks"].items()]]
    again = Again(_WATCH_S, [*changed, [each["words"] for each in networks.values()]]) if watch else None
    return Answer(data, "\n".join(words), code=_CODES.get(health["status"], exits.FAILED), again=again)


def _owners(office: Office) -> Mapping[str, Owner] | None:
    """Who runs which network, where several workers share a store; None, with a warning, if that is away."""
    if office.config.store.url is None:
        return {}
    try:
        return office.stored(lambda store: store.owners())
    except (Unusable, Unavailable) as error:
        office.warn(f"the store is away: {error}")
        return None


def _users(office: Office) -> int | None:
    """How many users there are; None if the store that has them is away."""
    try:
        return len(office.users.list())
    except UsersUnavailable:
        return None


def _shown(users: int | None) -> str:
    return "unknown" if users is None else str(users)


def _elsewhere(owners: Mapping[str, Owner]) -> Answer:
    """The networks and their workers, as the shared store knows them: none of these runs here."""
    found = {name: heard(owner.worker, owner.report) for name, owner in owners.items() if not name.startswith(VOICES)}
    lines = [f"{name}: {its.reason or 'well'}, on {its.worker}" for name, its in sorted(found.items())]
    networks = {name: {"ok": not its.reason, "reason": its.reason, "worker": its.worker} for name, its in found.items()}
    is_well = not any(its.reason for its in found.values())
    data = {"running": False, "status": "ok" if is_well else "degraded", "networks": networks}
    words = "\n".join(("no daemon runs on this machine; on others:", *lines))
    return Answer(data, words, code=exits.DONE if is_well else exits.FAILED)


def _health(office: Office) -> Mapping[str, Any]:
    """How the daemon is, as it says; its status is `unknown` if it does not answer."""
    try:
        return office.live.ask("health")
    except (NotRunning, NotDone):
        return {"status": "unknown"}


def _entries(office: Office) -> Sequence[Entry]:
    """What waits and what is dead. Warns of what waits for networks that the config does not name."""
    try:
        entries: Sequence[Entry] = office.outbox()
        for orphan in orphans(office.config.networks, office.stored(lambda store: store.networks()), (), ()):
            if orphan.waiting:
                office.warn(orphan.words)
    except (Unusable, Unavailable):
        return ()  # no daemon has run yet; or the store is away, of which it was told
    return entries


def _waiting(networks: Mapping[str, Mapping[str, Any]]) -> Sequence[str]:
    """The networks for which something waits or is dead, in words."""
    waiting = [f"{name}: {found['words']}" for name, found in networks.items() if found["queued"] or found["dead"]]
    return waiting or ["the outbox is empty"]


def _encryption(office: Office) -> tuple[Mapping[str, Mapping[str, Any]], Sequence[str]]:
    """How encryption is on each Matrix network, as the daemon says; or, if it does not answer, a line about that."""
    try:
        return office.live.ask("encryption"), ()
    except (NotRunning, NotDone):
        has_any = any(isinstance(each, MatrixSettings) and each.encryption for each in office.config.networks.values())
        return {}, [_UNKNOWN] if has_any else []


def _ghosts(office: Office) -> Mapping[str, Mapping[str, Any]]:
    """The ghosts on each network that has any, or should have, as the daemon says."""
    try:
        return office.live.ask("ghosts")
    except (NotRunning, NotDone):
        return {}


def _haunted(state: Mapping[str, Any]) -> str:
    """A state of ghosts in words."""
    number = state.get("number") or 0
    some = f"{number or 'no'} {'ghost' if number == 1 else 'ghosts'}"
    return f"{some}, and the bridge speaks for them: {state['problem']}" if state.get("problem") else some


def _sealed(state: Mapping[str, Any]) -> str:
    """A state of encryption in words."""
    if problem := state.get("problem"):
        return f"no encryption: {problem}"
    number, keys = len(state.get("rooms", ())), state.get("keys")
    rooms = f"{number or 'no'} encrypted {'room' if number == 1 else 'rooms'}"
    left = "" if keys is None else f", {keys} {'key' if keys == 1 else 'keys'} left for new conversations"
    if unsigned := state.get("unsigned"):
        return f"encryption works ({rooms}{left}), but clients warn of the bridge: {unsigned}"
    return f"encrypted and signed ({rooms}{left})"


def _traffic(office: Office) -> Mapping[TrafficKind, Traffic]:
    """Today's traffic (by UTC)."""
    used: Mapping[TrafficKind, Traffic] = {}
    with suppress(Unusable, Unavailable):
        used = office.stored(lambda store: store.traffic_since(office.clock()))
    return {kind: used.get(kind, Traffic()) for kind in TrafficKind}


def _today(traffic: Mapping[TrafficKind, Traffic]) -> Sequence[str]:
    """A line about links and previews, if there is something to tell."""
    served, refused, uploaded = traffic[TrafficKind.SERVED], traffic[TrafficKind.REFUSED], traffic[TrafficKind.UPLOADED]
    parts = []
    if served.number:
        parts.append(f"{_some(served, 'request')} for files and texts answered ({size(served.bytes)})")
    if refused.number:
        parts.append(f"{refused.number} refused" if served.number else f"{_some(refused, 'request')} refused")
    if uploaded.number:
        parts.append(f"{_some(uploaded, 'file')} uploaded ({size(uploaded.bytes)})")
    return [f"today (UTC): {', '.join(parts)}"] if parts else []


def _some(traffic: Traffic, noun: str) -> str:
    return f"{traffic.number} {noun}" if traffic.number == 1 else f"{traffic.number} {noun}s"


def _of(network: str, entries: Sequence[Entry], now: float) -> dict[str, Any]:
    mine = [entry for entry in entries if entry.room.network == network]
    count = Counter(entry.state for entry in mine)
    oldest = min((entry.since for entry in mine if entry.state is State.QUEUED), default=None)
    why = next((entry.reason for entry in mine if entry.state is State.QUEUED and entry.reason), "")
    words = f"{count[State.QUEUED]} queued, {count[State.DEAD]} dead"
    if oldest is not None:
        words += f", the oldest for {spelled(now - oldest)}" + (f" ({why})" if why else "")
    return {
        "queued": count[State.QUEUED],
        "dead": count[State.DEAD],
        "oldest": None if oldest is None else rfc3339(oldest),
        "reason": why,
        "words": words,
    }
