"""What only the user database on a file promises: nothing lost, nothing half written, nobody locked out."""

import json
import os
import random
import signal
import stat
import subprocess
import sys
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from filelock import FileLock
from hypothesis import given
from hypothesis import strategies as st

from bridge.model.event import Room
from bridge.model.people import Identity, Proof
from bridge.users import MembershipRequest, Role, Standing, User, UsersError, UsersUnavailable, audit, layout, storage
from bridge.users.audit import Record
from bridge.users.tinydb import TinyUsers
from tests.events import matrix

ALICE = Identity(Proof.MATRIX, "", "@alice:hs")


_ANYBODY = {"kind": "irc-mask", "network": "plain", "value": "*!*@*"}
_ONE = {"kind": "irc", "network": "libera", "value": "eve"}
_EVE: dict[str, object] = {"name": "eve", "role": "member", "identities": [], "password": None}


def _written(*documents: object) -> str:
    """A database as somebody might write it by hand."""
    users = {str(number): document for number, document in enumerate(documents, 1)}
    return json.dumps({"meta": {"1": {"format": 1}}, "users": users})


_ALL = ["users.audit.jsonl", "users.json", "users.json.lock"]


def _files(path: Path) -> list[str]:
    return sorted(file.name for file in path.parent.iterdir())


@pytest.fixture
def path(tmp_path: Path) -> Path:
    TinyUsers.create(tmp_path / "users.json")
    return tmp_path / "users.json"


def test_a_database_is_private_and_made_once(path: Path) -> None:
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    TinyUsers(path).add(User("alice"))
    with pytest.raises(UsersError, match="there is a user database already"):
        TinyUsers.create(path)
    assert [user.name for user in TinyUsers(path).list()] == ["alice"]


def test_a_missing_database_says_how_to_make_one(tmp_path: Path) -> None:
    with pytest.raises(UsersError, match="quackbridge init-db"):
        TinyUsers(tmp_path / "users.json")


def test_a_dropped_database_is_kept_in_a_private_backup_file(path: Path) -> None:
    TinyUsers(path).add(User("alice"))
    before = path.read_bytes()
    kept = TinyUsers.drop(path)
    assert kept.read_bytes() == before
    assert not path.exists()
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600


@pytest.mark.parametrize(
    ("content", "place"),
    [
        ('{"meta": {"1": {"format": 1}}, "users": {', ":1:42"),
        ('{"meta": {"1": {"format": 1}},\n oops', ":2:2"),
        ("[]", "not a user database"),
        ("{}", "not a user database"),
        ('{"meta": {"1": {"format": 1}}, "users": {"1": {"name": "x"}}}', "broken"),
        ('{"meta": {"1": {"format": 1}}, "users": {"1": 7}}', "broken"),
        ('{"meta": {"1": {"format": 3}}, "users": {}}', "format 3"),
        ("[" * 200_000, "broken"),
        ('{"meta": {"1": {"format": 2}}, "users": {"alice2": {}}}', "is no row's number"),
        ('{"meta": {"1": 7}, "users": {}}', "broken"),
        (
            _written(_EVE)[:-1] + ', "sanctions": {"1": {"target": "eve", "measure": "ban", "link": null, "since": 1,'
            ' "until": 1e15, "reason": "", "by": ""}}}',
            "sanction 1 is broken: 1000000000000000.0 is not a time",
        ),
        (_written({"name": "x"}), "user 1 is broken: 'identities' is missing"),
        (_written({**_EVE, "role": "king"}), "user 1 is broken: 'king' is not a valid Role"),
        (_written({**_EVE, "name": "two words"}), "user 1 is broken: a user's name"),
        (_written({**_EVE, "identities": [_ANYBODY]}), "user 1 is broken: '*!*@*' gives no host"),
        (_written(_EVE, {**_EVE, "name": "EVE"}), "there is a user 'eve' already"),
        (_written({**_EVE, "identities": [_ONE]}, {**_EVE, "name": "bob", "identities": [_ONE]}), "belongs to eve"),
        ("\ufffe\x00", ""),
    ],
)
def test_a_broken_database_is_refused_with_its_place_and_not_changed(path: Path, content: str, place: str) -> None:
    path.write_text(content)
    with pytest.raises(UsersError, match=r"users\.json") as raised:
        TinyUsers(path)
    assert place in str(raised.value)
    assert path.read_text() == content


