"""The command line as scripts and people use it: as a process."""

import json
import os
import signal
import stat
import subprocess
import sys
from pathlib import Path

import click
import pytest
import yaml

from bridge.cli import cli
from tests.integration.daemon import quackbridge

CONFIG = {
    "networks": {
        "home": {
            "type": "matrix",
            "homeserver": "http://127.0.0.1:1",
            "user": "@duck:localhost",
            "password_file": "secrets/home",
        },
        "irc": {"type": "irc", "server": "127.0.0.1:1", "tls": False, "nick": "duck"},
    },
    "links": {"pond": {"rooms": ["home/#pond:localhost", "irc/#pond"], "bots": ["duck"]}},
    "bots": {"duck": {"delay": 0}},
    "users": {"database": "data/users.json"},
    "store": {"path": "data/store.sqlite"},
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "config.yaml").write_text(yaml.safe_dump(CONFIG))
    (tmp_path / "secrets").mkdir()
    (tmp_path / "secrets" / "home").touch(mode=0o600)
    (tmp_path / "secrets" / "home").write_text("quack\n")
    return tmp_path


@pytest.fixture
def pond(folder: Path) -> Path:
    assert quackbridge(folder, "init-db").returncode == 0
    return folder


def run(folder: Path, *arguments: str, stdin: str = "") -> str:
    """What a command that succeeds prints."""
    done = quackbridge(folder, *arguments, stdin=stdin)
    assert done.returncode == 0, done.stderr
    return done.stdout


def fail(folder: Path, status: int, *arguments: str, stdin: str = "") -> str:
    """What a command that fails with `status` says, which is never a traceback."""
    done = quackbridge(folder, *arguments, stdin=stdin)
    assert done.returncode == status, done.stderr
    assert "Traceback" not in done.stderr
    return done.stderr


def names(folder: Path) -> list[str]:
    return [user["name"] for user in json.loads(run(folder, "list-users", "--json"))]


def test_a_users_life(pond: Path) -> None:
    run(pond, "add-user", "alice", "--matrix", "@alice:hs", "--irc", "irc/alice", "--role", "admin")
    run(pond, "link-identity", "alice", "--matrix", "@alice:other")
    run(pond, "unlink-identity", "alice", "--irc", "irc/ALICE")
    run(pond, "set-role", "alice", "member")
    run(pond, "set-password", "alice", "--password-stdin", stdin="secret\n")
    assert json.loads(run(pond, "show-user", "alice", "--json")) == {
        "name": "alice",
        "role": "member",
        "identities": [
            {"kind": "matrix", "network": None, "value": "@alice:hs"},
            {"kind": "matrix", "network": None, "value": "@alice:other"},
        ],
        "has_password": True,
    }
    assert "secret" not in (pond / "data" / "users.json").read_text()
    assert "@alice:other" in run(pond, "list-users")
    assert "alice" in run(pond, "show-user", "alice")
    run(pond, "remove-user", "alice")
    assert names(pond) == []


def test_the_database_is_made_and_dropped_on_purpose(folder: Path) -> None:
    assert "init-db" in fail(folder, 2, "list-users")
    run(folder, "init-db")
    assert "already" in fail(folder, 2, "init-db")
    assert "--yes" in fail(folder, 2, "drop-db")
    run(folder, "add-user", "alice")
    run(folder, "drop-db", "--yes")
    (kept,) = (folder / "data").glob("users.json.*.bak")
    assert "alice" in kept.read_text()
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600


@pytest.mark.parametrize(
    ("status", "arguments", "said"),
    [
        (2, ("add-user", "Alice"), "there is a user 'alice' already"),
        (2, ("add-user", "eve", "--matrix", "@alice:hs"), "belongs to alice already"),
        (2, ("add-user", "eve", "--matrix", "alice"), "is not a Matrix id"),
        (2, ("add-user", "eve", "--irc-mask", "irc/eve!*@*"), "gives no host"),
        (2, ("add-user", "eve", "--irc", "libera/eve"), "there is no IRC network 'libera'; there are: irc"),
        (2, ("add-user", "eve", "--irc", "home/eve"), "there is no IRC network 'home'"),
        (2, ("add-user", "eve", "--role", "king"), "'king' is not one of 'member', 'admin'"),
        (2, ("add-user", "two words"), "one word"),
        (2, ("add-user", "eve", "--password", "--password-stdin"), "one of them"),
        (2, ("add-user", "eve", "--password-stdin"), "a password has"),
        (2, ("remove-user", "eve"), "there is no user 'eve'"),
        (2, ("show-user", "eve"), "there is no user 'eve'"),
        (2, ("set-role", "alice", "king"), "'king' is not one of"),
        (2, ("link-identity", "alice"), "which identity?"),
        (2, ("unlink-identity", "alice", "--matrix", "@eve:hs"), "has no identity @eve:hs"),
        (2, ("unlink-identity", "alice", "--matrix", "@alice:hs", "--irc", "irc/x"), "has no identity irc/x"),
        (2, ("fly",), "No such command 'fly'"),
        (2, ("run", "--fast"), "No such option"),
        (2, ("list-users", "-c", "nowhere.yaml"), "nowhere.yaml"),
    ],
)
def test_what_is_wrong_is_said_in_one_line_and_changes_nothing(
    pond: Path, status: int, arguments: tuple[str, ...], said: str
) -> None:
    run(pond, "add-user", "alice", "--matrix", "@alice:hs")
    before = (pond / "data" / "users.json").read_bytes()
    assert said in fail(pond, status, *arguments)
    assert (pond / "data" / "users.json").read_bytes() == before


