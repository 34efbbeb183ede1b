"""A member's own services account, through the real daemon: Synapse, InspIRCd with Anope."""

import stat
from pathlib import Path

import pytest

from bridge.demo.people import IrcPerson
from bridge.demo.servers import Synapse
from bridge.demo.servers.process import HOST
from tests.integration.daemon import quackbridge
from tests.integration.pond import Pond
from tests.integration.servers import Anope, unique
from tests.integration.test_own_nick import nick, with_puppets

pytestmark = pytest.mark.servers

PASSWORD = "hunter2-of-alice"


@pytest.fixture
async def pond(tmp_path: Path, synapse: Synapse, services: Anope) -> Pond:
    pond = Pond(tmp_path, synapse, services)
    await pond.dig()
    with_puppets(pond)
    return pond


async def test_a_member_gives_an_account_in_private_or_an_admin_does_and_the_password_is_nowhere(pond: Pond) -> None:
    account = unique("acct")
    await pond.services.register(account, PASSWORD)
    async with pond.people() as (alice, _), pond.daemon() as daemon:
        await daemon.ready()
        async with IrcPerson(HOST, pond.irc.port, unique("eve"), caps=("account-tag", "message-tags")) as eve:
            await eve.join(pond.channel)

            async def says(text: str) -> tuple[str, str]:
                await alice.send(pond.room, text)
                line = await eve.line(lambda line: line.command == "PRIVMSG" and line.params[-1] == text)
                return line.source, line.tags.get("account", "")

            async def has_quit(times: int) -> None:
                quits = [0]

                def seen(line: object) -> bool:
                    is_quit = getattr(line, "command", "") == "QUIT" and getattr(line, "source", "") == nick(pond)
                    quits[0] += is_quit
                    return quits[0] == times

                await eve.line(seen)

            assert await says("one") == (nick(pond), "")
            room = await alice.direct(pond.duck_id)
            await alice.send(room, f"irc-login {account} {PASSWORD}")
            await alice.heard(f"logs in as {account} from your next words on")
            await has_quit(1)
            assert await says("two") == (nick(pond), account)
            done = quackbridge(pond.folder, "set-irc-login", "alice", "irc", "--remove")
            assert done.returncode == 0, done.stderr
            await has_quit(2)
            assert await says("three") == (nick(pond), "")
            wrong = ("set-irc-login", "alice", "irc", account, "--password-stdin")
            assert quackbridge(pond.folder, *wrong, stdin="wrong-one\n").returncode == 0
            await has_quit(3)
            assert await says("four") == (nick(pond), "")
            told = await alice.heard("does not accept the password of your account")
            assert told.room == room
            await alice.send(pond.room, f"irc-login {account} {PASSWORD}")
            await alice.send(pond.room, "five")
            await eve.heard("five")
            assert not any(PASSWORD in heard.text for heard in eve.messages)
        assert not any(word in str(line) for line in daemon.log for word in (PASSWORD, "wrong-one"))
    files = [path for path in pond.folder.rglob("*") if path.is_file()]
    assert any(path.name == "irc-logins.key" and stat.S_IMODE(path.stat().st_mode) == 0o600 for path in files)
    for path in files:
        content = path.read_bytes()
        assert PASSWORD.encode() not in content, path
        assert b"wrong-one" not in content, path
