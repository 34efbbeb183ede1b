"""The IRC adapter on real servers: InspIRCd with every tag, InspIRCd with services, and ngIRCd with neither."""

import asyncio
from contextlib import AsyncExitStack, suppress
from pathlib import Path
from typing import Any

import pytest

from bridge.demo.people import IrcPerson
from bridge.demo.servers import InspIRCd, Process, PyIrcd
from bridge.demo.servers.inspircd import DEFAULT_LIMITS
from bridge.demo.servers.process import HOST
from bridge.irc.wire import capabilities
from bridge.model.event import Kind, Room
from bridge.model.people import Identity, Proof
from bridge.model.text import Span, Style, plain, words
from bridge.network import PermanentError, Refused, TransientError
from tests.events import body_of
from tests.integration.certificates import self_signed
from tests.integration.irc import TAGS, Log, channel_of, ours, person
from tests.integration.servers import Anope, NgIrcd, plain_port, unique

pytestmark = pytest.mark.servers


@pytest.fixture(params=["inspircd", "ngircd"])
def server(request: pytest.FixtureRequest, inspircd: InspIRCd, ngircd: NgIrcd) -> Process:
    """InspIRCd with every capability, and ngIRCd with none."""
    return inspircd if request.param == "inspircd" else ngircd


async def test_a_message_in_the_channel_is_heard_with_the_networks_id_its_formatting_and_sender(
    inspircd: InspIRCd,
) -> None:
    async with ours(inspircd) as us, person(inspircd) as bob:
        await bob.join(us.room.id.lower())
        await bob.say(us.room.id.lower(), "quack \x02loud\x02")
        heard = await us.hears("quack")
        echo = await bob.heard("quack")
        assert heard.room == us.room
        assert heard.text == (Span("quack "), Span("loud", Style.BOLD))
        assert (heard.id, heard.sender.name, heard.private) == (echo.id, bob.nick, False)
        assert heard.sender.proofs == ()


async def test_action_notice_and_private_messages_are_told_apart(inspircd: InspIRCd) -> None:
    async with ours(inspircd) as us, person(inspircd) as bob:
        await bob.join(us.room.id)
        await bob.me(us.room.id, "waves")
        await bob.notice(us.room.id, "beep")
        await bob.say(us.settings.nick, "psst")
        assert body_of(await us.hears("waves")).kind is Kind.ACTION
        assert body_of(await us.hears("beep")).kind is Kind.NOTICE
        private = await us.hears("psst")
        assert private.private
        assert private.room == Room("net", bob.nick)


async def test_a_message_that_calls_us_by_nick_is_recognised(inspircd: InspIRCd) -> None:
    async with ours(inspircd) as us, person(inspircd) as bob:
        await bob.join(us.room.id)
        await bob.say(us.room.id, f"{us.settings.nick}: one")
        await bob.say(us.room.id, f"two for {us.settings.nick}!")
        await bob.say(us.room.id, "three")
        assert body_of(await us.hears("one")).called == us.settings.nick
        assert body_of(await us.hears("two")).called == ""
        assert body_of(await us.hears("three")).called is None


async def test_what_we_send_arrives_with_the_senders_name_and_is_not_heard_by_us(server: Process) -> None:
    """On InspIRCd the remote id is the msgid that others see; on ngIRCd, which has none, it is the post's."""
    async with ours(server) as us, person(server) as bob:
        await bob.join(us.room.id)
        remote = await us.says((Span("hi\n<admin> "), Span("x", Style.BOLD)))
        first, second = await bob.heard("hi"), await bob.heard("admin")
        assert (first.text, second.text) == ("<Ann> hi", "<Ann> <admin> \x02x")
        await us.says(words("hush"), kind=Kind.NOTICE)
        assert (await bob.heard("hush")).kind == "notice"
        await us.says(words("psst"), Room("net", bob.nick))
        assert (await bob.heard("psst")).text == "psst"
        await bob.say(us.room.id, "done")
        await us.hears("done")
        assert [plain(each.text) for each in us.heard] == ["done"]
        assert remote == second.id if isinstance(server, InspIRCd) else len(remote) == 32


