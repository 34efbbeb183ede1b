"""An in-memory snapshot of the users, to look up who a sender is."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from copy import copy

from bridge.model.casemap import Casemapping
from bridge.model.patterns import is_pattern
from bridge.model.people import Identity, Proof, Sender
from bridge.users.contract import User, UsersError
from bridge.users.identities import same, same_name
from bridge.users.masks import Masks


class Index:
    """Immutable snapshot of the users: safe to use while a new one replaces it.

    Raises UsersError if two users have the same name or identity. `before` is the snapshot that it replaces: the lookup
    tables used there are built at once, so that the first lookup need not wait for them.
    """

    def __init__(self, users: Iterable[User], before: "Index | None" = None) -> None:
        self._names: dict[str, User] = {}
        self._owners: dict[Identity, User] = {}
        for user in users:
            self._put(user)
        self._settle(before)

    def changed(self, before: Iterable[User], after: Iterable[User]) -> "Index":
        """The next snapshot: without the users `before` (all must be in this one), with `after`. Raises UsersError."""
        index = copy(self)
        index._names = dict(self._names)
        index._owners = dict(self._owners)
        for user in before:
            del index._names[same_name(user.name)]
            for identity in user.identities:
                index._owners.pop(same(identity), None)
        for user in after:
            index._put(user)
        index._settle(self)
        return index

    def identify(self, sender: Sender) -> User | None:
        """The user that the sender's proofs name; the first proof that names one counts."""
        for proof in sender.proofs:
            if (user := self._known(proof, sender.casemapping)) is not None:
                return user
        return None

    def find(self, name: str) -> User | None:
        """The user of that name, in any letter case."""
        return self._names.get(same_name(name))

    def user(self, name: str) -> User:
        """The user of that name. Raises UsersError if there is none."""
        if (user := self.find(name)) is None:
            raise UsersError(f"there is no user {name!r}{self._whose(name)}")
        return user

    def _whose(self, name: str) -> str:
        """What to write instead of `name`, if that is not a name but an identity."""
        if not is_pattern(name):
            return ""
        held = [user.name for user in self.users if any(str(one) == name for one in user.identities)]
        return f": that is an identity of {held[0]}; give the user's name" if held else ": give a user's name"

    def holds(self, identity: Identity) -> bool:
        """Whether a user holds `identity`, or one that may be the same."""
        return same(identity) in self._owners

    def _put(self, user: User) -> None:
        key = same_name(user.name)
        if (known := self._names.get(key)) is not None:
            raise UsersError(f"there is a user {known.name!r} already")
        for identity in user.identities:
            owner = self._owners.setdefault(same(identity), user)
            if owner is not user:
                raise UsersError(f"{identity} belongs to {owner.name} already; unlink it there first")
        self._names[key] = user

    def _settle(self, before: "Index | None") -> None:
        self.users: Sequence[User] = tuple(user for _, user in sorted(self._names.items()))
        asked = (before._accounts, before._masks) if before else ({}, {})
        self._accounts: dict[tuple[str, Casemapping], Mapping[str, User]] = {}
        self._masks: dict[tuple[str, Casemapping], Masks] = {}
        for key in [*asked[0]]:
            self._accounts_of(*key)
        for key in [*asked[1]]:
            self._masks_of(*key)

    def _known(self, proof: Identity, casemapping: Casemapping) -> User | None:
        match proof.kind:
            case Proof.MATRIX:
                return self._owners.get(proof)
            case Proof.IRC:
                return self._accounts_of(proof.network, casemapping).get(casemapping.fold(proof.value))
            case Proof.IRC_MASK:
                return self._masks_of(proof.network, casemapping).find(casemapping.fold(proof.value))

    def _accounts_of(self, network: str, casemapping: Casemapping) -> Mapping[str, User]:
        key = (network, casemapping)
        if key not in self._accounts:
            self._accounts[key] = dict(self._held(Proof.IRC, *key))
        return self._accounts[key]

    def _masks_of(self, network: str, casemapping: Casemapping) -> Masks:
        key = (network, casemapping)
        if key not in self._masks:
            self._masks[key] = Masks(self._held(Proof.IRC_MASK, *key))
        return self._masks[key]

    def _held(self, kind: Proof, network: str, casemapping: Casemapping) -> Iterator[tuple[str, User]]:
        for user in self.users:
            for identity in user.identities:
                if identity.kind is kind and identity.network == network:
                    yield casemapping.fold(identity.value), user
