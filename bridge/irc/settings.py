"""The settings of an IRC network."""

import ipaddress
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import unquote, urlsplit

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    SecretStr,
    ValidationInfo,
    WithJsonSchema,
    field_validator,
)

from bridge.irc.dialing import pins
from bridge.irc.login_settings import NickServ, Sasl
from bridge.irc.puppets.settings import PuppetSettings
from bridge.irc.wire.encoding import FALLBACK, text_codec
from bridge.lib import hosts
from bridge.lib.settings import FilePath, Lasting, Line, NamedSection, Positive, Section, number, revealed
from bridge.model import identifiers

_MOST_SERVERS = 20
_PLAINTEXT = (
    "tls: false to another machine: anyone on the path can read the passwords; remove it, or set allow_plaintext: true"
)
_PROXY = "must be the address of a SOCKS5 proxy: socks5://host:port, or socks5://user:password@host:port"
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


def _several(value: object) -> object:
    if not isinstance(value, str | list | tuple):
        raise ValueError("must be host:port in quotes, or a list of such")
    return [value] if isinstance(value, str) else value


def _own_address(text: str) -> str:
    try:
        return str(ipaddress.ip_address(text))
    except ValueError:
        raise ValueError(f"{text!r} is not an address, such as 192.0.2.7 or 2001:db8::7") from None


def _proxy(secret: SecretStr) -> SecretStr:
    """Raises ValueError, in words that tell nothing of it."""
    try:
        url = urlsplit(secret.get_secret_value())
        usable = url.scheme == "socks5" and bool(url.hostname and url.port) and url.path in ("", "/")
    except ValueError:
        usable = False
    if not usable or url.query or url.fragment:
        raise ValueError(_PROXY)
    words = [unquote(word) for word in (url.username, url.password) if word is not None]
    if len(words) == 1 or not all(0 < len(word.encode()) < 256 for word in words):
        raise ValueError(f"{_PROXY}; user and password have 1 to 255 bytes")
    return secret


