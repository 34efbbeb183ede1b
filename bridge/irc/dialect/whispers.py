"""What a member says in private to somebody on IRC: words of their puppet."""

from bridge.irc.dialect.brief import clean
from bridge.irc.dialect.operations import Operation, Say, Voice
from bridge.irc.dialect.voices import identity_of
from bridge.model.attribution import stamp
from bridge.model.event import Edit, Kind, Message, Origin
from bridge.model.outbox import Owed
from bridge.model.talks import IrcTalk
from bridge.network import PermanentError


def whisper(said: Operation, item: Owed, talk: IrcTalk) -> Say:
    """A line of a talk as the puppet says it: without the mark, and with the time if it comes late."""
    if not isinstance(said, Say):
        raise PermanentError("a puppet cannot do that in private")
    event, body = item.event, item.event.body
    text = stamp(item) + said.text[said.head :]
    acts = isinstance(body, Message | Edit) and body.kind is Kind.ACTION
    if event.origin is Origin.OURS:
        return Say(said.command, talk.nick, text, voice=Voice(talk.user, ""), to="")
    if not event.mentioned or not event.mentioned[0].user or event.sender.user is None:
        raise PermanentError("it is not known to whom that is said")
    voice = Voice(event.sender.user, identity_of(event.sender), name=clean(event.sender.name))
    return Say(said.command, talk.nick, text, acts=acts, voice=voice, to=event.mentioned[0].user)