def test_a_database_dropped_twice_in_a_second_is_kept_twice(path: Path) -> None:
    kept = {TinyUsers.drop(path)}
    for _ in range(3):
        TinyUsers.create(path)
        kept.add(TinyUsers.drop(path))
    assert len(kept) == 4
    assert all(one.exists() for one in kept)


def test_dropping_a_missing_database_fails_and_creates_nothing(tmp_path: Path) -> None:
    with pytest.raises(UsersError, match="there is no user database"):
        TinyUsers.drop(tmp_path / "data" / "users.json")
    assert list(tmp_path.iterdir()) == []


def test_a_symlink_to_the_database_stays_a_symlink(path: Path, tmp_path: Path) -> None:
    link = tmp_path / "link.json"
    link.symlink_to(path)
    TinyUsers(link).add(User("alice"))
    assert link.is_symlink()
    assert [user.name for user in TinyUsers(path).list()] == ["alice"]


def test_a_key_that_an_operator_added_by_hand_is_kept(path: Path) -> None:
    path.write_text(_written({**_EVE, "note": "from the pond"}))
    TinyUsers(path).set_role("eve", Role.ADMIN)
    assert json.loads(path.read_text())["users"]["1"] == {**_EVE, "role": "admin", "note": "from the pond"}


def test_a_lock_that_is_held_for_too_long_is_an_error_that_may_pass(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(storage, "_PATIENCE", 0.0)
    users = TinyUsers(path)
    with FileLock(f"{path}.lock"), pytest.raises(UsersUnavailable, match="another process has locked it"):
        users.add(User("alice"))
    users.add(User("alice"))


def test_a_running_daemon_keeps_its_users_when_the_database_file_breaks(path: Path) -> None:
    users = TinyUsers(path)
    users.add(User("alice", identities=(ALICE,)))
    path.write_text("{")
    with pytest.raises(UsersError, match=r"users\.json:1:2"):
        users.refresh()
    assert users.identify(matrix("alice")) is not None
    with pytest.raises(UsersError):
        users.add(User("bob"))
    assert path.read_text() == "{"


def test_refresh_shows_users_that_another_process_has_added(path: Path) -> None:
    daemon, command = TinyUsers(path), TinyUsers(path)
    command.add(User("alice", identities=(ALICE,)))
    assert daemon.identify(matrix("alice")) is None
    assert daemon.refresh()
    assert daemon.identify(matrix("alice")) is not None
    assert not daemon.refresh()


def test_two_open_databases_on_one_file_see_each_others_changes_when_they_write(path: Path) -> None:
    one, other = TinyUsers(path), TinyUsers(path)
    one.add(User("alice", identities=(ALICE,)))
    other.add(User("bob"))
    with pytest.raises(UsersError, match="belongs to alice"):
        other.link_identity("bob", ALICE)
    assert [user.name for user in TinyUsers(path).list()] == ["alice", "bob"]


_ADD = """
import sys
from pathlib import Path
from bridge.users import User
from bridge.users.tinydb import TinyUsers
for number in range(int(sys.argv[3])):
    TinyUsers(Path(sys.argv[1])).add(User(f"{sys.argv[2]}-{number}"))
    print(number, flush=True)
"""


def _adding(path: Path, prefix: str, many: int) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", _ADD, str(path), prefix, str(many)], stdout=subprocess.PIPE, text=True
    )


def test_eight_processes_that_add_users_at_once_lose_none(path: Path) -> None:
    children = [_adding(path, f"p{number}", 10) for number in range(8)]
    for child in children:
        with child:
            assert child.wait(60) == 0
    assert len(TinyUsers(path).list()) == 80


def test_a_process_killed_at_any_point_leaves_the_old_or_the_new_database(path: Path) -> None:
    rng = random.Random(3)
    for attempt in range(6):
        before = len(TinyUsers(path).list())
        with _adding(path, f"k{attempt}", 1_000) as child:
            assert child.stdout is not None
            told = 0
            for _ in range(rng.randrange(1, 20)):
                told = int(child.stdout.readline()) + 1
            child.kill()
            told = max([told, *(int(line) + 1 for line in child.stdout.read().split("\n")[:-1])])
            assert child.wait() == -signal.SIGKILL
        assert told <= len(TinyUsers(path).list()) - before <= told + 1
    TinyUsers(path).add(User("alice"))
    assert _files(path) == _ALL


