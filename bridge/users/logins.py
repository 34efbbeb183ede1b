"""The services accounts of members on one IRC network, for their puppets."""

from hashlib import blake2b

from bridge.users.contract import IrcLogin, Users, UsersError
from bridge.users.vault import Vault


class Logins:
    """See `bridge.irc.puppets.logins.Accounts`."""

    def __init__(self, users: Users, vault: Vault, network: str) -> None:
        self._users = users
        self._vault = vault
        self._network = network

    def version(self, user: str) -> str:
        """A code that changes when the login of `user` does; '' if they have none. From memory."""
        login = self._of(user)
        return "" if login is None else blake2b(login.sealed.encode(), digest_size=8).hexdigest()

    def opened(self, user: str) -> tuple[str, str] | None:
        """The account of `user` and its password; None if they have none. Reads a file. Raises ValueError."""
        login = self._of(user)
        if login is None:
            return None
        try:
            return login.account, self._vault.open(user, login.account, login.sealed)
        except UsersError as error:
            raise ValueError(str(error)) from error

    def _of(self, user: str) -> IrcLogin | None:
        found = self._users.find(user)
        return None if found is None else found.login(self._network)
