"""Logging in on real servers: InspIRCd with TLS, and Anope. SCRAM, which Anope 2.0 has not, is in tests/irc."""

import asyncio
import itertools
import ssl
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from bridge.cli import cli
from bridge.demo.people import IrcPerson
from bridge.demo.servers import InspIRCd
from bridge.demo.servers.process import HOST
from bridge.model.event import Room
from bridge.model.text import words
from bridge.network import Refused
from tests.conftest import need, running
from tests.integration.certificates import Signed, self_signed
from tests.integration.irc import PATIENCE, Log, ours, person
from tests.integration.servers import Anope, unique

pytestmark = pytest.mark.servers


@pytest.fixture(scope="module")
def signed(tmp_path_factory: pytest.TempPathFactory) -> Signed:
    return self_signed(tmp_path_factory.mktemp("tls"), "localhost", 30)


@pytest.fixture(scope="module")
def secure(tmp_path_factory: pytest.TempPathFactory, signed: Signed) -> Iterator[Anope]:
    """Services of a server that has a port with TLS, and tells them the fingerprints of certificates."""
    need(InspIRCd, Anope)
    irc = InspIRCd(
        tmp_path_factory.mktemp("secure"),
        services=True,
        tls=(signed.certificate, signed.key),
        extra='<module name="sslinfo">',
    )
    with running(irc), running(Anope(tmp_path_factory.mktemp("secure-anope"), irc)) as services:
        yield services


def tls(services: Anope, signed: Signed) -> dict[str, Any]:
    return {"host": "localhost", "port": services.irc.tls_port, "tls": True, "tls_ca_file": signed.certificate}


def made(folder: Path) -> Path:
    """A certificate as `irc-cert` makes it."""
    path = folder / "duck.pem"
    done = CliRunner().invoke(cli, ["irc-cert", "-c", str(folder / "config.yaml"), "net", "--out", str(path)])
    assert done.exit_code == 0
    return path


async def account_of(services: Anope, ca: Path, path: Path) -> str:
    """A new account, to which the certificate is registered. Anope 2.0 takes that of the connection that asks."""
    account = unique("duckie")
    await services.register(account, "quack")
    context = ssl.create_default_context(cafile=ca)
    context.load_cert_chain(path)
    reader, writer = await asyncio.open_connection("localhost", services.irc.tls_port, ssl=context)
    writer.write(f"USER u 0 * :u\r\nNICK {unique('owner')}\r\n".encode())
    async with asyncio.timeout(PATIENCE):
        await reader.readuntil(b" 001 ")
        writer.write(f"PRIVMSG NickServ :IDENTIFY {account} quack\r\n".encode())
        await reader.readuntil(b" 900 ")
        writer.write(b"PRIVMSG NickServ :CERT ADD\r\n")
        await reader.readuntil(b"added to")
    writer.close()
    return account


async def test_a_registered_certificate_logs_us_in_without_a_password(
    secure: Anope, signed: Signed, tmp_path: Path
) -> None:
    path = made(tmp_path)
    account = await account_of(secure, signed.certificate, path)
    async with (
        ours(secure.irc, **tls(secure, signed), sasl_account=account, sasl={"certificate": path}) as us,
        person(secure.irc) as bob,
    ):
        await bob.join(us.room.id)
        await us.says(words("hello"))
        assert (await bob.heard("hello")).raw["account"] == account


async def test_auto_goes_on_with_the_password_while_the_certificate_is_not_registered(
    secure: Anope, signed: Signed, tmp_path: Path
) -> None:
    path = made(tmp_path)
    account = unique("duckie")
    await secure.register(account, "quack")
    changes = {**tls(secure, signed), "sasl_account": account, "sasl_password": "quack"}
    async with ours(secure.irc, **changes, sasl={"certificate": path}) as us, person(secure.irc) as bob:
        await bob.join(us.room.id)
        await us.says(words("hello"))
        assert (await bob.heard("hello")).raw["account"] == account


async def test_an_unknown_certificate_alone_is_refused_in_words(secure: Anope, signed: Signed, tmp_path: Path) -> None:
    path = made(tmp_path)
    sasl = {"certificate": path, "mechanism": "external"}
    with pytest.raises(BaseExceptionGroup) as caught:
        async with ours(secure.irc, **tls(secure, signed), sasl_account="nobody", sasl=sasl) as us:
            await us.hears("never")
    assert caught.group_contains(Refused, match="does not know our certificate: register it with the services")


async def test_a_file_that_is_no_certificate_is_refused_in_words(secure: Anope, signed: Signed, tmp_path: Path) -> None:
    path = tmp_path / "bad.pem"
    path.touch(mode=0o600)
    path.write_text("quack")
    with pytest.raises(BaseExceptionGroup) as caught:
        async with ours(secure.irc, **tls(secure, signed), sasl_account="nobody", sasl={"certificate": path}) as us:
            await us.hears("never")
    assert caught.group_contains(Refused, match=r"the client certificate .*bad.pem cannot be used")


async def test_after_a_logout_by_the_services_we_log_in_again(secure: Anope, log: Log) -> None:
    account = unique("duckie")
    await secure.register(account, "quack")
    async with ours(secure.irc, sasl_account=account, sasl_password="quack") as us, person(secure.irc) as bob:
        await bob.join(us.room.id)
        await us.says(words("LOGOUT"), Room("net", "NickServ"), name="")
        await log.shows("logged_out")
        for number in itertools.count():
            await us.says(words(f"hello {number}"))
            if (await bob.heard(f"hello {number}")).raw.get("account") == account:
                break


async def test_nickserv_is_told_the_password_and_gets_our_nick_back(secure: Anope, log: Log) -> None:
    nick = unique("duckie")
    await secure.register(nick, "quack")
    async with IrcPerson(HOST, secure.irc.port, nick):  # somebody else uses it, and is not logged in
        nickserv = {"password": "quack", "recover": "recover"}
        async with ours(secure.irc, nick=nick, nickserv=nickserv) as us, person(secure.irc) as bob:
            await bob.join(us.room.id)
            await log.shows("nick_regained")
            await us.says(words("hello"))
            heard = await bob.heard("hello")
            assert (heard.sender, heard.raw["account"]) == (nick, nick)
    assert "IDENTIFY" not in repr(log.of("wrote"))