def test_a_mask_on_a_network_that_is_not_trusted_is_added_with_a_warning(pond: Path) -> None:
    done = quackbridge(pond, "add-user", "eve", "--irc-mask", "irc/*!eve@host.example")
    assert done.returncode == 0
    assert "trust_hostmasks" in done.stderr


def test_a_broken_database_is_named_and_kept(pond: Path) -> None:
    (pond / "data" / "users.json").write_text('{"users": ')
    for arguments in (("list-users",), ("add-user", "alice")):
        assert "users.json:1:11" in fail(pond, 2, *arguments)
    assert (pond / "data" / "users.json").read_text() == '{"users": '


def test_all_that_is_wrong_with_a_config_is_said_at_once(folder: Path) -> None:
    (folder / "config.yaml").write_text("networks:\n  home: {type: telepathy}\nlink: {}\n")
    said = fail(folder, 2, "check-config")
    assert "config.yaml:2:" in said
    assert "config.yaml:3:1: link" in said


def test_a_bot_that_is_not_there_is_found_before_it_is_needed(folder: Path) -> None:
    config = CONFIG | {"bots": {"duck": {"brain": "bird"}, "goose": {"use": "goose:Goose"}}}
    (folder / "config.yaml").write_text(yaml.safe_dump(config))
    first, second = fail(folder, 2, "check-config").splitlines()
    assert first.startswith("config.yaml: bots.duck: ")
    assert second.startswith("config.yaml: bots.goose: ")


def test_a_sound_config_is_ok(pond: Path) -> None:
    done = quackbridge(pond, "check-config")
    assert (done.returncode, done.stdout, done.stderr) == (0, "ok\n", "")


def test_a_sound_config_whose_database_cannot_be_read_is_ok_with_a_warning(folder: Path) -> None:
    done = quackbridge(folder, "check-config")
    assert (done.returncode, done.stdout) == (0, "ok\n")
    assert "init-db" in done.stderr


def test_users_can_be_kept_while_a_secret_is_missing(pond: Path) -> None:
    (pond / "secrets" / "home").unlink()
    run(pond, "add-user", "alice")
    assert "secrets/home" in fail(pond, 2, "check-config")


def test_the_schema_is_json(folder: Path) -> None:
    assert "networks" in json.loads(run(folder, "config-schema"))["properties"]


def test_the_duck_talks_in_the_terminal(folder: Path) -> None:
    assert (
        run(folder, "chat", stdin="hello\n\x1b[31mred\n") == "Little Yellow Duck> hello\nLittle Yellow Duck>  [31mred\n"
    )
    assert "there is no bot 'goose'" in fail(folder, 2, "chat", "--bot", "goose")


def test_the_duck_talks_without_a_config_unless_one_is_named(tmp_path: Path) -> None:
    assert run(tmp_path, "chat", stdin="hello\n") == "Little Yellow Duck> hello\n"
    assert "nowhere.yaml" in fail(tmp_path, 2, "chat", "-c", "nowhere.yaml")


def test_an_outbox_without_a_store_says_so(folder: Path) -> None:
    assert "there is no store yet" in fail(folder, 2, "outbox", "list")


def _imported(environ: dict[str, str], *arguments: str) -> tuple[str, set[str]]:
    """What a command prints, and the modules that it imports."""
    done = subprocess.run(
        [sys.executable, "-X", "importtime", "-m", "bridge", *arguments],
        capture_output=True,
        text=True,
        env=os.environ | environ,
    )
    return done.stdout, {line.rpartition("|")[2].strip() for line in done.stderr.splitlines()}


@pytest.mark.parametrize("arguments", [["--help"], ["run", "--help"], ["add-user", "--help"], ["outbox", "--help"]])
def test_help_imports_no_network_library(arguments: list[str]) -> None:
    shown, imported = _imported({}, *arguments)
    assert "Usage: quackbridge" in shown
    assert {"nio", "aiohttp", "irc", "irc.client", "synapse"} & imported == set()


def test_the_overview_and_completion_import_no_command() -> None:
    shown, imported = _imported({}, "--help")
    assert "unlink-identity" in shown
    assert {"pydantic", "yaml", "tinydb", "rich", "bridge.cli.users"} & imported == set()
    shown, imported = _imported(
        {"_QUACKBRIDGE_COMPLETE": "bash_complete", "COMP_WORDS": "quackbridge add", "COMP_CWORD": "1"}
    )
    assert shown.split() == ["plain,add-user"]
    assert {"pydantic", "yaml", "tinydb", "rich", "bridge.cli.users"} & imported == set()


