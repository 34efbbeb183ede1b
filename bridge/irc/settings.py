"""The settings of an IRC network."""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, BeforeValidator, Field, SecretStr, ValidationInfo, field_validator

from bridge.lib import hosts
from bridge.lib.settings import Duration, FilePath, Line, NamedSection, Positive, Section, number, revealed
from bridge.model import identifiers

_MOST_DELAY_S = 300.0
_MOST_RAW = 400
"""Bytes of a command of the operator's own."""


def _channel_key(key: SecretStr | None) -> SecretStr | None:
    if key is not None and not re.fullmatch(r"[^\s,:][^\s,]*", key.get_secret_value()):
        raise ValueError("a channel's key is one word, without commas")
    return key


def _delay(seconds: float) -> float:
    if seconds > _MOST_DELAY_S:
        raise ValueError("must be 5m at most: messages wait so long after each connection")
    return seconds


def _raw(command: SecretStr) -> SecretStr:
    """A line as it goes to the server; what is wrong is told without quoting it."""
    text = command.get_secret_value()
    if not re.fullmatch(r"[A-Za-z]+(?: [^\r\n\0]+)?", text) or len(text.encode(errors="replace")) > _MOST_RAW:
        raise ValueError("must be one IRC command, such as `MODE {nick} +x`")
    return command


class Sasl(Section):
    """Logging in to the network's services. Exactly one of password, password_file."""

    mechanism: Literal["plain"] = "plain"
    """How: `plain`."""
    account: Annotated[str, AfterValidator(identifiers.irc_account)]
    """The services account."""
    password_: SecretStr | None = Field(default=None, alias="password")
    """The account's password. Better in a file of its own: `password_file`."""
    password_file: FilePath | None = None
    """A file that holds the password, in one line; readable by nobody but its owner."""

    @property
    def password(self) -> str:
        """The secret itself, from the config or from its file; '' if there is none."""
        return revealed(self.password_) or ""


class ChannelKey(Section):
    """What a channel with a key (mode +k) wants to be joined. Exactly one of password, password_file."""

    password_: Annotated[SecretStr | None, AfterValidator(_channel_key)] = Field(default=None, alias="password")
    """The key. Better in a file of its own: `password_file`."""
    password_file: FilePath | None = None
    """A file that holds the key, in one line; readable by nobody but its owner."""

    @property
    def password(self) -> str:
        """The key itself, from the config or from its file; '' if there is none."""
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
    tls_ca_file: FilePath | None = None
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
    pre_join: tuple[Annotated[SecretStr, AfterValidator(_raw)], ...] = ()
    """Commands that are sent as they are before channels are joined, such as `MODE {nick} +x`."""
    join_delay: Annotated[Duration, AfterValidator(_delay)] = 0.0
    """How long to wait before channels are joined, until services have hidden the bridge's address: `5s`."""
    channel_keys: dict[str, ChannelKey] = Field(default_factory=dict)
    """The keys of channels that have one (mode +k), by the channel's name."""
    flood: FloodBudget = FloodBudget()
    """How fast the bridge may speak there."""
    relaymsg: bool = True
    """Give each speaker a nick of their own, such as `ann/matrix`, where the server lets the bridge (RELAYMSG)."""
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

    @property
    def keys(self) -> Mapping[str, str]:
        """The keys of channels."""
        return {name: key.password for name, key in self.channel_keys.items()}

    def commands(self, nick: str) -> Sequence[str]:
        """What is sent before channels are joined."""
        return [each.get_secret_value().replace("{nick}", nick) for each in self.pre_join]

    @field_validator("tls_ca_file")
    @classmethod
    def _there(cls, path: Path | None) -> Path | None:
        if path is not None and not path.is_file():
            raise ValueError(f"there is no file {path}")
        return path

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
