"""What can be configured: one model a section, each key with what it means, of which schema.py makes a JSON Schema."""

import os
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PrivateAttr,
    SecretStr,
    ValidationInfo,
    WithJsonSchema,
    field_validator,
)

from bridge import durations, ids
from bridge.model import Room
from bridge.patterns import Pattern
from bridge.policy import Answers, Guests

FOLDER = "folder"
"""The key of the validation context under which the config file's folder stands: paths are relative to it."""


def file_path(path: Path, folder: Path) -> Path:
    """The file that `path` means in a config file in `folder`. ValueError where it means none."""
    if path == Path():
        raise ValueError("a file's name is missing")
    if "\0" in str(path) or not _encodable(path):
        raise ValueError("no file can have this name")
    if path.parts[0].startswith("~"):
        try:
            path = path.expanduser()
        except RuntimeError as error:
            raise ValueError("there is no home directory to take ~ for") from error
    return Path(os.path.normpath(folder / path))


def _encodable(path: Path) -> bool:
    try:
        os.fsencode(path)
    except UnicodeEncodeError:
        return False
    return True


def _path(path: Path, info: ValidationInfo) -> Path:
    return file_path(path, (info.context or {}).get(FOLDER, Path()))


def _room(value: object) -> Room:
    if not isinstance(value, str):
        raise ValueError("must be a string: network/room (# begins a comment, so put it in quotes)")
    return Room.parse(value)


def _pattern(value: object) -> Pattern:
    if not isinstance(value, str):
        raise ValueError("must be a string: put it in quotes")
    return Pattern.parse(value)


def _members(value: object) -> tuple[str, ...] | None:
    """None for all."""
    if value == "all":
        return None
    if not isinstance(value, list) or not value or not all(isinstance(name, str) for name in value):
        raise ValueError("must be all, or a list of users' names: with none of them nobody could speak")
    return tuple(map(ids.one_word, value))


def _duration(value: object) -> float:
    if not isinstance(value, str):
        raise ValueError("must be a number and a unit: 30m, 12h, 7d")
    return durations.parse(value)


def _one_line(text: str) -> str:
    if not text.strip() or not text.isprintable():
        raise ValueError("must be one line of visible characters")
    return text


def _number(value: object) -> object:
    if isinstance(value, bool):  # which Python takes for 0 and 1
        raise ValueError("must be a number")
    return value


FilePath = Annotated[Path, AfterValidator(_path)]
RoomName = Annotated[
    Room, BeforeValidator(_room), WithJsonSchema({"type": "string", "pattern": "^[^/@\\s]+/.+$", "title": "Room"})
]
Members = Annotated[
    tuple[str, ...] | None,
    BeforeValidator(_members),
    WithJsonSchema({"anyOf": [{"const": "all"}, {"type": "array", "items": {"type": "string"}, "minItems": 1}]}),
]
IgnorePattern = Annotated[Pattern, BeforeValidator(_pattern), WithJsonSchema({"type": "string", "maxLength": 255})]
UserName = Annotated[str, AfterValidator(ids.one_word)]
Duration = Annotated[
    float, BeforeValidator(_duration), WithJsonSchema({"type": "string", "pattern": "^[0-9]{1,6} *[smhdwSMHDW]$"})
]
Line = Annotated[str, AfterValidator(_one_line)]
Count = Annotated[int, BeforeValidator(_number), Field(ge=1, le=10_000)]
Positive = Annotated[float, BeforeValidator(_number), Field(gt=0, le=1_000_000, allow_inf_nan=False)]


class Section(BaseModel):
    """A mapping of the file. Unknown keys are errors; nothing is changed once it is read."""

    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)


def _revealed(secret: SecretStr | None) -> str | None:
    return None if secret is None else secret.get_secret_value()


class MatrixNetwork(Section):
    """An account on a Matrix homeserver. Exactly one of password, password_file, access_token, access_token_file."""

    type: Literal["matrix"]
    """What kind of network this is: `matrix` or `irc`."""
    allow_plaintext: bool = False
    """Allow an http:// homeserver on another machine. Everybody on the way reads along, the password too."""
    homeserver: str
    """The homeserver's URL, as clients use it: `https://matrix.example.org`."""
    user: Annotated[str, AfterValidator(ids.matrix_user)]
    """The bridge's own Matrix id: `"@duck:example.org"`."""
    password_: SecretStr | None = Field(default=None, alias="password")
    """The account's password. Better in a file of its own: `password_file`."""
    password_file: FilePath | None = None
    """A file that holds the password, in one line; readable by nobody but its owner."""
    access_token_: SecretStr | None = Field(default=None, alias="access_token")
    """An access token instead of the password."""
    access_token_file: FilePath | None = None
    """A file that holds the access token; readable by nobody but its owner."""
    encryption: bool = True
    """Take part in end-to-end encrypted rooms. Not supported yet: a message for one is dead, never sent in plain."""

    @property
    def password(self) -> str | None:
        """The secret itself, wherever it was written."""
        return _revealed(self.password_)

    @property
    def access_token(self) -> str | None:
        """The secret itself, wherever it was written."""
        return _revealed(self.access_token_)

    @property
    def host(self) -> str:
        return urlsplit(self.homeserver).hostname or ""

    @property
    def tls(self) -> bool:
        return urlsplit(self.homeserver).scheme == "https"

    @field_validator("homeserver")
    @classmethod
    def _safe_url(cls, url: str, info: ValidationInfo) -> str:
        parts = urlsplit(url)
        if parts.scheme not in {"http", "https"} or not parts.hostname or parts.username or parts.query:
            raise ValueError("must be a URL such as https://matrix.example.org")
        _ = parts.port  # ValueError where it is no port
        allowed = info.data.get("allow_plaintext", True)
        if parts.scheme == "http" and not ids.is_loopback(parts.hostname) and not allowed:
            raise ValueError(
                "http:// to another machine: everybody on the way reads the password; "
                "write https://, or set allow_plaintext: true"
            )
        return url.rstrip("/")


