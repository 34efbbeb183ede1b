"""Which lines kick or ban somebody in a channel, who was kicked or banned on the other side. Never a mask that could be
of anybody else: an account, or one user at one host."""

import itertools
from collections.abc import Sequence
from typing import assert_never

from bridge.irc.dialect.operations import Moderate
from bridge.irc.hearing.person import Person
from bridge.irc.session.state import State
from bridge.model.event import Act
from bridge.model.people import owner_key
from bridge.network import Needless

_LOOKED_AT = 5000
"""Most people who are compared with a mask or a key: some milliseconds."""
_ACCOUNTS = {"$": "a", "~": "a", "": "R"}
"""By the sign of a server's extended bans, the letter of those for accounts (Solanum, UnrealIRCd, InspIRCd)."""
_PLAIN_WORD = frozenset(map(chr, range(33, 127))) - set("*?!@,:$~")

Command = tuple[str, ...]


def commands(state: State, wanted: Moderate) -> Sequence[Command] | None:
    """The commands with their parameters, in order; None if it cannot be done here. Raises Needless if there is nobody
    to do it to."""
    ours = state.people.ranks(state.us.nick, wanted.target)
    if not state.isupport.moderates(ours):
        return None
    person = _found(state, wanted)
    kick = [("KICK", wanted.target, person.nick, wanted.reason)] if person is not None else []
    match wanted.act:
        case Act.KICK:
            if not kick:
                raise Needless("they are not in the channel")
            return kick
        case Act.BAN:
            mask = _mask(state, wanted, person)
            return [("MODE", wanted.target, "+b", mask), *kick] if mask else None
        case Act.UNBAN:
            mask = _mask(state, wanted, person)
            return [("MODE", wanted.target, "-b", mask)] if mask else None
        case Act.QUIET | Act.UNQUIET:
            return None
        case _ as never:
            assert_never(never)


def _found(state: State, wanted: Moderate) -> Person | None:
    """The one who is meant, if they are in the channel: who has the account, else who has the nick, user and host that
    spoke."""
    people, fold = state.people, state.people.casemapping.fold
    if wanted.account:
        nick = people.with_account(wanted.account, wanted.target)
        return people.find(nick) if nick is not None else None
    person = people.find(wanted.nick) if people.is_in(wanted.nick, wanted.target) else None
    if person is None or not wanted.key or fold(person.nick) != fold(wanted.nick):
        return None
    return person if owner_key(state.settings.name, person.source.mask) == wanted.key else None


def _mask(state: State, wanted: Moderate, person: Person | None) -> str:
    """A mask that is theirs alone; '' if there is none."""
    sign, letters = state.isupport.extban
    if wanted.account and set(wanted.account) <= _PLAIN_WORD and _ACCOUNTS.get(sign, "-") in letters:
        return f"{sign}{_ACCOUNTS[sign]}:{wanted.account}"
    if person is None or not (person.user and person.host) or not set(person.user + person.host) <= _PLAIN_WORD | {":"}:
        return ""
    mask = f"*!{person.user}@{person.host}"
    nicks = [*itertools.islice(state.people.nicks(wanted.target), _LOOKED_AT)]
    same = (each for each in map(state.people.find, nicks) if each is not None and each is not person)
    is_shared = any((each.user, each.host) == (person.user, person.host) for each in same)
    return "" if is_shared or state.us.is_us(person.nick) else mask
