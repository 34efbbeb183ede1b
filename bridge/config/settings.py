"""The settings: one model per section. schema.py puts the docstring under each key into the JSON Schema."""

import re
from collections.abc import Mapping
from enum import StrEnum
from pathlib import Path
from types import MappingProxyType
from typing import Annotated, Any, Literal, Self
from urllib.parse import urlsplit

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    PrivateAttr,
    WithJsonSchema,
    field_validator,
    model_validator,
)

from bots.attention import QuietHours
from bots.hosting.talks import Context
from bridge.config.document import Path as Place
from bridge.config.document import dotted
from bridge.config.problems import Problem
from bridge.config.values import IgnorePattern, Members, RoomName, UserName
from bridge.irc.login_settings import NickServ, Sasl
from bridge.irc.puppets.settings import PuppetSettings
from bridge.irc.settings import ChannelKey, FloodBudget, IrcSettings
from bridge.lib import hosts
from bridge.lib.settings import Count, Duration, FilePath, Lasting, Line, Section, Size, SizeOrOff, number, switch
from bridge.matrix.settings import GhostSection, MatrixSettings
from bridge.model.answering import Answers
from bridge.model.presentation import QUOTATION, Banned, Ghosts, Memberships, Moderated, Puppets, Reactions, Topics
from bridge.rules.link import Guests

STORE_SCHEMES = ("postgresql", "postgres", "redis", "rediss", "redis+sentinel", "rediss+sentinel")
"""Of the addresses of databases that workers can share."""


def _a_while(seconds: float) -> float:
    if seconds < 86_400:
        raise ValueError("must be at least 1d: by it the bridge recognises messages that it gets again after a crash")
    return seconds


def _minutes(seconds: float) -> float:
    if seconds < 60:
        raise ValueError("must be at least 1m: networks are often away for that long, and the messages would be lost")
    return seconds


def _public_url(text: str) -> str:
    """Without a slash at its end. Raises ValueError if it is no address to which a path can be added."""
    example = "must be an address such as https://bridge.example.org"
    try:
        url = urlsplit(text)
        usable = bool(url.hostname) and (url.port is None or url.port > 0)
    except ValueError:
        raise ValueError(example) from None
    if url.scheme not in ("https", "http"):
        raise ValueError(f"{example}: it begins with https://")
    if "@" in url.netloc:
        raise ValueError(f"{example}, without a name or password")
    if not usable or not re.fullmatch(r"[A-Za-z0-9:/.\[\]_~%-]{1,200}", text):
        raise ValueError(f"{example}, without a question mark or #")
    return text.rstrip("/")


def _store_url(text: str) -> str:
    """Raises ValueError, which does not quote it: it may hold a password."""
    scheme = text.partition("://")[0]
    if scheme not in STORE_SCHEMES or "://" not in text:
        raise ValueError(
            "must be an address such as postgresql://quackbridge@db.example.org/quackbridge, or redis://db.example.org"
        )
    return text


def _proxy(text: str) -> str:
    """Raises ValueError unless it is an address or a network that is not all of the internet."""
    if hosts.network(text).prefixlen == 0:
        raise ValueError(f"{text!r} would let anybody claim to be another client; name your proxies only")
    return text


def _template(text: str) -> str:
    try:
        shown = text.format(name="", words="")
    except (LookupError, ValueError, AttributeError):
        shown = text
    if shown == text or re.search(r"[{}]", shown) or not set(re.findall(r"\{([^{}]*)\}", text)) <= {"name", "words"}:
        raise ValueError("must have {name}, {words} or both in it, and no other braces")
    return text


class WelcomeSection(Section):
    """What people are told when they first speak in a link, once a day, privately if the network can."""

    member: Line | None = None
    """What members are told; absent: nothing."""
    guest: Line | None = (
        "Your messages stay in {room}: only members are carried to the other side. Ask an admin, or say `help` to me."
    )
    """What guests who are not carried are told; null: nothing. `{room}` is replaced by the room where they spoke. A
    sentence follows the default that says how to become a member on that network: say `request`, log in to services
    first, or get a password; your own text stays as it is."""


class GuestBudgetSection(Section):
    """How much guests may ask the bots and the bridge, so that they cannot flood anybody. Members are not counted."""

    per_guest: Count = 6
    """Questions that one guest may ask at once, and then per minute. Beyond that they are told once, then ignored."""
    per_link: Count = 30
    """The same for all guests of the link together."""
    links: Count = 6
    """Links to files and long texts, and previews, of one guest who is carried, at once and then per minute; of all
    guests of the link together: five times as many. Beyond that, messages are carried without."""


