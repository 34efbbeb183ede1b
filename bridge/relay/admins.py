"""Reaches the admins of the bridge, and other users, in private without being asked: by Matrix ids, on one network."""

from collections.abc import Iterator

from bridge.model.event import Room
from bridge.model.outbox import Addressed
from bridge.model.people import Proof
from bridge.network import News
from bridge.relay.notices import Notices
from bridge.users import Role, User, Users
from bridge.users.identities import same_name


class Admins:
    """`network` is the one on which Matrix ids are reached (None: there is none); a reload replaces it. Who has no
    Matrix id, such as an admin on IRC, cannot be reached at any time."""

    def __init__(self, users: Users, notices: Notices) -> None:
        self._users = users
        self._notices = notices
        self.network: str | None = None

    def reached(self) -> Iterator[tuple[User, Room]]:
        """The admins, and where each is told something in private."""
        for user in self._users.list():
            if user.role is Role.ADMIN and (room := self._room(user)) is not None:
                yield user, room

    def _room(self, user: User) -> Room | None:
        """Where a user is told something in private; None if they cannot be reached at any time."""
        ids = (one.value for one in user.identities if one.kind is Proof.MATRIX)
        matrix_id = next(ids, None)
        return Room(self.network, matrix_id) if self.network is not None and matrix_id is not None else None

    def tell(self, network: str, news: News) -> Iterator[Addressed]:
        """`news` of a network, for each admin, or for its user. The outbox knows by its id whom it was told already."""
        if news.user is not None:
            user = self._users.find(news.user)
            if user is not None and (room := self._room(user)) is not None:
                yield self._notices.tell(room, f"news {network} {same_name(user.name)} {news.id}", news.text)
            return
        for user, room in self.reached():
            yield self._notices.tell(room, f"news {network} {same_name(user.name)} {news.id}", news.text)
