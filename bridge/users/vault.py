"""Seals the passwords of members' IRC accounts, so that neither a copy of the user database nor one of the store tells
them: authenticated encryption (AES-256-GCM), with a key that lies in a file of its own beside the store."""

import secrets
from base64 import b64decode, b64encode
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from bridge.lib import secret_files
from bridge.lib.files import make_folders, write_new
from bridge.users.contract import UsersError
from bridge.users.identities import same_name

_FORM = "1:"
"""Before what is sealed, so that another form can follow."""
_KEY_BYTES, _NONCE_BYTES = 32, 12
"""NIST SP 800-38D: a random nonce of 96 bits is safe for 2^32 seals by one key."""


def key_file(folder: Path) -> Path:
    """Where the key is; `folder` is that of the store."""
    return folder / "irc-logins.key"


class Vault:
    """Seals and opens with the key in the file `path`, which it makes for the first password, for its owner alone."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def seal(self, user: str, account: str, password: str, *, is_first: bool) -> str:
        """Seal a password of `user`, for them and that account only. `is_first`: nothing is sealed yet, so the key may
        be made. Reads and writes a file. Raises UsersError."""
        nonce = secrets.token_bytes(_NONCE_BYTES)
        sealed = self._cipher(may_make=is_first).encrypt(nonce, password.encode(), _bound_to(user, account))
        return _FORM + b64encode(nonce + sealed).decode()

    def open(self, user: str, account: str, sealed: str) -> str:
        """The password that `seal` was given. Reads a file. Raises UsersError."""
        cipher = self._cipher(may_make=False)
        try:
            data = b64decode(sealed.removeprefix(_FORM), validate=True)
            found = cipher.decrypt(data[:_NONCE_BYTES], data[_NONCE_BYTES:], _bound_to(user, account))
            return found.decode()
        except (ValueError, InvalidTag) as error:
            raise UsersError(
                f"the password of {user}'s account {account} on IRC was sealed with another key than the one in "
                f"{self.path}: give it again with `set-irc-login`"
            ) from error

    def _cipher(self, *, may_make: bool) -> AESGCM:
        try:
            return AESGCM(self._read() or self._missing(may_make=may_make))
        except ValueError as error:
            raise UsersError(str(error)) from error
        except OSError as error:
            raise UsersError(f"{self.path}: cannot be used: {error.strerror}") from error

    def _read(self) -> bytes | None:
        """The key; None if there is none. Raises ValueError if the file cannot be used."""
        if not self.path.exists():
            return None
        text = secret_files.read(self.path)
        try:
            key = b64decode(text, validate=True)
        except ValueError:
            key = b""
        if len(key) != _KEY_BYTES:
            raise ValueError(f"{self.path} has no key in it: put the right file back, from the machine that has it")
        return key

    def _missing(self, *, may_make: bool) -> bytes:
        if not may_make:
            raise UsersError(
                f"the key for members' accounts on IRC is not in {self.path}: copy it from the machine where it was "
                "made; or take the logins back with `set-irc-login --remove`, and give them again"
            )
        key = secrets.token_bytes(_KEY_BYTES)
        make_folders(self.path.parent)
        try:
            write_new(self.path, b64encode(key) + b"\n")
        except FileExistsError:  # made by another process at the same moment
            return self._read() or key
        return key


def _bound_to(user: str, account: str) -> bytes:
    """What is sealed for one user and account cannot be opened as somebody else's."""
    return f"{same_name(user)}\0{account}".encode(errors="replace")
