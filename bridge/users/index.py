"""One state of the user database in memory, ready to be asked who somebody is."""

from collections.abc import Iterable, Iterator, Mapping, Sequence

from bridge.casemap import Casemapping
from bridge.model import Identity, Proof, Sender
from bridge.users.contract import User, UsersError
from bridge.users.identities import matches, same, same_name


class Index:
    """`users`, by name. What it answers never changes, so whoever holds one may use it while another takes its place.

    UsersError where two users have the same name or identity.
    """

    def __init__(self, users: Iterable[User]) -> None:
        self.users: Sequence[User] = tuple(sorted(users, key=lambda user: same_name(user.name)))
        self._names: dict[str, User] = {}
        self._owners: dict[Identity, User] = {}
        for user in self.users:
            self.check_name_free(user.name)
            self._names[same_name(user.name)] = user
            for identity in user.identities:
                self.check_free(identity, user.name)
                self._owners[same(identity)] = user
        self._accounts: dict[tuple[str, Casemapping], Mapping[str, User]] = {}
        self._masks: dict[tuple[str, Casemapping], Sequence[tuple[str, User]]] = {}

    def identify(self, sender: Sender) -> User | None:
        """The user whom the first proof names that names any."""
        for proof in sender.proofs:
            if (user := self._known(proof, sender.casemapping)) is not None:
                return user
        return None

    def user(self, name: str) -> User:
        """UsersError where there is no such user."""
        if (user := self._names.get(same_name(name))) is None:
            raise UsersError(f"there is no user {name!r}")
        return user

    def check_name_free(self, name: str) -> None:
        """UsersError where somebody is called so."""
        if (known := self._names.get(same_name(name))) is not None:
            raise UsersError(f"there is a user {known.name!r} already")

    def check_free(self, identity: Identity, name: str) -> bool:
        """Whether nobody has `identity`; False where `name` has it already, UsersError where somebody else does."""
        owner = self._owners.get(same(identity))
        if owner is not None and same_name(owner.name) != same_name(name):
            raise UsersError(f"{identity} belongs to {owner.name} already; unlink it there first")
        return owner is None

    def _known(self, proof: Identity, casemapping: Casemapping) -> User | None:
        match proof.kind:
            case Proof.MATRIX:
                return self._owners.get(proof)
            case Proof.IRC:
                return self._accounts_of(proof.network, casemapping).get(casemapping.fold(proof.value))
            case Proof.IRC_MASK:
                real = casemapping.fold(proof.value)
                masks = self._masks_of(proof.network, casemapping)
                return next((user for mask, user in masks if matches(mask, real)), None)

    def _accounts_of(self, network: str, casemapping: Casemapping) -> Mapping[str, User]:
        key = (network, casemapping)
        if key not in self._accounts:
            self._accounts[key] = dict(self._held(Proof.IRC, *key))
        return self._accounts[key]

    def _masks_of(self, network: str, casemapping: Casemapping) -> Sequence[tuple[str, User]]:
        key = (network, casemapping)
        if key not in self._masks:
            self._masks[key] = [*self._held(Proof.IRC_MASK, *key)]
        return self._masks[key]

    def _held(self, kind: Proof, network: str, casemapping: Casemapping) -> Iterator[tuple[str, User]]:
        for user in self.users:
            for identity in user.identities:
                if identity.kind is kind and identity.network == network:
                    yield casemapping.fold(identity.value), user
