"""Private talk between members: where what is said in a talk goes, and to whom. Pure."""

import re
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass
from typing import Protocol

from bridge.model.event import Event, Mentioned, Message, Room
from bridge.model.people import Identity, Proof, Sender
from bridge.model.talks import IrcTalk, MatrixTalk, irc_talk, matrix_talk
from bridge.rules.acquaintances import Acquaintances
from bridge.rules.link import Link
from bridge.users import User
from bridge.users.identities import same_name

COMMAND = "msg"
"""Begins a talk: `msg libera/bob hello`."""
HOW = f"{COMMAND} [NETWORK/]NICK WORDS"
_BEGINS = re.compile(rf"\s*[!/]?{COMMAND}[:\s]+(?:([^\s/:]+)/)?([^\s/:]+)(?::\s*|\s+)(?=\S)", re.IGNORECASE)
_NOT_THEIRS = "that is the talk of somebody else"
_GONE = "I cannot reach {name} in private: they are no member here, or want no nick of their own"


@dataclass(frozen=True, slots=True)
class Way:
    """Where what is said in a talk goes, and `to` whom: `room`, or nowhere (None), for the `reason` in words. `owner`:
    what the puppet's owner is called."""

    room: Room | None
    owner: str
    to: Mentioned | None = None
    reason: str = ""


class Allowlist(Protocol):
    """What is asked of the allowlist."""

    def find(self, name: str) -> User | None: ...

    def identify(self, sender: Sender) -> User | None: ...


@dataclass(frozen=True, slots=True)
class Grounds:
    """What a decision on a talk needs to know. `on_irc`: the names of the IRC networks; `may_have_puppet`: whether a
    user, by name, may have a connection of their own there; `seen`: who was heard under which nick."""

    users: Allowlist
    links: Iterable[Link]
    seen: Acquaintances
    on_irc: Collection[str]
    may_have_puppet: Callable[[str], bool]


def way(event: Event, user: User | None, grounds: Grounds) -> Way | None:
    """Where `event`, said by `user` (None: a guest), goes; None if it was said in no talk."""
    if not event.private:
        return None
    if (on_irc := irc_talk(event.room)) is not None:
        return _to_matrix(event, on_irc, grounds)
    if (on_matrix := matrix_talk(event.room)) is not None:
        return _to_irc(event, on_matrix, user, grounds)
    return None


def _to_matrix(event: Event, talk: IrcTalk, grounds: Grounds) -> Way:
    """To the puppet's owner: by the Matrix id that the puppet speaks for, else by their first one."""
    owner = grounds.users.find(talk.user)
    ids = [one.value for one in owner.identities if one.kind is Proof.MATRIX] if owner is not None else []
    home = _home(talk.network, grounds)
    if owner is None or not ids or home is None or not grounds.may_have_puppet(owner.name):
        return Way(None, talk.user, reason=_GONE.format(name=talk.user))
    voiced = event.body.mentions if isinstance(event.body, Message) else ()
    member = next((each for each in voiced if each in ids), ids[0])
    there = MatrixTalk.of(home, member, talk.network, talk.nick)
    if there is None:
        return Way(None, owner.name, reason=_GONE.format(name=owner.name))
    return Way(there.room, owner.name, Mentioned(member, owner.name, tuple(owner.identities)))


def _to_irc(event: Event, talk: MatrixTalk, user: User | None, grounds: Grounds) -> Way:
    """To the person on IRC, by the puppet of `user`."""
    name = user.name if user is not None else ""
    proved = Identity(Proof.MATRIX, "", talk.member) in event.sender.proofs
    if not proved or user is None:
        return Way(None, name, reason=_NOT_THEIRS)
    if talk.network not in homes(talk.other, grounds):
        return Way(None, name, reason=f"members have no nicks of their own on {talk.other}")
    if not grounds.may_have_puppet(name):
        return Way(None, name, reason=f"you have no nick of your own on {talk.other}: say `puppet on`")
    partner = _partner(event, talk, grounds)
    there = IrcTalk.of(talk.other, name, talk.nick)
    if partner is None or there is None:
        who = f"who {talk.nick} on {talk.other} is now"
        return Way(None, name, reason=f"I do not know for sure {who}, so I said nothing. To begin a talk, say: {HOW}")
    return Way(there.room, name, Mentioned(talk.nick, partner.name, tuple(partner.identities)))


