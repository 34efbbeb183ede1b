"""Strict transport security (https://ircv3.net/specs/extensions/sts): pure, line by line, and by TLS on loopback."""

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.demo.servers.process import free_port
from bridge.irc.dialing.policies import Policies
from bridge.irc.dialing.servers import Address
from bridge.irc.effects import Pledged, Upgrade
from bridge.irc.hearing.cursor import Cursor
from bridge.irc.inbox import Inbox
from bridge.irc.wire import sts
from bridge.irc.wire.line import parse
from tests.irc.harbour import attempt, certified, serving
from tests.irc.test_client import Ircd
from tests.irc.test_session import Talk

pytestmark = pytest.mark.real_time

PLAIN, SECURE = Address("irc.test", 6667, tls=False), Address("irc.test", 6697, tls=True)
MONTH = 2_592_000


class Strict(Ircd):
    """A server that offers `sts` with a value."""

    def __init__(self, value: str) -> None:
        super().__init__()
        self.value = value

    def _answers(self, line: str) -> tuple[str, ...]:
        if line.startswith("CAP LS"):
            return (f":irc CAP * LS :sts={self.value} multi-prefix",)
        if line.startswith("CAP REQ"):
            return (f":irc CAP * ACK {line.removeprefix('CAP REQ ')}",)
        return super()._answers(line)


@pytest.mark.parametrize(
    ("value", "offer"),
    [
        ("port=6697", sts.Offer(6697, None)),
        ("duration=2592000", sts.Offer(None, MONTH)),
        ("duration=2592000,port=6697,preload", sts.Offer(6697, MONTH)),
        ("preload,unknown=7,port=6697", sts.Offer(6697, None)),
        ("duration=0", sts.Offer(None, 0)),
        ("port=6697,port=7", sts.Offer(6697, None)),
        ("port=0", sts.Offer()),
        ("port=65536", sts.Offer()),
        ("port=-1,duration=-1", sts.Offer()),
        ("port=6697x,duration=1e9", sts.Offer()),
        ("port=\u0663,duration=\u00b2", sts.Offer()),
        (f"duration={10**14}", sts.Offer(None, 315_360_000)),
        (f"duration={10**16}", sts.Offer()),
        ("", sts.Offer()),
    ],
)
def test_the_value_says_a_port_and_a_duration_and_the_rest_is_ignored(value: str, offer: sts.Offer) -> None:
    assert sts.parse(value) == offer


@given(st.text(max_size=300))
def test_any_value_is_read_and_gives_a_port_that_exists(value: str) -> None:
    port = sts.parse(value).port
    assert port is None or 0 < port < 65536


def test_it_is_found_among_other_capabilities_and_cap_del_says_nothing() -> None:
    for command, offer in (("LS", True), ("NEW", True), ("LS *", True), ("DEL", False), ("ACK", False)):
        line = parse(f":irc CAP * {command} :sasl stsx=port=7 sts=port=6697")
        assert line is not None
        assert sts.offered(line) == (sts.Offer(6697, None) if offer else None)


def test_a_policy_in_force_makes_a_plain_connection_one_by_tls_and_nothing_else() -> None:
    policy = sts.pledged(6697, 60, now=1000.0)
    assert policy is not None
    assert sts.decide(PLAIN, policy, 1059.0) == SECURE
    assert sts.decide(PLAIN, policy, 1060.0) == PLAIN
    assert sts.decide(Address("irc.test", 7000, tls=True), policy, 1001.0) == Address("irc.test", 7000, tls=True)
    assert sts.decide(PLAIN, None, 0.0) == PLAIN
    assert sts.pledged(6697, 0, now=1000.0) is None


def test_policies_are_kept_by_host_outlive_a_restart_and_are_renewed_when_a_connection_closes() -> None:
    kept: dict[str, str | None] = {"something else": "x", "sts broken.test": "{"}
    policies = Policies({key: text for key, text in kept.items() if text})
    kept.update(policies.pledged(SECURE, 60, now=1000.0))
    again = Policies({key: text for key, text in kept.items() if text})
    assert again.secured(Address("IRC.test.", 6667, tls=False), 1059.0) == Address("IRC.test.", 6697, tls=True)
    assert again.secured(Address("other.test", 6667, tls=False), 1001.0).tls is False
    kept.update(again.closed(SECURE, now=9000.0))
    assert Policies({key: text for key, text in kept.items() if text}).secured(PLAIN, 9059.0) == SECURE
    assert again.closed(PLAIN, now=9999.0) == {}
    assert again.pledged(SECURE, 0, now=9001.0) == {"sts irc.test": None}
    assert again.secured(PLAIN, 9002.0) == PLAIN
    assert again.closed(SECURE, now=9003.0) == {}


# Line by line


@pytest.mark.parametrize("command", ["LS", "LS *"])
def test_on_a_plain_connection_we_quit_at_once_and_send_no_password(command: str) -> None:
    talk = Talk(tls=False, server_password="hunter2", sasl_account="duck", sasl_password="hunter3")
    assert talk.written() == ["CAP LS 302"]
    assert talk.hears(f":irc CAP * {command} :sasl sts=port=6697,duration=60 multi-prefix") == ["QUIT :TLS"]
    assert talk.of(Upgrade) == [Upgrade(6697)]
    assert talk.of(Pledged) == []


def test_a_duration_alone_means_nothing_on_a_plain_connection_nor_a_port_on_one_with_tls() -> None:
    talk = Talk(tls=False)
    talk.hears(":irc CAP * LS :sts=duration=60")
    assert (talk.of(Upgrade), talk.of(Pledged)) == ([], [])
    talk = Talk()
    talk.hears(":irc CAP * LS :sts=port=7000")
    assert (talk.of(Upgrade), talk.of(Pledged)) == ([], [])