def test_a_half_written_file_of_a_killed_process_is_replaced_by_the_next_write(path: Path) -> None:
    path.with_name(".users.json.new").write_text("half a data")
    TinyUsers(path).add(User("alice"))
    assert [user.name for user in TinyUsers(path).list()] == ["alice"]
    assert _files(path) == _ALL


@pytest.mark.parametrize(
    ("file", "failing"),
    [
        ("users.audit.jsonl", "write"),
        ("users.audit.jsonl", "fsync"),
        (".users.json.new", "write"),
        (".users.json.new", "fsync"),
        (".users.json.new", "rename"),
    ],
)
def test_a_full_disk_is_an_error_that_changes_nothing(
    path: Path, monkeypatch: pytest.MonkeyPatch, file: str, failing: str
) -> None:
    users = TinyUsers(path, by="test")
    users.add(User("alice"))
    before, known = path.read_bytes(), [*users.audit.read()]

    def full(handle: int | Path, *args: Any) -> Any:
        name = handle if isinstance(handle, Path) else Path(f"/proc/self/fd/{handle}").readlink()
        if name.name == file:
            raise OSError(28, "No space left on device")
        return works(handle, *args)

    owner = Path if failing == "rename" else os
    works = getattr(owner, failing)
    monkeypatch.setattr(owner, failing, full)
    with pytest.raises(UsersUnavailable, match="No space left"):
        users.add(User("bob"))
    monkeypatch.undo()
    assert path.read_bytes() == before
    assert _files(path) == _ALL
    assert [user.name for user in users.list()] == ["alice"]
    told = [record.what for record in users.audit.read()][len(known) :]
    assert told == ([] if file == "users.audit.jsonl" else ["add-user", "failed"])


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can run commands for somebody else")
def test_root_leaves_owner_group_and_mode_as_they_were(path: Path) -> None:
    for file in (path, Path(f"{path}.lock")):
        os.chown(file, 65534, 65533)
    path.chmod(0o640)
    TinyUsers(path).add(User("alice"))
    found = path.stat()
    assert (found.st_uid, found.st_gid, stat.S_IMODE(found.st_mode)) == (65534, 65533, 0o640)
    assert Path(f"{path}.lock").stat().st_uid == 65534


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can make files for somebody else")
def test_files_that_root_makes_belong_to_the_owner_of_the_folder(tmp_path: Path) -> None:
    os.chown(tmp_path, 65534, 65533)
    TinyUsers.create(tmp_path / "users.json")
    assert {file.stat().st_uid for file in tmp_path.iterdir()} == {65534}


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can make folders for somebody else")
def test_folders_that_root_makes_belong_to_the_owner_of_the_parent_folder(tmp_path: Path) -> None:
    os.chown(tmp_path, 65534, 65533)
    TinyUsers.create(tmp_path / "a" / "b" / "users.json")
    assert {file.stat().st_uid for file in tmp_path.rglob("*")} == {65534}
    assert stat.S_IMODE((tmp_path / "a").stat().st_mode) == 0o700


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")
def test_a_write_by_a_user_who_is_neither_owner_nor_root_is_refused() -> None:
    """Two users, neither of them root, and a folder that both may write to."""
    with tempfile.TemporaryDirectory() as name:
        path = Path(name) / "users.json"
        TinyUsers.create(path)
        before = path.read_bytes()
        for file in (path, path.with_name("users.audit.jsonl")):
            os.chown(file, 65534, 65534)
        path.chmod(0o644)
        Path(f"{path}.lock").chmod(0o666)
        os.chown(name, 65532, 65532)
        code = _ADD.replace("for number", "import os\nos.setgid(65532)\nos.setuid(65532)\nfor number", 1)
        done = subprocess.run(
            [sys.executable, "-c", code, str(path), "x", "1"],
            capture_output=True,
            text=True,
        )
        assert "run this command as user 65534, or as root" in done.stderr
        assert (path.read_bytes(), path.stat().st_uid) == (before, 65534)
        assert _files(path) == _ALL


