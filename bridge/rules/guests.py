"""Budgets for guests of a link: for their questions to the bots, and for links to what they send."""

from bridge.rules.budget import Allowance, Budget
from bridge.rules.case import Aside, Case

_TALK = 10
"""How many times as many messages to others a bot may hear of a guest as questions."""
_CROWD = 5
"""How many times as many links all guests of a link may cause together as one of them."""


class GuestBudgets:
    """For each link, one budget per guest and one for all guests, of questions and of links to files and texts. They
    start anew if the allowance changes."""

    def __init__(self) -> None:
        self._each: dict[str, tuple[Allowance, Budget]] = {}
        self._together: dict[str, tuple[Allowance, Budget]] = {}
        self._heard: dict[str, tuple[Allowance, Budget]] = {}
        self._links: dict[str, tuple[Allowance, Budget]] = {}
        self._links_together: dict[str, tuple[Allowance, Budget]] = {}

    def spend(self, case: Case, aside: Aside, now: float) -> bool:
        """Charge a question of the guest; False if the budget is spent. Logins are charged to the guest only: the desk
        slows them down, and a guest who tries many must not keep others from logging in."""
        guest, network = self._guest(case), case.event.sender.network
        name = _name(case)
        own = _budget(self._each, name, case.rules.per_guest)
        crowd = _budget(self._together, name, case.rules.per_link)
        whispers = aside is Aside.WHISPER
        if not own.has(guest, now) or not (whispers or crowd.has(network, now)):
            return False
        own.spend(guest, now)
        if not whispers:
            crowd.spend(network, now)
        return True

    def spend_hearing(self, case: Case, now: float) -> bool:
        """Charge what the guest says to others, and a bot hears too; False if that is too much. It leaves their
        questions as they are."""
        each, guest = case.rules.per_guest, self._guest(case)
        own = _budget(self._heard, _name(case), Allowance(each.burst * _TALK, each.per_minute * _TALK))
        if not own.has(guest, now):
            return False
        own.spend(guest, now)
        return True

    def spend_link(self, case: Case, now: float) -> bool:
        """Charge a link, or a preview, of what the guest says; False if the budget is spent."""
        each = case.rules.guest_links
        name, guest, network = _name(case), self._guest(case), case.event.sender.network
        own = _budget(self._links, name, each)
        crowd = _budget(self._links_together, name, Allowance(each.burst * _CROWD, each.per_minute * _CROWD))
        if not own.has(guest, now) or not crowd.has(network, now):
            return False
        own.spend(guest, now)
        crowd.spend(network, now)
        return True

    def is_news(self, case: Case, now: float) -> bool:
        """Whether the guest was not told yet that their budget is spent; marks them as told."""
        return _budget(self._each, _name(case), case.rules.per_guest).news(self._guest(case), now)

    @staticmethod
    def _guest(case: Case) -> tuple[str, str]:
        sender = case.event.sender
        return sender.network, sender.connection or sender.casemapping.fold(sender.address)


def _name(case: Case) -> str:
    return case.link.name if case.link is not None else ""


def _budget(budgets: dict[str, tuple[Allowance, Budget]], name: str, allowance: Allowance) -> Budget:
    known = budgets.get(name)
    if known is None or known[0] != allowance:
        known = budgets[name] = (allowance, Budget(allowance))
    return known[1]
