"""Members who speak on a real IRC server through our adapter, each with a puppet."""

from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from bridge.demo.people import IrcPerson
from bridge.demo.servers import Process
from bridge.model.event import Event, Kind, Message, Room
from bridge.model.outbox import Delivery, Owed, Post
from bridge.model.people import GUEST, Identity, Proof, Sender
from bridge.model.presentation import Presentation
from bridge.model.text import words
from tests.integration.irc import Ours, ours, person
from tests.integration.servers import unique

HOW = Presentation(colour_names=False, puppets=True)
THERE = Room("home", "!pond")


@dataclass
class Allowlist:
    """Who may have a puppet: all but those `without`; `users` are the names of others."""

    without: set[str] = field(default_factory=set)
    users: set[str] = field(default_factory=set)

    def may_have_puppet(self, user: str) -> bool:
        return user not in self.without

    def is_other_user(self, nick: str, user: str) -> bool:
        return nick in self.users - {user}

    def user_of(self, sender: Sender) -> str | None:
        """A member's name is that of their account."""
        return sender.proofs[0].value if sender.proofs else None


def member(name: str, *, display: str = "", note: str = "") -> Sender:
    """A member on Matrix, who calls themselves `display`."""
    matrix_id = f"@{name}:hs"
    proof = Identity(Proof.MATRIX, "", matrix_id)
    return Sender("home", matrix_id, display or name, (proof,), user=name if note != GUEST else None, note=note)


def posts(us: Ours, who: Sender, text: str, *, kind: Kind = Kind.TEXT, how: Presentation = HOW) -> Sequence[Post]:
    """What a member says, as posts to our channel."""
    event = Event(unique("$"), THERE, who, 0.0, Message(words(text), kind))
    return us.network.render([Owed(Delivery.of(event.key, us.room).id, us.room, event)], how)


async def says(us: Ours, who: Sender, text: str, *, kind: Kind = Kind.TEXT, how: Presentation = HOW) -> str:
    """A member says something, as the relay does it; the remote id of the last line."""
    remote = ""
    for post in posts(us, who, text, kind=kind, how=how):
        remote = await us.network.send(post)
    return remote


@asynccontextmanager
async def pond(
    server: Process, /, *, allowlist: Allowlist | None = None, **changes: object
) -> AsyncGenerator[tuple[Ours, IrcPerson], None]:
    """Our adapter and bob, who sees what it says, in a channel where he is the operator."""
    puppets = {"connect_every": "off", **changes.pop("puppets", {})}  # type: ignore[dict-item]
    async with person(server) as bob:
        channel = f"#{unique('pond')}"
        await bob.join(channel)
        members = allowlist or Allowlist()
        async with ours(server, channel=channel, members=members, puppets=puppets, **changes) as us:  # type: ignore[arg-type]
            yield us, bob


def speech(bob: IrcPerson) -> list[tuple[str, str]]:
    """Who has said what, as bob has seen it."""
    return [(each.sender, each.text) for each in bob.messages]
