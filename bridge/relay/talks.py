"""Which talks each member has, and which of a member's private lines belong to one of them."""

import asyncio
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from bridge.lib.lru import LruDict
from bridge.model.event import Edit, Event, EventKey, Mentioned, Message, Origin, Reaction, Redaction, Room
from bridge.model.outbox import Known, Owed
from bridge.model.talks import MatrixTalk, matrix_talk
from bridge.model.text import addressed, plain, without_beginning
from bridge.relay.outcome import Outcome
from bridge.rules.gate import Gate
from bridge.rules.talks import beginning
from bridge.store import Lease, stored

TALKS = "talk "
"""Before the id of a talk's room: the key that keeps who the other person is."""
_MOST = 10_000
"""Talks that are remembered on each Matrix network, of all members."""
_EACH = 100
"""Talks of one member that are looked through: of more, the last ones."""


_NOBODY = (Mentioned("", "", ()),)
"""To whom something is said if that is not clear: the gate refuses it, and says so."""


@dataclass(frozen=True, slots=True)
class Partner:
    """The other person of a talk: the name of their user, and the name that the member sees. `other`: another user who
    has spoken to the member under the same nick since; then it is not clear whom the member means."""

    user: str
    name: str
    other: str = ""


class Talks:
    """The talks of the Matrix networks that run here. The worker that runs a network keeps those of its members."""

    def __init__(self) -> None:
        self._talks: dict[str, LruDict[str, Partner]] = {}
        self._loaded: dict[str, tuple[str, ...]] = {}
        self._loading = asyncio.Lock()

    async def load(self, lease: Lease) -> None:
        """Take what the network of `lease` remembers, unless it was done. Call it before anything else."""
        async with self._loading:
            if self._loaded.get(lease.network) == lease.own:
                return
            talks = LruDict[str, Partner](_MOST)
            for key, text in (await stored(lease.recall)).items():
                if key.startswith(TALKS) and (partner := _read(text)) is not None:
                    talks[key.removeprefix(TALKS)] = partner
            self._talks[lease.network], self._loaded[lease.network] = talks, lease.own

    async def begin(self, lease: Lease, room: Room, user: str, name: str) -> None:
        """The member of the talk in `room` on Matrix wants to talk with `user`, who is called `name` there."""
        await self._keep(lease, room, Partner(user, name))

    async def _keep(self, lease: Lease, room: Room, partner: Partner) -> None:
        """Stored if it is new."""
        talks = self._talks.setdefault(lease.network, LruDict[str, Partner](_MOST))
        if talks.get(room.id) == partner:
            return
        oldest = next(iter(talks), None) if len(talks) >= _MOST and room.id not in talks else None
        talks[room.id] = partner
        forgotten = {TALKS + oldest: None} if oldest is not None else {}
        await stored(lease.remember, {TALKS + room.id: _written(partner), **forgotten})

    async def note_owed(self, lease: Lease, room: Room, owed: Sequence[Owed]) -> None:
        """Somebody's words are about to be shown in `room`: if it is a talk's, their member can answer."""
        if matrix_talk(room) is None:
            return
        await self.load(lease)
        for item in owed:
            who = item.event.sender
            if item.event.origin is not Origin.OURS and who.user is not None:
                before = self.partner(room)
                user = before.user if before is not None else who.user
                await self._keep(lease, room, Partner(user, who.name, "" if who.user == user else who.user))

    def partner(self, room: Room) -> Partner | None:
        """With whom a talk is."""
        talks = self._talks.get(room.network)
        return talks.peek(room.id) if talks is not None else None

    def of(self, network: str, member: str) -> Sequence[tuple[MatrixTalk, Partner]]:
        """The talks of a member, the last one first."""
        found = [*self._of(network, member)]
        return found[: -_EACH - 1 : -1]

    def _of(self, network: str, member: str) -> Iterator[tuple[MatrixTalk, Partner]]:
        talks = self._talks.get(network)
        for room in talks or ():
            talk = matrix_talk(Room(network, room)) if room.startswith(f"{member}>") else None
            partner = talks.peek(room) if talks is not None else None
            if talk is not None and talk.member == member and partner is not None:
                yield talk, partner


