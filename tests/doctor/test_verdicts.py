"""What the doctor says of each thing that it looks at."""

import asyncio
import os
import pwd
import ssl
from pathlib import Path

import pytest

from bridge.admin import irc_logins
from bridge.config import Config
from bridge.doctor import daemon, irc, logins, machine, matrix, outbox, reach
from bridge.doctor.finding import Finding, Outcome, as_json, fail, failed, lines, ok
from bridge.irc.probing import Offer
from bridge.irc.wire.line import Line, parse
from bridge.users import User
from bridge.users.tinydb import TinyUsers
from tests.integration.certificates import self_signed
from tests.settings import irc_settings, matrix_settings

OK, WARN, FAIL, SKIP = Outcome.OK, Outcome.WARN, Outcome.FAIL, Outcome.SKIP
MATRIX = matrix_settings(password="x")
DUCK = irc.NickFacts(there=True, mask="duck!u@host", account="duck", channels=("#pond", "@#lake"))


def told(*texts: str) -> list[Line]:
    return [line for text in texts if (line := parse(text)) is not None]


def test_findings_are_aligned_and_what_to_do_follows_those_that_need_it() -> None:
    findings = [ok("disk", "fine"), fail("matrix home", "away", "start it")]
    assert lines(findings) == ["ok   disk: fine", "fail matrix home: away", "     -> start it"]
    assert failed(findings)
    assert not failed(findings[:1])
    assert as_json(findings)["ok"] is False


def verdict(finding: Finding) -> Outcome:
    """The outcome; what is not fine says what to do."""
    assert bool(finding.do) is (finding.outcome in (WARN, FAIL))
    return finding.outcome


def test_secrets_that_others_can_read_fail_and_mounted_ones_do_not() -> None:
    assert verdict(machine.secrets([(Path("/x"), 0o100600)])) is OK
    assert verdict(machine.secrets([(Path("/x"), 0o100640)])) is FAIL
    assert verdict(machine.secrets([(Path("/run/secrets/x"), 0o100444)])) is OK


def test_disk_clock_and_locale() -> None:
    assert [verdict(machine.disk("/", free)) for free in (10**10, 10**8, 10**6)] == [OK, WARN, FAIL]
    assert [verdict(machine.clock(now)) for now in (1.8e9, 0.0)] == [OK, FAIL]
    assert [verdict(machine.locale(name)) for name in ("C.UTF-8", "", "de_DE")] == [OK, OK, WARN]


@pytest.mark.parametrize(
    ("listen", "taken", "runs", "wanted"),
    [
        ("", "", False, SKIP),
        ("h:1", "", False, OK),
        ("h:1", "", True, WARN),
        ("h:1", "in use", True, OK),
        ("h:1", "in use", False, FAIL),
    ],
)
def test_the_port_is_free_or_ours(listen: str, taken: str, *, runs: bool, wanted: Outcome) -> None:
    assert verdict(machine.port(listen, taken, runs=runs)) is wanted


def test_the_user_of_the_unit_owns_the_files() -> None:
    me = pwd.getpwuid(os.getuid()).pw_name
    assert verdict(machine.owner("", [])) is SKIP
    assert verdict(machine.owner(me, [(Path("/x"), os.getuid())])) is OK
    assert verdict(machine.owner(me, [(Path("/x"), os.getuid() + 1)])) is FAIL
    assert verdict(machine.owner("no-such-user", [])) is FAIL


def test_the_outbox_and_dead_letters(tmp_path: Path) -> None:
    waits = [outbox.waiting(number, oldest, 1000.0) for number, oldest in ((0, 0.0), (1, 900.0), (1, 1.0))]
    assert [*map(verdict, waits)] == [OK, OK, WARN]
    assert [verdict(outbox.dead(number)) for number in (0, 2)] == [OK, WARN]
    assert [verdict(each) for each in outbox.found(tmp_path / "none")] == [SKIP]
    (tmp_path / "broken").write_text("no database")
    assert [verdict(each) for each in outbox.found(tmp_path / "broken")] == [FAIL]


@pytest.mark.parametrize(
    ("trouble", "days", "pinned", "wanted"),
    [
        ("", 90, False, OK),
        ("", 13, False, WARN),
        ("expired", -1, False, FAIL),
        ("self-signed", 90, False, FAIL),
        ("self-signed", 90, True, OK),
        ("", None, False, OK),
    ],
)
def test_a_certificate_is_trusted_and_lasts(trouble: str, days: int | None, *, pinned: bool, wanted: Outcome) -> None:
    assert verdict(reach.certificate("x", reach.Shown(trouble, days), pinned=pinned)) is wanted


@pytest.mark.real_time
@pytest.mark.parametrize(("days", "trusted", "wanted"), [(30, True, OK), (30, False, FAIL), (-2, False, FAIL)])
async def test_the_certificate_of_a_server_is_looked_at(
    tmp_path: Path, days: int, *, trusted: bool, wanted: Outcome
) -> None:
    signed = self_signed(tmp_path, "localhost", days)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(signed.certificate, signed.key)
    server = await asyncio.start_server(lambda _, writer: writer.close(), "localhost", 0, ssl=context)
    async with server:
        port = server.sockets[0].getsockname()[1]
        ca = signed.certificate if trusted else None
        found = [each async for each in reach.found("irc x", "localhost", port, tls=True, ca=ca)]
    assert [verdict(each) for each in found] == [OK, wanted]
    assert days > 0 or "expired" in found[1].said


