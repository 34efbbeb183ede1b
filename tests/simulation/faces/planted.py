"""Errors that somebody could make with faces, each small: tests of these worlds, which must find them."""

import asyncio
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any
from unittest.mock import patch

from bridge.irc.client import IrcNetwork
from bridge.irc.connection import Connection
from bridge.irc.lanes import Turn
from bridge.irc.puppets.book import Book
from bridge.irc.puppets.connection import PuppetConnection
from bridge.irc.puppets.crowd import Puppets
from bridge.irc.puppets.faces import Faces
from bridge.irc.session.ourselves import Ourselves
from bridge.matrix.ghosts.faces import Faces as Ghosts
from bridge.matrix.sending import Sending
from bridge.network import FaceRemoved


@dataclass(frozen=True, slots=True)
class Error:
    """`wrong`: the adapter with an error in it. `first`: the seed from which on it is looked for, as it is found soon
    from there."""

    wrong: Callable[[], AbstractContextManager[object]]
    first: int = 0


_send = Sending.send
_by_puppet, _settled, _is_surely = IrcNetwork._by_puppet, IrcNetwork._settled, Ourselves.is_surely


def _any_line(faces: Any, _line: object) -> Any:
    return next(iter(faces._awaited.values()), None)


async def _at_once(_network: object, _connection: object, post: Any, *_: object) -> str:
    return str(post.id)


async def _taken_is_said(network: Any, connection: Any, post: Any, flight: Any, verdict: Any) -> Any:
    await asyncio.wait({flight, verdict}, return_when=asyncio.FIRST_COMPLETED)
    return flight.result() if flight.done() else post.id


async def _both(network: Any, *said: Any) -> None:
    await _by_puppet(network, *said)


def _not_again(network: Any, connection: Any, post: Any, *, again: bool, repeatable: bool) -> Any:
    return _settled(network, connection, post, again=False, repeatable=repeatable)


def _by_nick(book: Any, source: Any, **_: bool) -> bool:
    fold = book.casemapping.fold
    return any(fold(entry.nick) == fold(source.nick) for entry in book._entries.values())


async def _nothing(*_: object, **__: object) -> None:
    pass


def _nothing_now(*_: object, **__: object) -> None:
    pass


async def _out_of_turn(puppets: Any) -> Any:
    if (eyes := puppets._eyes()) is None:
        await asyncio.sleep(1.0)
    return eyes


def _untagged(ours: Any, source: Any, **_: bool) -> bool:
    return _is_surely(ours, source)


def _nobody(*_: object) -> tuple[()]:
    return ()


def _a_stranger(*_: object) -> bool:
    return False


async def _sent_first(sending: Any, post: Any, **_: bool) -> str:
    return await _send(sending, post)


async def _always_out(ghosts: Any, *_: object) -> None:
    await ghosts._flush()
    raise FaceRemoved("who speaks for them there was removed")


def _first_voice(ghosts: Any, _ghost: object, _face: object) -> Any:
    return ghosts._service.voice(next(iter(ghosts._ghosts)).user)


def _patched(where: type, name: str, wrong: Any, first: int = 0) -> Error:
    return Error(lambda: patch.object(where, name, wrong), first)


PLANTED: Mapping[str, Error] = {
    "whatever the puppet says next proves a line": _patched(Faces, "_of", _any_line),
    "a line that is written counts as said": _patched(IrcNetwork, "_fate", _at_once),
    "a line that is refused, or dealt with, counts as said": _patched(IrcNetwork, "_fate", _taken_is_said),
    "a puppet does not wait for what the bridge said before": _patched(Turn, "alone", _nothing),
    "the bridge says it, too": _patched(IrcNetwork, "_by_puppet", _both),
    "an earlier run is forgotten": _patched(IrcNetwork, "_settled", _not_again),
    "the bridge sees at once what a puppet's server has dealt with": _patched(Connection, "answers", _nothing, 25),
    "a line that was on its way is not waited for": _patched(IrcNetwork, "_dealt_with", _nothing, 55),
    "an old kick is taken for a new one": _patched(IrcNetwork, "_see", _nothing, 35),
    "a puppet speaks before its mask is stored": _patched(Puppets, "_note", _nothing),
    "after a restart nobody knows puppets": _patched(Book, "is_of_puppet", lambda *_, **__: False),
    "puppets are known by their nicks": _patched(Book, "is_of_puppet", _by_nick),
    "the bridge under another nick is a stranger": _patched(Ourselves, "is_surely", _untagged, 60),
    "a ban is not respected": _patched(IrcNetwork, "_respect", _nothing_now),
    "puppets connect out of turn": _patched(Puppets, "_turn_to_connect", _out_of_turn),
    "a connection that nobody needs stays": _patched(PuppetConnection, "quit", _nothing_now),
}

PLANTED_WITH_GHOSTS: Mapping[str, Error] = {
    "what a ghost has said is not looked for": _patched(Ghosts, "senders", _nobody),
    "what a ghost says is heard": _patched(Ghosts, "is_ours", _a_stranger),
    "an earlier run is forgotten": _patched(Sending, "send", _sent_first),
    "nobody speaks for a ghost that was removed": _patched(Ghosts, "_stays_out", _always_out),
    "a ghost speaks for all": _patched(Ghosts, "voice", _first_voice),
    "ghosts are forgotten at each start": _patched(Ghosts, "recall", _nothing),
}
