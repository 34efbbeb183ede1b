"""Checks across sections: secrets, names, links that do not fit the networks, placeholders that were left."""

from collections.abc import Iterator, Mapping
from difflib import get_close_matches
from urllib.parse import urlsplit

from bridge.config.document import Document, Path, dotted
from bridge.config.problems import Problem
from bridge.config.secrets import is_secret
from bridge.config.settings import in_store
from bridge.lib import hosts
from bridge.lib.secret_files import is_placeholder
from bridge.model import identifiers
from bridge.model.casemap import widest
from bridge.model.event import BOTS, DESK, Room

_TAKEN = ((BOTS, "networks", "the network of the bots' ears"), (DESK, "bots", "who takes commands in private"))

_PASSWORD, _KEY = ("password", "password_file"), ("key", "key_file")
_BY_PASSWORD = frozenset({"auto", "plain", "scram-sha-256", "scram-sha-512"})


def credentials(document: Document) -> Iterator[Problem]:
    """Each account has exactly one secret; for an IRC server's own password, at most one."""
    for name, network in _section(document, "networks").items():
        place: Path = ("networks", name)
        if network.get("type") == "matrix":
            yield from _one_of(
                document, place, network, ("password", "password_file", "access_token", "access_token_file"), needed=1
            )
            yield from _one_of(document, place, network, ("recovery_key", "recovery_key_file"), needed=0)
        elif network.get("type") == "irc":
            yield from _one_of(document, place, network, ("password", "password_file"), needed=0)
            yield from _one_of(document, place, network, ("proxy", "proxy_file"), needed=0)
            if isinstance(sasl := network.get("sasl"), dict):
                yield from _sasl(document, (*place, "sasl"), sasl)
            if isinstance(nickserv := network.get("nickserv"), dict):
                yield from _one_of(document, (*place, "nickserv"), nickserv, _PASSWORD, needed=1)
            puppets = network.get("puppets")
            if isinstance(puppets, dict) and isinstance(webirc := puppets.get("webirc"), dict):
                yield from _one_of(document, (*place, "puppets", "webirc"), webirc, _PASSWORD, needed=1)
            keys = network.get("channel_keys")
            for channel, key in (_mappings(keys) if isinstance(keys, dict) else {}).items():
                yield from _one_of(document, (*place, "channel_keys", channel), key, _PASSWORD, needed=1)


def store(document: Document) -> Iterator[Problem]:
    """A store has one address at most; users can be kept with it only if it has one."""
    whole = document.value if isinstance(document.value, dict) else {}
    settings = whole.get("store")
    settings = settings if isinstance(settings, dict) else {}
    yield from _one_of(document, ("store",), settings, ("url", "url_file"), needed=0)
    if in_store(whole) and not any(settings.get(key) is not None for key in ("url", "url_file")):
        yield document.problem(
            ("users", "database"), "the store is a file of this daemon: name a file for the users, too"
        )


def _sasl(document: Document, place: Path, sasl: Mapping[str, object]) -> Iterator[Problem]:
    """Each mechanism that is named has what it needs; `auto`, which may use any, has at least one of these."""
    named = sasl.get("mechanism", "auto")
    names = {str(name).lower() for name in (named if isinstance(named, list) else [named])}
    another = "auto" in names and any(sasl.get(key) is not None for key in ("certificate", *_KEY))
    wants_password = not names.isdisjoint(_BY_PASSWORD)
    yield from _one_of(document, place, sasl, _PASSWORD, needed=int(wants_password and not another))
    yield from _one_of(document, place, sasl, _KEY, needed=int("ecdsa-nist256p-challenge" in names))
    if "external" in names and sasl.get("certificate") is None:
        message = "external needs a certificate: make one with `quackbridge irc-cert`, and name its file here"
        yield document.problem((*place, "mechanism"), message)


def _one_of(
    document: Document, place: Path, section: Mapping[str, object], keys: tuple[str, ...], needed: int
) -> Iterator[Problem]:
    given = [key for key in keys if section.get(key) is not None]
    if len(given) > 1:
        yield document.problem((*place, given[1]), f"there is {given[0]} already: keep one of the two")
    if len(given) < needed:
        yield document.problem(place, f"a secret is missing: one of {', '.join(keys)}")


