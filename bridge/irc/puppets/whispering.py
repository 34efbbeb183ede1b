"""Lets puppets say something in private to one person, once it is certain who that person is."""

import asyncio
from collections.abc import Callable

import structlog

from bridge.irc.dialect.operations import Say
from bridge.irc.dialect.place import Limits
from bridge.irc.dialect.render import refit
from bridge.irc.puppets.connection import PuppetConnection, Unseen
from bridge.irc.puppets.connection import Refused as NotTaken
from bridge.irc.puppets.crowd import Eyes, Puppet, Puppets
from bridge.irc.puppets.session import Identified
from bridge.irc.wire.line import Unwritable, compose
from bridge.lib.waiting import is_set_within
from bridge.model.outbox import Post
from bridge.model.text import folded
from bridge.network import InDoubt, Needless, PermanentError, SendError, TransientError

log = structlog.get_logger()

_CONNECTS_WITHIN_S = 20.0
"""Seconds that private words wait here for their speaker's puppet to connect."""
_AGAIN_S = 5.0
_LONGEST_PAUSE_S = 60.0
"""Seconds that private words wait for the next try of a puppet that did not get in. If it is longer, that is told, and
they are given up."""
_MISLED = (
    "between the answer who has a nick and a member's private line to it, somebody else took it; the member is told"
)


class Whispering:
    """`eyes`: the bridge's own connection; None while it is offline. `network`: what it is called."""

    def __init__(
        self, network: str, puppets: Puppets, eyes: Callable[[], Eyes | None], *, resends: bool = True
    ) -> None:
        self._network = network
        self._puppets = puppets
        self._eyes = eyes
        self._resends = resends

    async def say(self, post: Post, said: Say) -> str:
        """Say the line of a post; return its id. Raises SendError, and Needless if a notice of ours has nobody to say
        it. The account of who has the nick is asked for right before each line: words never go to who has taken it."""
        puppet = await self._connected(said)
        eyes, connection = self._eyes(), puppet.connection
        if eyes is None or connection is None:
            raise TransientError("offline: no connection to the server", _AGAIN_S)
        for line in self._lines(said, puppet, eyes):
            await puppet.pace.turn()
            await self._puppets.remember(puppet)
            if said.to:
                await puppet.pace.turn()  # the server counts the question, too
                self._prove(said.target, said.to, await self._asked(said.target, connection), eyes)
            await self._written(post, said, line, connection, eyes)
        log.debug("puppet_whispers", network=self._network, user=puppet.voice.user, post=post.id)
        return post.id

    async def _connected(self, said: Say) -> Puppet:
        """The puppet of who speaks, online."""
        assert said.voice is not None
        is_ours, user = said.to == "", said.voice.user
        if not is_ours and not self._puppets.members.may_have_puppet(user):
            raise PermanentError(f"you have no nick of your own on {self._network}")
        puppet = self._puppets.of_folded(user) if is_ours else self._puppets.wanted(said.voice)
        if puppet is None and is_ours:
            raise Needless("the nick that would say it is gone")
        if puppet is None and 0 < (pause := self._puppets.pause_s(user)) < _LONGEST_PAUSE_S:
            raise TransientError("the nick of who speaks is tried again soon", pause)
        if puppet is None:
            raise PermanentError(f"{self._network} lets no nick of your own in at the moment")
        loop = asyncio.get_running_loop()
        until = loop.time() + _CONNECTS_WITHIN_S
        while not puppet.online:
            if puppet.is_over:
                raise TransientError(f"{self._network} did not let the nick of who speaks in", _AGAIN_S)
            if not await is_set_within(puppet.changed, until - loop.time()):
                raise TransientError("the nick of who speaks is not connected yet", _AGAIN_S)
        return puppet

    def _lines(self, said: Say, puppet: Puppet, eyes: Eyes) -> list[bytes]:
        """The lines of a post: several if the puppet's name takes more of a line than was thought."""
        limits = Limits(eyes.isupport.line_length, puppet.prefix(eyes.isupport))
        plain = Say(said.command, said.target, said.unmarked)
        limit = limits.line - limits.prefix
        try:
            return [compose(each.command, each.target, each.text, limit=limit) for each in refit(plain, limits)]
        except Unwritable as error:
            raise PermanentError(str(error)) from error

    async def _asked(self, nick: str, connection: PuppetConnection) -> Identified:
        found = await connection.whois(nick)
        if found is None:
            raise TransientError("the server does not say who has that nick", _AGAIN_S)
        return found

    def _prove(self, nick: str, user: str, found: Identified, eyes: Eyes) -> None:
        """Raises PermanentError unless who has the nick proves to be that user."""
        if found.source is None:
            raise PermanentError(f"nobody has the nick {nick} now")
        if self._puppets.faces.of(found.source) is not None:
            raise PermanentError(f"{nick} is the nick of a member on Matrix: write to them there")
        if not self._is(user, found, eyes):
            raise PermanentError(f"who has the nick {nick} now is not logged in as {user}; nothing was said to them")

    def _is(self, user: str, found: Identified, eyes: Eyes) -> bool:
        """Whether somebody whom the server has named proves to be that user."""
        person = None if found.source is None else eyes.person(found.source, found.account)
        proved = None if person is None else self._puppets.members.user_of(person)
        return proved is not None and folded(proved) == folded(user)

    async def _written(self, post: Post, said: Say, line: bytes, connection: PuppetConnection, eyes: Eyes) -> None:
        """Write a line, and return when the server has dealt with it. Right behind it goes the question who has the
        nick: between the answer before and the line, somebody else may have taken it, and then that is told."""
        if not connection.open:
            raise TransientError("the connection of who speaks was lost", _AGAIN_S)
        nick, flight = said.target, asyncio.get_running_loop().create_future()
        connection.whisper(post.id, nick, line, flight)
        after = await connection.whois(nick) if said.to else None
        outcome = await flight
        if isinstance(outcome, NotTaken):
            raise PermanentError(f"{nick}: {outcome}")
        if isinstance(outcome, Unseen):
            raise InDoubt(str(outcome), resend=self._resends)
        if isinstance(outcome, SendError):
            raise outcome
        if said.to and after is not None and after.source is not None and not self._is(said.to, after, eyes):
            log.warning("whisper_misled", network=self._network, post=post.id, hint=_MISLED)
            raise PermanentError(f"{nick} has changed hands at that very moment: who has it now may have read it")
