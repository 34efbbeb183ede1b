"""What the server says about itself (RPL_ISUPPORT), with defaults for what it does not say."""

import re
from collections.abc import Mapping, Sequence
from types import MappingProxyType

from bridge.model.casemap import Casemapping

_KNOWN = frozenset(
    {
        "BOT",
        "CASEMAPPING",
        "CHANMODES",
        "CHATHISTORY",
        "CHANTYPES",
        "CLIENTTAGDENY",
        "EXTBAN",
        "HOSTLEN",
        "KNOCK",
        "LINELEN",
        "MONITOR",
        "MSGREFTYPES",
        "NICKLEN",
        "PREFIX",
        "SOJU.IM/SAFERATE",
        "STATUSMSG",
        "TARGMAX",
        "TOPICLEN",
        "USERLEN",
        "WHOX",
    }
)
"""The tokens that we use. Others are not kept: a server may send any number of them."""
_RFC_MODES = "beI,k,l,aimnpqrst"
_RFC_RANKS = MappingProxyType({"@": "o", "+": "v"})
_COLOUR_MODES = frozenset("cS")
_MOST_TOPIC = 4096
_LONGEST = 1000
"""Most characters of a value that are kept. A line of 512 bytes has room for less; a hostile line, for 16,000."""
_MOST_RANKS = 32
_ESCAPED = re.compile(r"\\x([0-9A-Fa-f]{2})")
_PREFIX = re.compile(r"\(([A-Za-z]*)\)(.*)")
_NUMBER = re.compile("[0-9]{1,9}")


