"""Bytes to IRC lines and back: the only parser of lines, and the only gate through which lines are written."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from irc.message import Tag

from bridge.irc.wire.encoding import FALLBACK, LineDecoder

MAX_LINE = 16 * 1024
"""Most bytes in a line that we read: 8,191 of tags (IRCv3 message-tags) and generous room for the rest."""
MAX_BODY = 512
"""Most bytes in a line that we write, without tags, with CR LF (RFC 2812 section 2.3)."""
MAX_TAGS = 4096
"""Most bytes in the tags that we write, with the @ and the space (IRCv3 message-tags)."""

_COMMAND = re.compile(r"[A-Za-z]+|[0-9]{3}")
_TAG_KEY = re.compile(r"\+?(?:[A-Za-z0-9.-]+/)?[A-Za-z0-9-]+")
_FORBIDDEN = re.compile("[\r\n\0]")
_TAG_ESCAPES = str.maketrans({";": "\\:", " ": "\\s", "\\": "\\\\", "\r": "\\r", "\n": "\\n"})
_SECRETS = frozenset({"PASS", "AUTHENTICATE", "OPER", "IDENTIFY", "LOGIN", "NICKSERV", "NS", "WEBIRC"})
_SECRET_WORDS = re.compile(r"\b(?:IDENTIFY|LOGIN|REGISTER|GHOST|RECOVER|REGAIN|SET)\b", re.IGNORECASE)
_SPEECH = frozenset({"PRIVMSG", "NOTICE"})
_WORDS_ONLY = frozenset({"JOIN", "NICK", "PART", "WHO", "WHOIS"})
_ALWAYS_TRAILING = _SPEECH | {"QUIT", "USER"}


class Unwritable(ValueError):
    """The words to be written do not make one line of IRC."""


@dataclass(frozen=True, slots=True)
class Source:
    """The sender of a line: a person, or a server (no user and no host)."""

    nick: str
    user: str = ""
    host: str = ""

    @property
    def mask(self) -> str:
        return f"{self.nick}!{self.user}@{self.host}" if self.user and self.host else self.nick


NOBODY = Source("")


@dataclass(frozen=True, slots=True)
class Line:
    """A line that was read. `param` and `last` are '' for a missing parameter."""

    command: str
    params: tuple[str, ...] = ()
    source: Source = NOBODY
    tags: Mapping[str, str] = field(default_factory=dict)

    def param(self, index: int) -> str:
        return self.params[index] if index < len(self.params) else ""

    @property
    def is_of_server(self) -> bool:
        """Whether no person is the source: a server's name has a dot, which no nick may have. Some servers show people
        by their nicks alone."""
        return not self.source.nick or (not self.source.user and "." in self.source.nick)

    @property
    def last(self) -> str:
        return self.params[-1] if self.params else ""


class LineBuffer:
    """Cuts a byte stream, in any chunks, into lines; a line longer than `MAX_LINE` is dropped whole. `fallback`: see
    `LineDecoder`."""

    def __init__(self, fallback: str = FALLBACK) -> None:
        self._decoder = LineDecoder(fallback)
        self._rest = b""
        self._dropping = False

    def feed(self, data: bytes) -> list[str]:
        *whole, rest = (self._rest + data).split(b"\n")
        if self._dropping and whole:
            del whole[0]
            self._dropping = False
        if len(rest) > MAX_LINE:
            rest, self._dropping = b"", True
        self._rest = b"" if self._dropping else rest
        decode = self._decoder.decode
        return [decode(line.rstrip(b"\r").replace(b"\0", b"")) for line in whole if len(line) <= MAX_LINE]


def parse(text: str) -> Line | None:
    """Parse one line; None if `text` is not an IRC line. Never raises.

    The parameters are not left to `irc.message.Arguments`: it splits at every Unicode space, so two channels whose
    names differ in a no-break space would become one.
    """
    tags: Mapping[str, str] = {}
    if text.startswith("@"):
        head, _, text = text.partition(" ")
        tags = read_tags(head[1:])
    text = text.lstrip(" ")
    source = NOBODY
    if text.startswith(":"):
        head, _, text = text.partition(" ")
        source = _source(head[1:])
        text = text.lstrip(" ")
    middle, colon, trailing = text.partition(" :")
    command, *params = [word for word in middle.split(" ") if word] or [""]
    if not _COMMAND.fullmatch(command):
        return None
    if colon:
        params.append(trailing)
    return Line(command.upper(), tuple(params), source, tags)


def read_tags(text: str) -> dict[str, str]:
    """The tags of a line by key. A lone backslash at the end of a value is dropped (IRCv3 message-tags)."""
    tags = {}
    for item in text.split(";"):
        lone = (len(item) - len(item.rstrip("\\"))) % 2
        tag = Tag.parse(item[: len(item) - lone])
        tags[tag["key"]] = tag["value"] or ""
    return tags


def _source(text: str) -> Source:
    """`nick!user@host`; some servers leave out the user. The library's `NickMask` takes 3 MB of imports."""
    names, _, host = text.partition("@")
    nick, _, user = names.partition("!")
    return Source(nick, user, host)


def compose(command: str, *params: str, tags: Mapping[str, str] | None = None, limit: int = MAX_BODY) -> bytes:
    """Make exactly one line, with CR LF, or raise `Unwritable`. The write gate: nothing else is ever put on the wire.

    `limit`: bytes that the line may have, without its tags.
    """
    if not _COMMAND.fullmatch(command):
        raise Unwritable(f"{command!r} is no IRC command")
    if any(_FORBIDDEN.search(param) for param in params):
        raise Unwritable(f"{command}: a line break or NUL in a parameter")
    *middle, last = params or ("",)
    names = params if command in _WORDS_ONLY else middle
    if any(not param or " " in param or param.startswith(":") for param in names):
        raise Unwritable(f"{command}: an empty parameter, or a space or a leading colon in one")
    words = [command, *middle]
    if params:
        trailing = command in _ALWAYS_TRAILING or not last or " " in last or last.startswith(":")
        words.append(f":{last}" if trailing else last)
    body = " ".join(words).encode(errors="replace") + b"\r\n"
    if len(body) > limit:
        raise Unwritable(f"{command}: {len(body)} bytes, the server takes {limit}")
    return _tagged(tags) + body if tags else body


def _tagged(tags: Mapping[str, str]) -> bytes:
    if not all(map(_TAG_KEY.fullmatch, tags)) or any("\0" in value for value in tags.values()):
        raise Unwritable("a message tag with an invalid name or value")
    pairs = (f"{key}={value.translate(_TAG_ESCAPES)}" if value else key for key, value in tags.items())
    data = f"@{';'.join(pairs)} ".encode(errors="replace")
    if len(data) > MAX_TAGS:
        raise Unwritable(f"message tags of {len(data)} bytes")
    return data


def redacted(data: bytes) -> str:
    """A line for the log, without what follows a command that carries a secret."""
    text = data.decode(errors="replace").rstrip("\r\n")
    line = parse(text)
    if line is None:
        return "(no IRC line)"
    if line.command in _SECRETS:
        return f"{line.command} [redacted]"
    if line.command in _SPEECH and line.param(0)[:1] not in "#&" and _SECRET_WORDS.search(line.last):
        return f"{line.command} {line.param(0)} [redacted]"
    return text
