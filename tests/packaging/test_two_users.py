"""Commands of root's on the files of the daemon's user: whatever they write stays, or becomes, that user's."""

import asyncio
import os
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import pytest

from bridge.lib.files import keep_copy
from bridge.model.outbox import Addressed
from bridge.store import Commit, Dead, Unusable
from bridge.store.sqlite import SqliteStore
from tests.conftest import cannot
from tests.events import HOME, LIBERA, matrix, said
from tests.installed import ROOT

pytestmark = pytest.mark.real_time

_USER = 10001
_CONFIG = """\
networks:
  home: {type: matrix, homeserver: "http://127.0.0.1:9", user: "@duck:pond.social", password_file: secrets/home}
  libera: {type: irc, server: "127.0.0.1:9", tls: false, nick: duck}
links:
  pond: {rooms: ["home/#pond:pond.social", "libera/#pond"]}
"""


async def _fill(path: Path) -> str:
    """A dead delivery in a new store; its id."""
    store = SqliteStore.open(path, lambda: 1e9)
    try:
        lease = await store.acquire("home", "test")
        assert lease is not None
        owed = Addressed(said(HOME, matrix("alice"), "hello"), LIBERA)
        await lease.commit(Commit.owing([owed]))
        irc = await store.acquire("libera", "test")
        assert irc is not None
        await irc.settle(Dead([owed.delivery.id], "too long"))
        return owed.delivery.id
    finally:
        await store.aclose()


def run(folder: Path, *words: str) -> None:
    environ = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [sys.executable, "-m", "bridge", *words], cwd=folder, env=environ, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, f"{words}: {done.stderr}"


def test_what_root_writes_belongs_to_the_user_of_the_daemon(tmp_path: Path) -> None:
    if os.geteuid() != 0:
        cannot("only root can write files of two users")
    folder = tmp_path / "duck"
    for each in (folder, folder / "data", folder / "secrets"):
        each.mkdir(mode=0o700)
    (folder / "config.yaml").write_text(_CONFIG)
    (folder / "secrets" / "home").write_text("quack\n")
    (folder / "secrets" / "home").chmod(0o600)
    delivery = asyncio.run(_fill(folder / "data" / "quackbridge.sqlite"))
    for each in (folder, *folder.rglob("*")):
        os.chown(each, _USER, _USER)
    for words in (
        ["init-db"],
        ["add-user", "alice", "--matrix", "@alice:pond.social"],
        ["mute-user", "alice"],
        ["outbox", "retry", delivery],
        ["outbox", "list"],
        ["backup", "backups"],
        ["irc-cert", "libera"],
        ["check-config"],
        ["ledger"],
        ["history"],
    ):
        run(folder, *words)
        others = [str(each) for each in folder.rglob("*") if each.lstat().st_uid != _USER]
        assert others == [], f"after {' '.join(words)}"
    (backup,) = (folder / "backups").iterdir()
    run(folder, "restore", str(backup), "--yes", "--with-store")
    assert [str(each) for each in folder.rglob("*") if each.lstat().st_uid != _USER] == []
    assert [each.name for each in (folder / "data").iterdir() if each.stat().st_mode & 0o077] == []


def _folder_of_the_user(tmp_path: Path) -> Path:
    if os.geteuid() != 0:
        cannot("only root can write files of two users")
    folder = tmp_path / "data"
    folder.mkdir(mode=0o700)
    os.chown(folder, _USER, _USER)
    return folder


def test_a_store_that_root_makes_belongs_to_the_user_of_its_folder(tmp_path: Path) -> None:
    """`sudo quackbridge setup` runs the bridge once, as root, on a store that is not there yet."""
    folder = _folder_of_the_user(tmp_path)
    asyncio.run(_fill(folder / "quackbridge.sqlite"))
    assert {each.name for each in folder.iterdir()} >= {"quackbridge.sqlite", "quackbridge.sqlite.reserve"}
    assert [each.name for each in folder.iterdir() if each.stat().st_uid != _USER] == []


def test_a_copy_that_is_kept_is_not_written_through_a_link(tmp_path: Path) -> None:
    (tmp_path / "other").write_text("root's")
    (tmp_path / "config.yaml").write_text("new")
    (tmp_path / "config.yaml.bak").symlink_to(tmp_path / "other")
    assert keep_copy(tmp_path / "config.yaml").read_text() == "new"
    assert (tmp_path / "other").read_text() == "root's"
    assert not (tmp_path / "config.yaml.bak").is_symlink()


@pytest.mark.parametrize("ending", ["lock", "reserve"])
def test_root_gives_away_no_file_to_which_the_user_has_made_a_link(tmp_path: Path, ending: str) -> None:
    folder = _folder_of_the_user(tmp_path)
    other = tmp_path / "shadow"
    other.write_text("root's")
    other.chmod(0o640)
    before = other.stat()
    (folder / f"quackbridge.sqlite.{ending}").symlink_to(other)
    with suppress(Unusable):  # it works without a reserve, and not without a lock
        asyncio.run(_fill(folder / "quackbridge.sqlite"))
    after = other.stat()
    assert (after.st_uid, after.st_mode, after.st_size) == (before.st_uid, before.st_mode, before.st_size)
