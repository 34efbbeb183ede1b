"""Passwords, as Argon2id hashes (RFC 9106)."""

from argon2 import PasswordHasher

from bridge.users.contract import UsersError

_LONGEST = 1024  # characters: hashing takes time by length, and nobody types more
_HASHER = PasswordHasher()


def hash_password(password: str) -> str:
    """The hash to be stored. UsersError where the password is empty, endless or no text."""
    if not password or len(password) > _LONGEST:
        raise UsersError(f"a password has 1 to {_LONGEST} characters")
    try:
        return _HASHER.hash(password)
    except UnicodeEncodeError as error:
        raise UsersError("a password is text in UTF-8") from error
