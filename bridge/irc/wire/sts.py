"""Strict transport security: a server says that it wants TLS only (https://ircv3.net/specs/extensions/sts). Pure."""

import json
from dataclasses import asdict, dataclass, replace

from bridge.irc.dialing.servers import Address
from bridge.irc.wire.line import Line

CAPABILITY = "sts"
"""Never asked for: what a server offers it with is all there is to it."""
_LONGEST_S = 10 * 365 * 86_400
_MOST_DIGITS = 15


@dataclass(frozen=True, slots=True)
class Offer:
    """What a server says of it. `port`: where it speaks TLS, for a connection without; `duration`: seconds for which
    only TLS is to be used, on a connection with TLS. None: it does not say."""

    port: int | None = None
    duration: int | None = None


@dataclass(frozen=True, slots=True)
class Policy:
    """Until then (seconds since the epoch) a host is reached by TLS only, by default on `port`. `duration` is what the
    server said last."""

    port: int
    duration: int
    until: float

    def renewed(self, now: float) -> "Policy":
        """The same for its whole duration from now on."""
        return replace(self, until=now + self.duration)

    def dump(self) -> str:
        return json.dumps(asdict(self))


def offered(line: Line) -> Offer | None:
    """What a CAP LS or CAP NEW line says of it. CAP DEL says nothing: it cannot end a policy."""
    if line.param(1).upper() not in ("LS", "NEW"):
        return None
    for word in line.last.split():
        name, _, value = word.partition("=")
        if name == CAPABILITY:
            return parse(value)
    return None


def parse(value: str) -> Offer:
    """The value of the capability; keys that are unknown (`preload`) or make no sense are ignored."""
    keys: dict[str, str] = {}
    for token in value.split(","):
        key, _, said = token.partition("=")
        keys.setdefault(key, said)
    port, duration = _number(keys.get("port", "")), _number(keys.get("duration", ""))
    usable = port is not None and 0 < port < 65536
    return Offer(port if usable else None, None if duration is None else min(duration, _LONGEST_S))


def load(text: str) -> Policy | None:
    """What `Policy.dump` has made; None if it is something else."""
    try:
        kept = json.loads(text)
        return Policy(int(kept["port"]), int(kept["duration"]), float(kept["until"]))
    except (ValueError, TypeError, KeyError):
        return None


def pledged(port: int, duration: int, now: float) -> Policy | None:
    """The policy of a server that has said `duration` on its TLS port; None if it has ended it."""
    return Policy(port, duration, now + duration) if duration > 0 else None


def decide(to: Address, policy: Policy | None, now: float) -> Address:
    """How to connect to a server: as configured, or by TLS where a policy of its host is in force."""
    if to.tls or policy is None or now >= policy.until:
        return to
    return replace(to, port=policy.port, tls=True)


def _number(text: str) -> int | None:
    return int(text) if text.isascii() and text.isdigit() and len(text) <= _MOST_DIGITS else None
