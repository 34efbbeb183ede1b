"""Identities as people write them, and when two are the same. Pure."""

from bridge import ids
from bridge.casemap import Casemapping
from bridge.model import Identity, Proof
from bridge.users.contract import UsersError

_MASK_LIMIT = 255  # characters: more than any server shows, and the bound on how long matching takes


def matrix(text: str) -> Identity:
    """`@name:server`. UsersError where it is none."""
    try:
        return Identity(Proof.MATRIX, "", ids.matrix_user(text))
    except ValueError as error:
        raise UsersError(str(error)) from error


def irc(text: str) -> Identity:
    """`NETWORK/ACCOUNT`, a services account. UsersError where it is none."""
    network, account = _split(text, "NETWORK/ACCOUNT")
    try:
        return Identity(Proof.IRC, network, ids.irc_account(account))
    except ValueError as error:
        raise UsersError(str(error)) from error


def irc_mask(text: str) -> Identity:
    """`NETWORK/NICK!USER@HOST`, with `*` and `?`. UsersError where it is none, or names no host: a nick is no identity,
    for anybody can take it."""
    network, mask = _split(text, "NETWORK/NICK!USER@HOST")
    nick, bang, rest = mask.partition("!")
    user, at, host = rest.rpartition("@")
    if not (nick and bang and user and at and host) or len(mask) > _MASK_LIMIT or not mask.isprintable() or " " in mask:
        raise UsersError(f"{mask!r} is not a mask: NICK!USER@HOST, where * and ? stand for anything")
    if not any(character.isalnum() for character in host):
        raise UsersError(f"{mask!r} gives no host: anybody can take a nick or a user name, so the host must be given")
    return Identity(Proof.IRC_MASK, network, mask)


def same(identity: Identity) -> Identity:
    """Equal for identities that may be the same: IRC names are folded under RFC 1459, which folds the most, so that no
    network's casemapping can make one sender two users."""
    if identity.kind is Proof.MATRIX:
        return identity
    return Identity(identity.kind, identity.network, Casemapping.RFC1459.fold(identity.value))


def matches(mask: str, text: str) -> bool:
    """Whether `text` is of the form `mask`, where `*` is anything and `?` any one character.

    In at most len(mask) * len(text) steps: only the last `*` is ever tried again.
    """
    at, read, star, tried = 0, 0, -1, 0
    while read < len(text):
        if at < len(mask) and mask[at] == "*":
            star, tried = at, read
            at += 1
        elif at < len(mask) and mask[at] in ("?", text[read]):
            at, read = at + 1, read + 1
        elif star >= 0:
            tried += 1
            at, read = star + 1, tried
        else:
            return False
    return set(mask[at:]) <= {"*"}


def _split(text: str, shape: str) -> tuple[str, str]:
    network, slash, rest = text.partition("/")
    if not (network and slash and rest):
        raise UsersError(f"{text!r} is not {shape}")
    return network, rest
