"""Who is in our channel, as real servers tell it: InspIRCd with all of IRCv3 for that, ngIRCd with none."""

from pathlib import Path

import pytest

from bridge.demo.people import IrcPerson
from bridge.demo.servers import InspIRCd
from bridge.demo.servers.process import HOST
from bridge.irc.hearing.people import People
from bridge.irc.hearing.person import Person
from tests.integration.irc import TAGS, Ours, ours, person
from tests.integration.servers import Anope, NgIrcd, unique

pytestmark = pytest.mark.servers


def known(us: Ours) -> People:
    connection = us.network._connection
    assert connection is not None
    return connection.session._state.people


def found(us: Ours, nick: str) -> Person:
    there = known(us).find(nick)
    assert there is not None
    return there


async def test_people_who_were_there_before_us_are_known_by_names_and_who(inspircd: InspIRCd) -> None:
    async with person(inspircd) as op, person(inspircd) as bob:
        channel = f"#{op.nick}"
        await op.join(channel)
        await bob.join(channel)
        await op.raw(f"MODE {channel} +vv {op.nick} {bob.nick}")
        await bob.raw("AWAY :lunch")
        await op.ping()
        await bob.ping()
        async with ours(inspircd, channel=channel) as us:
            await bob.say(channel, "hello")
            await us.hears("hello")
            assert set(known(us).ranks(op.nick, channel)) == {"o", "v"}
            assert known(us).ranks(bob.nick, channel) == "v"
            there = found(us, bob.nick)
            assert (there.away, found(us, op.nick).away) == (True, False)
            assert there.user
            assert there.host
            assert there.realname
            assert len(known(us).nicks(channel)) == 3


async def test_what_changes_of_people_is_known_at_once(tmp_path: Path) -> None:
    modules = '<module name="setname"><module name="ircv3_chghost">'
    async with InspIRCd(tmp_path / "irc", extra=modules) as server, ours(server) as us, person(server) as bob:
        await bob.join(us.room.id)
        await bob.raw("OPER root root")
        await bob.say(us.room.id, "hello")
        await us.hears("hello")
        was = known(us).connection(found(us, bob.nick).source)
        for line in (
            "AWAY :lunch",
            "SETNAME :Bob the Builder",
            f"CHGHOST {bob.nick} builders.test",
            f"NICK {bob.nick}x",
        ):
            await bob.raw(line)
        await bob.say(us.room.id, "changed")
        await us.hears("changed")
        there = found(us, f"{bob.nick}x")
        assert (there.away, there.realname, there.host) == (True, "Bob the Builder", "builders.test")
        assert known(us).connection(there.source) == was
        assert not known(us).knows(bob.nick)
        await bob.raw(f"PART {us.room.id}")
        await bob.say(us.settings.nick, "gone")
        await us.hears("gone")
        assert len(known(us).nicks(us.room.id)) == 1


async def test_a_plain_server_tells_who_is_there_and_their_highest_rank(ngircd: NgIrcd) -> None:
    async with person(ngircd) as op, person(ngircd) as bob:
        channel = f"#{op.nick}"
        await op.join(channel)
        await bob.join(channel)
        await op.raw(f"MODE {channel} +v {bob.nick}")
        await op.ping()
        async with ours(ngircd, channel=channel) as us:
            assert "o" in known(us).ranks(op.nick, channel)
            assert known(us).ranks(bob.nick, channel) == "v"
            await op.raw(f"MODE {channel} -v+o {bob.nick} {bob.nick}")
            await op.say(channel, "there")
            await us.hears("there")
            assert known(us).ranks(bob.nick, channel) == "o"
            assert set(known(us).nicks(channel)) >= {known(us).casemapping.fold(each.nick) for each in (op, bob)}


async def test_a_login_and_a_logout_are_known_of_people_who_say_nothing(services: Anope) -> None:
    server, account = services.irc, unique("alice")
    await services.register(account, "secret")
    async with ours(server) as us, person(server) as bob:
        await bob.join(us.room.id)
        async with IrcPerson(HOST, server.port, unique("al"), caps=TAGS, sasl=(account, "secret")) as alice:
            await alice.join(us.room.id)
            await bob.say(us.room.id, "she is there")
            await us.hears("she is there")
            assert known(us).with_account(account, us.room.id) == alice.nick
            await alice.say("NickServ", "LOGOUT")
            await alice.heard("logged out")
            await bob.say(us.room.id, "she has logged out")
            await us.hears("she has logged out")
            assert known(us).with_account(account, us.room.id) is None
            assert found(us, alice.nick).account == ""


@pytest.mark.parametrize("text", ["déjà", "5 €"])
async def test_text_of_old_clients_is_read_on_a_server_that_passes_any_bytes(ngircd: NgIrcd, text: str) -> None:
    async with ours(ngircd) as us, person(ngircd) as bob:
        await bob.join(us.room.id)
        bob._writer.write(f"PRIVMSG {us.room.id} :old ".encode() + text.encode("cp1252") + " new é\r\n".encode())
        assert await us.hears(f"old {text} new é")
