"""The settings of logging in to an IRC network's services."""

import stat
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, BeforeValidator, Field, SecretStr, WithJsonSchema, field_validator

from bridge.irc.sasl.mechanism import Name
from bridge.lib.settings import FilePath, Section, revealed, switch
from bridge.model import identifiers

_OTHERS = stat.S_IRWXG | stat.S_IRWXO
AUTO = "auto"
_MECHANISMS = (AUTO, *(name.lower() for name in Name))


def _mechanisms(value: object) -> tuple[str, ...]:
    """One name or a list of them, in small letters."""
    names: Sequence[object] = value if isinstance(value, list | tuple) else [value]
    found = tuple(name.lower() for name in names if isinstance(name, str))
    if not found or len(found) < len(names):
        raise ValueError(f"must be one of {', '.join(_MECHANISMS)}, or a list of them")
    for name in found:
        if name not in _MECHANISMS:
            raise ValueError(f"{name!r} is no SASL mechanism that the bridge knows: {', '.join(_MECHANISMS)}")
    if AUTO in found and len(found) > 1:
        raise ValueError("auto stands alone: it means all mechanisms")
    return found


Mechanisms = Annotated[
    tuple[str, ...],
    BeforeValidator(_mechanisms),
    WithJsonSchema(
        {"anyOf": [{"enum": [*_MECHANISMS]}, {"type": "array", "minItems": 1, "items": {"enum": [*_MECHANISMS[1:]]}}]}
    ),
]


def _private(path: Path | None) -> Path | None:
    """For files with a private key in them."""
    if path is not None and not path.is_file():
        raise ValueError(f"there is no file {path}")
    if path is not None and path.stat().st_mode & _OTHERS:
        raise ValueError(f"others can read {path}: chmod 600 {path}")
    return path


class Sasl(Section):
    """Logging in to the network's services: by a password, a certificate, or a key. At most one of password,
    password_file, and of key, key_file."""

    mechanism: Mechanisms = (AUTO,)
    """How: `auto` (the strongest that the server offers and that there is a certificate, password or key for), or one
    or several of `external`, `scram-sha-512`, `scram-sha-256`, `ecdsa-nist256p-challenge`, `plain`."""
    account: Annotated[str, AfterValidator(identifiers.irc_account)]
    """The services account."""
    password_: SecretStr | None = Field(default=None, alias="password")
    """The account's password. Better in a file of its own: `password_file`."""
    password_file: FilePath | None = None
    """A file that holds the password, in one line; readable by nobody but its owner."""
    certificate: Annotated[FilePath | None, AfterValidator(_private)] = None
    """A file (PEM) with the bridge's own certificate and its key, for `external`; readable by nobody but its owner.
    `quackbridge irc-cert` makes one."""
    key_: SecretStr | None = Field(default=None, alias="key")
    """The key (PEM, NIST P-256) for `ecdsa-nist256p-challenge`. Better in a file of its own: `key_file`."""
    key_file: FilePath | None = None
    """A file that holds the key; readable by nobody but its owner."""
    required: bool = True
    """Wait, rather than go on without the account, if the server does not log us in."""

    @property
    def password(self) -> str:
        """The secret itself, from the config or from its file; '' if there is none."""
        return revealed(self.password_) or ""

    @property
    def key(self) -> str:
        """The key itself, from the config or from its file; '' if there is none."""
        return revealed(self.key_) or ""

    @field_validator("key_")
    @classmethod
    def _fitting_key(cls, key: SecretStr | None) -> SecretStr | None:
        if key is not None:
            from bridge.irc.sasl.ecdsa import private_key  # slow: few configurations need it

            private_key(key.get_secret_value())
        return key


class NickServ(Section):
    """Telling the network's services our password in a private message, where they have no SASL. Exactly one of
    password, password_file."""

    password_: SecretStr | None = Field(default=None, alias="password")
    """The password. Better in a file of its own: `password_file`."""
    password_file: FilePath | None = None
    """A file that holds the password, in one line; readable by nobody but its owner."""
    nick: Annotated[str | None, AfterValidator(lambda nick: nick and identifiers.irc_nick(nick))] = None
    """The registered nick, if it is not the bridge's `nick`."""
    service: Annotated[str, AfterValidator(identifiers.one_word)] = "NickServ"
    """Whom to tell it. With a server's name (`NickServ@services.example.org`) nobody else can get the password."""
    recover: Annotated[Literal["off", "ghost", "recover", "regain"], BeforeValidator(switch)] = "off"
    """The command that gets the nick back from somebody else who uses it: `off`, `ghost`, `recover`, `regain`."""

    @property
    def password(self) -> str:
        """The secret itself, from the config or from its file; '' if there is none."""
        return revealed(self.password_) or ""
