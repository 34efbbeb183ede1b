"""Members whose own nick logs in to a services account of theirs: InspIRCd with Anope."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import pytest

from bridge.demo.people import IrcPerson
from bridge.demo.servers.process import HOST
from bridge.irc.puppets.logins import Accounts
from bridge.model.people import Sender
from bridge.network import Memory
from tests.fakes.memory import Notebook
from tests.integration.irc import PATIENCE, Log, Ours, ours
from tests.integration.puppets import Allowlist, member, says
from tests.integration.servers import Anope, unique

pytestmark = pytest.mark.servers

PASSWORD = "hunter2"


class Given:
    """The accounts that members have given us, by their names; each change is another version."""

    def __init__(self, **accounts: tuple[str, str]) -> None:
        self.accounts = accounts

    def version(self, user: str) -> str:
        return "/".join(self.accounts.get(user, ()))

    def opened(self, user: str) -> tuple[str, str] | None:
        return self.accounts.get(user)


@asynccontextmanager
async def pond(
    services: Anope, accounts: Accounts, *, memory: Memory | None = None, **changes: object
) -> AsyncGenerator[tuple[Ours, IrcPerson], None]:
    """Our adapter and bob, who sees the accounts of those who speak."""
    async with IrcPerson(HOST, services.irc.port, unique("bob"), caps=("account-tag", "message-tags")) as bob:
        channel = f"#{unique('pond')}"
        await bob.join(channel)
        puppets = {"connect_every": "off"}
        async with ours(
            services.irc,
            channel=channel,
            members=Allowlist(),
            puppets=puppets,
            accounts=accounts,
            memory=memory,
            **changes,  # type: ignore[arg-type]
        ) as us:
            yield us, bob


async def account_of(bob: IrcPerson, us: Ours, who: Sender, text: str) -> tuple[str, str]:
    """The nick and the account by which a member says something."""
    await says(us, who, text)
    line = await bob.line(lambda line: line.command == "PRIVMSG" and line.params[-1] == text)
    return line.source, line.tags.get("account", "")


async def test_a_puppet_logs_in_to_its_owners_account_before_it_says_anything(services: Anope) -> None:
    ann = member(unique("ann"))
    await services.register(str(ann.user), PASSWORD)
    async with pond(services, Given(**{str(ann.user): (str(ann.user), PASSWORD)})) as (us, bob):
        assert await account_of(bob, us, ann, "one") == (ann.user, ann.user)
        assert await account_of(bob, us, ann, "two") == (ann.user, ann.user)
        assert us.news == []


async def test_a_registered_nick_of_somebody_else_is_left_for_that_of_the_account(services: Anope, log: Log) -> None:
    """Services complain of a nick that is not that of the account: the next one is it."""
    ann, account = member(unique("ann")), unique("annes")
    await services.register(str(ann.user), "of somebody else".replace(" ", ""))
    await services.register(account, PASSWORD)
    async with pond(services, Given(**{str(ann.user): (account, PASSWORD)})) as (us, bob):
        await says(us, ann, "one")
        await log.shows("puppet_renamed")
        assert await account_of(bob, us, ann, "two") == (account, account)


async def test_a_wrong_password_is_told_to_its_owner_once_and_not_tried_again(services: Anope, log: Log) -> None:
    ann, memory = member(unique("ann")), Notebook()
    account = unique("annes")
    await services.register(account, PASSWORD)
    given = Given(**{str(ann.user): (account, "wrong1")})
    for run in range(2):
        async with pond(services, given, memory=memory) as (us, bob):
            assert await account_of(bob, us, ann, "one") == (ann.user, "")
            if run == 0:
                news = await us.is_told("does not accept the password")
                assert (news.user, "wrong1" in news.text) == (ann.user, False)
                while not any("puppet-login" in key for key in memory.kept):  # noqa: ASYNC110
                    await asyncio.sleep(0.05)
            else:
                assert us.news == []
    assert len(log.of("puppet_not_logged_in")) == 1


async def test_a_new_login_is_used_from_the_next_words_on(services: Anope) -> None:
    ann, given = member(unique("ann")), Given()
    account = unique("annes")
    await services.register(account, PASSWORD)
    async with pond(services, given) as (us, bob):
        assert await account_of(bob, us, ann, "one") == (ann.user, "")
        given.accounts[str(ann.user)] = (account, PASSWORD)
        await bob.line(lambda line: line.command == "QUIT" and line.source == ann.user)
        assert await account_of(bob, us, ann, "two") == (ann.user, account)
        del given.accounts[str(ann.user)]
        async with asyncio.timeout(PATIENCE):
            while sum(line.command == "QUIT" and line.source == ann.user for line in bob.lines) < 2:  # noqa: ASYNC110
                await asyncio.sleep(0.05)
        assert await account_of(bob, us, ann, "three") == (ann.user, "")


async def test_where_there_is_no_sasl_services_that_the_server_knows_are_told_the_password(
    services: Anope, log: Log, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bridge.irc.puppets.logins.Login.wants", lambda *_: False)
    ann = member(unique("ann"))
    await services.register(str(ann.user), PASSWORD)
    async with pond(services, Given(**{str(ann.user): (str(ann.user), PASSWORD)})) as (us, bob):
        await says(us, ann, "one")
        await log.shows("puppet_logged_in")
        assert await account_of(bob, us, ann, "two") == (ann.user, ann.user)


async def test_where_there_are_no_services_somebody_called_like_them_gets_nothing(
    inspircd: object, services: Anope
) -> None:
    ann = member(unique("ann"))
    from bridge.demo.servers import InspIRCd

    assert isinstance(inspircd, InspIRCd)
    given = Given(**{str(ann.user): (str(ann.user), PASSWORD)})
    async with IrcPerson(HOST, inspircd.port, "NickServ") as eve, IrcPerson(HOST, inspircd.port, unique("bob")) as bob:
        channel = f"#{unique('pond')}"
        await bob.join(channel)
        async with ours(
            inspircd, channel=channel, members=Allowlist(), accounts=given, puppets={"connect_every": "off"}
        ) as us:
            await says(us, ann, "one")
            assert (await bob.heard("one")).sender == ann.user
            await says(us, ann, "two")
            await eve.ping()
            assert eve.messages == []