class Privately:
    """Finds the talk to which a private line of a member on Matrix belongs."""

    def __init__(self, gate: Gate, talks: Talks) -> None:
        self._gate = gate
        self._talks = talks

    async def meant(
        self, event: Event, lease: Lease, before: Sequence[Outcome]
    ) -> tuple[Event, Sequence[Known]] | None:
        """`event` as it is said in a talk, and what is known of what it refers to; None if it belongs to none."""
        if not event.private:
            return None
        await self._talks.load(lease)
        if matrix_talk(event.room) is not None:
            return self._with_partner(event), ()
        if (begun := _begins(self._gate, event)) is not None:
            return None if isinstance(begun, str) else (await self._begun(event, lease, *begun), ())
        here = event.room.network
        every = self._talks.of(here, event.sender.address)
        talks = [each for each in every if self._gate.has_talks(here, each[0].other)]  # networks come and go
        if not talks:
            return None
        if (refers := _refers(event)) is not None:
            found = await self._about(event, refers, talks, lease, before)
            if found is not None or not isinstance(event.body, Message):
                return found
        named = self._named(event, talks) if isinstance(event.body, Message) else None
        return (named, ()) if named is not None else None

    def _with_partner(self, event: Event) -> Event:
        """An event of a talk, as `mentioned` has it: the one to whom it is said."""
        partner, talk = self._talks.partner(event.room), matrix_talk(event.room)
        if partner is None or talk is None:
            return event
        return replace(event, mentioned=_NOBODY if partner.other else (Mentioned(talk.nick, partner.user, ()),))

    async def _begun(self, event: Event, lease: Lease, talk: MatrixTalk, to: Mentioned) -> Event:
        await self._talks.begin(lease, talk.room, to.user, talk.nick)
        return self._said(event, talk, _length_of_beginning(event))

    def _said(self, event: Event, talk: MatrixTalk, length: int) -> Event:
        """A message in the talk, without the `length` characters before its words."""
        assert isinstance(event.body, Message)
        text = without_beginning(event.body.text, length)
        body = replace(event.body, text=text, called=None, reply_to=None, thread=None, mentions=())
        return self._with_partner(replace(event, room=talk.room, body=body))

    async def _about(
        self,
        event: Event,
        refers: str,
        talks: Sequence[tuple[MatrixTalk, Partner]],
        lease: Lease,
        before: Sequence[Outcome],
    ) -> tuple[Event, Sequence[Known]] | None:
        """An event about something that was said in one of the talks."""
        keys = {EventKey(talk.room, refers): (talk, partner) for talk, partner in talks}
        fresh = {key: each for outcome in before for key, each in _in(outcome, keys)}
        known = {**await stored(lease.known, keys.keys()), **fresh}
        for key, found in known.items():
            talk, partner = keys[key]
            target, body = found.source, event.body
            match body:
                case Message():
                    length = _named_length(plain(body.text), partner.name)
                    return self._said(event, talk, length), [found]
                case Edit():
                    length = _named_length(plain(body.text), partner.name) or _length_of_beginning(event)
                    text = without_beginning(body.text, length)
                    body = replace(body, target=target, text=text)
                case Redaction() | Reaction():
                    body = replace(body, target=target)
                case _:
                    return None
            return self._with_partner(replace(event, room=talk.room, body=body)), [found]
        return None

    def _named(self, event: Event, talks: Sequence[tuple[MatrixTalk, Partner]]) -> Event | None:
        """A message that begins with the name of somebody with whom its sender talks, or with that of their network
        too: `bob: hello`, `libera/bob: hello`. If several are called so, it is said to nobody, and that is told."""
        body, line = event.body, plain(event.text)
        if not isinstance(body, Message) or body.called:
            return None
        named = [
            (talk, length)
            for talk, partner in talks
            for name in {partner.name, f"{talk.other}/{partner.name}"}
            if (length := _named_length(line, name)) and not self._gate.is_meant_for_us(line, event, partner.name)
        ]
        if not named:
            return None
        said = self._said(event, *named[0])
        return said if len(named) == 1 else replace(said, mentioned=_NOBODY)


def _begins(gate: Gate, event: Event) -> tuple[MatrixTalk, Mentioned] | str | None:
    return gate.begins_talk(event.sender, plain(event.text)) if isinstance(event.body, Message) else None


def _refers(event: Event) -> str | None:
    """The id of what a private event is about, or answers."""
    match event.body:
        case Message(reply_to=key) | Edit(target=key) | Redaction(target=key) | Reaction(target=key):
            return key.id if key is not None else None
        case _:
            return None


def _in(outcome: Outcome, keys: Mapping[EventKey, object]) -> Iterator[tuple[EventKey, Known]]:
    """What is known of those of the `keys` that follow from an earlier event of the same batch."""
    for each in outcome.owed:
        if each.event.key in keys:
            yield each.event.key, outcome.known(each.event)


def _length_of_beginning(event: Event) -> int:
    """How many characters are before the words of a line that begins a talk; 0 if it does not."""
    wanted = beginning(plain(event.text))
    return wanted.length if wanted is not None else 0


def _named_length(line: str, name: str) -> int:
    """How many characters are before the words of a line that begins with `name:`; 0 if it does not, or has none."""
    head, colon, words = line.partition(":")
    is_named = colon and words.strip() and addressed(f"{head.strip()}:", (name,)) is not None
    return len(line) - len(words.lstrip()) if is_named else 0


def _read(text: str) -> Partner | None:
    try:
        match json.loads(text):
            case {"user": str(user), "name": str(name), "other": str(other)} if user and name:
                return Partner(user, name, other)
    except ValueError:
        pass
    return None


def _written(partner: Partner) -> str:
    fields = {"user": partner.user, "name": partner.name, "other": partner.other}
    return json.dumps(fields, separators=(",", ":"))
