"""The status: whether the daemon runs, what is queued or dead on each network, and today's downloads."""

from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any

import click

from bridge.admin.live import NotDone, NotRunning
from bridge.admin.misfits import orphans
from bridge.admin.verbs.office import Answer, Office
from bridge.lib.durations import spelled
from bridge.lib.sizes import spelled as size
from bridge.matrix.settings import MatrixSettings
from bridge.model.accounting import Traffic, TrafficKind
from bridge.model.event import BOTS
from bridge.model.outbox import Entry, State
from bridge.store import Unusable

_UNKNOWN = "encryption: not known, as the daemon does not answer (`no_admin_socket` in its log may say why)"


@click.command("status")
@click.pass_obj
def status(office: Office) -> Answer:
    """Show whether the daemon runs, what is queued or dead on each network, and today's downloads."""
    from bridge.store.backup import is_in_use  # few verbs need it

    running = is_in_use(office.config.store.path)
    try:
        entries: Sequence[Entry] = office.outbox()
    except Unusable:
        entries = ()  # no daemon has run yet
    with suppress(Unusable):
        for orphan in orphans(office.config.networks, office.stored(lambda store: store.networks()), (), ()):
            if orphan.waiting:
                office.warn(orphan.words)
    networks = {name: _of(name, entries, office.clock()) for name in (*office.config.networks, BOTS)}
    traffic = _traffic(office)
    encryption, unknown = _encryption(office) if running else ({}, [])
    data = {
        "running": running,
        "users": len(office.users.list()),
        "links": len(office.config.links),
        "networks": networks,
        "encryption": encryption,
        "media": {use.value: {"number": each.number, "bytes": each.bytes} for use, each in traffic.items()},
    }
    words = f"the daemon {'runs' if running else 'does not run'}; users: {data['users']}, links: {data['links']}"
    waiting = [f"{name}: {found['words']}" for name, found in networks.items() if found["queued"] or found["dead"]]
    sealed = [f"{name}: {_sealed(state)}" for name, state in encryption.items()] or unknown
    return Answer(data, "\n".join([words, *(waiting or ["the outbox is empty"]), *sealed, *_today(traffic)]))


def _encryption(office: Office) -> tuple[Mapping[str, Mapping[str, Any]], Sequence[str]]:
    """How encryption is on each Matrix network, as the daemon says; or, if it does not answer, a line about that."""
    try:
        return office.live.ask("encryption"), ()
    except (NotRunning, NotDone):
        has_any = any(isinstance(each, MatrixSettings) and each.encryption for each in office.config.networks.values())
        return {}, [_UNKNOWN] if has_any else []


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
    with suppress(Unusable):
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


def _of(network: str, entries: Sequence[Entry], now: float) -> dict[str, object]:
    mine = [entry for entry in entries if entry.room.network == network]
    count = Counter(entry.state for entry in mine)
    oldest = min((entry.since for entry in mine if entry.state is State.QUEUED), default=None)
    why = next((entry.reason for entry in mine if entry.state is State.QUEUED and entry.reason), "")
    words = f"{count[State.QUEUED]} queued, {count[State.DEAD]} dead"
    if oldest is not None:
        words += f", the oldest for {spelled(now - oldest)}" + (f" ({why})" if why else "")
    return {"queued": count[State.QUEUED], "dead": count[State.DEAD], "oldest": oldest, "reason": why, "words": words}