def test_every_command_exists_takes_a_config_and_says_what_it_does() -> None:
    context = click.Context(cli)
    for name in cli.list_commands(context):
        command = cli.get_command(context, name)
        assert command is not None
        assert command.name == name
        assert command.help
        leaves = command.commands.values() if isinstance(command, click.Group) else [command]
        for leaf in leaves:
            assert name == "demo" or any("--config" in option.opts for option in leaf.params), leaf.name


def test_no_command_at_all_is_wrong_usage_and_shows_the_help(folder: Path) -> None:
    assert "\nCommands:\n" in fail(folder, 2)


def test_a_reader_who_has_seen_enough_is_no_failure_worth_a_word(pond: Path) -> None:
    for number in range(3):
        run(pond, "add-user", f"user{number}", "--matrix", f"@{'x' * 200}{number}:hs")
    reading, writing = os.pipe()
    os.close(reading)
    done = subprocess.run(
        [sys.executable, "-m", "bridge", "list-users"], cwd=pond, stdout=writing, stderr=subprocess.PIPE, text=True
    )
    os.close(writing)
    assert (done.returncode, done.stderr) == (1, "")


def test_a_bug_is_one_line_unless_it_is_asked_for(folder: Path) -> None:
    code = (
        "import sys, bridge.config\n"
        "def boom(*_): raise KeyError('quack\\nquack\\x1b[2J')\n"
        "bridge.config.load = boom\n"
        "sys.argv = ['quackbridge', 'check-config']\n"
        "from bridge.__main__ import main\nmain()"
    )
    for debug in ("", "1"):
        done = subprocess.run(
            [sys.executable, "-c", code],
            cwd=folder,
            capture_output=True,
            text=True,
            env=os.environ | {"QUACKBRIDGE_DEBUG": debug},
        )
        assert done.returncode == 1
        assert ("Traceback" in done.stderr) is bool(debug)
        assert done.stderr.splitlines()[-1].startswith("quackbridge: KeyError: ")
        assert "\x1b" not in done.stderr.splitlines()[-1]


def test_a_full_disk_is_worth_another_try(pond: Path) -> None:
    code = (
        "import os, sys\n"
        "def full(*_): raise OSError(28, 'No space left on device')\n"
        "os.fsync = full\n"
        "sys.argv = ['quackbridge', 'add-user', 'alice']\n"
        "from bridge.__main__ import main\nmain()"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=pond, capture_output=True, text=True)
    assert done.returncode == 1
    assert done.stderr.startswith("quackbridge: ")
    assert "nothing was changed: No space left on device" in done.stderr
    assert names(pond) == []


def test_warnings_are_for_whoever_runs_the_daemon(folder: Path) -> None:
    (folder / "config.yaml").write_text(yaml.safe_dump(CONFIG | {"links": {}}))
    assert quackbridge(folder, "init-db").stderr == ""
    done = quackbridge(folder, "check-config")
    assert (done.returncode, done.stdout) == (0, "ok\n")
    assert "warning: config.yaml:" in done.stderr


def test_a_name_is_no_markup_of_the_table(pond: Path) -> None:
    run(pond, "add-user", "[red]alice")
    assert "[red]alice" in run(pond, "list-users")


def test_a_row_is_never_cut_for_another_program(pond: Path) -> None:
    run(pond, "add-user", "alice", "--matrix", f"@{'a' * 200}:hs")
    assert f"@{'a' * 200}:hs" in run(pond, "list-users")


def test_an_identity_on_a_network_that_is_gone_can_be_taken_back(pond: Path) -> None:
    run(pond, "add-user", "alice", "--irc", "irc/alice")
    config = yaml.safe_load((pond / "config.yaml").read_text())
    del config["networks"]["irc"]
    (pond / "config.yaml").write_text(yaml.safe_dump(config | {"links": {}}))
    run(pond, "unlink-identity", "alice", "--irc", "irc/alice")
    assert json.loads(run(pond, "show-user", "alice", "--json"))["identities"] == []


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can run commands for somebody else")
def test_a_command_run_as_root_leaves_every_file_to_its_owner(folder: Path) -> None:
    (folder / "data").mkdir()
    os.chown(folder / "data", 65534, 65533)
    run(folder, "init-db")
    (folder / "data" / "users.json").chmod(0o640)
    run(folder, "add-user", "alice")
    run(folder, "set-password", "alice", "--password-stdin", stdin="quack\n")
    files = [file.stat() for file in (folder / "data").iterdir()]
    assert {(file.st_uid, file.st_gid) for file in files} == {(65534, 65533)}
    assert stat.S_IMODE((folder / "data" / "users.json").stat().st_mode) == 0o640
    run(folder, "drop-db", "--yes")
    assert {file.stat().st_uid for file in (folder / "data").iterdir()} == {65534}


def test_what_is_interrupted_says_so(folder: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-m", "bridge", "chat"],
        cwd=folder,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as child:
        assert child.stderr is not None
        assert "listens" in child.stderr.readline()
        child.send_signal(signal.SIGINT)
        assert child.wait(10) == 130
        assert child.stderr.read().strip() == "quackbridge: interrupted"
