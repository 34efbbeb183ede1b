"""Checks of a Matrix network: the homeserver, the account, its device, and each room."""

from collections.abc import AsyncGenerator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from bridge.doctor import reach
from bridge.doctor.finding import Finding, Outcome, fail, ok, skip, warn
from bridge.matrix import probing
from bridge.matrix.dialect.fields import word
from bridge.matrix.ghosts.service import NotReached, NotRegistered, Service
from bridge.matrix.http import look
from bridge.matrix.http.homeserver import ApiError, Homeserver, Unreachable
from bridge.matrix.settings import MatrixSettings
from bridge.network import Refused

_PLAIN, _SEALED = "m.room.message", "m.room.encrypted"


@dataclass(frozen=True, slots=True)
class RoomFacts:
    """A configured room: its `id` ('' if it is not found), whether we are in it, it is encrypted, and we may speak."""

    name: str
    id: str
    joined: bool = False
    encrypted: bool = False
    may_speak: bool = True


async def found(
    settings: MatrixSettings, rooms: Sequence[str], kept: Mapping[str, str], tokens: Path | None = None
) -> AsyncGenerator[Finding, None]:
    """Look at the network. `kept`: what the store remembers of it; the daemon's token is used if there is one, else we
    log in, and out again. `tokens`: the file with those of the registration for ghosts, if there are to be any."""
    subject, parts = f"matrix {settings.name}", urlsplit(settings.homeserver)
    default = 443 if settings.tls else 80
    async for finding in reach.found(subject, settings.host, parts.port or default, tls=settings.tls):
        yield finding
        if finding.outcome is Outcome.FAIL:
            return  # nothing behind it can be reached
    try:
        place = await probing.discover(settings.user, settings.homeserver)
    except probing.ProbeError as error:
        yield fail(subject, str(error), "check `homeserver`, and whether that server runs")
        return
    yield ok(subject, f"{place.url} answers; logins: {', '.join(place.flows) or 'none named'}")
    token = kept.get("access_token") or settings.access_token
    if not token:
        yield await _login(settings, subject)
        yield skip(f"{subject} rooms", "the bridge has not logged in yet: start it, and look again")
        return
    homeserver = Homeserver(place.url, settings.user, settings.name)
    homeserver.token = token
    try:
        if tokens is not None:
            yield await _ghosts(homeserver, f"{subject} ghosts", tokens)
            if settings.ghosts.url is not None:
                yield await _reached(homeserver, settings, f"{subject} ghosts.url", tokens)
        async for finding in _with_token(homeserver, settings, rooms, kept.get("device_id", "")):
            yield finding
    finally:
        await homeserver.close()


async def _ghosts(homeserver: Homeserver, subject: str, tokens: Path) -> Finding:
    """Whether the homeserver lets people on IRC have accounts of their own."""
    try:
        await Service(homeserver, tokens).check()
    except NotRegistered as error:
        return warn(subject, f"{error}; the bridge speaks for people on IRC", error.hint)
    except (ApiError, Unreachable) as error:
        return warn(subject, f"the homeserver does not tell whether it knows the registration ({error})", "look again")
    return ok(subject, "the homeserver knows the registration")


async def _reached(homeserver: Homeserver, settings: MatrixSettings, subject: str, tokens: Path) -> Finding:
    """Whether the homeserver reaches the daemon, so that what is said to ghosts is heard."""
    try:
        await Service(homeserver, tokens).ping(settings.name)
    except NotReached as error:
        return warn(subject, f"{error}; nobody hears what is said to ghosts in private", error.hint)
    except (ApiError, Unreachable) as error:
        return warn(subject, f"the homeserver does not tell whether it reaches the bridge ({error})", "look again")
    return ok(subject, f"the homeserver reaches the bridge at {settings.ghosts.url}")


async def _login(settings: MatrixSettings, subject: str) -> Finding:
    try:
        async with probing.logged_in(settings) as probe:
            return ok(f"{subject} account", f"{await probe.whoami()} can log in")
    except probing.ProbeError as error:
        return fail(f"{subject} account", str(error), "correct `user` and the password in the config")


async def _with_token(
    homeserver: Homeserver, settings: MatrixSettings, rooms: Sequence[str], device: str
) -> AsyncGenerator[Finding, None]:
    subject = f"matrix {settings.name}"
    try:
        us = await homeserver.get("account", "whoami")
    except (ApiError, Unreachable, Refused) as error:
        do = "restart the bridge, which logs in again; if it cannot, correct the password or token in the config"
        yield fail(f"{subject} account", f"the homeserver does not accept the bridge's token ({error})", do)
        return
    yield account(f"{subject} account", settings.user, word(us, "user_id"))
    yield fits(f"{subject} device", device, word(us, "device_id"))
    for name in rooms:
        try:
            yield room(f"{subject}/{name}", settings, await _room(homeserver, settings.user, name))
        except (ApiError, Unreachable, Refused) as error:
            yield fail(f"{subject}/{name}", f"the homeserver does not tell of it ({error})", "look again later")
    yield skip(f"{subject} rate limit", "not tried: that would send messages")


async def _room(homeserver: Homeserver, user: str, name: str) -> RoomFacts:
    place = name
    if name.startswith("#"):
        try:
            place = word(await homeserver.get("directory", "room", name), "room_id")
        except ApiError as error:
            if error.status != 404:
                raise
            return RoomFacts(name, "")
    if not await look.is_member(homeserver, place, user):
        return RoomFacts(name, place)
    encrypted = await look.encryption(homeserver, place) is not None
    power = await look.power_now(homeserver, place)
    may_speak = power.may_send(user, _SEALED if encrypted else _PLAIN)
    return RoomFacts(name, place, joined=True, encrypted=encrypted, may_speak=may_speak)


def account(subject: str, wanted: str, is_: str) -> Finding:
    """Whose the token is."""
    if wanted != is_:
        return fail(subject, f"the token belongs to {is_}, not to {wanted}", "correct `user`, or the token")
    return ok(subject, f"logged in as {is_}")


def fits(subject: str, kept: str, is_: str) -> Finding:
    """Whether the token's device `is_` the one `kept` in the store, whose keys lie there."""
    if not kept:
        return skip(subject, "the store knows no device yet")
    if kept != is_:
        do = "two programs must not share a device: give the bridge a login of its own"
        return fail(subject, f"the token is for device {is_}, and the store has the keys of {kept}", do)
    return ok(subject, f"{is_}, as in the store")


def room(subject: str, settings: MatrixSettings, facts: RoomFacts) -> Finding:
    """How a configured room is."""
    if not facts.id:
        return fail(subject, "there is no such room", "check its name in the config")
    if not facts.joined:
        return fail(
            subject, "the bridge is not in the room", f"invite {settings.user} there; lift its ban if there is one"
        )
    if facts.encrypted and not settings.encryption:
        return fail(subject, "it is encrypted, and encryption is off", "set `encryption: true` for this network")
    if not facts.may_speak:
        return fail(subject, "the bridge may not speak there", f"give {settings.user} the power to send messages")
    return ok(subject, f"joined, {'encrypted' if facts.encrypted else 'not encrypted'}, may speak")