class Sasl(Section):
    """Logging in to the network's services. Exactly one of password, password_file."""

    mechanism: Literal["plain"] = "plain"
    """How: `plain`."""
    account: Annotated[str, AfterValidator(ids.irc_account)]
    """The services account."""
    password_: SecretStr | None = Field(default=None, alias="password")
    """The account's password. Better in a file of its own: `password_file`."""
    password_file: FilePath | None = None
    """A file that holds the password, in one line; readable by nobody but its owner."""

    @property
    def password(self) -> str:
        """The secret itself, wherever it was written."""
        return _revealed(self.password_) or ""


class Flood(Section):
    """How fast the bridge may speak there: the network disconnects whoever is faster than it likes."""

    burst: Annotated[int, BeforeValidator(_number)] = Field(default=5, ge=1, le=1_000_000)
    """So many lines may go out at once."""
    per_second: Positive = 0.5
    """After a burst, so many lines a second."""


class IrcNetwork(Section):
    """An account on an IRC network. For the server's own password, at most one of password, password_file."""

    type: Literal["irc"]
    """What kind of network this is: `matrix` or `irc`."""
    allow_plaintext: bool = False
    """Allow `tls: false` to another machine. Everybody on the way reads along, the passwords too."""
    server: str
    """Where to connect to, as host:port; an IPv6 address in brackets: `irc.libera.chat:6697`, `"[::1]:6667"`."""
    tls: bool = True
    """Encrypt the connection and verify the server's certificate."""
    tls_ca_file: FilePath | None = None
    """A file with the certificate (PEM) of a private CA, which is trusted instead of the system's."""
    nick: Annotated[str, AfterValidator(ids.irc_nick)]
    """The bridge's nick."""
    username: Annotated[str, AfterValidator(ids.irc_nick)] = "quackbridge"
    """The user part of its host mask."""
    realname: Line = "quackbridge"
    """What WHOIS tells about it."""
    password_: SecretStr | None = Field(default=None, alias="password")
    """The server's password (PASS), where it wants one. That of an account goes under `sasl`."""
    password_file: FilePath | None = None
    """A file that holds the server's password, in one line; readable by nobody but its owner."""
    sasl: Sasl | None = None
    """Log in to the network's services. Many networks let nobody change nicks or join without."""
    flood: Flood = Flood()
    """How fast the bridge may speak there."""
    trust_hostmasks: bool = False
    """Let `--irc-mask` identities count. Only where hosts prove something: on your own server."""
    on_doubt: Literal["resend", "drop"] = "resend"
    """What becomes of a message when the connection broke before the server said that it has it, and its history does
    not tell either: `resend` may show it twice, `drop` not at all (it is listed by `outbox list`)."""

    @property
    def host(self) -> str:
        return ids.address(self.server)[0]

    @property
    def port(self) -> int:
        return ids.address(self.server)[1]

    @property
    def password(self) -> str | None:
        """The server's password itself, wherever it was written."""
        return _revealed(self.password_)

    @field_validator("tls_ca_file")
    @classmethod
    def _there(cls, path: Path | None) -> Path | None:
        if path is not None and not path.is_file():
            raise ValueError(f"there is no file {path}")
        return path

    @field_validator("server")
    @classmethod
    def _address(cls, server: str) -> str:
        ids.address(server)
        return server

    @field_validator("tls")
    @classmethod
    def _safe_connection(cls, tls: bool, info: ValidationInfo) -> bool:  # noqa: FBT001 (pydantic calls it so)
        known = {"server", "allow_plaintext"} <= info.data.keys()
        if not tls and known and not info.data["allow_plaintext"]:
            host, _port = ids.address(info.data["server"])
            if not ids.is_loopback(host):
                raise ValueError(
                    "tls: false to another machine: everybody on the way reads the passwords; "
                    "remove it, or set allow_plaintext: true"
                )
        return tls


Network = Annotated[MatrixNetwork | IrcNetwork, Field(discriminator="type")]


class Welcome(Section):
    """What people are told when they are first heard in a link, once a day, privately where the network can."""

    member: Line | None = None
    """What members are told; absent: nothing."""
    guest: Line | None = "You are not logged in; chat with the duck first."
    """What guests are told whose words are not carried; null: nothing."""


