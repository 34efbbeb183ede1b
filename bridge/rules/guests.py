"""How much guests may ask the bots of each link, each of them and all together."""

from bridge.rules.budget import Allowance, Budget
from bridge.rules.case import Aside, Case


class GuestBudgets:
    """One budget for each guest and one for all guests of a link; new ones where the allowance has changed."""

    def __init__(self) -> None:
        self._each: dict[str, tuple[Allowance, Budget]] = {}
        self._together: dict[str, tuple[Allowance, Budget]] = {}

    def spend(self, case: Case, aside: Aside, now: float) -> bool:
        """Whether the guest may ask; then it is counted. Logins are counted for each guest alone: the desk slows them
        down, and a guest who tries many must not keep others from logging in."""
        guest, network = self._guest(case), case.event.sender.network
        name = case.link.name if case.link is not None else ""
        own = _budget(self._each, name, case.rules.per_guest)
        crowd = _budget(self._together, name, case.rules.per_link)
        whispers = aside is Aside.WHISPER
        if not own.has(guest, now) or not (whispers or crowd.has(network, now)):
            return False
        own.spend(guest, now)
        if not whispers:
            crowd.spend(network, now)
        return True

    def is_news(self, case: Case, now: float) -> bool:
        """Whether the guest was not told yet that they have spent their share."""
        name = case.link.name if case.link is not None else ""
        return _budget(self._each, name, case.rules.per_guest).news(self._guest(case), now)

    @staticmethod
    def _guest(case: Case) -> tuple[str, str]:
        sender = case.event.sender
        return sender.network, sender.connection or sender.casemapping.fold(sender.address)


def _budget(budgets: dict[str, tuple[Allowance, Budget]], name: str, allowance: Allowance) -> Budget:
    known = budgets.get(name)
    if known is None or known[0] != allowance:
        known = budgets[name] = (allowance, Budget(allowance))
    return known[1]
