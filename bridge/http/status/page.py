"""Words the health of the bridge as a page of HTML. Pure. Everything that is not ours is escaped: a hostile server may
have written a reason."""

from collections.abc import Iterable
from datetime import UTC, datetime
from html import escape

from bridge.http.status.style import STYLE
from bridge.lib.durations import spelled
from bridge.lib.sizes import spelled as size_spelled
from bridge.model.health import Check, Health, NetworkHealth, Queue, RoomHealth, Status
from bridge.model.text import printable

_REFRESH_S = 30
_TYPES = {"matrix": "Matrix", "irc": "IRC"}
_DUCK = (
    '<svg viewBox="0 0 32 32" aria-hidden="true"><path class="beak" d="M24.5 9.5 31 11l-5.5 3z"/>'
    '<path class="duck" d="M3 17c3 2 6 2 9 .5-1.5-1.6-2-3.2-2-5.3C10 7.6 13.7 4 18.3 4s8.2 3.6 8.2 8.1c0 2.6'
    '-1 4.3-2.3 5.9 1.3 1.3 2 2.9 2 4.5C26.2 26 23 28 17.5 28 8.5 28 3 25 3 17z"/>'
    '<circle class="eye" cx="20.5" cy="10" r="1.4"/></svg>'
)


def page(health: Health) -> str:
    """The whole page. It refreshes itself."""
    now = health.now
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="refresh" content="{_REFRESH_S}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n<meta name="robots" content="noindex">\n'
        f"<title>{_SHORT[health.status]} - quackbridge</title>\n<style>{STYLE}</style>\n</head>\n<body>\n"
        f"<header>{_DUCK}<h1>quackbridge</h1></header>\n<main>\n"
        f"{_overall(health)}\n"
        f"<h2>Networks</h2>\n{_list('cards', (_network(*each, now) for each in health.networks.items()))}\n"
        f"<h2>Links</h2>\n{_links(health)}\n"
        f"<h2>Waiting messages</h2>\n{_outbox(health)}\n"
        f"<h2>This machine</h2>\n{_machine(health)}\n"
        f"</main>\n<footer><p>Version {_safe(health.version)}, running for {_age(health.started, now)}."
        f" As of <time>{datetime.fromtimestamp(now, UTC):%Y-%m-%d %H:%M:%S}</time> UTC; this page looks again every"
        f" {_REFRESH_S} seconds.</p></footer>\n</body>\n</html>\n"
    )


_SHORT = {Status.OK: "Everything works", Status.DEGRADED: "Something is wrong", Status.DOWN: "Nothing is carried"}


def _overall(health: Health) -> str:
    networks = sum(each.check.ok for each in health.networks.values())
    links = [check.ok for check in health.links().values()]
    counted = (
        f"{networks} of {_number(len(health.networks), 'network')} up,"
        f" {sum(links)} of {_number(len(links), 'link')} working."
    )
    more = {
        Status.OK: counted,
        Status.DEGRADED: f"{counted} What is wrong is marked below.",
        Status.DOWN: f"{counted} Messages wait until a network is back.",
    }[health.status]
    kind = "good" if health.status is Status.OK else "bad"
    return f'<div class="all {kind}"><p>{_SHORT[health.status]}</p><p>{more}</p></div>'


def _network(name: str, network: NetworkHealth, now: float) -> str:
    kind = _TYPES.get(network.type, network.type)
    state = _state(network.check, "Up", "Down", now)
    heard = f", last sign of life {_ago(network.heard, now)}" if network.heard is not None else ""
    faces = f", {network.puppets} members with a nick of their own" if network.puppets else ""
    return (
        f'<div class="top"><h3><bdi>{_safe(name)}</bdi></h3>{state}</div>{_why(network.check)}'
        f'<p class="dim">{_safe(kind)}{heard}{faces}</p>'
    )


def _links(health: Health) -> str:
    if not health.rooms:
        return '<p class="dim">No links.</p>'
    cards = []
    for name, check in health.links().items():
        rooms = _list("rooms", (_room(room, health.now) for room in health.rooms if room.link == name), "")
        state = _state(check, "Working", "Not working", health.now)
        cards.append(f'<div class="top"><h3><bdi>{_safe(name)}</bdi></h3>{state}</div>{rooms}')
    return _list("cards wide", cards)


def _room(room: RoomHealth, now: float) -> str:
    sealed = "Encrypted. " if room.encrypted else ""
    heard = f"Last heard {_ago(room.heard, now)}" if room.heard is not None else "Nothing heard yet"
    said = f"last sent {_ago(room.said, now)}" if room.said is not None else "nothing sent yet"
    return (
        f'<p class="room"><bdi>{_safe(str(room.room))}</bdi></p>{_why(room.check)}'
        f'<p class="dim">{sealed}{heard}, {said}.</p>'
    )


def _outbox(health: Health) -> str:
    rows = []
    for name in health.networks:
        queue = health.queues.get(name, Queue())
        oldest = f", the oldest for {_age(queue.oldest, health.now)}" if queue.oldest is not None else ""
        dead = f", {queue.dead} undeliverable" if queue.dead else ""
        waiting = f"{queue.queued} waiting" if queue.queued else "none"
        rows.append((f"to {name}", f"{waiting}{oldest}{dead}"))
    return _table(rows) + _why(health.outbox)


def _machine(health: Health) -> str:
    free = size_spelled(health.free) + " free" if health.free else "unknown"
    rows = [
        ("Disk", _told(health.disk, free)),
        ("Clock", _told(health.clock, "right")),
        ("Event loop", _told(health.loop, f"{health.lag * 1000:.0f} ms late")),
    ]
    return _table(rows)


def _told(check: Check, fine: str) -> str:
    return fine if check.ok else f"not well: {check.reason}"


def _table(rows: Iterable[tuple[str, str]]) -> str:
    cells = (f'<div class="card"><dt>{_safe(term)}</dt><dd>{_safe(what)}</dd></div>' for term, what in rows)
    return f"<dl>{''.join(cells)}</dl>"


def _list(kind: str, items: Iterable[str], each: str = "card") -> str:
    found = "".join(f'<li class="{each}">{item}</li>' if each else f"<li>{item}</li>" for item in items)
    return f'<ul class="{kind}">{found}</ul>'


def _state(check: Check, good: str, bad: str, now: float) -> str:
    kind, word = ("good", good) if check.ok else ("bad", bad)
    return f'<p class="state {kind}">{word} for {_age(check.since, now)}</p>'


def _why(check: Check) -> str:
    return "" if check.ok else f'<p class="why"><bdi>{_safe(check.reason)}</bdi></p>'


def _ago(when: float, now: float) -> str:
    return f"{_age(when, now)} ago"


def _age(since: float, now: float) -> str:
    return spelled(max(0.0, now - since))


def _number(number: int, what: str) -> str:
    return f"{number} {what}" if number == 1 else f"{number} {what}s"


def _safe(text: str) -> str:
    return escape(printable(text), quote=True)
