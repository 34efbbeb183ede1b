"""What a server means by the reason with which it closes a connection, or does not let us in. Pure.

No standard has words for these: they are those of InspIRCd, UnrealIRCd, solanum (Libera), ircd-hybrid (OFTC), ircu,
ngIRCd, Ergo, ZNC and Anope.
"""

import re
from collections.abc import Mapping
from enum import Enum, auto
from types import MappingProxyType

from bridge.irc.effects import Broken, Rejected
from bridge.irc.settings import IrcSettings


class Farewell(Enum):
    """Why a server closes on us."""

    NEEDS_LOGIN = auto()
    """Only those who log in with SASL are let in from our address."""
    BANNED = auto()
    """We are banned, by the whole network in most cases: trying again soon prolongs it."""
    THROTTLED = auto()
    """We have connected too often in a short time: trying again soon prolongs it."""
    CROWDED = auto()
    """There are too many connections, of our address or of all: somebody has to leave first."""
    UNWANTED = auto()
    """This server takes no clients from our address; another of the network may."""
    WRONG_PASSWORD = auto()
    """It wants another server password, or one at all. Only before it has let us in."""
    PASSING = auto()
    """The server or the path to it has a problem of its own, or we had one; the next connection may be fine."""
    OTHER = auto()


PAUSES_S: Mapping[Farewell, float] = MappingProxyType(
    {Farewell.BANNED: 300.0, Farewell.THROTTLED: 120.0, Farewell.CROWDED: 60.0, Farewell.UNWANTED: 300.0}
)
"""Seconds before such a server is tried again, at first. Throttles are counted by the minute."""

_FAMILIES: tuple[tuple[Farewell, str], ...] = (
    (Farewell.NEEDS_LOGIN, r"\bsasl (?:access )?only|\b(?:identify|log ?in|authenticate) (?:via|with|using) sasl"),
    (
        Farewell.BANNED,
        r"\b[adgkqrxz]-?:?lined?\b|\bakill|\bbanned\b|\bnot welcome on this|\bblacklist|\bdnsbl\b|\bopen proxy",
    ),
    (
        Farewell.THROTTLED,
        r"\bthrottl|connect(?:ing)? too (?:fast|quick|often|many times)|\btoo many (?:re)?connection attempts",
    ),
    (
        Farewell.CROWDED,
        r"\btoo many (?:\w+ ){0,3}(?:connections|clients|users)|\bno more connections|\b(?:server|class) is full"
        r"|\bconnection limit|\bmaximum (?:number of )?(?:\w+ )?(?:connections|clients|users)|\ball connections in use",
    ),
    (Farewell.UNWANTED, r"\b(?:not|un)[ -]?authori[sz]ed\b|\bno authori[sz]ation\b|\buse another server"),
    (
        Farewell.WRONG_PASSWORD,
        r"\b(?:bad|invalid|wrong|incorrect) (?:server )?password|\bpassword (?:mismatch|incorrect|required)"
        r"|\bneeds? (?:\w+ ){0,3}password",
    ),
    (
        Farewell.PASSING,
        r"\btime(?:d |-)?out|\bsendq\b|\brecvq\b|\bexcess flood|\b(?:read|write|i/o) error|\breset by peer"
        r"|\bbroken pipe|\bshut(?:ting)? ?down|\brestart|\bserver (?:is )?(?:terminating|closing|going down)|\bsigterm",
    ),
)
_PATTERNS = tuple((farewell, re.compile(pattern, re.IGNORECASE)) for farewell, pattern in _FAMILIES)


def meaning(reason: str) -> Farewell:
    """What a server means that says `reason`: the first in the table of which it has words."""
    return next((farewell for farewell, pattern in _PATTERNS if pattern.search(reason)), Farewell.OTHER)


def sent_away(reason: str, ban: str, settings: IrcSettings, *, welcomed: bool) -> Broken | Rejected:
    """What to do once the server has closed the connection. `reason`: what its ERROR said; `ban`: its 465
    (ERR_YOUREBANNEDCREEP), '' if there was none; `welcomed`: it had let us in."""
    said = f"{ban} ({reason})" if ban and reason else ban or reason
    farewell = meaning(said)
    if ban and farewell is not Farewell.NEEDS_LOGIN:
        farewell = Farewell.BANNED
    if farewell is Farewell.NEEDS_LOGIN and settings.sasl is None:
        wants = "lets only those in who log in to an account: register one there, and set `sasl`"
        return Rejected(f"the server {wants} ({said})", settings.key("sasl"))
    if farewell is Farewell.WRONG_PASSWORD and not welcomed:
        given = settings.password is not None
        what = "does not accept the server password" if given else "wants a password: set `password`"
        return Rejected(f"the server {what} ({said})", settings.key("password"))
    if farewell is Farewell.PASSING:
        return Broken(f"the server closed the connection: {said}", by_server=True)
    what, everywhere = _WORDS.get(farewell, "the server closed the connection"), farewell is Farewell.BANNED
    return Broken(f"{what}: {said}", PAUSES_S.get(farewell), turned_away=True, everywhere=everywhere)


_WORDS: Mapping[Farewell, str] = MappingProxyType(
    {
        Farewell.BANNED: "the server has banned us",
        Farewell.THROTTLED: "the server lets nobody connect as often as we did",
        Farewell.CROWDED: "the server has too many connections, of our address or of all",
        Farewell.UNWANTED: "this server takes no clients from our address",
    }
)