Lines = Annotated[int, BeforeValidator(number), Field(ge=2, le=1000)]


class MaxLinesSection(Section):
    """Most lines on IRC of one message. A longer one ends with how many more there are, and a link to all of it."""

    members: Lines = 20
    """Of members, and of the bots' answers. With links (`media.links`), a longer message is its first four lines, and
    then a line with a link to all of it. On servers that take messages of several lines (`draft/multiline`) it counts
    only for what is too long for those."""
    guests: Lines = 6
    """Of guests, in links that carry them."""


class LinkMediaSection(Section):
    """Pictures, sound, video and other files that are said in the link."""

    links: Lasting = Field(default="30d", validate_default=True)
    """How long a link to a file from Matrix, or to a long text, works: as 30d, `forever`, or `off` (no links). Needs
    `http.public_url`. A link stops working earlier when its message is deleted, or by `quackbridge media revoke`."""


class LinkSection(Section):
    """The rooms that are one conversation."""

    rooms: tuple[RoomName, ...]
    """The rooms that are one conversation, each as network/room: `"home/#pond:example.org"`, `"libera/#pond"`. A room
    is in one link only; one room is fine, for its bots."""
    guests: Guests = Guests.DUCK_ONLY
    """What happens to messages of people who are not users: only the bots get them (`duck-only`), they are carried like
    everybody's (`relay`), or ignored (`ignore`)."""
    members: Members = None
    """Who is carried: `all` users, or a list of their names. Other users count as guests here. An empty list is an
    error: nobody could speak. `check-config` and the log warn of names that no user has."""
    moderators: tuple[UserName, ...] = ()
    """The users who may mute and ban in this link, by private message to the duck; admins may everywhere."""
    ignore: Annotated[tuple[IgnorePattern, ...], Field(max_length=200)] = ()
    """Who and what is never carried and never answered, members included: Matrix ids (`"@*:spam.example"`), services
    accounts (`libera/spammer`), host masks (`"libera/*!*@*.spam.example"`), words (`"text:*buy followers*"`)."""
    guest_budget: GuestBudgetSection = GuestBudgetSection()
    """How much guests may ask the bots."""
    max_lines: MaxLinesSection = MaxLinesSection()
    """How many lines of IRC one message may take."""
    reactions: Annotated[Reactions, BeforeValidator(switch)] = Reactions.WORDS
    """How reactions reach IRC: as a line of `words`, gathered for ten seconds; by `tags`, where the network has them;
    `both`; or `off`."""
    quotation: Annotated[Line, AfterValidator(_template)] = QUOTATION
    """What goes before a reply on IRC, unless it answers the last thing said: `{name}` said `{words}`."""
    deletions: bool = True
    """Tell IRC in words when a message is deleted."""
    edits_from_irc: bool = True
    """Let people on IRC correct the last thing they said within five minutes: `s/wrong/right/`."""
    replies_from_irc: bool = True
    """Make `alice: yes`, said on IRC, a reply to what alice said in the last minutes."""
    membership: Annotated[Memberships, BeforeValidator(switch)] = Memberships.SPEAKERS
    """Whose coming, leaving and renaming is told: that of `speakers`, who spoke within the hour; of `all`; or `off`."""
    topic: Annotated[Topics, BeforeValidator(switch)] = Topics.OFF
    """Which way topics are carried: `to-irc`, `to-matrix`, `both`, or `off`."""
    typing: bool = True
    """Show on one side that somebody types on the other."""
    receipts: bool = True
    """Mark messages on Matrix as read once they have arrived on the other side."""
    profiles: bool = True
    """Show who speaks on Matrix by a name and a picture for each message, in clients that know such (MSC4144). Others
    show the name before each line, as without it. Users get a picture that is made for them."""
    puppets: Annotated[Puppets, BeforeValidator(switch)] = Puppets.OFF
    """Who speaks on IRC with a connection and a nick of their own, without a mark before the words: the `members` of
    the allowlist; or `off`. How, is under `puppets` of the network. Where a member cannot have that, as in a channel
    that lets nobody in, the bridge's own account speaks with the mark."""
    ghosts: Annotated[Ghosts, BeforeValidator(switch)] = Ghosts.OFF
    """Who on IRC has an account of their own on Matrix, by which they speak there: who speaks (`speakers`), everybody
    in the channel (`all`), or nobody (`off`). The homeserver's admin has to add what `quackbridge registration` prints;
    until then, and in encrypted rooms, the bridge's account speaks for them."""
    banned: Banned = Banned.REFUSE
    """What becomes of the words of somebody whose own face was removed from a room on the other side: `refuse` them and
    tell their speaker, or have the bridge's account say them with the `mark`."""
    moderation: Moderated = Moderated.WORDS
    """What becomes of a kick or a ban of somebody's puppet on IRC, or of their ghost on Matrix, on the side where they
    are themselves: people there are told in `words`; or the bridge does the same there (`mirror`), if a member of the
    link has done it, and as far as the bridge may: it has to be an operator, or a moderator."""
    colour_names: bool = True
    """Give each name a colour of its own on IRC, in channels that allow colours."""
    guard_names: bool = True
    """Put an invisible sign into names on IRC, so that nobody's client calls them for what they said themselves."""
    media: LinkMediaSection = Field(default={}, validate_default=True)
    """Pictures and other files."""
    preview: bool = False
    """Fetch pictures, sound and videos that people on IRC link to, and show them on Matrix."""
    bots: tuple[str, ...] = ()
    """The bots that take part, by their keys under `bots`."""
    welcome: WelcomeSection = WelcomeSection()
    """What people are told, once a day."""