def _partner(event: Event, talk: MatrixTalk, grounds: Grounds) -> User | None:
    """The member to whom it is said: as the talk has begun, else by the account that the adapter knows."""
    if event.mentioned:
        return grounds.users.find(event.mentioned[0].user)
    named = event.body.mentions if isinstance(event.body, Message) else ()
    network, _, account = named[0].partition("/") if named else ("", "", "")
    return _with_account(account, talk.other, grounds) if account and network == talk.other else None


def _with_account(account: str, network: str, grounds: Grounds) -> User | None:
    proof = Identity(Proof.IRC, network, account)
    return grounds.users.identify(Sender(network, account, account, (proof,)))


def homes(network: str, grounds: Grounds) -> tuple[str, ...]:
    """The other networks of links in which members have nicks of their own on an IRC network, in their order."""
    faced = (link.rooms for link in grounds.links if link.presentation.puppets)
    rooms = (room for rooms in faced if any(each.network == network for each in rooms) for room in rooms)
    return tuple(dict.fromkeys(room.network for room in rooms if room.network not in grounds.on_irc))


def _home(network: str, grounds: Grounds) -> str | None:
    return next(iter(homes(network, grounds)), None)


def note(sender: Sender, user: User) -> str:
    """What shows behind the nick of a member who writes in private: who it is, unless the nick says it."""
    fold = sender.casemapping.fold
    accounts = {fold(one.value) for one in user.identities if one.network == sender.network}
    is_theirs = fold(sender.address) in accounts or same_name(sender.name) == same_name(user.name)
    return "" if is_theirs else user.name


# How a talk begins


@dataclass(frozen=True, slots=True)
class Beginning:
    """What `msg libera/bob hello` asks for. `length`: of all before the words."""

    network: str
    nick: str
    length: int


def beginning(line: str) -> Beginning | None:
    """What a line asks for; None if it begins no talk, or has no words. `network` is '' if it names none."""
    found = _BEGINS.match(line)
    return None if found is None else Beginning(found[1] or "", found[2], found.end())


def begun(sender: Sender, user: User | None, wanted: Beginning, grounds: Grounds) -> tuple[MatrixTalk, Mentioned] | str:
    """The talk that `sender` begins, and with whom; or why there can be none, in words."""
    if user is None:
        return "That is for members."
    networks = [name for name in grounds.on_irc if sender.network in homes(name, grounds)]
    network = wanted.network or next(iter(networks), "")
    if network not in networks:
        return "Members have no nicks of their own there."
    if len(networks) > 1 and not wanted.network:
        return f"Which of these: {', '.join(f'{name}/{wanted.nick}' for name in networks)}?"
    nick = grounds.seen.fold(network, wanted.nick)
    partner = _called(nick, wanted.nick, network, grounds) or grounds.users.find(grounds.seen.user(network, nick))
    talk = MatrixTalk.of(sender.network, sender.address, network, nick)
    if partner is None or talk is None:
        return f"I know no member who is called {wanted.nick} on {network}. I carry private messages of members only."
    if same_name(partner.name) == same_name(user.name):
        return "That is you."
    return talk, Mentioned(nick, partner.name, tuple(partner.identities))


def _called(nick: str, as_typed: str, network: str, grounds: Grounds) -> User | None:
    """The member with that account, else the one with that name who is known on the network: nobody else who has the
    nick is taken for them."""
    if (found := _with_account(nick, network, grounds)) is not None:
        return found
    named = grounds.users.find(as_typed)
    return named if named is not None and any(one.network == network for one in named.identities) else None
