"""The settings of an IRC network."""

import stat
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, BeforeValidator, Field, SecretStr, ValidationInfo, WithJsonSchema, field_validator

from bridge.irc.sasl.mechanism import Name
from bridge.lib import hosts
from bridge.lib.settings import FilePath, Line, NamedSection, Positive, Section, number, revealed, switch
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


def _existing(path: Path | None) -> Path | None:
    if path is not None and not path.is_file():
        raise ValueError(f"there is no file {path}")
    return path


def _private(path: Path | None) -> Path | None:
    """For files with a private key in them."""
    if _existing(path) is not None and path is not None and path.stat().st_mode & _OTHERS:
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


class FloodBudget(Section):
    """How fast the bridge may speak there: a network disconnects clients that are too fast."""

    burst: Annotated[int, BeforeValidator(number)] = Field(default=5, ge=1, le=1_000_000)
    """So many lines may go out at once."""
    per_second: Positive = 0.5
    """After a burst, so many lines a second."""


class IrcSettings(NamedSection):
    """An account on an IRC network. For the server's own password, at most one of password, password_file."""

    type: Literal["irc"]
    """What kind of network this is: `matrix` or `irc`."""
    allow_plaintext: bool = False
    """Allow `tls: false` to another machine. Anyone on the path can read it, the passwords too."""
    server: str
    """Where to connect to, as host:port; an IPv6 address in brackets: `irc.libera.chat:6697`, `"[::1]:6667"`."""
    tls: bool = True
    """Encrypt the connection and verify the server's certificate."""
    tls_ca_file: Annotated[FilePath | None, AfterValidator(_existing)] = None
    """A file with the certificate (PEM) of a private CA, which is trusted instead of the system's."""
    nick: Annotated[str, AfterValidator(identifiers.irc_nick)]
    """The bridge's nick."""
    username: Annotated[str, AfterValidator(identifiers.irc_nick)] = "quackbridge"
    """The user part of its host mask."""
    realname: Line = "quackbridge"
    """What WHOIS tells about it."""
    password_: SecretStr | None = Field(default=None, alias="password")
    """The server's password (PASS), where it wants one. That of an account goes under `sasl`."""
    password_file: FilePath | None = None
    """A file that holds the server's password, in one line; readable by nobody but its owner."""
    sasl: Sasl | None = None
    """Log in to the network's services. Many networks let nobody change nicks or join without."""
    nickserv: NickServ | None = None
    """Tell the services our password in a private message. Only for networks without SASL."""
    flood: FloodBudget = FloodBudget()
    """How fast the bridge may speak there."""
    trust_hostmasks: bool = False
    """Let `--irc-mask` identities count. Only where hosts prove something: on your own server."""
    on_doubt: Literal["resend", "drop"] = "resend"
    """What becomes of a message when the connection broke before the server said that it has it, and its history does
    not tell either: `resend` may show it twice, `drop` not at all (it is listed by `outbox list`)."""

    @property
    def host(self) -> str:
        return hosts.address(self.server)[0]

    @property
    def port(self) -> int:
        return hosts.address(self.server)[1]

    @property
    def password(self) -> str | None:
        """The server's password itself, from the config or from its file; None if there is none."""
        return revealed(self.password_)

    @field_validator("server")
    @classmethod
    def _address(cls, server: str) -> str:
        hosts.address(server)
        return server

    @field_validator("tls")
    @classmethod
    def _safe_connection(cls, tls: bool, info: ValidationInfo) -> bool:  # noqa: FBT001 (pydantic calls it so)
        known = {"server", "allow_plaintext"} <= info.data.keys()
        if not tls and known and not info.data["allow_plaintext"]:
            host, _port = hosts.address(info.data["server"])
            if not hosts.is_loopback(host):
                raise ValueError(
                    "tls: false to another machine: anyone on the path can read the passwords; "
                    "remove it, or set allow_plaintext: true"
                )
        return tls