Servers = Annotated[
    tuple[str, ...],
    BeforeValidator(_several),
    Field(min_length=1, max_length=_MOST_SERVERS),
    WithJsonSchema({"anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}, "minItems": 1}]}),
]


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
    server: Servers
    """Where to connect to, as host:port; an IPv6 address in brackets: `irc.libera.chat:6697`, `"[::1]:6667"`. Or a list
    of such, tried in this order: a server that cannot be reached or turns us away is followed by the next one at once,
    and after the last there is a pause. Once a connection that lasted is over, the first is tried first again. A name
    with several addresses, also of both kinds, is tried by all of them."""
    bind: Annotated[str, AfterValidator(_own_address)] | None = None
    """The address of this machine to connect from, if it has several; by an IPv4 address only the IPv4 addresses of a
    server are reached."""
    tls: bool = True
    """Encrypt the connection and verify the server's certificate. `false` only on this machine, or with
    `allow_plaintext`. A server that asks for TLS (IRCv3 STS) gets it all the same, before any password is sent, and for
    as long as it has said no other connection is made to its host, also after a restart."""
    tls_ca_file: FilePath | None = None
    """A file with the certificate (PEM) of a private CA, which is trusted instead of the system's."""
    tls_fingerprints: Annotated[tuple[Annotated[str, AfterValidator(pins.parse)], ...], Field(max_length=20)] = ()
    """Trust exactly the certificates with these fingerprints, whatever CA, name and date they have: `sha256:HEX` or
    `sha512:HEX` of the certificate, `spki-sha256:HEX` of its public key. Several, so that the server can change to a
    new one. Another certificate is not spoken to, and the log shows its fingerprint."""
    proxy_: Annotated[SecretStr, AfterValidator(_proxy)] | None = Field(default=None, alias="proxy")
    """Connect through a SOCKS5 proxy: `socks5://host:port`, or `socks5://user:password@host:port` (special characters
    as `%40`). It looks up the server's name, so that `.onion` works with Tor's. TLS is between the bridge and the
    server, and the proxy cannot read it. With a password, better in a file of its own: `proxy_file`."""
    proxy_file: FilePath | None = None
    """A file that holds the proxy's address, in one line; readable by nobody but its owner."""
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
    encoding: Annotated[str, AfterValidator(text_codec)] = FALLBACK
    """How text is read that is not UTF-8: `cp1252` (Western Europe), `cp1251` or `koi8-r` (Cyrillic), `gbk`, `big5`,
    `shift_jis`, `iso2022_jp`, `euc-kr` and others that Python knows. Parts of a line that are UTF-8 are read as UTF-8.
    The bridge writes UTF-8."""
    bouncer_network: Line | None = None
    """Behind a bouncer that has several networks for one login (soju): which of them, by its name or number there. A
    name costs one more connection, which asks for the number."""
    pre_join: tuple[Annotated[SecretStr, AfterValidator(_raw)], ...] = ()
    """Commands that are sent as they are before channels are joined: `["MODE {nick} +x", "PRIVMSG Q@CServe.example
    :AUTH duck secret"]`; `{nick}` is the bridge's nick. The log and the audit log have the names of the commands
    only."""
    join_delay: Annotated[Lasting, AfterValidator(_delay)] = Field(default="off", validate_default=True)
    """How long to wait before channels are joined, until services have hidden the bridge's address: `5s`, at most
    `5m`."""
    channel_keys: dict[str, ChannelKey] = Field(default_factory=dict)
    """The keys of channels that have one (mode +k), by the channel's name: `{"#pond": {password_file:
    secrets/pond}}`."""
    flood: FloodBudget = FloodBudget()
    """How fast the bridge may speak there."""
    relaymsg: bool = True
    """Give each speaker a nick of their own, such as `ann/matrix`, on servers with RELAYMSG (`draft/relaymsg`) that let
    the bridge: as a channel operator, or by their configuration. Elsewhere, names stand before the words."""
    puppets: PuppetSettings = PuppetSettings()
    """Members who speak with a connection and a nick of their own, in links that have `puppets: members`."""
    trust_hostmasks: bool = False
    """Let `--irc-mask` identities count. Only where hosts prove something, as on your own server."""
    on_doubt: Literal["resend", "drop"] = "resend"
    """What becomes of a message when the connection broke before the server said that it has it, and its history does
    not tell either: `resend` may show it twice, `drop` not at all (it is listed by `outbox list`)."""

    @property
    def servers(self) -> tuple[tuple[str, int], ...]:
        """Host and port of each server, in the order in which they are tried."""
        return tuple(map(hosts.address, self.server))

    @property
    def host(self) -> str:
        """The host of the first server."""
        return self.servers[0][0]

    @property
    def port(self) -> int:
        """The port of the first server."""
        return self.servers[0][1]

    @property
    def proxy(self) -> str | None:
        """The proxy's URL with its password, from the config or from its file; None if there is none."""
        return revealed(self.proxy_)

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
    def _addresses(cls, servers: tuple[str, ...]) -> tuple[str, ...]:
        known: set[tuple[str, int]] = set()
        for server in servers:
            if (address := hosts.address(server)) in known:
                raise ValueError(f"{server} is listed twice")
            known.add(address)
        return servers

    @field_validator("tls_fingerprints")
    @classmethod
    def _used(cls, fingerprints: tuple[str, ...], info: ValidationInfo) -> tuple[str, ...]:
        if fingerprints and info.data.get("tls_ca_file") is not None:
            raise ValueError("with fingerprints no CA is asked, and there is tls_ca_file: keep one of the two")
        return fingerprints

    @field_validator("proxy_")
    @classmethod
    def _safe_proxy(cls, proxy: SecretStr | None, info: ValidationInfo) -> SecretStr | None:
        """What is loopback to a proxy on another machine is that machine."""
        plain = info.data.get("tls") is False and not info.data.get("allow_plaintext")
        if proxy is not None and plain and not hosts.is_loopback(urlsplit(proxy.get_secret_value()).hostname or ""):
            raise ValueError(_PLAINTEXT)
        return proxy

    @field_validator("puppets")
    @classmethod
    def _seen_source(cls, puppets: PuppetSettings, info: ValidationInfo) -> PuppetSettings:
        if info.data.get("proxy_") is not None:
            for key in ("source", "identd"):
                if getattr(puppets, key) is not None:
                    raise ValueError(f"{key}: through a proxy, servers see the proxy's address: keep one of the two")
        return puppets

    @field_validator("tls")
    @classmethod
    def _safe_connection(cls, tls: bool, info: ValidationInfo) -> bool:  # noqa: FBT001 (pydantic calls it so)
        known = {"server", "allow_plaintext"} <= info.data.keys()
        far = known and not all(hosts.is_loopback(hosts.address(server)[0]) for server in info.data["server"])
        if not tls and far and not info.data["allow_plaintext"]:
            raise ValueError(_PLAINTEXT)
        return tls