def names(document: Document) -> Iterator[Problem]:
    """Names of networks, links and bots are one word without / and @, which join names: `network/room`."""
    for kind in ("networks", "links", "bots"):
        whole = document.value.get(kind) if isinstance(document.value, dict) else None
        given: list[str] = list(whole) if isinstance(whole, dict) else []
        for name in given:
            if "/" in name or "@" in name:
                yield document.problem((kind, name), f"{name!r}: a name cannot contain / or @")
            else:
                try:
                    identifiers.one_word(name)
                except ValueError as error:
                    yield document.problem((kind, name), str(error))
        for taken, where, what in _TAKEN:
            if kind == where and taken in given:
                yield document.problem((kind, taken), f"{taken!r} is {what}: choose another name")


def links(document: Document) -> Iterator[Problem]:
    """Each room is on a network that exists, well-formed, and in one link only; each bot exists, and is named once."""
    seen: dict[tuple[str, str], Path] = {}
    for name, link in _section(document, "links").items():
        rooms, bots = _items(link.get("rooms")), _items(link.get("bots"))
        if link.get("rooms") == []:
            yield document.problem(("links", name, "rooms"), "a link needs a room")
        for number, room in enumerate(rooms):
            yield from _room(document, ("links", name, "rooms", number), room, seen)
        known = list(_section(document, "bots"))
        for number, bot in enumerate(bots):
            if isinstance(bot, str) and bot not in known:
                yield document.problem(("links", name, "bots", number), _unknown("bot", bot, known))
            elif bot in bots[:number]:
                yield document.problem(("links", name, "bots", number), f"the bot {bot!r} is listed twice")


def _room(document: Document, place: Path, text: object, seen: dict[tuple[str, str], Path]) -> Iterator[Problem]:
    try:
        room = Room.parse(text if isinstance(text, str) else "")
    except ValueError:
        return  # the model reports it
    networks = _section(document, "networks")
    if room.network not in networks:
        yield document.problem(place, _unknown("network", room.network, list(networks)))
        return
    matrix = networks[room.network].get("type") == "matrix"
    try:
        identifiers.matrix_room(room.id) if matrix else identifiers.irc_channel(room.id)
    except ValueError as error:
        yield document.problem(place, str(error))
        return
    folded = room.id if matrix else widest(room.id)
    first = seen.setdefault((room.network, folded), place)
    if first[:2] == place[:2] and first != place:
        yield document.problem(place, f"{text} is in this link already: {dotted(first)}")
    elif first != place:
        line, _column = document.place(first)
        yield document.problem(place, f"{text} is in another link already: {dotted(first)} (line {line})")


def placeholders(document: Document) -> Iterator[Problem]:
    """Placeholders of the example that are still there: CHANGE-ME, and hosts that exist in examples only."""
    for place, text in document.strings():
        if not is_secret(place) and is_placeholder(text):
            yield document.problem(place, "the placeholder CHANGE-ME is still here: write your own")
        elif (host := _host(place, text)) and hosts.is_reserved(host):
            yield document.problem(place, f"{host} is a placeholder (no such host can exist): write your own")


def _host(place: Path, text: str) -> str | None:
    match place:
        case ("networks", _, "homeserver") | ("http", "public_url"):
            try:
                return urlsplit(text).hostname
            except ValueError:
                return None
        case ("networks", _, "server") | ("networks", _, "server", _):
            return text.rpartition(":")[0]
        case ("networks", _, "user") | ("links", _, "rooms", _):
            return text.partition(":")[2].partition(":")[0]
        case _:
            return None


def _unknown(kind: str, name: str, known: list[str]) -> str:
    near = get_close_matches(name, known, 1)
    if near:
        return f"there is no {kind} {name!r}; did you mean {near[0]!r}?"
    return f"there is no {kind} {name!r}; there is {', '.join(known) or 'none at all'}"


def _items(value: object) -> list[object]:
    return value if isinstance(value, list) else []


def _section(document: Document, kind: str) -> dict[str, dict[str, object]]:
    """The mappings under `kind`; what is not a mapping is left out, the model reports it."""
    whole = document.value.get(kind) if isinstance(document.value, dict) else None
    return _mappings(whole) if isinstance(whole, dict) else {}


def _mappings(whole: Mapping[str, object]) -> dict[str, dict[str, object]]:
    return {name: value for name, value in whole.items() if isinstance(value, dict)}
