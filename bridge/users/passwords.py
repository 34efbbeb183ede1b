"""Passwords: hashing and verifying with Argon2id (RFC 9106)."""

import asyncio
from functools import cache

from argon2 import PasswordHasher, Type, extract_parameters
from argon2.exceptions import Argon2Error, InvalidHashError

from bridge.users.contract import UsersError

SHORTEST = 8
"""Characters of a password that is chosen anew, wherever that is."""
LONGEST = 1024  # characters: the time to hash grows with length, and nobody types more
HASHER = PasswordHasher()


def hash_password(password: str, hasher: PasswordHasher = HASHER) -> str:
    """Hash a password for storing. Raises UsersError if it is empty, too long or not valid text."""
    if not password or len(password) > LONGEST:
        raise UsersError(f"a password has 1 to {LONGEST} characters")
    try:
        return hasher.hash(password)
    except UnicodeEncodeError as error:
        raise UsersError("a password is text in UTF-8") from error


def choose_password(password: str, hasher: PasswordHasher = HASHER) -> str:
    """Hash a password that somebody chooses. Raises UsersError if it is too short or too long, or cannot be said in a
    chat, where it is needed."""
    if len(password) < SHORTEST:
        raise UsersError(f"a password has at least {SHORTEST} characters: choose a longer one")
    if password != password.strip() or any(character < " " or character == "\x7f" for character in password):
        raise UsersError("a password has no blanks at its ends and no control characters: it is typed in a chat")
    return hash_password(password, hasher)


def verify(kept: str | None, password: str, hasher: PasswordHasher = HASHER) -> bool:
    """Whether `password` matches the hash `kept`. Takes as long if `kept` is None, so that timing does not show who has
    a password. Takes tens of milliseconds: not for the event loop."""
    try:
        hasher.verify(kept or _nobodys(hasher), password[:LONGEST].encode(errors="surrogatepass"))
    except (Argon2Error, InvalidHashError):
        return False
    return kept is not None and len(password) <= LONGEST


def is_hash(text: str) -> bool:
    """Whether `text` is an Argon2id hash."""
    try:
        return extract_parameters(text).type is Type.ID
    except (InvalidHashError, ValueError):  # invalid characters
        return False


def is_outdated(kept: str, hasher: PasswordHasher = HASHER) -> bool:
    """Whether the hash was made with other parameters than the current ones."""
    return hasher.check_needs_rehash(kept)


async def warm_up() -> None:
    """Make the dummy hash that `verify` uses for unknown users, so that the first such login takes no longer."""
    await asyncio.to_thread(_nobodys, HASHER)


@cache
def _nobodys(hasher: PasswordHasher) -> str:
    return hasher.hash("nobody's password: what it is does not matter, nobody who gives it is let in")