class Isupport:
    """What the 005 lines of a connection have said (https://modern.ircdocs.horse/#rplisupport-005). Sans I/O."""

    def __init__(self) -> None:
        self._tokens: dict[str, str] = {}
        self.ranks: Mapping[str, str] = _RFC_RANKS
        """The modes that are ranks in a channel, highest first, by the sign that stands before a nick."""

    def load(self, params: Sequence[str]) -> None:
        """Read the parameters of one numeric 005: our nick, tokens, and words for people, which are no known token. A
        token that begins with - takes back what an earlier one said."""
        for token in params[1:]:
            name, _, value = token.partition("=")
            if name.startswith("-"):
                self._tokens.pop(name[1:].upper(), None)
            elif name.upper() in _KNOWN:
                self._tokens[name.upper()] = _unescaped(value[:_LONGEST])
        self.ranks = _ranks(self._tokens.get("PREFIX"))

    @property
    def casemapping(self) -> Casemapping:
        return Casemapping.named(self._tokens.get("CASEMAPPING"))

    @property
    def whox(self) -> bool:
        return "WHOX" in self._tokens

    @property
    def monitor(self) -> bool:
        """Whether MONITOR tells when nicks come and go."""
        return "MONITOR" in self._tokens

    @property
    def knock(self) -> bool:
        """Whether KNOCK asks for an invitation. InspIRCd does not say so, but has a channel mode that forbids it."""
        return "KNOCK" in self._tokens or "K" in "".join(self.channel_modes[3:4])

    @property
    def bot_mode(self) -> str:
        """The user mode of bots, which is also their flag in WHO (IRCv3 bot-mode); '' if there is none."""
        mode = self._tokens.get("BOT", "")
        return mode if len(mode) == 1 and mode.isascii() and mode.isalpha() else ""

    @property
    def safe_rate(self) -> bool:
        """Whether nobody is disconnected for writing too fast (`soju.im/SAFERATE`)."""
        return "SOJU.IM/SAFERATE" in self._tokens

    @property
    def chathistory(self) -> int:
        """Most lines in one page of CHATHISTORY; 0 if the server names no limit."""
        return self._number("CHATHISTORY", 0, least=0, most=10_000)

    @property
    def message_references(self) -> tuple[str, ...]:
        """How CHATHISTORY may name a message, the best way first: MSGREFTYPES, by default both ways that there are."""
        return tuple(self._tokens.get("MSGREFTYPES", "msgid,timestamp").split(","))

    @property
    def channel_modes(self) -> list[str]:
        """The four groups of CHANMODES; see `modes.changes`. Without the token, those of RFC 2812."""
        return (self._tokens.get("CHANMODES") or _RFC_MODES).split(",")[:4]

    @property
    def is_moderable(self) -> bool:
        """Whether the server says that channels can be moderated (mode m)."""
        return "CHANMODES" in self._tokens and "m" in "".join(self.channel_modes[3:4])

    @property
    def has_history_mode(self) -> bool:
        """Whether H is a channel mode that takes a parameter when set, as on InspIRCd and UnrealIRCd."""
        return "H" in "".join(self.channel_modes[2:3])

    @property
    def colour_modes(self) -> frozenset[str]:
        """The channel modes that refuse (c) or remove (S) colours, of those that the server has."""
        return _COLOUR_MODES.intersection("".join(self.channel_modes[3:4]))

    @property
    def line_length(self) -> int:
        """Most bytes in a line, without tags, with CR LF."""
        return self._number("LINELEN", 512, least=256, most=8192)

    @property
    def nick_length(self) -> int:
        """Most characters in a nick; 0 if the server does not say."""
        return self._number("NICKLEN", 0, least=1, most=255)

    @property
    def user_length(self) -> int:
        return self._number("USERLEN", 12, least=1, most=64)

    @property
    def host_length(self) -> int:
        return self._number("HOSTLEN", 64, least=1, most=255)

    @property
    def topic_length(self) -> int:
        """Most bytes in a topic; 0 if the server does not say."""
        return self._number("TOPICLEN", 0, least=0, most=_MOST_TOPIC)

    @property
    def extban(self) -> tuple[str, str]:
        """The sign before an extended ban (may be '') and the letters of their kinds; ('', '') if there are none
        (https://modern.ircdocs.horse/#extban-parameter)."""
        sign, comma, letters = self._tokens.get("EXTBAN", "").partition(",")
        return (sign, letters) if comma else ("", "")

    def targets(self, command: str, default: int) -> int:
        """How many targets one `command` (JOIN, PART, PRIVMSG) may name: what TARGMAX says, but at most `default`, as
        for commands without a limit (https://modern.ircdocs.horse/#targmax-parameter)."""
        for item in self._tokens.get("TARGMAX", "").split(","):
            name, _, most = item.partition(":")
            if name.upper() == command and _NUMBER.fullmatch(most):
                return min(max(int(most), 1), default)
        return default

    def moderates(self, ranks: str) -> bool:
        """Whether one of `ranks` (modes) is above voice: an operator or the like, who may moderate the channel."""
        order = "".join(self.ranks.values())
        return any(letter in order.partition("v")[0] for letter in ranks)

    def is_channel(self, name: str) -> bool:
        """Whether `name` begins as the names of channels do on that server. CHANTYPES may be empty: then nothing does,
        and only what we have joined is a channel."""
        return name != "" and name[0] in self._tokens.get("CHANTYPES", "#&")

    def of_ranks(self, target: str) -> str:
        """The channel of `@#pond`, which is for people of a rank in #pond only (STATUSMSG); '' if it is not such."""
        if self.is_channel(target):
            return ""
        name = target.lstrip(self._tokens.get("STATUSMSG", ""))
        return name if name != target and self.is_channel(name) else ""

    def tag_allowed(self, name: str) -> bool:
        """Whether the client-only tag `name` (without its +) may be sent: CLIENTTAGDENY of IRCv3 message-tags."""
        denied = self._tokens.get("CLIENTTAGDENY", "").split(",")
        return f"-{name}" in denied if "*" in denied else name not in denied

    def _number(self, name: str, default: int, *, least: int, most: int) -> int:
        value = self._tokens.get(name, "")
        return min(max(int(value), least), most) if _NUMBER.fullmatch(value) else default


def _unescaped(value: str) -> str:
    return _ESCAPED.sub(lambda code: chr(int(code[1], 16)), value)


def _ranks(prefix: str | None) -> Mapping[str, str]:
    r"""The ranks of `(ov)@+`, by sign. None without the value: the server has no ranks. If it is malformed or there is
    no such token, those of RFC 2812."""
    if prefix == "":
        return {}
    match = _PREFIX.fullmatch(prefix or "")
    if match is None:
        return _RFC_RANKS
    return dict(zip(match[2][:_MOST_RANKS], match[1][:_MOST_RANKS], strict=False))