def _several(value: object) -> object:
    return (value,) if isinstance(value, str) else value


Brains = Annotated[
    tuple[Line, ...],
    BeforeValidator(_several),
    Field(min_length=1, max_length=10),
    WithJsonSchema({"anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}, "minItems": 1}]}),
]


_HOURS = re.compile("([01][0-9]|2[0-3]):[0-5][0-9]-([01][0-9]|2[0-3]):[0-5][0-9]")


def _hours(hours: str) -> str:
    if _HOURS.fullmatch(hours) is None:
        raise ValueError('must be from and to, in quotes: "23:00-07:00"')
    return hours


def _an_hour(seconds: float) -> float:
    if seconds > 3600:
        raise ValueError("must be at most 1h, or off")
    return seconds


def _known_zone(zone: str) -> str:
    QuietHours(0, 0, zone)
    return zone


class Hears(StrEnum):
    """What a bot gets of what is said in its links."""

    ASKED = "asked"
    ALL = "all"


class BotBudget(Section):
    """How many answers of a bot there are in an hour, at most as many at once."""

    per_person: Count = 60
    """For one person, in all rooms."""
    per_room: Count = 240
    """In one link, for all people."""


class BotSection(Section):
    """A program that hears and may answer."""

    use: Annotated[str, Field(pattern=r"^[A-Za-z_][\w.]*(:[A-Za-z_]\w*)?$")] = "bots.duck:Duck"
    """The Python class, package.module:Class, or the name under which an installed package offers it."""
    name: Line = "Little Yellow Duck"
    """The name by which it is called and shown; it also answers to its key."""
    brain: Brains = ("commands", "rules", "echo")
    """How it thinks: names of brains, or package.module:Class. The first that has an answer gives it."""
    settings: dict[Line, dict[str, Any]] = Field(default_factory=dict)
    """Settings of its brains, by their names: `{rules: {file: rules.yaml}}`. File names are relative to the
    configuration."""
    delay: Annotated[float, BeforeValidator(number)] = Field(default=1.0, ge=0, le=3600, allow_inf_nan=False)
    """Seconds between question and answer."""
    answers: Answers = Answers.MENTIONED
    """When it answers in a room: if mentioned, always, or never. In private it always answers, unless never."""
    stay: Annotated[Lasting, AfterValidator(_an_hour)] = Field(default="60s", validate_default=True)
    """How long a talk with somebody stays open after an answer: they need not say its name again. At most 1h; `off`:
    not at all."""
    hears: Hears = Hears.ASKED
    """What it gets of what is said in its links: only what it is `asked`, or `all`, for brains that need that (`seen`,
    `tell`); people there are told so once."""
    chatty: Annotated[float, BeforeValidator(number)] = Field(default=0.0, ge=0, le=1, allow_inf_nan=False)
    """The chance that it answers what nobody asked it, where it `hears: all`: 0 never, 1 always."""
    quiet_hours: Annotated[str, AfterValidator(_hours)] | None = None
    """When it answers in private only, each day, as `"23:00-07:00"`."""
    zone: Annotated[str, AfterValidator(_known_zone)] = "UTC"
    """The time zone of the quiet hours, as Europe/Berlin."""
    context: Context = Context.ROOM
    """What was said before that its brains get: of the `room`, of the `person` who asks, or `none`. It is kept in
    memory only, and nothing of it goes to people who did not hear it."""
    budget: BotBudget = Field(default_factory=BotBudget)
    """How many answers there are in an hour."""


class UserDatabase(Section):
    """The allowlist."""

    database: FilePath = Field(default=Path("data/users.json"), validate_default=True)
    """The file of the user database; `store`: with the store, where several workers share one. `quackbridge init-db`
    makes it."""
    session: Duration = Field(default="12h", validate_default=True)
    """How long a login by password lasts at most, as `30m`, `12h` or `7d`."""


class StoreSection(Section):
    """What the daemon remembers: the outbox, and where each network resumes."""

    path: FilePath = Field(default=Path("data/quackbridge.sqlite"), validate_default=True)
    """The SQLite file. The daemon makes it. With a `url`, nothing is stored in it: beside it are the lock, the socket
    for commands and the cache of files, so each worker on a machine needs another."""
    url: Annotated[str, AfterValidator(_store_url)] | None = Field(default=None, repr=False)
    """The database that several workers share: postgresql://quackbridge@db.example.org/quackbridge, or a Redis server,
    redis://:PASSWORD@redis.example.org/0. Absent: the file at `path`, for one daemon."""
    url_file: FilePath | None = None
    """A file with the `url`, which has a password in it, and which only its owner can read."""
    remember: Annotated[Duration, AfterValidator(_a_while)] = Field(default="30d", validate_default=True)
    """How long carried messages are remembered, so that replies find them and nothing is carried twice."""
    excerpt: Annotated[int, BeforeValidator(number), Field(ge=0, le=2000)] = 300
    """How many characters of each carried message are kept after it was sent, for `remember`, so that replies and edits
    can quote it; not what a spoiler hides. 0: none."""

    @property
    def place(self) -> Path | str:
        """The file, or the address of the database."""
        return self.path if self.url is None else self.url

    @property
    def is_there(self) -> bool:
        """Whether there may be a store already."""
        return self.url is not None or self.path.exists()


class OutboxSection(Section):
    """What waits to be delivered."""

    per_room: Annotated[int, BeforeValidator(number), Field(ge=10, le=1_000_000)] = 10_000
    """How many messages may wait for one room. Beyond that the oldest are given up; the room and the others of its link
    are told how many it was."""
    per_room_bytes: Annotated[int, BeforeValidator(number), Field(ge=1_000_000, le=10_000_000_000)] = 10_000_000
    """The same in bytes, as they are stored: some 300 for a short message, up to 100,000 for a very long one."""
    max_age: Annotated[Duration, AfterValidator(_minutes)] = Field(default="24h", validate_default=True)
    """Messages older than this are not carried any more; the room and the others of its link are told how many it
    was."""
    tell_dead: Literal["notice", "reaction", "nothing"] = "notice"
    """How a person on Matrix learns that a message of theirs can never be delivered, and why: by a `notice` that
    replies to it, by a `reaction` to it, or by `nothing`."""


class OutagesSection(Section):
    """What people are told when a network is away."""

    tell_after: Duration = Field(default="60s", validate_default=True)
    """How long a room may be out of reach before the other rooms of its link are told, once."""
    tell_gaps: Literal["daily", "each", "never"] = "daily"
    """When people are told that messages may be missing because a network keeps no history of an outage: the first time
    of a day at once, then together once a day (`daily`); `each` time; or `never` (the ledger counts them)."""


class MediaSection(Section):
    """Pictures, sound, video and other files."""

    max_size: Size = Field(default="100M", validate_default=True)
    """The largest file that gets a link, such as 500K, 100M or 1G."""
    cache: SizeOrOff = Field(default="off", validate_default=True)
    """Disk space for downloaded files, such as 200M; `off`: none is kept."""
    max_per_day: Size = Field(default="1G", validate_default=True)
    """The most that `preview` fetches from the web a day, and the most that it uploads to Matrix."""


class HttpSection(Section):
    """Health, metrics, and links to files and long texts, over HTTP."""

    listen: str
    """Where to listen, as host:port (`127.0.0.1:9191`), for `/healthz` (the daemon works), `/readyz` (all networks and
    rooms are well), `/metrics`, the status page, and links to files and texts."""
    status: bool | None = None
    """Who may see the status page at `/`, which names networks, links and rooms, but no people: everybody who reaches
    it (`true`) or nobody (`false`). Default: browsers on this machine, but not through a reverse proxy."""
    public_url: Annotated[str, AfterValidator(_public_url)] | None = None
    """How others reach it, such as `https://bridge.example.org`, mostly through a reverse proxy. With it, files from
    Matrix, and messages that are too long for IRC, reach IRC with a link to the bridge; without it, files are words
    only (`[image: cat.png, 12 KB]`). http:// only for this machine: `check-config` warns of any other."""
    proxies: tuple[Annotated[str, AfterValidator(_proxy)], ...] = ("127.0.0.0/8", "::1")
    """The reverse proxies whose `X-Forwarded-For` is believed: addresses, or networks such as `172.18.0.0/16` for a
    proxy in another container. Default: those on this machine. Do not name an address from which others can connect,
    too."""
    ready_max_age: Duration = Field(default="5m", validate_default=True)
    """How long a message may wait in the outbox before `/readyz` and `status` say that the outbox is not well."""

    @property
    def host(self) -> str:
        return hosts.address(self.listen)[0]

    @property
    def port(self) -> int:
        return hosts.address(self.listen)[1]

    @field_validator("listen")
    @classmethod
    def _address(cls, listen: str) -> str:
        hosts.address(listen)
        return listen


Network = Annotated[MatrixSettings | IrcSettings, Field(discriminator="type")]


def in_store(plain: Mapping[str, object]) -> bool:
    """Whether the settings, as in the file, keep the user database with the store."""
    users = plain.get("users")
    return isinstance(users, dict) and users.get("database") == "store"


class Config(Section):
    """The configuration of quackbridge."""

    networks: dict[str, Network] = Field(min_length=1)
    """The accounts that the bridge logs in with, each under a name of your choice (not `bots`)."""
    links: dict[str, LinkSection] = Field(default={})
    """The conversations, each under a name of your choice; if there are none, you are warned."""
    bots: dict[str, BotSection] = Field(default={})
    """The bots, each under a name of your choice."""
    users: UserDatabase = Field(default={}, validate_default=True)
    """The allowlist."""
    store: StoreSection = Field(default={}, validate_default=True)
    """What the daemon remembers."""
    outbox: OutboxSection = Field(default={}, validate_default=True)
    """What waits to be delivered."""
    outages: OutagesSection = Field(default={}, validate_default=True)
    """What people are told when a network is away."""
    http: HttpSection | None = None
    """Health and links to files over HTTP; absent: off."""
    media: MediaSection = Field(default={}, validate_default=True)
    """Pictures and other files."""

    _warnings: tuple[str, ...] = PrivateAttr(default=())
    _file: Path = PrivateAttr(default=Path())
    _places: Mapping[Place, tuple[int, int]] = PrivateAttr(default={})
    _plain: Mapping[str, object] = PrivateAttr(default={})

    @model_validator(mode="after")
    def _name_networks(self) -> Self:
        for name, network in self.networks.items():
            network.called(name)
        return self

    @property
    def file(self) -> Path:
        """The file that it was read from."""
        return self._file

    @property
    def users_in_store(self) -> bool:
        """Whether the user database is kept with the store."""
        return in_store(self._plain)

    @property
    def warnings(self) -> tuple[str, ...]:
        """Problems that do not stop the daemon, worded like errors."""
        return self._warnings

    def about(self, place: Place, message: str) -> str:
        """`message` about the key at `place`, worded like an error: `config.yaml:10:5: networks.home: ...`"""
        known = place
        while known and known not in self._places:
            known = known[:-1]
        return Problem(*self._places.get(known, (0, 0)), dotted(place), message).text(self._file)

    @property
    def plain(self) -> Mapping[str, object]:
        """The values as in the file, with environment variables filled in, and without secrets."""
        return self._plain


SECTIONS: Mapping[str, type[Section]] = MappingProxyType(
    {
        "": Config,
        "networks.matrix": MatrixSettings,
        "networks.matrix.ghosts": GhostSection,
        "networks.irc": IrcSettings,
        "networks.irc.sasl": Sasl,
        "networks.irc.nickserv": NickServ,
        "networks.irc.channel_keys.*": ChannelKey,
        "networks.irc.flood": FloodBudget,
        "networks.irc.puppets": PuppetSettings,
        "links.*": LinkSection,
        "links.*.welcome": WelcomeSection,
        "links.*.guest_budget": GuestBudgetSection,
        "links.*.max_lines": MaxLinesSection,
        "links.*.media": LinkMediaSection,
        "bots.*": BotSection,
        "bots.*.budget": BotBudget,
        "users": UserDatabase,
        "store": StoreSection,
        "outbox": OutboxSection,
        "outages": OutagesSection,
        "http": HttpSection,
        "media": MediaSection,
    }
)
"""Each section's model by its place in the file; `*` is a name of the operator's choice."""


def keys(section: type[Section]) -> tuple[str, ...]:
    """The keys of a section, as written in the file."""
    return tuple(field.alias or name for name, field in section.model_fields.items())
