"""What becomes of kicks and bans of people who are in a room by a face of their own (a puppet or a ghost).

The network of the room vouches that who does it may do it there. That they may do it to somebody on another network is
for the operator of the bridge to say: only what members of the link do is mirrored, and never to an admin.
"""

from dataclasses import replace

from bridge.lib.bucket import TokenBucket
from bridge.lib.lru import LruDict
from bridge.model.accounting import Cause
from bridge.model.event import Act, Moderation
from bridge.model.presentation import Moderated
from bridge.rules.case import Refusal, Told
from bridge.rules.link import Link
from bridge.users import Role, User

_MIRRORED = frozenset({Act.KICK, Act.BAN, Act.UNBAN})
_AT_ONCE, _PER_SECOND = 5, 1 / 30
_LINKS = 1000
_TOO_MANY = Refusal("too many were kicked or banned there at once", Told.NOTHING, Cause.NOT_WANTED, heard=False)


class Moderators:
    """How many kicks and bans are passed on in each link: five at once, two a minute. What a program gone wild does to
    all on one side reaches few on the other."""

    def __init__(self) -> None:
        self._budgets: LruDict[str, TokenBucket] = LruDict(_LINKS)

    def refusal(self, link: str, now: float) -> Refusal | None:
        """Why one more is not passed on in that link; None if it is. `now` is in seconds."""
        budget = self._budgets.get(link)
        if budget is None:
            budget = self._budgets[link] = TokenBucket(_AT_ONCE, _PER_SECOND)
        if not budget.has_token(now):
            return _TOO_MANY
        budget.spend(now)
        return None


def weighed(
    link: Link | None, user: User | None, body: Moderation, target: User | None, *, carries: bool
) -> Moderation:
    """`body` with who is meant, and whether it is mirrored; without its reason unless words of the moderator `user` are
    carried there. `target`: the user who is meant, None for a guest. Pure."""
    is_wanted = link is not None and link.rules.moderation is Moderated.MIRROR and link.rules.is_member(user)
    is_protected = target is not None and target.role is Role.ADMIN
    return replace(
        body,
        person=replace(body.person, user=target.name if target is not None else None),
        reason=body.reason if carries else "",
        identities=tuple(target.identities) if target is not None else body.person.proofs,
        mirrored=is_wanted and body.act in _MIRRORED and not is_protected,
    )
