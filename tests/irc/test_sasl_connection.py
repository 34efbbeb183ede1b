"""SASL on a real socket, with a scripted server that speaks it, honestly or as somebody in between."""

import pytest
from structlog.testing import capture_logs

from bridge.irc.backoff import ReconnectPause
from bridge.network import Refused
from tests.integration.irc import Log
from tests.irc.scripted import Lie, SaslIrcd, SaslServer
from tests.irc.test_client import network, running

pytestmark = pytest.mark.real_time


@pytest.mark.parametrize("name", ["SCRAM-SHA-512", "SCRAM-SHA-256", "PLAIN"])
async def test_we_are_logged_in_and_no_log_has_the_password_or_what_proves_it(name: str) -> None:
    ircd = SaslIrcd(SaslServer(name))
    with capture_logs() as entries:
        async with running(ircd, sasl_account="duck", sasl_password="quack"):
            assert ircd.sasl.tried == [name]
    written = [entry["line"] for entry in entries if entry["event"] == "wrote"]
    assert "AUTHENTICATE [redacted]" in written
    sent = [line.split()[1] for line in ircd.lines if line.startswith("AUTHENTICATE ")]
    shown = repr(entries)
    assert not [each for each in [*sent, "quack:"] if len(each) > 20 and each in shown]


@pytest.mark.parametrize("lie", [*Lie][1:])
async def test_a_server_in_between_gets_a_goodbye_and_never_the_password(lie: Lie) -> None:
    ircd = SaslIrcd(SaslServer(password="guess", lie=lie))
    async with network(ircd, sasl_account="duck", sasl_password="quack") as net:
        with pytest.raises(Refused, match="somebody may be in between"):
            await anext(net.events(None))
        await ircd.told(lambda line: line.startswith("QUIT"))
    assert ircd.sasl.tried == ["SCRAM-SHA-512"]
    assert not [line for line in ircd.lines if line.startswith(("CAP END", "JOIN"))]


async def test_a_server_that_offers_no_mechanism_of_ours_gets_a_goodbye() -> None:
    ircd = SaslIrcd(SaslServer("KERBEROS_V4"))
    async with network(ircd, sasl_account="duck", sasl_password="quack") as net:
        with pytest.raises(Refused, match="only by KERBEROS_V4; the bridge needs SCRAM-SHA-512, SCRAM-SHA-256 or"):
            await anext(net.events(None))
        await ircd.told(lambda line: line.startswith("QUIT"))


async def test_a_server_that_takes_the_place_of_ours_later_does_not_get_the_password_by_plain(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """We were online before: the bridge goes on trying, but only by SCRAM."""
    monkeypatch.setattr(ReconnectPause, "after", lambda *_: 0.05)
    ircd = SaslIrcd(SaslServer())
    with capture_logs() as entries:
        async with running(ircd, sasl_account="duck", sasl_password="quack"):
            ircd.sasl = SaslServer(password="guess", lie=Lie.SIGNATURE)
            ircd.hang_up()
            await ircd.told(lambda line: line == "AUTHENTICATE *")
            ircd.sasl = SaslServer("PLAIN")
            await Log(entries).shows("offline", matches=lambda entry: "does not offer it" in entry["reason"])
    assert "AUTHENTICATE PLAIN" not in ircd.lines