async def test_a_long_text_arrives_whole_in_lines_that_the_server_does_not_cut(server: Process) -> None:
    async with ours(server) as us, person(server) as bob:
        await bob.join(us.room.id)
        long = " ".join(f"wörd{number:04}" for number in range(200)) + " end"
        await us.says(words(long))
        await bob.heard("end")
        arrived = [each.text.removeprefix("<Ann> ") for each in bob.messages]
        assert " ".join(arrived).split() == long.split()  # ngIRCd drops the space at the end of a line
        untagged = [line.raw.encode().split(b" :", 1)[-1] for line in bob.lines if line.command == "PRIVMSG"]
        assert 430 < max(map(len, untagged)) <= 510


async def test_a_server_with_only_the_basic_protocol_is_enough(tmp_path: Path) -> None:
    """No CAP, no WHOIS, no token in its PONG."""
    async with PyIrcd(tmp_path / "pyircd") as server, ours(server) as us, person(server) as bob:
        await bob.join(us.room.id)
        await bob.say(us.room.id, "quack")
        assert (await us.hears("quack")).sender.proofs == ()
        await us.says(words("hello"))
        assert (await bob.heard("hello")).text == "<Ann> hello"


async def test_the_account_of_a_sender_is_the_one_that_the_network_gives_with_each_line(services: Anope) -> None:
    """A member's nick, taken by somebody who is not logged in, proves nothing; logging out is seen at once."""
    server = services.irc
    account = unique("alice")
    await services.register(account, "secret")
    async with ours(server) as us, person(server) as mallory:
        async with IrcPerson(HOST, server.port, account, caps=TAGS, sasl=(account, "secret")) as alice:
            await alice.join(us.room.id)
            await alice.say(us.room.id, "it is me")
            assert (await us.hears("it is me")).sender.proofs == (Identity(Proof.IRC, "net", account),)
            await alice.say("NickServ", "LOGOUT")
            await alice.heard("logged out")
            await alice.say(us.room.id, "logged out now")
            assert (await us.hears("logged out now")).sender.proofs == ()
        await mallory.join(us.room.id)
        await mallory.rename(account)
        await mallory.say(us.room.id, "me too")
        spoof = await us.hears("me too")
        assert (spoof.sender.name, spoof.sender.proofs) == (account, ())


@pytest.mark.parametrize("without", [{"account-tag"}, {"account-tag", "account-notify", "extended-join"}])
async def test_the_account_of_a_sender_is_asked_for_where_lines_do_not_carry_it(
    services: Anope, monkeypatch: pytest.MonkeyPatch, without: set[str]
) -> None:
    """By WHOX and account-notify, or by WHOIS alone. A person who takes over the nick has no account."""
    monkeypatch.setattr(capabilities, "WANTED", tuple(name for name in capabilities.WANTED if name not in without))
    server = services.irc
    account = unique("alice")
    await services.register(account, "secret")
    async with AsyncExitStack() as stack:
        alice = await stack.enter_async_context(IrcPerson(HOST, server.port, account, sasl=(account, "secret")))
        channel = await stack.enter_async_context(channel_of(alice))
        us = await stack.enter_async_context(ours(server, channel=channel))
        mallory = await stack.enter_async_context(person(server))
        await mallory.join(channel)
        await alice.say(channel, "it is me")
        await mallory.say(channel, "and me")
        assert (await us.hears("it is me")).sender.proofs == (Identity(Proof.IRC, "net", account),)
        assert (await us.hears("and me")).sender.proofs == ()
        await alice.rename(unique("other"))
        await mallory.rename(account)
        await mallory.say(channel, "now I am alice")
        assert (await us.hears("now I am alice")).sender.proofs == ()


async def test_with_sasl_we_are_logged_in_and_a_wrong_password_is_refused(services: Anope) -> None:
    server = services.irc
    account = unique("duckie")
    await services.register(account, "quack")
    async with ours(server, sasl_account=account, sasl_password="quack") as us, person(server) as bob:
        await bob.join(us.room.id)
        await us.says(words("hello"))
        assert (await bob.heard("hello")).raw["account"] == account
    with pytest.raises(BaseExceptionGroup) as caught:
        async with ours(server, sasl_account=account, sasl_password="w", wait=False):
            await asyncio.Event().wait()
    assert caught.group_contains(Refused, match="net: the server does not accept the account or password")


