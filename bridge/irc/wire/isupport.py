"""What the server says about itself (RPL_ISUPPORT), with defaults for what it does not say."""

import re
from collections.abc import Mapping, Sequence

from irc.features import FeatureSet

from bridge.model.casemap import Casemapping

_KNOWN = frozenset(
    {
        "BOT",
        "CASEMAPPING",
        "CHANMODES",
        "CHATHISTORY",
        "CHANTYPES",
        "CLIENTTAGDENY",
        "HOSTLEN",
        "KNOCK",
        "LINELEN",
        "MONITOR",
        "NICKLEN",
        "PREFIX",
        "SOJU.IM/SAFERATE",
        "STATUSMSG",
        "TOPICLEN",
        "USERLEN",
        "WHOX",
    }
)


_RFC_MODES = "beI,k,l,aimnpqrst"
_COLOUR_MODES = frozenset("cS")
_MOST_TOPIC = 4096
_ESCAPED = re.compile(r"\\x([0-9A-Fa-f]{2})")


class Isupport:
    """https://modern.ircdocs.horse/#rplisupport-005. Only tokens that we use get into the library's feature set, which
    makes an attribute of whatever it is given."""

    def __init__(self) -> None:
        self._features = FeatureSet()

    def load(self, params: Sequence[str]) -> None:
        """Read the parameters of one numeric 005; invalid tokens are ignored."""
        for token in params[1:-1]:
            name = token.lstrip("-").partition("=")[0].upper()
            if name not in _KNOWN:
                continue
            try:
                self._features.load_feature(token if "=" in token or token.startswith("-") else f"{token}=")
            except (ValueError, IndexError):
                continue

    @property
    def casemapping(self) -> Casemapping:
        try:
            return Casemapping(self._text("casemapping", Casemapping.RFC1459))
        except ValueError:
            return Casemapping.RFC1459

    @property
    def whox(self) -> bool:
        return hasattr(self._features, "whox")

    @property
    def monitor(self) -> bool:
        """Whether MONITOR tells when nicks come and go."""
        return hasattr(self._features, "monitor")

    @property
    def knock(self) -> bool:
        """Whether KNOCK asks for an invitation. InspIRCd does not say so, but has a channel mode that forbids it."""
        return hasattr(self._features, "knock") or "K" in "".join(self.channel_modes[3:4])

    @property
    def bot_mode(self) -> str:
        """The user mode of bots, which is also their flag in WHO (IRCv3 bot-mode); '' if there is none."""
        mode = self._text("bot", "")
        return mode if len(mode) == 1 and mode.isascii() and mode.isalpha() else ""

    @property
    def safe_rate(self) -> bool:
        """Whether nobody is disconnected for writing too fast (`soju.im/SAFERATE`)."""
        return hasattr(self._features, "soju.im/saferate")

    @property
    def nick_length(self) -> int:
        """Most characters in a nick; 0 if the server does not say."""
        return self._number("nicklen", 0, least=0, most=255)

    @property
    def chathistory(self) -> int:
        """Most lines in one page of CHATHISTORY; 0 if the server names no limit."""
        return self._number("chathistory", 0, least=0, most=10_000)

    @property
    def channel_modes(self) -> list[str]:
        """The four groups of CHANMODES; see `modes.changes`. Without the token, those of RFC 2812."""
        modes = getattr(self._features, "chanmodes", None)
        return list(modes) if isinstance(modes, (list, tuple)) else str(modes or _RFC_MODES).split(",")

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
        return self._number("linelen", 512, least=256, most=8192)

    @property
    def user_length(self) -> int:
        return self._number("userlen", 12, least=1, most=64)

    @property
    def host_length(self) -> int:
        return self._number("hostlen", 64, least=1, most=255)

    @property
    def topic_length(self) -> int:
        """Most bytes in a topic; 0 if the server does not say."""
        return self._number("topiclen", 0, least=0, most=_MOST_TOPIC)

    @property
    def ranks(self) -> Mapping[str, str]:
        """The modes that are ranks in a channel, highest first, by the sign that stands before a nick."""
        prefix = getattr(self._features, "prefix", {})
        return prefix if isinstance(prefix, dict) else {"@": "o", "+": "v"}

    def moderates(self, ranks: str) -> bool:
        """Whether one of `ranks` (modes) is above voice: an operator or the like, who may moderate the channel."""
        order = "".join(self.ranks.values())
        return any(letter in order.partition("v")[0] for letter in ranks)

    def is_channel(self, name: str) -> bool:
        return name[:1] in (self._text("chantypes", "#&") or "#&") and name != ""

    def tag_allowed(self, name: str) -> bool:
        """Whether the client-only tag `name` (without its +) may be sent: CLIENTTAGDENY of IRCv3 message-tags."""
        denied = self._text("clienttagdeny", "").split(",")
        return f"-{name}" in denied if "*" in denied else name not in denied

    def _text(self, name: str, default: str) -> str:
        value = getattr(self._features, name, default)
        return _ESCAPED.sub(lambda code: chr(int(code[1], 16)), value) if isinstance(value, str) else default

    def _number(self, name: str, default: int, *, least: int, most: int) -> int:
        value = getattr(self._features, name, default)
        return min(max(value, least), most) if isinstance(value, int) and not isinstance(value, bool) else default
