"""The desk's command by which members give the bridge a services account of their own on IRC."""

import asyncio
from collections.abc import Sequence

from bridge.admin import irc_logins
from bridge.admin.desk.counter import by, unsafe
from bridge.config import Config, private_networks
from bridge.model.people import Sender
from bridge.rules.gate import Gate
from bridge.users import User, Users, UsersError

_OFF = "off"


class IrcLogins:
    """See `Counter`. A reload replaces `config`."""

    def __init__(self, config: Config, users: Users, gate: Gate) -> None:
        self.config = config
        self._users = users
        self._gate = gate

    async def irc_login(self, asker: Sender, rest: str) -> str:
        """irc-login [NETWORK] ACCOUNT PASSWORD: let your own nick on IRC log in to your services account there;
        `irc-login [NETWORK] off` forgets it."""
        user = self._gate.who(asker)
        if user is None:
            return "That is for users; you are a guest here. Say `help`"
        if asker.network not in private_networks(self.config):
            return unsafe(asker)
        try:
            return await self._done(user, asker, rest.split())
        except UsersError as error:
            return f"{str(error)[0].upper()}{str(error)[1:]}."

    async def _done(self, user: User, asker: Sender, words: Sequence[str]) -> str:
        networks, users = irc_logins.networks(self.config), self._users.acting(by(user, asker))
        if not words:
            return f"{_known(user)} {_usage(networks)}"
        network, words = _network(words, networks)
        if [word.lower() for word in words] == [_OFF]:
            network = network or (user.logins[0].network if len(user.logins) == 1 else None)
            if network is None:
                return f"{_known(user)} {_usage(networks)}"
            await asyncio.to_thread(users.set_irc_login, user.name, network, None)
            await asyncio.to_thread(self._users.refresh)
            return f"I have forgotten your account on {network}. Your nick there goes on without it."
        if network is None or len(words) != 2:
            return _usage(networks)
        account, password = words
        await asyncio.to_thread(irc_logins.keep, users, self.config, user.name, network, account, password)
        await asyncio.to_thread(self._users.refresh)
        return f"Your nick on {network} logs in as {account} from your next words on. I tell you if that fails."


def _network(words: Sequence[str], networks: Sequence[str]) -> tuple[str | None, Sequence[str]]:
    """The network that is meant, None if that is not clear, and what follows its name."""
    if len(words) == 3 or (len(words) == 2 and words[1].lower() == _OFF):
        return (words[0] if words[0] in networks or len(words) == 2 else None), words[1:]
    return (networks[0] if len(networks) == 1 else None), words


def _known(user: User) -> str:
    accounts = ", ".join(f"{each.account} on {each.network}" for each in user.logins)
    return f"Your nick logs in as {accounts}." if accounts else "I know no account of yours on IRC."


def _usage(networks: Sequence[str]) -> str:
    if not networks:
        return "Nobody has a nick of their own on IRC here."
    if len(networks) == 1:
        return "Say: irc-login ACCOUNT PASSWORD, or: irc-login off"
    return f"Say: irc-login NETWORK ACCOUNT PASSWORD, or: irc-login NETWORK off. Networks: {', '.join(networks)}"