async def test_we_do_not_come_online_with_a_configured_account_where_sasl_is_not_offered(inspircd: InspIRCd) -> None:
    async with ours(inspircd, sasl_account="duck", sasl_password="quack", wait=False) as us, person(inspircd) as bob:
        answer = await bob.ask(f"WHOIS {us.settings.nick}", lambda line: line.command in ("318", "401"))
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(3):
                await us.network.ready()
        answer = await bob.ask(f"WHOIS {us.settings.nick}", lambda line: line.command in ("311", "401"))
        assert answer.command == "401"


async def test_a_restarted_server_is_joined_again_and_sending_goes_on(tmp_path: Path) -> None:
    async with InspIRCd(tmp_path / "irc") as server, ours(server) as us:
        await us.says(words("before"))
        await server.kill()
        starting = asyncio.ensure_future(server.start())
        with suppress(TransientError):  # where it was on its way when the server died
            await us.says(words("between"))
        await us.says(words("after"))
        await starting
        async with person(server) as bob:
            await bob.join(us.room.id)
            await bob.say(us.room.id, "back")
            await us.hears("back")


@pytest.mark.parametrize("restarted", [False, True])
async def test_an_empty_history_is_a_gap_after_a_server_restart_though_the_channel_is_old(
    tmp_path: Path, restarted: bool
) -> None:
    """The age of a channel may be kept by services or in the configuration."""
    channel = '<permchannels channel="#old" ts="1000000000" modes="+ntH 50:1h">'
    async with (
        InspIRCd(tmp_path / "irc", extra=f'<module name="permchannels">\n{channel}') as server,
        ours(server, channel="#old") as us,
    ):
        async with person(server) as bob:
            await bob.join("#old")
            await bob.say("#old", "before")
            await us.hears("before")
            if not restarted:
                await bob.ask("OPER root root", lambda line: line.command == "381")
                await bob.raw(f"KILL {us.settings.nick} :out")
                await bob.line(lambda line: line.command == "QUIT" and line.source == us.settings.nick)
        if restarted:
            await server.kill()
            await server.start()
        async with person(server) as bob:
            await bob.join("#old")
            await bob.say("#old", "after")
            await us.hears("after")
        assert [gap.room for gap in us.gaps] == ([us.room] if restarted else [])


async def test_we_rejoin_after_a_kick_and_sending_fails_with_the_reason_until_then(inspircd: InspIRCd) -> None:
    """The error says when to try again."""
    async with person(inspircd) as op, channel_of(op) as channel, ours(inspircd, channel=channel) as us:
        await op.raw(f"KICK {channel} {us.settings.nick} :shoo")
        await op.line(lambda line: line.command == "KICK")
        with pytest.raises(TransientError, match=f"kicked by {op.nick}: shoo") as caught:
            await us.says_until_refused("still there")
        assert caught.value.retry_after is not None
        assert caught.value.retry_after <= 5
        await op.line(lambda line: line.command == "JOIN" and line.source == us.settings.nick, len(op.lines))
        await us.says(words("back again"))
        await op.heard("back again")


async def test_a_post_fails_for_now_where_we_are_banned_and_for_good_for_an_unknown_nick(server: Process) -> None:
    async with person(server) as op, channel_of(op) as channel, ours(server, channel=channel) as us:
        await op.ask(f"MODE {channel} +b *!*@*", lambda line: line.command == "MODE")
        await op.raw(f"KICK {channel} {us.settings.nick} :banned")
        await op.line(lambda line: line.command == "KICK")
        with pytest.raises(TransientError, match="banned"):
            await us.says_until_refused("hello?")
        with pytest.raises(PermanentError, match="nobody has that nick"):
            await us.says(words("hello?"), Room("net", "nobody-here"))


async def test_a_nick_in_use_is_regained_when_it_is_free(inspircd: InspIRCd) -> None:
    async with person(inspircd) as holder, person(inspircd) as bob, ours(inspircd, nick=holder.nick) as us:
        await bob.join(us.room.id)
        await holder.join(us.room.id)
        assert f"{holder.nick}_" in await bob.names(us.room.id)
        await holder.rename(unique("other"))
        await bob.line(lambda line: line.command == "NICK" and line.params == (us.settings.nick,))
        await us.says(words("it is me"))
        assert (await bob.heard("it is me")).sender == us.settings.nick


