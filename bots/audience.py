"""Who asks, and who hears the answer, as keys under which a bot may remember things. Pure.

What is remembered for one audience must not be told to another: a bot would carry it where it was not said.
"""

from bots.api import Question
from bridge.lib.ids import digest


def audience(question: Question) -> str:
    """A key for those who hear the answer to `question`: all of a link, one room, or one person in private.

    A user's private conversations on all networks are one audience.
    """
    if question.private:
        return digest("private", question.user or "", "" if question.user else str(question.room))
    if question.link and question.carried:
        return digest("link", question.link)
    return digest("room", str(question.room))


def person(question: Question) -> str | None:
    """A key for who asks: the user; for a guest, what the network proves of them. None: nothing is proved, so that
    somebody else may have their name tomorrow."""
    if question.user is not None:
        return digest("user", question.user)
    if question.asker.proofs:
        return digest("guest", *(f"{each.kind}:{each}" for each in sorted(question.asker.proofs)[:1]))
    return None


def visitor(question: Question) -> str:
    """As `person`; for people of whom nothing is proved, a key that is theirs while they are connected. It may be
    somebody else's later: fit for what hurts nobody if it is mistaken."""
    sender = question.asker
    return person(question) or digest("visitor", sender.network, sender.connection or sender.address)
