"""The face of who speaks: who it is, and what their ghost says of a post instead of the bridge's own account. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from html import escape
from typing import Self

from bridge.matrix.dialect.fields import Json, number, values, word
from bridge.matrix.dialect.ghost_ids import escaped, unescaped
from bridge.matrix.dialect.lines import encodable
from bridge.matrix.dialect.profile import PROFILE
from bridge.model.attribution import shown_as
from bridge.model.casemap import Casemapping
from bridge.model.people import Proof, Sender, owner_key
from bridge.model.text import printable

_BREAK = "<br>"
_NAME = 200
"""Most characters of a ghost's name."""

Head = tuple[str, str, int]
"""What lines begin with, in plain text and in HTML, and how many do."""


@dataclass(frozen=True, slots=True)
class Face:
    """Who on IRC speaks, frozen in the payload. `name`: their services account, folded and escaped as in an id; if they
    have none, `owner` is not '', and `name` their nick: `owner` is a digest of user and host, by which they are known
    when they come back. `shown`: what they are called.

    `heads`: what the lines begin with; a ghost leaves it out. `at`: when it was said, in milliseconds since the epoch;
    `late`: clients show that it was. `acts`: it is a /me. `or_mark`: where the ghost was removed, the bridge's own
    account may speak for it. `nick`: theirs, folded; `mask`: their `nick!user@host`, '' if it was not shown; `member`:
    their name in the allowlist, '' if they are no member."""

    network: str
    name: str
    owner: str
    shown: str
    heads: tuple[Head, ...] = ()
    at: int = 0
    late: bool = False
    acts: bool = False
    or_mark: bool = False
    nick: str = ""
    member: str = ""
    mask: str = ""

    @property
    def account(self) -> str:
        """Their services account, folded; '' if they have none."""
        return "" if self.owner else unescaped(self.name)

    @classmethod
    def of(cls, sender: Sender) -> Self | None:
        """The face of `sender`. None if they are not on IRC, or not to be known again: they have neither an account nor
        a host that we see."""
        if sender.casemapping is Casemapping.EXACT or sender.bot:
            return None
        fold, member = sender.casemapping.fold, sender.user or ""
        shown = encodable(printable(shown_as(sender)))[:_NAME].strip()
        if not shown:
            return None
        nick, member = fold(sender.address), "" if sender.is_guest else sender.user or ""
        for proof in sender.proofs:
            if proof.kind is Proof.IRC and proof.network == sender.network:
                name, owner = escaped(fold(proof.value)), ""
                return cls(sender.network, name, owner, shown, nick=nick, member=member, mask=sender.mask)
        owner = owner_key(sender.network, sender.mask)
        if not owner:
            return None
        return cls(sender.network, escaped(nick), owner, shown, nick=nick, member=member, mask=sender.mask)

    def encode(self) -> dict[str, object]:
        fields: dict[str, object] = {"network": self.network, "name": self.name, "shown": self.shown}
        more = {"owner": self.owner, "heads": self.heads, "at": self.at, "late": self.late}
        more |= {
            "acts": self.acts,
            "or_mark": self.or_mark,
            "nick": self.nick,
            "member": self.member,
            "mask": self.mask,
        }
        return fields | {key: value for key, value in more.items() if value}

    @classmethod
    def decode(cls, fields: Json) -> Self | None:
        """What `encode` gave; None for anything else."""
        network, name, owner, shown = (word(fields, key) for key in ("network", "name", "owner", "shown"))
        if not (network and name and shown):
            return None
        heads: list[Head] = []
        for head in values(fields, "heads"):
            match head:
                case [str(body), str(html), int(lines)]:
                    heads.append((body, html, lines))
        late, acts, or_mark = (fields.get(key) is True for key in ("late", "acts", "or_mark"))
        nick, member, mask = (word(fields, key) for key in ("nick", "member", "mask"))
        at = number(fields, "at") or 0
        return cls(network, name, owner, shown, tuple(heads), at, late, acts, or_mark, nick, member, mask)

    def with_heads(self, *heads: Head) -> Self:
        return replace(self, heads=heads)


def own_words(content: Mapping[str, object], face: Face) -> dict[str, object]:
    """`content` as a ghost says it: without mark, time and profile."""
    said = {key: value for key, value in content.items() if key not in (PROFILE, "format", "formatted_body")}
    heads = [head for head in face.heads for _ in range(head[2])]
    bodies = _without([body for body, _, _ in heads], word(content, "body").split("\n"))
    said["body"] = "\n".join(bodies)
    if "formatted_body" in content:
        markup = _without([html for _, html, _ in heads], word(content, "formatted_body").split(_BREAK))
        if markup != [escape(line) for line in bodies]:
            said |= {"format": content.get("format"), "formatted_body": _BREAK.join(markup)}
    if face.acts and content.get("msgtype") == "m.text":
        said["msgtype"] = "m.emote"
    return said


def _without(heads: list[str], lines: list[str]) -> list[str]:
    """The lines without what each begins with."""
    heads += [""] * (len(lines) - len(heads))
    return [line.removeprefix(head) for head, line in zip(heads, lines, strict=False)]
