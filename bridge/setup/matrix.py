"""The questions about the Matrix account and its room. Each answer is tried at once."""

import asyncio
import time
from contextlib import suppress

from bridge.lib.unhindered import run
from bridge.matrix.probing import Found, MatrixProbe, NotInvited, ProbeError, RoomSeen, discover, logged_in
from bridge.matrix.settings import MatrixSettings
from bridge.model import identifiers
from bridge.setup.answers import MatrixAnswers
from bridge.setup.console import Console, WrongAnswer, password_of, valid
from bridge.setup.options import Options

NAME = "home"
"""The name of the Matrix network in the config."""
_INVITED_WITHIN_S = 600.0
_INVITED_EVERY_S = 2.0
_SHOWN = 20
"""Most rooms that are listed to choose from."""
_ONLY_OTHERWISE = (
    "{url} takes no login by password (it offers: {flows}). The bridge can log in by an access token instead: write"
    " config.yaml by hand from config.example.yaml, with `access_token_file`. Take a fresh token, of a login made for"
    " the bridge alone: one that Element uses too breaks encryption"
)


class _AnotherUser(Exception):
    """The user id was wrong; the text is the right one, if it is known."""


def account(console: Console, options: Options) -> MatrixSettings:
    """Find the homeserver and log in."""
    console.title("The Matrix account. Make one for the bridge: an account of its own, not yours.")
    user, url, password = options.matrix_user, options.homeserver, password_of(options.matrix_password_file)
    while True:
        try:
            return _account(console, user, url, password)
        except _AnotherUser as another:
            user, url, password = str(another) or None, None, None


def _account(console: Console, given: str | None, url: str | None, password: str | None) -> MatrixSettings:
    user = console.settled(
        given, lambda: console.ask("User id of the bridge (@duck:example.org)"), identifiers.matrix_user
    )
    found = _homeserver(console, url, user)
    console.say(f"  {found.url} answers.")
    if not found.password:
        raise WrongAnswer(_ONLY_OTHERWISE.format(url=found.url, flows=", ".join(found.flows) or "nothing"))

    def attempt(password: str) -> MatrixSettings:
        if not password and console.interactive:
            raise _AnotherUser
        settings = _settings(found.url, user, password)
        run(_log_in(settings))
        return settings

    question = f"Password of {user} (Enter alone: another user id)"
    settings = console.settled(password, lambda: console.secret(question), attempt)
    console.say(f"  Logged in as {user}.")
    return settings


def _homeserver(console: Console, given: str | None, user: str) -> Found:
    """By the user id; if that leads nowhere, by the URL that the operator gives."""

    def attempt(url: str) -> Found:
        if url.startswith("@"):
            raise _AnotherUser(url)
        if url:
            _settings(url, user, "none yet")  # an http:// URL to another machine is refused before anything is sent
        console.say(f"  Looking for the homeserver of {user} ..." if not url else f"  Asking {url} ...")
        return run(discover(user, url))

    question = "URL of the homeserver (https://matrix.example.org), or the right user id"
    return console.settled("" if given is None else given, lambda: console.ask(question), attempt)


def _settings(url: str, user: str, password: str) -> MatrixSettings:
    values = {"type": "matrix", "homeserver": url, "user": user, "password": password}
    return valid(MatrixSettings, values).called(NAME)


async def _log_in(settings: MatrixSettings) -> None:
    async with logged_in(settings):
        pass


def room(console: Console, options: Options, settings: MatrixSettings) -> MatrixAnswers:
    """Choose a room, and join it; wait for an invitation if it takes one."""
    console.title("The Matrix room.")
    rooms: list[RoomSeen] = []
    if options.room is None:
        with suppress(ProbeError):  # then there is nothing to choose from, but a room can be named
            rooms = run(_rooms(settings))[:_SHOWN]
        for number, each in enumerate(rooms, 1):
            kind = "invited" if each.invited else f"{each.people} people"
            console.say(f"  {number}  {each.name or each.id} ({kind}{', encrypted' if each.encrypted else ''})")

    def attempt(answer: str) -> str:
        chosen = int(answer) if answer.isascii() and answer.isdecimal() and len(answer) < 4 else 0
        name = rooms[chosen - 1].id if 0 < chosen <= len(rooms) else identifiers.matrix_room(answer)
        run(join(console, settings, name))
        return name

    question = "Number, or the alias of another (#pond:example.org)" if rooms else "Alias (#pond:example.org) or id"
    name = console.settled(options.room, lambda: console.ask(question), attempt)
    return MatrixAnswers(NAME, settings.homeserver, settings.user, settings.password or "", name)


async def _rooms(settings: MatrixSettings) -> list[RoomSeen]:
    async with logged_in(settings) as probe:
        return [*await probe.rooms()]


async def join(console: Console, settings: MatrixSettings, name: str) -> None:
    """Join the room, and say what is seen there."""
    async with logged_in(settings) as probe:
        found = await _entered(console, probe, name)
        seen = next((each for each in await probe.rooms() if each.id == found), None)
        may = await probe.may_speak(found)
        if seen is not None:
            encrypted, speak = "encrypted" if seen.encrypted else "not encrypted", "yes" if may else "no"
            console.say(f"  Joined {seen.name or name}: {seen.people} people, {encrypted}; I may speak: {speak}.")
        if not may:
            raise ProbeError(f"the room does not let {settings.user} speak: raise its power level there")


async def _entered(console: Console, probe: MatrixProbe, name: str) -> str:
    """Join; if that takes an invitation, wait for it where somebody is at the terminal."""
    told, until = False, time.monotonic() + _INVITED_WITHIN_S
    while True:
        try:
            return await probe.join(name)
        except NotInvited as error:
            if not console.interactive or time.monotonic() > until:
                raise
            if not told:
                console.say(f"  {error}. I am waiting, and go on by myself (Ctrl-C ends this).")
                told = True
        await asyncio.sleep(_INVITED_EVERY_S)
