"""A person in a room: says something, and changes it, answers and reacts, as people do who see the room."""

import random
from collections.abc import Callable, Iterator
from typing import Protocol

from bridge.model.event import Edit, EventKey, Media, Message, Reaction, Redaction, Room
from bridge.model.text import Text, words
from tests.simulation.speech import MOST_LINES, Act, Ours, Said, name_of

_SIGNS = ("+1", "ok")
_WITH_FILES = 0.35  # how likely what is said on Matrix is a picture, or several
_RECENT = 12  # entries of the server that somebody may still mean


class Server(Protocol):
    """Where people talk."""

    def entries(self) -> list[Said]: ...

    def say(self, room: Room, sender: str, act: Act, post: str = "") -> str: ...


class Person:
    """`changes`: edits and removes what they said, and takes reactions back. `by_hand`: where they note which message
    they correct by hand; None if they never do. `knows`: whether the bridge knows by which id its post arrived: before
    that, it does not understand what is about it."""

    def __init__(
        self,
        name: str,
        room: Room,
        server: Server,
        rng: random.Random,
        *,
        changes: bool,
        by_hand: dict[str, EventKey] | None,
        knows: Callable[[Said], bool],
    ) -> None:
        self._name, self._room, self._server, self._rng = name, room, server, rng
        self._changes = changes
        self._by_hand = by_hand if room.network == "libera" else None
        self._knows = knows
        self._number = 0
        self._own: dict[str, str] = {}
        """The words of what they said, by id."""
        self._files: dict[str, tuple[Media, ...]] = {}
        """The files of what they said, by id."""
        self._reacted: dict[tuple[str, str], tuple[str, str]] = {}
        """By message and sign, the id of the reaction, and of what it is about."""

    def speak(self, reply_to: EventKey | None = None) -> None:
        said = self._words(self._number, 0)
        text, media = self._put(said, ())
        self._number += 1
        entry = self._say(Message(text, reply_to=reply_to, media=media))
        self._own[entry], self._files[entry] = said, media

    def amend(self) -> None:
        verb = self._rng.choice(
            (self._edit, self._edit, self._correct, self._remove, self._react, self._react, self._reply)
        )
        verb()

    def _edit(self, target: str | None = None) -> None:
        if self._changes and self._own:
            target = target or self._rng.choice([*self._own][-3:])
            text, media = self._put(self._anew(target), self._files[target])
            self._files[target] = media
            self._say(Edit(EventKey(self._room, target), text, media=media))

    def _correct(self) -> None:
        """By hand: the last thing that they said."""
        if not self._changes or self._by_hand is None or not self._own:
            return
        target = [*self._own][-1]
        if not self._own[target].startswith(self._words(self._number - 1, 0)[:-2]):
            return  # the last one is removed: it would correct nothing
        old, new = self._own[target], self._anew(target)
        entry = self._say(Message(words(f"s/{old}/{new}/")))
        self._by_hand[entry] = EventKey(self._room, target)

    def _remove(self) -> None:
        if self._changes and self._own:
            target = self._rng.choice([*self._own][-3:])
            self._say(Redaction(EventKey(self._room, target)))
            if self._room.network == "home" and self._rng.random() < 0.3:  # on another device, which is late
                self._edit(target)
            del self._own[target]

    def _react(self) -> None:
        seen = self._seen()
        if not seen:
            return
        entry, sign = self._rng.choice(seen), self._rng.choice(_SIGNS)
        name = _named(entry)
        if (before := self._reacted.get((name, sign))) is None:
            about = EventKey(self._room, entry.id)
            self._reacted[name, sign] = (self._say(Reaction(about, sign)), entry.id)
        elif self._changes:
            reaction, target = before
            del self._reacted[name, sign]
            home = self._room.network == "home"
            about = EventKey(self._room, reaction if home else target)
            self._say(Redaction(about) if home else Reaction(about, sign, removed=True))

    def _reply(self) -> None:
        if seen := self._seen():
            self.speak(EventKey(self._room, self._rng.choice(seen).id))

    def _seen(self) -> list[Said]:
        """The last messages in the room that are not removed, and that the bridge knows of."""
        here = [said for said in self._server.entries()[-_RECENT * 4 :] if said.room == self._room]
        gone = {entry for said in here for entry in _removed(said)}
        messages = [said for said in here if _is_message(said) and not self._is_by_hand(said) and said.id not in gone]
        return [said for said in messages[-_RECENT:] if not said.post or self._knows(said)]

    def _is_by_hand(self, said: Said) -> bool:
        return self._by_hand is not None and said.id in self._by_hand

    def _put(self, said: str, before: tuple[Media, ...]) -> tuple[Text, tuple[Media, ...]]:
        """`said` in a line, in several, in too many, or as a caption of files, which may be those of `before`."""
        lot = self._rng.random() if self._room.network == "home" else 1.0
        if lot < _WITH_FILES:
            kept = before if before and self._rng.random() < 0.5 else tuple(self._new_files(said))
            return words(said if lot < _WITH_FILES / 2 or kept == before else ""), kept
        more = 1 if lot < 0.5 else MOST_LINES + 1 if lot < 0.7 else 0
        return words("\n".join(said.replace(";", f"{'+' * each};") for each in range(1 + more))), ()

    def _new_files(self, said: str) -> Iterator[Media]:
        """A picture, or a gallery."""
        for number in range(self._rng.choice((1, 1, 1, 3))):
            name = said.replace(";", f"{'+' * number};png")
            yield Media("image", name, 5, "image/png", f"mxc://hs/{name}")

    def _anew(self, target: str) -> str:
        number, version = self._own[target].strip(";").split(".")[2:]
        self._own[target] = self._words(int(number), int(version) + 1)
        return self._own[target]

    def _words(self, number: int, version: int) -> str:
        return f"{self._room.id.strip('#').removesuffix(':hs')}.{self._name}.{number}.{version};"

    def _say(self, act: Act) -> str:
        return self._server.say(self._room, self._name, act)


def _is_message(said: Said) -> bool:
    return isinstance(said.act, Message) or (isinstance(said.act, Ours) and said.act.verb == "say")


def _named(said: Said) -> str:
    return said.act.lines[0].message if isinstance(said.act, Ours) else name_of(said.key)


def _removed(said: Said) -> tuple[str, ...]:
    if isinstance(said.act, Redaction):
        return (said.act.target.id,)
    return said.act.ids if isinstance(said.act, Ours) and said.act.verb == "redact" else ()