class Budget(Section):
    """What guests may ask the bots and the bridge, so that they can flood nobody. Members are not counted."""

    per_guest: Count = 6
    """Questions that one guest may ask at once, and then a minute. Said once, then silence."""
    per_link: Count = 30
    """The same for all guests of the link together."""


class Link(Section):
    """The rooms that are one conversation."""

    rooms: tuple[RoomName, ...]
    """The rooms, each as network/room: `"home/#pond:example.org"`, `"libera/#pond"`. One is fine: the duck alone."""
    guests: Guests = Guests.DUCK_ONLY
    """What becomes of what guests say: put to the bots alone, carried like everybody's, or left alone."""
    members: Members = None
    """Who is carried: `all` users, or these, by their names. The others are guests here."""
    moderators: tuple[UserName, ...] = ()
    """The users who may mute and ban in this link, by their names; admins may everywhere."""
    ignore: Annotated[tuple[IgnorePattern, ...], Field(max_length=200)] = ()
    """Who and what is never carried and never answered, members included: Matrix ids (`"@*:spam.example"`), services
    accounts (`libera/spammer`), host masks (`"libera/*!*@*.spam.example"`), words (`"text:*buy followers*"`)."""
    guest_budget: Budget = Budget()
    """What guests may ask the bots."""
    bots: tuple[str, ...] = ()
    """The bots that take part, by their keys under `bots`."""
    welcome: Welcome = Welcome()
    """What people are told, once a day."""


class Bot(Section):
    """A program that hears and may answer."""

    use: Annotated[str, Field(pattern=r"^[A-Za-z_][\w.]*:[A-Za-z_]\w*$")] = "bots.duck:Duck"
    """The Python class: package.module:Class."""
    name: Line = "Little Yellow Duck"
    """The name by which it is called and shown."""
    brain: Line = "echo"
    """How it thinks: a file's name under `bots/brains`, or package.module:Class."""
    delay: Annotated[float, BeforeValidator(_number)] = Field(default=1.0, ge=0, le=3600, allow_inf_nan=False)
    """Seconds between question and answer."""
    answers: Answers = Answers.MENTIONED
    """When it answers in a room: where it is mentioned, always, or never. Privately it always does, unless never."""


class UserDatabase(Section):
    """The allowlist."""

    database: FilePath = Field(default=Path("data/users.json"), validate_default=True)
    """The file of the user database. `quackbridge init-db` makes it."""
    session: Duration = Field(default="12h", validate_default=True)
    """How long a login by password lasts at most, as 30m, 12h or 7d."""


class Store(Section):
    """What the daemon remembers: the outbox, and where each network resumes."""

    path: FilePath = Field(default=Path("data/quackbridge.sqlite"), validate_default=True)
    """The SQLite file. The daemon makes it."""


class Outages(Section):
    """What people are told when a network is away."""

    tell_after: Duration = Field(default="60s", validate_default=True)
    """How long a room may be out of reach until the other rooms of its link are told, once."""


class Http(Section):
    """Health and readiness over HTTP."""

    listen: str
    """Where to listen, as host:port: `127.0.0.1:9191`."""

    @property
    def host(self) -> str:
        return ids.address(self.listen)[0]

    @property
    def port(self) -> int:
        return ids.address(self.listen)[1]

    @field_validator("listen")
    @classmethod
    def _address(cls, listen: str) -> str:
        ids.address(listen)
        return listen


class Config(Section):
    """The configuration of quackbridge."""

    networks: dict[str, Network] = Field(min_length=1)
    """The accounts that the bridge logs in with, each under a name of your choice (not `bots`)."""
    links: dict[str, Link] = {}
    """The conversations, each under a name of your choice."""
    bots: dict[str, Bot] = {}
    """The bots, each under a name of your choice."""
    users: UserDatabase = Field(default={}, validate_default=True)
    """The allowlist."""
    store: Store = Field(default={}, validate_default=True)
    """What the daemon remembers."""
    outages: Outages = Field(default={}, validate_default=True)
    """What people are told when a network is away."""
    http: Http | None = None
    """Health over HTTP; absent: off."""

    _warnings: tuple[str, ...] = PrivateAttr(default=())

    @property
    def warnings(self) -> tuple[str, ...]:
        """What the operator should know, though it works; each as a problem is written."""
        return self._warnings


SECTIONS: Mapping[str, type[Section]] = MappingProxyType(
    {
        "": Config,
        "networks.matrix": MatrixNetwork,
        "networks.irc": IrcNetwork,
        "networks.irc.sasl": Sasl,
        "networks.irc.flood": Flood,
        "links.*": Link,
        "links.*.welcome": Welcome,
        "links.*.guest_budget": Budget,
        "bots.*": Bot,
        "users": UserDatabase,
        "store": Store,
        "outages": Outages,
        "http": Http,
    }
)
"""Where in the file which section stands; `*` is a name of the operator's choice."""


def keys(section: type[Section]) -> tuple[str, ...]:
    """The keys of a section, as they are written."""
    return tuple(field.alias or name for name, field in section.model_fields.items())
