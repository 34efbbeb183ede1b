"""Trying accounts without the bridge, on Synapse and on InspIRCd with Anope."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from bridge.demo.people import IrcPerson, MatrixPerson
from bridge.demo.servers import InspIRCd, Synapse
from bridge.demo.servers.process import HOST
from bridge.irc import probing as irc
from bridge.irc.settings import IrcSettings
from bridge.matrix import probing as matrix
from bridge.matrix.settings import MatrixSettings
from bridge.model.people import Identity, Proof
from tests.conftest import need
from tests.integration.certificates import self_signed
from tests.integration.servers import Anope, plain_port, unique

pytestmark = pytest.mark.servers


def on_irc(port: int, nick: str, **more: Any) -> IrcSettings:
    values = {"type": "irc", "server": f"{HOST}:{port}", "tls": False, "nick": nick} | more
    return IrcSettings.model_validate(values).called("net")


def on_matrix(synapse: Synapse, name: str, password: str) -> MatrixSettings:
    values = {"type": "matrix", "homeserver": synapse.url, "user": synapse.user_id(name), "password": password}
    return MatrixSettings.model_validate(values).called("home")


async def test_a_homeserver_is_found_and_tells_how_to_log_in(synapse: Synapse) -> None:
    found = await matrix.discover(synapse.user_id("duck"), synapse.url)
    assert (found.url, found.password) == (synapse.url, True)


async def test_what_is_no_homeserver_is_told() -> None:
    async with plain_port(b"hello\r\n") as port:
        with pytest.raises(matrix.ProbeError, match="no Matrix homeserver answers at"):
            await matrix.discover("@duck:example.org", f"http://{HOST}:{port}")


async def test_a_wrong_password_is_told_without_saying_it(synapse: Synapse) -> None:
    name = unique("duck")
    await synapse.register(name, "right")
    with pytest.raises(matrix.ProbeError, match="does not accept the password of") as told:
        async with matrix.logged_in(on_matrix(synapse, name, "wrong-one")):
            pass
    assert "wrong-one" not in str(told.value)


async def test_an_account_looks_at_rooms_waits_for_its_invitation_and_leaves_no_device(synapse: Synapse) -> None:
    name, alice = unique("duck"), unique("alice")
    await synapse.register(name, "secret")
    await synapse.register(alice, "secret")
    async with MatrixPerson(synapse.url, alice, "secret") as person:
        room = await person.create_room(None, preset="private_chat", name="The pond")
        async with matrix.logged_in(on_matrix(synapse, name, "secret")) as probe:
            assert await probe.whoami() == synapse.user_id(name)
            with pytest.raises(matrix.NotInvited, match=f"invite {synapse.user_id(name)} there"):
                await probe.join(room)
            await person.invite(room, synapse.user_id(name))
            assert [(each.id, each.name, each.invited) for each in await probe.rooms()] == [(room, "The pond", True)]
            assert await probe.join(room) == room
            (seen,) = await probe.rooms()
            assert (seen.people, seen.encrypted, seen.invited) == (2, False, False)
            assert await probe.may_speak(room)
            await probe.said(room)
            await person.send(room, "quack 4821")
            said = [each for _ in range(3) for each in await probe.said(room)]
            assert matrix.Said(synapse.user_id(alice), "quack 4821") in said
            with pytest.raises(matrix.ProbeError, match="there is no room"):
                await probe.resolve(f"#nowhere:{synapse.server_name}")
    async with MatrixPerson(synapse.url, name, "secret") as duck:
        devices = (await duck.call("GET", "devices"))["devices"]
    assert len(devices) == 1  # the one that has just asked


async def test_a_channel_is_joined_and_told_in_words(services: Anope) -> None:
    account = unique("ann")
    await services.register(account, "secret")
    channel = f"#{unique('pond')}"
    async with IrcPerson(HOST, services.irc.port, unique("ann"), sasl=(account, "secret")) as ann:
        await ann.join(channel)
        await ann.raw(f"MODE {channel} +om {ann.nick}")
        async with irc.registered(on_irc(services.irc.port, unique("duck"))) as probe:
            seen = await probe.join(channel)
            assert "PLAIN" in probe.offer.mechanisms
            assert (seen.operators, seen.people, seen.may_speak) == ((ann.nick,), 2, False)
            assert "moderated (+m): only those with voice may speak" in seen.modes
            await ann.say(channel, "quack 4821")
            said = await probe.said(10.0)
    assert [each.text for each in said] == ["quack 4821"]
    assert Identity(Proof.IRC, "net", account) in said[0].sender.proofs


async def test_a_taken_nick_a_wrong_password_and_a_closed_channel_are_told(services: Anope) -> None:
    account, channel = unique("ducky"), f"#{unique('shut')}"
    await services.register(account, "secret")
    async with IrcPerson(HOST, services.irc.port, unique("ann")) as ann:
        with pytest.raises(irc.NickInUse, match=f"the nick {ann.nick} cannot be had"):
            async with irc.registered(on_irc(services.irc.port, ann.nick)):
                pass
        await ann.join(channel)
        await ann.raw(f"MODE {channel} +i")
        await ann.ask("PING end", lambda line: line.command == "PONG")
        async with irc.registered(on_irc(services.irc.port, unique("duck"))) as probe:
            with pytest.raises(irc.NoEntry, match="the channel is invite-only"):
                await probe.join(channel)
    login = {"sasl": {"account": account, "password": "wrong-one"}}
    with pytest.raises(irc.BadLogin) as told:
        async with irc.registered(on_irc(services.irc.port, unique("duck"), **login)):
            pass
    assert "wrong-one" not in str(told.value)
    good = {"sasl": {"account": account, "password": "secret"}}
    async with irc.registered(on_irc(services.irc.port, unique("duck"), **good)) as probe:
        assert probe.nick.startswith("duck")


async def test_an_untrusted_certificate_is_shown_with_its_fingerprint_and_days(tmp_path: Path) -> None:
    need(InspIRCd)
    signed = self_signed(tmp_path, "localhost", 30)
    async with InspIRCd(tmp_path / "irc", tls=(signed.certificate, signed.key)) as server:
        with pytest.raises(irc.Untrusted, match="is not trusted") as told:
            async with irc.registered(on_irc(server.tls_port or 0, "duck", tls=True)):
                pass
        assert told.value.fingerprint.startswith("sha256:")
        assert told.value.days_left in (29, 30)
        pinned = {"tls": True, "tls_fingerprints": [told.value.fingerprint]}
        async with irc.registered(on_irc(server.tls_port or 0, "duck", **pinned)) as probe:
            assert probe.nick == "duck"


async def test_a_network_that_lets_only_accounts_in_is_recognised() -> None:
    async def turn_away(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"NICK ")
        writer.write(b":irc.test NOTICE * :*** Notice -- SASL access only\r\n")
        writer.write(b"ERROR :Closing Link: 127.0.0.1 (SASL access only)\r\n")
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(turn_away, HOST, 0)
    async with server:
        with pytest.raises(irc.LoginRequired, match="lets only those in who log in to an account"):
            async with irc.registered(on_irc(server.sockets[0].getsockname()[1], "duck")):
                pass
