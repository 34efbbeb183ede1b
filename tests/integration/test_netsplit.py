"""Two linked InspIRCd servers that lose each other: a person who takes over a nick is not its former holder."""

from collections.abc import Sequence
from pathlib import Path

import pytest

from bridge.demo.people import IrcPerson
from bridge.demo.servers import InspIRCd
from bridge.demo.servers.process import HOST, free_port
from bridge.model.event import Change, Membership
from bridge.model.text import plain
from tests.integration.irc import TAGS, ours
from tests.integration.servers import unique

pytestmark = pytest.mark.servers


def _link(mine: int, other: str, port: int) -> str:
    return (
        f'<module name="spanningtree"><bind address="{HOST}" port="{mine}" type="servers">'
        f'<link name="{other}" ipaddr="{HOST}" port="{port}" allowmask="*" recvpass="pw" sendpass="pw">'
    )


def _pair(folder: Path) -> Sequence[InspIRCd]:
    here, there = free_port(), free_port()
    return (
        InspIRCd(folder / "here", name="here.test", extra=_link(here, "there.test", there)),
        InspIRCd(folder / "there", name="there.test", sid="001", extra=_link(there, "here.test", here)),
    )


async def test_a_nick_that_is_taken_over_during_a_netsplit_has_no_proof_and_another_connection(tmp_path: Path) -> None:
    """No message comes twice or out of order, and a person who comes back has another connection than before."""
    here, there = _pair(tmp_path)
    async with here, there, ours(here) as us, IrcPerson(HOST, here.port, unique("op"), caps=TAGS) as op:
        await op.ask("OPER root root", lambda line: line.command == "381")
        await op.join(us.room.id)
        name = unique("alice")
        await op.raw("CONNECT there.test")
        async with IrcPerson(HOST, there.port, name, caps=TAGS) as alice:
            await alice.join(us.room.id)
            await op.line(lambda line: line.command == "JOIN" and line.source == name)
            await alice.say(us.room.id, "before")
            before = await us.hears("before")
            await op.raw("SQUIT there.test :split")
            await op.line(lambda line: line.command == "QUIT" and line.source == name)
            async with IrcPerson(HOST, here.port, name, caps=TAGS) as mallory:
                await mallory.join(us.room.id)
                await mallory.say(us.room.id, "meanwhile")
                spoof = await us.hears("meanwhile")
                start = len(op.lines)
            await op.line(lambda line: line.command == "QUIT" and line.source == name, start)
            assert spoof.sender.connection != before.sender.connection
            assert spoof.sender.proofs == ()
            start = len(op.lines)
            await op.raw("CONNECT there.test")
            await op.line(lambda line: line.command == "JOIN" and line.source == name, start)
            await alice.say(us.room.id, "after")
            after = await us.hears("after")
            assert after.sender.connection not in (before.sender.connection, spoof.sender.connection)
        changes = [each.body for each in us.events if isinstance(each.body, Membership)]
        lost = [each for each in changes if each.change is Change.LEFT]
        assert lost[0].detail == "netsplit"
        assert [plain(each.text) for each in us.heard] == ["before", "meanwhile", "after"]
