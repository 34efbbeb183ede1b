"""The user database in memory, with the rules of the real one."""

from collections.abc import Sequence
from dataclasses import replace

from bridge.model.patterns import is_pattern
from bridge.model.people import Identity, Proof, Sender
from bridge.users import IrcLogin, MembershipRequest, Role, Sanction, Standing, User, UsersError
from bridge.users.identities import checked, distinct, new_name, same, same_name
from bridge.users.masks import Masks
from bridge.users.requests import Requests
from bridge.users.sanctions import Sanctions, checked_target


class MemoryUsers:
    """A dictionary of users, and what is done about them."""

    def __init__(self) -> None:
        self._users: dict[str, User] = {}
        self._sanctions = Sanctions()
        self._requests = Requests()

    def acting(self, by: str) -> "MemoryUsers":
        return self

    def identify(self, sender: Sender) -> User | None:
        return next((user for proof in sender.proofs for user in self.list() if _holds(user, proof, sender)), None)

    def list(self) -> Sequence[User]:
        return [self._users[name] for name in sorted(self._users)]

    def find(self, name: str) -> User | None:
        return self._users.get(same_name(name))

    def get(self, name: str) -> User:
        if same_name(name) not in self._users:
            raise UsersError(f"there is no user {name!r}")
        return self._users[same_name(name)]

    def add(self, *users: User) -> None:
        for user in users:
            if same_name(user.name) in self._users:
                raise UsersError(f"there is a user {self.get(user.name).name!r} already")
        self.put(*users)

    def put(self, *users: User) -> None:
        before = dict(self._users)
        try:
            for name in [same_name(new_name(user.name)) for user in users]:
                self._users.pop(name, None)
            for user in users:
                sound = replace(user, identities=distinct(map(checked, user.identities)))
                for identity in sound.identities:
                    self._check_free(identity, sound)
                if same_name(user.name) in self._users:
                    raise UsersError(f"there is a user {user.name!r} already")
                self._put(sound)
            self._requests = self._requests.without_users(self._holds)
        except UsersError:
            self._users = before
            raise

    def remove(self, name: str) -> None:
        user = self.get(name)
        self._sanctions = self._sanctions.without(self._sanctions.about(user.name))
        del self._users[same_name(user.name)]

    def set_role(self, name: str, role: Role) -> None:
        self._put(replace(self.get(name), role=role))

    def set_puppet(self, name: str, *, on: bool) -> None:
        self._put(replace(self.get(name), puppet=on))

    def set_irc_login(self, name: str, network: str, login: IrcLogin | None) -> None:
        user = self.get(name)
        if login is None and user.login(network) is None:
            raise UsersError(f"{user.name} has no account on {network}")
        others = tuple(each for each in user.logins if each.network != network)
        self._put(replace(user, logins=(*others, *filter(None, [login]))))

    def set_password(self, name: str, password: str | None) -> None:
        self._put(replace(self.get(name), password=password))

    def link_identity(self, name: str, *identities: Identity) -> None:
        user = self.get(name)
        for identity in identities:
            self._check_free(checked(identity), user)
        self._put(replace(user, identities=distinct((*user.identities, *identities))))
        self._requests = self._requests.without_users(self._holds)

    def unlink_identity(self, name: str, *identities: Identity) -> None:
        left = self.get(name).identities
        for identity in identities:
            before, left = left, tuple(one for one in left if same(one) != same(identity))
            if left == before:
                raise UsersError(f"{name} has no identity {identity}")
        self._put(replace(self.get(name), identities=left))

    def sanctions(self) -> Sequence[Sanction]:
        return self._sanctions.all

    def sanctioned(self, sender: Sender, user: User | None, link: str | None, now: float) -> Sanction | None:
        return self._sanctions.on(sender, user, link, now)

    def sanction(self, sanction: Sanction) -> None:
        target = checked_target(sanction.target)
        name = target if is_pattern(target) else self.get(target).name
        self._sanctions = self._sanctions.with_(replace(sanction, target=name), sanction.since)

    def lift(self, target: str, link: str | None) -> Sequence[Sanction]:
        lifted = [each for each in self._sanctions.about(target) if each.link == link]
        if not lifted:
            where = f"in {link}" if link else "in all links"
            raise UsersError(f"{target} isn't muted or banned {where}; `sanctions` lists who is, and where")
        self._sanctions = self._sanctions.without(lifted)
        return lifted

    def rename_network(self, old: str, new: str) -> int:
        before, moved = dict(self._users), 0
        for user in self.list():
            theirs = tuple(replace(one, network=new) if one.network == old else one for one in user.identities)
            logins = tuple(replace(one, network=new) if one.network == old else one for one in user.logins)
            moved += sum(one.network == old for one in user.identities) + (user.login(old) is not None)
            try:
                for identity in theirs:
                    self._check_free(identity, user)
            except UsersError:
                self._users = before
                raise
            self._put(replace(user, identities=distinct(theirs), logins=logins))
        sanctions = self._sanctions.on_network(old, new)
        requests = self._requests.on_network(old, new)
        moved += sum(each not in self._sanctions.all for each in sanctions.all)
        moved += sum(each not in self._requests.all for each in requests.all)
        self._sanctions, self._requests = sanctions, requests
        return moved

    def requests(self) -> Sequence[MembershipRequest]:
        return self._requests.all

    def ask(self, request: MembershipRequest) -> MembershipRequest:
        if self._holds(checked(request.identity)):
            raise UsersError(f"{request.identity} belongs to a user already")
        self._requests, made = self._requests.with_(request, self.find)
        return made

    def approve(self, request: str, name: str, now: float) -> MembershipRequest:
        found = self._requests.named(request, now)
        after = self._requests.decided(request, Standing.APPROVED, now, name)
        self.add(User(name, identities=(found.identity,)))
        self._requests = after
        return found

    def approve_as(self, request: str, name: str, now: float) -> MembershipRequest:
        found = self._requests.named(request, now)
        after = self._requests.decided(request, Standing.APPROVED, now, self.get(name).name)
        self.link_identity(name, found.identity)
        self._requests = after
        return found

    def deny(self, request: str, now: float) -> MembershipRequest:
        found = self._requests.named(request, now)
        self._requests = self._requests.decided(request, Standing.DENIED, now)
        return found

    def _holds(self, identity: Identity) -> bool:
        return any(same(identity) == same(one) for user in self.list() for one in user.identities)

    def refresh(self) -> bool:
        return False

    def _put(self, user: User) -> None:
        self._users[same_name(user.name)] = user

    def _check_free(self, identity: Identity, user: User) -> None:
        owners = [one for one in self.list() if same(identity) in map(same, one.identities)]
        if any(owner.name != user.name for owner in owners):
            raise UsersError(f"{identity} belongs to {owners[0].name} already")


def _holds(user: User, proof: Identity, sender: Sender) -> bool:
    fold = sender.casemapping.fold
    for one in user.identities:
        if (one.kind, one.network) != (proof.kind, proof.network):
            continue
        if one == proof or (one.kind is Proof.IRC and fold(one.value) == fold(proof.value)):
            return True
        if one.kind is Proof.IRC_MASK and Masks([(fold(one.value), user)]).find(fold(proof.value)):
            return True
    return False