def test_by_tls_the_duration_is_noted_and_the_capability_is_never_asked_for() -> None:
    talk = Talk()
    asked = talk.hears(":irc CAP * LS :sts=port=7000,duration=60 multi-prefix")
    assert asked == ["CAP REQ multi-prefix"]
    assert talk.hears(":irc CAP * NEW :sts=duration=0", ":irc CAP * DEL :sts") == []
    assert talk.of(Pledged) == [Pledged(60), Pledged(0)]
    assert talk.of(Upgrade) == []


def test_a_server_password_waits_for_the_list_on_a_plain_connection_or_three_seconds_for_a_server_without_any() -> None:
    talk = Talk(tls=False, server_password="hunter2")
    assert talk.hears(":irc CAP * LS * :multi-prefix") == []
    rest = ["PASS hunter2", "USER quackbridge 0 * :quackbridge", "NICK duck"]
    assert talk.hears(":irc CAP * LS :batch")[:3] == rest
    assert talk.passes(10) == []
    old = Talk(tls=False, server_password="hunter2")
    assert old.passes(3) == []
    assert old.passes(1) == rest
    assert old.hears(":irc CAP * LS :batch") == ["CAP REQ batch"]
    secure = Talk(server_password="hunter2")
    assert secure.written() == ["CAP LS 302", *rest]


# By real TLS


async def test_a_plain_connection_becomes_one_by_tls_before_any_password_and_stays_one_after_a_restart(
    tmp_path: Path,
) -> None:
    signed, secure = certified(tmp_path / "one"), Strict(f"duration={MONTH}")
    memory: dict[str, str] = {}
    async with serving(secure, signed) as tls_port:
        plain = Strict(f"port={tls_port},duration=7")
        more: dict[str, Any] = {
            "tls": False,
            "tls_ca_file": signed.certificate,
            "server_password": "hunter2",
            "memory": memory,
        }
        async with serving(plain) as port:
            for _ in range(2):
                async with attempt(f"localhost:{port}", **more) as us:
                    await us.online()
            assert us.log.of("upgraded") == []  # the second time it was known
        assert plain.lines == ["CAP LS 302", "QUIT :TLS"]
        assert plain.connections == 1
        assert secure.lines.count("PASS hunter2") == 2
        assert not [line for line in secure.lines if line.startswith("CAP REQ") and "sts" in line]
        secure.value = "duration=0"
        async with attempt(f"localhost:{port}", **more) as us:
            await us.online()
        assert memory == {}


@pytest.mark.parametrize("trouble", ["untrusted", "away", "plain"])
async def test_with_a_policy_in_force_trouble_with_tls_is_no_reason_to_go_without(tmp_path: Path, trouble: str) -> None:
    signed, secure, plain = certified(tmp_path / "one"), Strict("duration=60"), Strict("duration=60")
    async with serving(secure, None if trouble == "plain" else signed) as tls_port, serving(plain) as port:
        at = free_port() if trouble == "away" else tls_port
        policy = sts.Policy(at, 60, 5000.0)
        memory = {"sts localhost": policy.dump()}
        kept: dict[str, Any] = {"tls": False, "server_password": "hunter2", "memory": memory, "clock": lambda: 4990.0}
        async with attempt(f"localhost:{port}", **kept) as us:
            offline = await us.log.shows("offline")
            assert f"localhost:{at}" in offline["reason"]
        assert plain.connections == 0
        assert not [line for line in secure.lines if "hunter2" in line]
        assert memory == {"sts localhost": policy.dump()}
        kept["clock"] = lambda: 5000.0
        async with attempt(f"localhost:{port}", **kept) as us:
            await us.online()
        assert plain.connections == 1


async def test_a_certificate_that_is_not_trusted_is_not_accepted_after_an_upgrade(tmp_path: Path) -> None:
    signed, secure = certified(tmp_path / "one"), Strict("duration=60")
    async with serving(secure, signed) as tls_port:
        plain = Strict(f"port={tls_port}")
        async with serving(plain) as port, attempt(f"localhost:{port}", tls=False, server_password="hunter2") as us:
            assert "is not trusted" in (await us.log.shows("offline"))["reason"]
        assert plain.lines == ["CAP LS 302", "QUIT :TLS"]
        assert secure.lines == []


async def test_a_policy_counts_from_the_end_of_a_connection(tmp_path: Path) -> None:
    signed, secure = certified(tmp_path / "one"), Strict("duration=60")
    memory, times = dict[str, str](), [1000.0]
    async with serving(secure, signed) as port:
        async with attempt(f"localhost:{port}", memory, lambda: times[0], tls_ca_file=signed.certificate) as us:
            await us.online()
            assert memory == {"sts localhost": sts.Policy(port, 60, 1060.0).dump()}
            times[0] = 9000.0
        assert memory == {"sts localhost": sts.Policy(port, 60, 9060.0).dump()}


async def test_what_is_to_be_remembered_comes_with_the_next_batch_or_alone_or_last() -> None:
    inbox = Inbox(Cursor({}))
    inbox.remember({"sts a": "1"})
    batch = await inbox.take()
    assert batch is not None
    assert (batch.events, batch.changes) == ((), {"sts a": "1"})
    assert inbox.last() is None
    inbox.remember({"sts a": None})
    last = inbox.last()
    assert last is not None
    assert last.changes == {"sts a": None}
