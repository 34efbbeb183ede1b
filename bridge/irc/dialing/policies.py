"""The STS policies of a network's servers, which outlive a restart in its memory (`bridge.network.Memory`)."""

from collections.abc import Mapping

from bridge.irc.dialing.servers import Address
from bridge.irc.wire import sts

_KEY = "sts "
Changes = Mapping[str, str | None]
"""What is to be remembered (see `Batch.changes`)."""


class Policies:
    """`kept` is what the network remembers, other things too. Times are seconds since the epoch."""

    def __init__(self, kept: Mapping[str, str]) -> None:
        self._policies: dict[str, sts.Policy] = {}
        for key, text in kept.items():
            if key.startswith(_KEY) and (policy := sts.load(text)) is not None:
                self._policies[key.removeprefix(_KEY)] = policy

    def secured(self, to: Address, now: float) -> Address:
        """How to connect to `to`: by TLS if its host has asked for that."""
        return sts.decide(to, self._policies.get(_host(to)), now)

    def pledged(self, to: Address, duration: int, now: float) -> Changes:
        """The server has said, on our connection `to` it, for how long TLS is to be used; 0 ends that."""
        policy = sts.pledged(to.port, duration, now)
        return self._keep(to, policy)

    def closed(self, to: Address, now: float) -> Changes:
        """A connection by TLS is over. The policy counts from here: else a connection of months would outlast it."""
        policy = self._policies.get(_host(to))
        return self._keep(to, policy.renewed(now)) if policy is not None and to.tls else {}

    def _keep(self, to: Address, policy: sts.Policy | None) -> Changes:
        host = _host(to)
        if policy is None:
            self._policies.pop(host, None)
            return {f"{_KEY}{host}": None}
        self._policies[host] = policy
        return {f"{_KEY}{host}": policy.dump()}


def _host(to: Address) -> str:
    return to.host.lower().rstrip(".")
