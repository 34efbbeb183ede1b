"""Passwords, as Argon2id hashes (RFC 9106)."""

from argon2 import PasswordHasher

from bridge.users.contract import UsersError

_LONGEST = 1024  # characters: hashing takes time by length, and nobody types more
_HASHER = PasswordHasher()


def hash_password(password: str) -> str:
    """The hash to be stored. UsersError where the password is empty or endless."""
    if not password or len(password) > _LONGEST:
        raise UsersError(f"a password has 1 to {_LONGEST} characters")
    return _HASHER.hash(password)
