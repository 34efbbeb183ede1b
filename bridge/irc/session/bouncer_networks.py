"""Which of the networks behind a bouncer this connection is for (soju.im/bouncer-networks, in soju's `doc/ext`)."""

from collections.abc import Iterator
from collections.abc import Set as AbstractSet

from bridge.irc.effects import Broken, Effect, NetworkFound, Rejected, written
from bridge.irc.wire.line import Line, read_tags
from bridge.model.text import printable

CAPABILITY = "soju.im/bouncer-networks"
BATCH = "soju.im/bouncer-networks"
_MOST = 100
"""Most networks of a list that are read."""
_SHOWN = 10


class BouncerNetworks:
    """Binds the connection to the network `wanted`: a number that the bouncer gave it (netid), or a name. BIND takes
    numbers, and only before we are let in; the bouncer lists its networks only after that. So a name costs one more
    connection: the first one asks for its number (`NetworkFound`). `key`: the setting. Sans I/O."""

    def __init__(self, wanted: str | None, key: tuple[str, ...]) -> None:
        self._wanted = wanted or ""
        self._key = key
        self.netid = self._wanted if _is_number(self._wanted) else ""
        """The number of the network, once it is known: from an earlier connection."""
        self._listed: dict[str, str] = {}

    @property
    def capabilities(self) -> frozenset[str]:
        """What is to be negotiated: only if a network is wanted. soju shows no network at all to those who have the
        capability and bind to none."""
        return frozenset({CAPABILITY}) if self._wanted else frozenset()

    @property
    def seeks(self) -> bool:
        """Whether this connection is only for finding the network's number."""
        return self._wanted != "" and not self.netid

    def bind(self, enabled: AbstractSet[str]) -> Iterator[Effect]:
        """What is written after the login, before CAP END."""
        if not self._wanted:
            return
        if CAPABILITY not in enabled:
            yield Rejected("the server is no bouncer with several networks: remove `bouncer_network`", self._key)
        elif self.netid:
            yield from written("BOUNCER", "BIND", self.netid)

    def ask(self) -> Iterator[Effect]:
        """We are let in, without a network."""
        yield from written("BOUNCER", "LISTNETWORKS")

    def network(self, line: Line) -> None:
        """BOUNCER NETWORK: one of the list."""
        if line.param(0).upper() == "NETWORK" and len(self._listed) < _MOST and _is_number(line.param(1)):
            self._listed[read_tags(line.param(2)).get("name", "")] = line.param(1)

    def listed(self) -> Iterator[Effect]:
        """The list is over."""
        if not self.seeks:
            return
        alike = {name.casefold(): netid for name, netid in self._listed.items()}
        found = self._listed.get(self._wanted) or alike.get(self._wanted.casefold())
        if found is None:
            names = ", ".join(printable(name) for name in [*self._listed][:_SHOWN]) or "none"
            yield Rejected(f"the bouncer has no network {self._wanted!r}; its networks: {names}", self._key)
            return
        yield NetworkFound(found)
        yield Broken(f"the bouncer's network {self._wanted} is number {found}: connecting to it")

    def failed(self, line: Line) -> Iterator[Effect]:
        """FAIL BOUNCER. A number that was found once may be another network's, or nobody's, by now."""
        if self._wanted and line.param(1) == "INVALID_NETID":
            if _is_number(self._wanted):
                yield Rejected(f"the bouncer has no network with the number {self._wanted}", self._key)
            else:
                yield NetworkFound("")
                yield Broken(f"the bouncer's network {self._wanted} has another number now: asking for it")
        elif self._wanted:
            yield Broken(f"the bouncer gives us no network: {printable(line.last)}", turned_away=True)


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdecimal()
