"""What an earlier release has left on a machine is taken over: configuration, users, and what waits in the store."""

import asyncio
import json
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from click.testing import CliRunner

from bridge.cli import cli
from bridge.config import load_settings
from bridge.store.migrations import VERSION
from bridge.store.sqlite import SqliteStore

RELEASES = Path(__file__).parents[1] / "data" / "releases"
_FOLDERS = sorted(each for each in RELEASES.iterdir() if (each / "config.yaml").exists())

pytestmark = pytest.mark.real_time


@pytest.fixture(params=_FOLDERS, ids=lambda folder: folder.name)
def left(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """A copy of what that release has left."""
    (tmp_path / "data").mkdir()
    for name in ("quackbridge.sqlite", "users.json"):
        shutil.copy(request.param / name, tmp_path / "data" / name)
        (tmp_path / "data" / name).chmod(0o600)
    shutil.copy(request.param / "config.yaml", tmp_path / "config.yaml")
    (tmp_path / "secrets").mkdir()
    secret = tmp_path / "secrets" / "home"
    secret.write_text("quack-quack\n")
    secret.chmod(0o600)
    return tmp_path


def run(folder: Path, *words: str) -> str:
    done = CliRunner().invoke(
        cli, [*words, "-c", str(folder / "config.yaml")], standalone_mode=False, catch_exceptions=False
    )
    assert done.exit_code == 0
    return done.stdout


def test_there_is_an_earlier_release() -> None:
    assert "0.1.0" in [folder.name for folder in _FOLDERS]


def test_its_configuration_is_right_and_means_the_same(left: Path) -> None:
    assert run(left, "check-config") == "ok\n"
    settings = load_settings(left / "config.yaml")
    assert [*settings.networks] == ["home", "libera"]
    assert settings.links["pond"].guests == "duck-only"


def test_its_users_are_users(left: Path) -> None:
    users = {user["name"]: user for user in json.loads(run(left, "list-users", "--json"))}
    assert {name: user["role"] for name, user in users.items()} == {"alice": "admin", "bob": "member"}


def test_its_store_is_upgraded_and_what_waited_waits(left: Path) -> None:
    path = left / "data" / "quackbridge.sqlite"

    async def upgrade() -> None:
        store = SqliteStore.open(path, lambda: 1e9)
        try:
            lease = await store.acquire("home", "now")
            assert lease is not None
            assert await lease.cursor() == "cursor 1"
            assert await lease.recall() == {"device": "DUCK"}
        finally:
            await store.aclose()

    asyncio.run(upgrade())
    with closing(sqlite3.connect(path)) as sql:
        assert sql.execute("PRAGMA user_version").fetchone() == (VERSION,)
    entries = json.loads(run(left, "outbox", "list", "--json"))
    assert sorted((entry["state"], entry["text"]) for entry in entries) == [
        ("dead", "line 2"),
        ("queued", "line 0"),
        ("queued", "line 1"),
    ]