def test_the_database_file_is_readable_json(path: Path) -> None:
    TinyUsers(path).add(User("alice", Role.ADMIN, (ALICE,)))
    (document,) = json.loads(path.read_text())["users"].values()
    assert document == {
        "name": "alice",
        "role": "admin",
        "identities": [{"kind": "matrix", "network": "", "value": "@alice:hs"}],
        "password": None,
    }


def test_changes_are_recorded_in_the_audit_log_with_who_made_them_and_no_secret(path: Path) -> None:
    users = TinyUsers(path, by="root", clock=lambda: 1_000.0)
    users.add(User("alice", Role.ADMIN, (ALICE,), "the hash"))
    users.acting("alice").set_password("alice", "another hash")
    with pytest.raises(UsersError):
        users.add(User("alice"))
    users.set_role("alice", Role.ADMIN)
    assert [*users.audit.read()][1:] == [
        Record(1_000.0, "root", "add-user", "alice admin @alice:hs"),
        Record(1_000.0, "alice", "set-password", "alice"),
    ]
    assert stat.S_IMODE(users.audit.path.stat().st_mode) == 0o600
    assert "hash" not in users.audit.path.read_text()


def test_the_audit_log_is_kept_in_two_files_of_bounded_size(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(audit, "_LARGEST", 1_000)
    log = TinyUsers(path).audit
    for number in range(40):
        log.record("root", "try", str(number))
    kept = [int(record.details) for record in log.read()]
    assert kept == [*range(kept[0], 40)]
    assert 10 < len(kept) < 40


def test_text_in_an_audit_record_cannot_break_or_forge_a_line_of_the_log(path: Path) -> None:
    log = TinyUsers(path).audit
    log.path.write_text("half a li\n")
    log.record("root", "try", 'x"}\n{"time": "2026-01-01", "by": "eve"}\x1b[2J' + "y" * 10_000)
    (record,) = log.read()
    assert record.by == "root"
    assert len(log.path.read_text().splitlines()) == 2


def test_a_row_that_did_not_change_is_not_parsed_again_by_refresh(path: Path) -> None:
    users = TinyUsers(path)
    users.add(*(User(f"u{number}") for number in range(3)))
    users = TinyUsers(path)
    before = [*users.list()]
    TinyUsers(path).set_role("u1", Role.ADMIN)
    users.refresh()
    assert [one is other for one, other in zip(before, users.list(), strict=True)] == [True, False, True]


def test_a_database_of_format_1_is_read_and_written_as_format_2(path: Path) -> None:
    path.write_text(_written(_EVE))
    TinyUsers(path).add(User("bob"))
    found = json.loads(path.read_text())
    assert found["meta"] == {"1": {"format": 2}}
    assert [user.name for user in TinyUsers(path).list()] == ["bob", "eve"]


@pytest.mark.parametrize(("one", "other"), [('"2"', '"1"'), ('"meta"', '"users"'), ('"role"', '"name"')])
def test_a_row_number_table_or_key_that_occurs_twice_is_an_error(one: str, other: str) -> None:
    row = {"name": "eve", "role": "member"}
    text = layout.written({"meta": {"1": {"format": 1}}, "users": {"1": row, "2": row}}).replace(one, other)
    with pytest.raises(ValueError, match="is there twice"):
        layout.parse(f" {text}")
    if one != '"role"':  # reading line by line does not parse the rows
        with pytest.raises(ValueError, match="is there twice"):
            layout.parse(text)


def test_two_rows_in_one_line_are_read_as_two_rows() -> None:
    row = {"name": "eve"}
    text = layout.written({"users": {"1": row, "2": row}}).replace(",\n ", ",")
    assert layout.parse(text) == {"users": {"1": '{"name": "eve"}', "2": '{"name": "eve"}'}}


def test_a_torn_line_in_the_audit_log_costs_no_other_record(path: Path) -> None:
    log = TinyUsers(path).audit
    with log.path.open("a") as file:
        file.write('{"time": "2026-')
    log.record("root", "try", "again")
    assert [record.what for record in log.read()] == ["init-db", "try"]


@given(
    st.dictionaries(
        st.text(max_size=3),
        st.dictionaries(
            st.integers(0, 99).map(str),
            st.dictionaries(st.text(max_size=3), st.text(max_size=5), max_size=3),
            max_size=4,
        ),
        max_size=3,
    )
)
def test_a_written_database_is_read_back_the_same_by_lines_and_as_json(
    tables: dict[str, dict[str, dict[str, str]]],
) -> None:
    text = layout.written(tables)
    opened = {
        name: {number: json.loads(str(row)) for number, row in rows.items()}
        for name, rows in layout.parse(text).items()
    }
    assert opened == json.loads(text) == tables


_BOB = Identity(Proof.IRC, "libera", "bob")
_WISH = MembershipRequest(_BOB, Room("libera", "bob_"), 1_000.0)


def test_a_request_is_in_the_file_and_each_step_in_the_audit_log(path: Path) -> None:
    users = TinyUsers(path, clock=lambda: 2_000.0)
    users.acting("libera/bob_").ask(_WISH)
    assert [each.handle for each in TinyUsers(path).requests()] == ["bob"]
    users.acting("admin").approve("bob", "bob", 2_000.0)
    users.acting("libera/eve").ask(MembershipRequest(ALICE, Room("home", "@alice:hs"), 2_000.0))
    users.acting("admin").deny("alice", 2_000.0)
    assert users.refresh()
    assert TinyUsers(path).requests() == users.requests()
    assert [(each.by, each.what, each.details) for each in users.audit.read()][1:] == [
        ("libera/bob_", "request", "bob libera/bob"),
        ("admin", "approve", "bob libera/bob as bob"),
        ("libera/eve", "request", "alice @alice:hs"),
        ("admin", "deny", "alice @alice:hs"),
    ]


def test_a_second_request_of_the_same_identity_writes_nothing(path: Path) -> None:
    users = TinyUsers(path)
    users.ask(_WISH)
    before = path.stat().st_mtime_ns, users.audit.path.read_text()
    users.ask(_WISH)
    assert (path.stat().st_mtime_ns, users.audit.path.read_text()) == before


def test_a_file_from_before_there_were_requests_is_read_and_takes_requests(path: Path) -> None:
    path.write_text(_written(_EVE))
    users = TinyUsers(path)
    assert users.requests() == ()
    users.ask(_WISH)
    assert [user.name for user in TinyUsers(path).list()] == ["eve"]
    assert [each.handle for each in TinyUsers(path).requests()] == ["bob"]


def test_a_table_that_this_program_does_not_know_is_left_as_it_is(path: Path) -> None:
    """So an older program leaves the requests alone, and the format needs no new version."""
    document = json.loads(path.read_text()) | {"later": {"1": {"a": 1}}}
    path.write_text(json.dumps(document))
    users = TinyUsers(path)
    users.ask(_WISH)
    users.approve("bob", "bob", 1_500.0)
    assert json.loads(path.read_text())["later"] == {"1": {"a": 1}}


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("handle", "two words"),
        ("handle", "@eve"),
        ("identity", {"kind": "irc-mask", "network": "plain", "value": "*!*@*"}),
        ("identity", None),
        ("room", "nowhere"),
        ("since", "yesterday"),
        ("since", 1e400),
        ("standing", "maybe"),
        ("standing", "approved"),
        ("decided", 5.0),
    ],
)
def test_a_broken_request_is_left_out_and_the_users_are_read(path: Path, key: str, value: object) -> None:
    users = TinyUsers(path)
    users.ask(_WISH)
    document = json.loads(path.read_text())
    document["requests"]["1"][key] = value
    path.write_text(json.dumps(document))
    assert TinyUsers(path).requests() == ()


@pytest.mark.parametrize("address", ["", "x\ud800"])
def test_a_request_that_could_not_be_read_again_is_not_stored(path: Path, address: str) -> None:
    with pytest.raises(UsersError):
        TinyUsers(path).ask(replace(_WISH, room=Room("libera", address)))
    assert TinyUsers(path).requests() == ()


def test_an_open_request_of_somebody_who_is_a_user_by_hand_is_no_request(path: Path) -> None:
    TinyUsers(path).ask(_WISH)
    document = json.loads(path.read_text())
    document["users"]["1"] = _EVE | {"identities": [{"kind": "irc", "network": "libera", "value": "BOB"}]}
    path.write_text(json.dumps(document))
    assert [each.standing for each in TinyUsers(path).requests()] == [Standing.DROPPED]
