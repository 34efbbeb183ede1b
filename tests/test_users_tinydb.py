"""What only the user database on a file promises: nothing lost, nothing half written, nobody locked out."""

import json
import os
import random
import signal
import stat
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.model import Identity, Proof
from bridge.users import Role, User, UsersError
from bridge.users import identities as parse
from bridge.users.identities import matches
from bridge.users.passwords import hash_password
from bridge.users.tinydb import TinyUsers
from tests.events import matrix

ALICE = Identity(Proof.MATRIX, "", "@alice:hs")


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


def test_what_is_dropped_is_kept_beside(path: Path) -> None:
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
        ('{"meta": {"1": {"format": 2}}, "users": {}}', "format 2"),
        ("\ufffe\x00", ""),
    ],
)
def test_a_broken_database_is_named_and_never_overwritten(path: Path, content: str, place: str) -> None:
    path.write_text(content)
    with pytest.raises(UsersError, match=r"users\.json") as raised:
        TinyUsers(path)
    assert place in str(raised.value)
    assert path.read_text() == content


def test_a_database_broken_under_a_running_daemon_leaves_it_what_it_knew(path: Path) -> None:
    users = TinyUsers(path)
    users.add(User("alice", identities=(ALICE,)))
    path.write_text("{")
    with pytest.raises(UsersError, match=r"users\.json:1:2"):
        users.refresh()
    assert users.identify(matrix("alice")) is not None
    with pytest.raises(UsersError):
        users.add(User("bob"))
    assert path.read_text() == "{"


def test_another_process_is_seen_by_looking_again(path: Path) -> None:
    daemon, command = TinyUsers(path), TinyUsers(path)
    command.add(User("alice", identities=(ALICE,)))
    assert daemon.identify(matrix("alice")) is None
    assert daemon.refresh()
    assert daemon.identify(matrix("alice")) is not None
    assert not daemon.refresh()


def test_two_who_write_at_once_lose_nothing(path: Path) -> None:
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


@pytest.mark.parametrize("failing", ["write", "fsync"])
def test_a_full_disk_is_an_error_that_changes_nothing(
    path: Path, monkeypatch: pytest.MonkeyPatch, failing: str
) -> None:
    users = TinyUsers(path)
    users.add(User("alice"))
    before = path.read_bytes()

    def full(*_: object) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, failing, full)
    with pytest.raises(UsersError, match="No space left"):
        users.add(User("bob"))
    monkeypatch.undo()
    assert path.read_bytes() == before
    assert sorted(file.name for file in path.parent.iterdir()) == ["users.json", "users.json.lock"]


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
def test_what_root_makes_first_belongs_to_whoever_owns_the_folder(tmp_path: Path) -> None:
    os.chown(tmp_path, 65534, 65533)
    TinyUsers.create(tmp_path / "users.json")
    assert {file.stat().st_uid for file in tmp_path.iterdir()} == {65534}


def test_an_operator_can_read_the_file(path: Path) -> None:
    TinyUsers(path).add(User("alice", Role.ADMIN, (ALICE,)))
    (document,) = json.loads(path.read_text())["users"].values()
    assert document == {
        "name": "alice",
        "role": "admin",
        "identities": [{"kind": "matrix", "network": "", "value": "@alice:hs"}],
        "password": None,
    }


@given(st.text("ab*?", max_size=12), st.text("ab", max_size=12))
def test_a_mask_matches_what_the_plain_definition_says(mask: str, text: str) -> None:
    def plainly(mask: str, text: str) -> bool:
        if not mask:
            return not text
        if mask[0] == "*":
            return plainly(mask[1:], text) or (bool(text) and plainly(mask, text[1:]))
        return bool(text) and mask[0] in ("?", text[0]) and plainly(mask[1:], text[1:])

    assert matches(mask, text) == plainly(mask, text)


def test_no_mask_takes_long(path: Path) -> None:
    assert not matches("*a" * 120 + "b", "a" * 250)


@pytest.mark.parametrize(
    "text",
    ["plain/alice!*@*", "plain/*!*@*.*", "plain/alice", "plain/alice!user", "alice!a@host", "plain/a!b@h\r\nQUIT"],
)
def test_a_mask_without_a_host_is_no_identity(text: str) -> None:
    with pytest.raises(UsersError):
        parse.irc_mask(text)


@pytest.mark.parametrize("text", ["alice:hs", "@alice", "@al ice:hs", "@alice:hs\n", "@a:" + "h" * 300, ""])
def test_a_malformed_matrix_id_is_refused(text: str) -> None:
    with pytest.raises(UsersError, match="is not a Matrix id"):
        parse.matrix(text)


@pytest.mark.parametrize("text", ["alice", "libera/", "/alice", "libera/al ice", "libera/*", "libera/a,b"])
def test_a_malformed_account_is_refused(text: str) -> None:
    with pytest.raises(UsersError):
        parse.irc(text)


def test_a_password_is_kept_as_an_argon2id_hash() -> None:
    assert hash_password("quack").startswith("$argon2id$")
    with pytest.raises(UsersError):
        hash_password("")