@pytest.mark.parametrize(
    ("name", "days", "trusted", "reason"),
    [
        ("localhost", 9, False, "self-signed certificate"),
        ("localhost", -1, True, "certificate has expired"),
        ("elsewhere.test", 9, True, "Hostname mismatch"),
        ("localhost", 9, True, ""),
    ],
)
async def test_an_invalid_certificate_is_logged_and_keeps_us_offline(
    tmp_path: Path, log: Log, name: str, days: int, trusted: bool, reason: str
) -> None:
    """Only the server can mend it, so the daemon tries again; it never talks to a server that may be another."""
    signed = self_signed(tmp_path, name, days)
    ca = signed.certificate if trusted else None
    async with InspIRCd(tmp_path / "irc", tls=(signed.certificate, signed.key)) as server:
        tls: dict[str, Any] = {"host": "localhost", "port": server.tls_port, "tls": True, "tls_ca_file": ca}
        async with ours(server, wait=not reason, **tls) as us:
            if reason:
                said = await log.shows("offline")
                assert f"the certificate of localhost:{server.tls_port} is not trusted ({reason}" in said["reason"]
                assert not log.of("online")
                assert us.network.absence(us.room) == "no connection to the server"
            else:
                await us.says(words("safe"))


@pytest.mark.parametrize(("greeting", "event"), [(b"", "no_answer"), (b":irc NOTICE * :hi\r\n", "offline")])
async def test_a_port_for_plain_connections_is_called_that_within_seconds_where_tls_is_configured(
    inspircd: InspIRCd, log: Log, greeting: bytes, event: str
) -> None:
    async with plain_port(greeting) as port, ours(inspircd, wait=False, host="localhost", tls=True, port=port):
        said = await log.shows(event)
    assert f"localhost:{port}" in said["reason"]
    assert "speak TLS" in said["reason"]
    assert "6697" in said["reason"] + said["hint"]
    assert "SSL" not in str(said)


async def test_a_port_for_tls_is_called_that_where_none_is_configured(tmp_path: Path, log: Log) -> None:
    signed = self_signed(tmp_path, "localhost", 9)
    async with (
        InspIRCd(tmp_path / "irc", tls=(signed.certificate, signed.key)) as server,
        ours(server, wait=False, port=server.tls_port),
    ):
        assert "if that is its port for TLS, set `tls: true`" in (await log.shows("offline"))["reason"]


async def test_the_flood_budget_keeps_us_on_a_server_with_its_usual_limits(tmp_path: Path) -> None:
    """A long text to two people at once: both get all their lines, and the server does not disconnect us."""
    async with (
        InspIRCd(tmp_path / "irc", limits=DEFAULT_LIMITS) as server,
        ours(server, burst=5, per_second=3.0) as us,
        person(server) as ann,
        person(server) as bob,
    ):
        text = words("\n".join(f"line {number}" for number in range(5)))
        await asyncio.gather(*(us.says(text, Room("net", each.nick)) for each in (ann, bob)))
        for each in (ann, bob):
            await each.heard("line 4")
            assert [message.text for message in each.messages] == [f"line {number}" for number in range(5)]


async def test_closing_sends_quit(inspircd: InspIRCd) -> None:
    async with person(inspircd) as bob:
        async with ours(inspircd) as us:
            await bob.join(us.room.id)
        gone = await bob.line(lambda line: line.command == "QUIT" and line.source == us.settings.nick)
        assert "quackbridge" in gone.params[-1]


async def test_history_from_before_our_first_join_is_not_heard(tmp_path: Path) -> None:
    async with (
        InspIRCd(tmp_path / "irc", modes="notH 50:1h") as server,
        person(server) as op,
        channel_of(op) as channel,
    ):
        await op.say(channel, "long ago")
        await op.heard("long ago")
        async with ours(server, channel=channel) as us:
            await op.say(channel, "right now")
            await us.hears("right now")
            assert [plain(each.text) for each in us.heard] == ["right now"]
