"""Who may say or do something on IRC with a connection of their own (a puppet)."""

from bridge.irc.dialect.brief import clean
from bridge.irc.dialect.operations import Voice
from bridge.model.attribution import mark, stamp
from bridge.model.outbox import Owed
from bridge.model.people import Sender
from bridge.model.presentation import Banned, Presentation


def identity_of(sender: Sender) -> str:
    """By what the puppet of `sender` is known again, and its user name made."""
    return str(sender.proofs[0]) if sender.proofs else f"{sender.network}/{sender.address}"


def voice_of(item: Owed, how: Presentation) -> Voice | None:
    """Who does it, if they may have a puppet: members, in time. What comes late has the time in its mark."""
    sender = item.event.sender
    if not how.puppets or sender.user is None or sender.is_guest or sender.bot or stamp(item) or not mark(item.event):
        return None
    return Voice(sender.user, identity_of(sender), how.banned is Banned.MARK, clean(sender.name))