def test_the_token_and_the_device_are_ours() -> None:
    assert [verdict(matrix.account("x", "@a:b", who)) for who in ("@a:b", "@c:b")] == [OK, FAIL]
    assert [verdict(matrix.fits("x", kept, "D")) for kept in ("D", "E", "")] == [OK, FAIL, SKIP]


def test_a_room_is_there_joined_readable_and_lets_us_speak() -> None:
    facts = matrix.RoomFacts("#a:b", "!a:b", joined=True)
    plain = MATRIX.model_copy(update={"encryption": False})
    sealed = matrix.RoomFacts("#a:b", "!a:b", joined=True, encrypted=True)
    assert verdict(matrix.room("x", MATRIX, facts)) is OK
    assert verdict(matrix.room("x", MATRIX, sealed)) is OK
    assert verdict(matrix.room("x", plain, sealed)) is FAIL
    assert verdict(matrix.room("x", MATRIX, matrix.RoomFacts("#a:b", ""))) is FAIL
    assert verdict(matrix.room("x", MATRIX, matrix.RoomFacts("#a:b", "!a:b"))) is FAIL
    muted = matrix.RoomFacts("#a:b", "!a:b", joined=True, may_speak=False)
    assert "may not speak" in matrix.room("x", MATRIX, muted).said


def test_whois_tells_who_has_our_nick() -> None:
    answers = told(
        ":s 311 me duck u host * :x",
        ":s 330 me duck duck :is logged in as",
        ":s 319 me duck :#pond @#lake",
        ":s 318 me",
    )
    assert irc.nick_of(answers) == DUCK
    assert not irc.nick_of(told(":s 401 me duck :No such nick", ":s 318 me duck")).there


@pytest.mark.parametrize(
    ("there", "account", "runs", "wanted"),
    [
        (False, "", False, OK),
        (False, "", True, FAIL),
        (True, "duck", True, OK),
        (True, "duck", False, OK),
        (True, "eve", True, FAIL),
        (True, "", False, FAIL),
    ],
)
def test_our_nick_is_ours_free_or_taken(there: bool, account: str, *, runs: bool, wanted: Outcome) -> None:
    settings = irc_settings(sasl_account="duck", sasl_password="x")
    who = irc.NickFacts(there=there, mask="duck!u@h", account=account)
    assert verdict(irc.nick_finding("x", settings, who, runs=runs)) is wanted


def test_the_account_needs_sasl() -> None:
    settings = irc_settings(sasl_account="duck", sasl_password="x")
    assert verdict(irc.account("x", settings, Offer(frozenset({"sasl"}), ()))) is OK
    assert verdict(irc.account("x", settings, Offer(frozenset(), ()))) is FAIL
    assert verdict(irc.account("x", irc_settings(nick="duck"), Offer(frozenset(), ()))) is SKIP


@pytest.mark.parametrize(
    ("name", "modes", "bans", "wanted"),
    [
        ("#pond", "+nt", (), OK),
        ("#pond", "+mnt", (), FAIL),
        ("#lake", "+mnt", (), OK),
        ("#pond", "+nt", ("*!*@host",), FAIL),
        ("#lake", "+nt", ("*!*@host",), OK),
        ("#pond", "+nt", ("*!*@elsewhere",), OK),
        ("#pond", None, (), SKIP),
    ],
)
def test_a_channel_lets_us_speak(name: str, modes: str | None, bans: tuple[str, ...], wanted: Outcome) -> None:
    assert verdict(irc.channel("x", irc.ChannelFacts(modes, bans), DUCK, name, runs=True)) is wanted


def test_the_modes_and_bans_of_a_channel_are_read() -> None:
    modes, bans = told(":s 324 me #pond +ntm"), told(":s 367 me #pond *!*@x op 1", ":s 368 me #pond :End")
    assert irc.channel_of(modes, bans) == irc.ChannelFacts("+ntm", ("*!*@x",))
    assert irc.channel_of(told(":s 442 me #pond :not there"), []) == irc.ChannelFacts(None)


def test_encryption_works_or_is_not_needed() -> None:
    assert verdict(daemon.encryption("x", {"rooms": ["a"]})) is OK
    assert verdict(daemon.encryption("x", {"problem": "it is off", "rooms": []})) is SKIP
    assert verdict(daemon.encryption("x", {"problem": "it is off", "rooms": ["a"]})) is FAIL
    assert verdict(daemon.encryption("x", {"unsigned": "nobody signed it"})) is WARN


def test_a_daemon_that_cannot_be_asked_is_told(tmp_path: Path) -> None:
    assert [verdict(each) for each in daemon.found(tmp_path / "store", tmp_path / "config.yaml", runs=True)] == [WARN]
    assert [verdict(each) for each in daemon.found(tmp_path / "store", tmp_path / "config.yaml", runs=False)] == [SKIP]


def test_accounts_of_members_fail_without_their_key(tmp_path: Path) -> None:
    net = {"type": "irc", "server": "localhost:6667", "tls": False, "nick": "duck"}
    paths = {"users": {"database": tmp_path / "users.json"}, "store": {"path": tmp_path / "store"}}
    links = {"pond": {"rooms": ["net/#pond"], "puppets": "members"}}
    config = Config.model_validate({"networks": {"net": net}, "links": links, **paths})
    assert [*logins.found(config)] == []
    users = TinyUsers.create(tmp_path / "users.json")
    users.add(User("alice"))
    assert [*logins.found(config)] == []
    irc_logins.keep(users, config, "alice", "net", "al", "hunter2")
    assert [verdict(finding) for finding in logins.found(config)] == [OK]
    irc_logins.vault_of(config).path.unlink()
    assert [verdict(finding) for finding in logins.found(config)] == [FAIL]
