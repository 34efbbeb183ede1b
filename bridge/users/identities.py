"""Parses, checks and compares user names and identities. Pure."""

import re
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import replace

from bridge.model import identifiers
from bridge.model.casemap import widest
from bridge.model.patterns import is_pattern
from bridge.model.people import Identity, Proof, Sender
from bridge.model.text import folded
from bridge.users.contract import UsersError

_MASK_LIMIT = 255  # characters: more than any server shows; also limits the time that matching takes


def matrix(text: str) -> Identity:
    """Parse `@name:server`. Raises UsersError if it is not that."""
    return checked(Identity(Proof.MATRIX, "", text))


def irc(text: str) -> Identity:
    """Parse `NETWORK/ACCOUNT`, a services account. Raises UsersError if it is not that."""
    return checked(Identity(Proof.IRC, *_split(text, "NETWORK/ACCOUNT")))


def irc_mask(text: str) -> Identity:
    """Parse `NETWORK/NICK!USER@HOST`, with `*` and `?`. Raises UsersError if it is not that, or names no host."""
    return checked(Identity(Proof.IRC_MASK, *_split(text, "NETWORK/NICK!USER@HOST")))


def checked(identity: Identity) -> Identity:
    """Return `identity` if a user may hold it. Raises UsersError if it is malformed, or could match anybody."""
    if bool(identity.network) is (identity.kind is Proof.MATRIX):
        raise UsersError(f"{identity}: IRC identities have a network, Matrix ids have none")
    try:
        match identity.kind:
            case Proof.MATRIX:
                identifiers.matrix_user(identity.value)
            case Proof.IRC:
                identifiers.irc_account(identity.value)
            case Proof.IRC_MASK:
                _check_mask(identity.value)
    except ValueError as error:
        raise UsersError(str(error)) from error
    return identity


def lasting(sender: Sender) -> Identity | None:
    """The best identity that the network proves of `sender`, as a user may hold it: a Matrix id, else an account, else
    their user name at their host, whatever the nick. None if there is none, or if their mask would fit others too: some
    servers let people put `*` into their user name."""
    for kind in Proof:
        for proof in sender.proofs:
            if proof.kind is kind:
                identity = proof if kind is not Proof.IRC_MASK else _any_nick(proof)
                with suppress(UsersError):
                    return checked(identity)
    return None


def _any_nick(proof: Identity) -> Identity:
    """The mask of one user at one host, whatever their nick; malformed if its own letters are wildcards."""
    rest = proof.value.partition("!")[2]
    return Identity(proof.kind, proof.network, "" if set(rest) & set("*?") else f"*!{rest}")


def distinct(identities: Iterable[Identity]) -> tuple[Identity, ...]:
    """`identities` without duplicates: of equal ones (see `same`), the first is kept."""
    firsts: dict[Identity, Identity] = {}
    for identity in identities:
        firsts.setdefault(same(identity), identity)
    return tuple(firsts.values())


def on_network(identities: Iterable[Identity], old: str, new: str) -> Iterator[Identity]:
    """`identities`, those on the network `old` moved to `new`."""
    return (replace(one, network=new) if one.network == old else one for one in identities)


def checked_name(name: str) -> str:
    """Return `name` if it is a valid user name: one visible word, not a pattern. Raises UsersError otherwise."""
    try:
        identifiers.one_word(name)
    except ValueError as error:
        raise UsersError(f"a user's name {error}") from error
    if is_pattern(name):
        raise UsersError(f"a user's name has no slash and begins neither with @ nor with text:, unlike {name!r}")
    return name


def new_name(name: str) -> str:
    """Return `name` if a user may get it (see `checked_name`). Raises UsersError otherwise: also for a name that begins
    with -, which the command line takes for an option."""
    if name.startswith("-"):
        raise UsersError(f"a user's name does not begin with -, unlike {name!r}: commands would take it for an option")
    return checked_name(name)


def same_name(name: str) -> str:
    """A key that is equal for names that people take for the same."""
    return folded(name)


def same(identity: Identity) -> Identity:
    """A key that is equal for identities that may be the same. IRC names are folded as far as any casemapping does, so
    that no network's casemapping can make one sender two users."""
    if identity.kind is Proof.MATRIX:
        return identity
    return Identity(identity.kind, identity.network, widest(identity.value))


def _check_mask(mask: str) -> None:
    nick, bang, rest = mask.partition("!")
    user, at, host = rest.rpartition("@")
    if not (nick and bang and user and at and host) or len(mask) > _MASK_LIMIT or not mask.isprintable() or " " in mask:
        raise ValueError(f"{mask!r} is not a mask: NICK!USER@HOST, where * and ? stand for anything")
    if not any(part and not set(part) & set("*?") for part in re.split(r"[./:]", host)):
        raise ValueError(f"{mask!r} gives no host: anybody can take a nick or a user name, so the host must be given")


def _split(text: str, shape: str) -> tuple[str, str]:
    network, slash, rest = text.partition("/")
    if not (network and slash and rest):
        raise UsersError(f"{text!r} is not {shape}")
    return network, rest
