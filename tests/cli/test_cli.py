"""The command line as scripts and people use it: as a process."""

import asyncio
import contextlib
import json
import os
import pty
import pwd
import signal
import socket
import stat
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import click
import pytest
import yaml

from bridge import __version__
from bridge.__main__ import main
from bridge.admin.verbs.office import Answer
from bridge.cli import cli, verbs
from bridge.config import load, recall, remember
from bridge.http import links
from bridge.irc.puppets.nicks import username
from bridge.irc.settings import IrcSettings
from bridge.lib.sockets import of_store
from bridge.model.accounting import Traffic, TrafficKind
from bridge.model.event import FOREVER, Event, Media, Room
from bridge.model.outbox import Addressed, handle, text_handle
from bridge.model.people import Identity, Proof, Sender
from bridge.store import Commit
from bridge.store.sqlite import SqliteStore, lock
from bridge.users import MembershipRequest
from bridge.users.tinydb import TinyUsers
from tests.events import HOME, LIBERA, irc, matrix, rebodied, said
from tests.integration.daemon import quackbridge

CONFIG: dict[str, Any] = {
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


def status(folder: Path, code: int, *arguments: str) -> str:
    """What `status` prints, which exits with `code`."""
    done = quackbridge(folder, "status", *arguments)
    assert done.returncode == code, done.stderr
    return done.stdout


def names(folder: Path) -> list[str]:
    return [user["name"] for user in json.loads(run(folder, "list-users", "--json"))]


def test_a_user_can_be_added_linked_changed_shown_and_removed(pond: Path) -> None:
    run(pond, "add-user", "alice", "--matrix", "@alice:hs", "--irc", "irc/alice", "--role", "admin")
    run(pond, "link-identity", "alice", "--matrix", "@alice:other")
    run(pond, "unlink-identity", "alice", "--irc", "irc/ALICE")
    run(pond, "set-role", "alice", "member")
    run(pond, "set-password", "alice", "--password-stdin", stdin="a secret\n")
    assert json.loads(run(pond, "show-user", "alice", "--json")) == {
        "name": "alice",
        "role": "member",
        "identities": [
            {"kind": "matrix", "network": None, "value": "@alice:hs"},
            {"kind": "matrix", "network": None, "value": "@alice:other"},
        ],
        "has_password": True,
        "puppet": True,
        "irc_accounts": {},
    }
    assert "secret" not in (pond / "data" / "users.json").read_text()
    assert "@alice:other" in run(pond, "list-users")
    assert "alice" in run(pond, "show-user", "alice")
    run(pond, "remove-user", "alice")
    assert names(pond) == []


def test_the_database_is_made_by_init_db_only_and_dropped_only_with_yes(folder: Path) -> None:
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
        (2, ("add-user", "eve", "--password", "--password-stdin"), "not both"),
        (2, ("add-user", "eve", "--password-stdin"), "standard input is empty"),
        (2, ("add-user", "--", "-x"), "does not begin with -"),
        (2, ("remove-user", "@alice:hs"), "that is an identity of alice; give the user's name"),
        (2, ("show-user", "irc/eve"), "give a user's name"),
        (2, ("remove-user", "eve"), "there is no user 'eve'"),
        (2, ("show-user", "eve"), "there is no user 'eve'"),
        (2, ("set-role", "alice", "king"), "'king' is not one of"),
        (2, ("link-identity", "alice"), "no identity given"),
        (2, ("unlink-identity", "alice", "--matrix", "@eve:hs"), "has no identity @eve:hs"),
        (2, ("unlink-identity", "alice", "--matrix", "@alice:hs", "--irc", "irc/x"), "has no identity irc/x"),
        (2, ("fly",), "there is no command 'fly' (see `quackbridge --help`)"),
        (2, ("stauts",), "there is no command 'stauts'; did you mean status?"),
        (2, ("add-usr", "eve"), "did you mean add-user?"),
        (2, ("outbox", "lst"), "there is no command 'outbox lst'; did you mean outbox list?"),
        (2, ("login", "eve"), "say that to the duck, in a private chat"),
        (2, ("run", "--fast"), "No such option"),
        (2, ("list-users", "-c", "nowhere.yaml"), "nowhere.yaml"),
    ],
)
def test_a_wrong_command_is_explained_with_exit_code_2_and_changes_nothing(
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


def test_check_config_reports_all_problems_at_once(folder: Path) -> None:
    (folder / "config.yaml").write_text("networks:\n  home: {type: telepathy}\nlink: {}\n")
    said = fail(folder, 2, "check-config")
    assert "config.yaml:2:" in said
    assert "config.yaml:3:1: link" in said


def test_check_config_reports_bots_and_brains_that_do_not_exist(folder: Path) -> None:
    config = CONFIG | {"bots": {"duck": {"brain": "bird"}, "goose": {"use": "goose:Goose"}}}
    (folder / "config.yaml").write_text(yaml.safe_dump(config))
    first, second = fail(folder, 2, "check-config").splitlines()
    assert first.startswith("config.yaml: bots.duck: ")
    assert second.startswith("config.yaml: bots.goose: ")


def test_check_config_accepts_a_sound_config(pond: Path) -> None:
    done = quackbridge(pond, "check-config")
    assert (done.returncode, done.stdout, done.stderr) == (0, "ok\n", "")


def test_check_config_warns_of_a_missing_user_database(folder: Path) -> None:
    done = quackbridge(folder, "check-config")
    assert (done.returncode, done.stdout) == (0, "ok\n")
    assert "init-db" in done.stderr


def test_users_can_be_added_while_a_secret_is_missing(pond: Path) -> None:
    (pond / "secrets" / "home").unlink()
    run(pond, "add-user", "alice")
    assert "secrets/home" in fail(pond, 2, "check-config")


def test_config_schema_prints_json(folder: Path) -> None:
    assert "networks" in json.loads(run(folder, "config-schema"))["properties"]


def test_chat_talks_with_the_duck_in_the_terminal(folder: Path) -> None:
    assert (
        run(folder, "chat", stdin="wibble\n\x1b[31mred\n")
        == "Little Yellow Duck> wibble\nLittle Yellow Duck>  [31mred\n"
    )
    assert "there is no bot 'goose'" in fail(folder, 2, "chat", "--bot", "goose")


def test_chat_needs_no_config_unless_one_is_named(tmp_path: Path) -> None:
    assert run(tmp_path, "chat", stdin="wibble\n") == "Little Yellow Duck> wibble\n"
    assert run(tmp_path, "chat", "--explain", stdin="ping\n").endswith("(commands: ping)\n")
    assert "nowhere.yaml" in fail(tmp_path, 2, "chat", "-c", "nowhere.yaml")


def test_outbox_list_says_that_there_is_no_store_yet(folder: Path) -> None:
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
        {"_QUACKBRIDGE_COMPLETE": "bash_complete", "COMP_WORDS": "quackbridge add-u", "COMP_CWORD": "1"}
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
        group = command if isinstance(command, click.Group) else None
        leaves = [group.get_command(context, leaf) for leaf in group.list_commands(context)] if group else [command]
        for leaf in leaves:
            assert leaf is not None
            without = name in ("demo", "completion")
            assert without or any("--config" in option.opts for option in leaf.params), leaf.name


def test_no_command_at_all_shows_the_help_and_exits_with_2(folder: Path) -> None:
    assert "\nCommands:\n" in fail(folder, 2)


def test_a_closed_pipe_on_standard_output_exits_with_1_and_without_a_message(pond: Path) -> None:
    for number in range(3):
        run(pond, "add-user", f"user{number}", "--matrix", f"@{'x' * 200}{number}:hs")
    reading, writing = os.pipe()
    os.close(reading)
    done = subprocess.run(
        [sys.executable, "-m", "bridge", "list-users"], cwd=pond, stdout=writing, stderr=subprocess.PIPE, text=True
    )
    os.close(writing)
    assert (done.returncode, done.stderr) == (1, "")


def test_a_bug_is_shown_as_one_line_and_with_quackbridge_debug_as_a_traceback(folder: Path) -> None:
    code = (
        "import sys, bridge.config\n"
        "def boom(*_): raise KeyError('quack\\nquack\\x1b[2J')\n"
        "bridge.config.check = boom\n"
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


def test_a_full_disk_exits_with_1_and_changes_nothing(pond: Path) -> None:
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


def test_config_warnings_are_shown_by_check_config_and_not_by_init_db(folder: Path) -> None:
    (folder / "config.yaml").write_text(yaml.safe_dump(CONFIG | {"links": {}}))
    assert quackbridge(folder, "init-db").stderr == ""
    done = quackbridge(folder, "check-config")
    assert (done.returncode, done.stdout) == (0, "ok\n")
    assert "warning: config.yaml:" in done.stderr


def test_a_user_name_is_not_read_as_markup_in_a_table(pond: Path) -> None:
    run(pond, "add-user", "[red]alice")
    assert "[red]alice" in run(pond, "list-users")


def test_a_table_row_is_not_cut_when_another_program_reads_it(pond: Path) -> None:
    run(pond, "add-user", "alice", "--matrix", f"@{'a' * 200}:hs")
    assert f"alice\tmember\tmatrix @{'a' * 200}:hs\tno\n" in run(pond, "list-users")


@pytest.mark.parametrize(
    "command", ["list-users", "show-user alice", "links", "outbox list", "sanctions", "audit", "ledger"]
)
def test_the_cells_of_a_table_that_another_program_reads_are_separated_by_tabs_and_not_padded(
    pond: Path, command: str
) -> None:
    run(pond, "add-user", "alice", "--matrix", "@alice:hs", "--irc", "irc/alice")
    run(pond, "mute-user", "alice", "--reason", "two words")
    asyncio.run(_queued(pond / "data" / "store.sqlite"))
    heading, *rows = run(pond, *command.split()).splitlines()
    assert rows
    assert {row.count("\t") for row in rows} == {heading.count("\t")}
    assert not any(cell.endswith(" ") for row in (heading, *rows) for cell in row.split("\t"))


def _on_terminal(
    answer: Answer, columns: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> str:
    """What is printed on a terminal of so many columns."""
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    monkeypatch.setenv("COLUMNS", str(columns))
    verbs.print_answer(answer, as_json=False)
    return capsys.readouterr().out


def test_a_table_that_is_wider_than_the_terminal_is_printed_row_by_row(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    why = "the room is encrypted, and encryption is not supported yet"
    answer = Answer([], "", ("id", "room", "reason"), [("01", "irc/#pond", why), ("02", "irc/#lake", "")])
    wide = _on_terminal(answer, 100, monkeypatch, capsys).splitlines()
    assert [line.split() for line in wide[1:]] == [["01", "irc/#pond", *why.split()], ["02", "irc/#lake"]]
    narrow = _on_terminal(answer, 70, monkeypatch, capsys)
    assert narrow == f"id      01\nroom    irc/#pond\nreason  {why}\n\nid      02\nroom    irc/#lake\n"


def test_an_identity_on_a_network_that_was_removed_can_be_unlinked(pond: Path) -> None:
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
    run(folder, "set-password", "alice", "--password-stdin", stdin="quackquack\n")
    files = [file.stat() for file in (folder / "data").iterdir()]
    assert {(file.st_uid, file.st_gid) for file in files} == {(65534, 65533)}
    assert stat.S_IMODE((folder / "data" / "users.json").stat().st_mode) == 0o640
    run(folder, "drop-db", "--yes")
    assert {file.stat().st_uid for file in (folder / "data").iterdir()} == {65534}


def test_a_recovery_key_is_typed_at_the_terminal_without_an_echo_and_why_is_said() -> None:
    ours, theirs = pty.openpty()
    code = "from bridge.cli.verbs import _take; print(len(_take('Recovery key', 'the keys are not here')))"
    child = subprocess.Popen(
        [sys.executable, "-c", code],
        stdin=theirs,
        stdout=subprocess.PIPE,
        stderr=theirs,
        start_new_session=True,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
    )
    shown = b""
    while b"Recovery key: " not in shown:
        shown += os.read(ours, 1000)
    os.write(ours, b"EsTd secret\n")
    assert child.communicate(timeout=30)[0] == b"11\n"
    os.set_blocking(ours, False)
    with contextlib.suppress(BlockingIOError):
        shown += os.read(ours, 1000)
    os.close(ours)
    os.close(theirs)
    assert b"the keys are not here" in shown
    assert b"secret" not in shown


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can run commands for somebody else")
def test_setting_up_a_matrix_account_as_root_leaves_no_files_that_the_daemon_could_not_use(folder: Path) -> None:
    (folder / "data").mkdir()
    os.chown(folder / "data", 65534, 65533)
    run(folder, "init-db")
    assert "belongs to nobody: run this as that user" in fail(folder, 1, "matrix-setup", "home")
    assert not (folder / "data" / "store.sqlite").exists()


def _interruptible() -> None:
    """Restore SIGINT, which a process in the background of a shell inherits as ignored."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def test_a_command_that_is_interrupted_says_so_and_exits_with_130(folder: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-m", "bridge", "chat"],
        cwd=folder,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=_interruptible,
    ) as child:
        assert child.stderr is not None
        assert "listens" in child.stderr.readline()
        for _ in range(10):  # a signal just before Python reads is noticed only with the next one
            child.send_signal(signal.SIGINT)
            with contextlib.suppress(subprocess.TimeoutExpired):
                child.wait(5)
                break
        assert child.returncode == 130
        assert child.stderr.read().strip() == "quackbridge: interrupted"


def test_admin_commands_print_json_with_the_json_option(pond: Path) -> None:
    assert json.loads(run(pond, "add-user", "alice", "--matrix", "@alice:hs", "--json")) == {
        "done": "added alice",
        "user": "alice",
    }
    assert json.loads(run(pond, "links", "--json"))[0]["rooms"] == ["home/#pond:localhost", "irc/#pond"]
    assert json.loads(status(pond, 3, "--json"))["running"] is False
    assert json.loads(run(pond, "sanctions", "--json")) == []
    assert [line["what"] for line in json.loads(run(pond, "audit", "--json"))] == ["init-db", "add-user"]


def test_status_tells_what_links_were_used_for_today_if_they_were(pond: Path) -> None:
    assert json.loads(status(pond, 3, "--json"))["media"] == {
        use: {"number": 0, "bytes": 0} for use in ("served", "refused", "uploaded")
    }
    assert "today" not in status(pond, 3)
    yesterday = time.time() - 86_400
    for clock, used in (
        (time.time, {TrafficKind.SERVED: Traffic(12, 3_400_000), TrafficKind.REFUSED: Traffic(1)}),
        (lambda: yesterday, {TrafficKind.UPLOADED: Traffic(5, 5)}),
    ):
        asyncio.run(_used(pond, clock, used))
    assert json.loads(status(pond, 3, "--json"))["media"]["served"] == {"number": 12, "bytes": 3_400_000}
    assert (
        status(pond, 3).splitlines()[-1] == "today (UTC): 12 requests for files and texts answered (3.4 MB), 1 refused"
    )


async def _used(pond: Path, clock: Callable[[], float], used: Mapping[TrafficKind, Traffic]) -> None:
    async with contextlib.aclosing(SqliteStore.open(pond / "data" / "store.sqlite", clock)) as store:
        await store.count_traffic(used)


def test_the_audit_log_says_who_did_what(pond: Path) -> None:
    run(pond, "add-user", "alice", "--password-stdin", stdin="a long secret\n")
    run(pond, "add-user", "bob")
    run(pond, "set-role", "alice", "admin")
    by = json.loads(run(pond, "audit", "--json", "--user", "alice"))
    assert [(line["what"], line["details"]) for line in by] == [
        ("add-user", "alice member"),
        ("set-role", "alice admin"),
    ]
    assert all(line["by"].startswith("shell:") for line in by)
    assert len(json.loads(run(pond, "audit", "--json", "--limit", "1"))) == 1
    assert "secret" not in run(pond, "audit")


def test_a_sanction_has_a_link_a_duration_and_a_reason_and_can_be_lifted(pond: Path) -> None:
    run(pond, "add-user", "bob", "--irc", "irc/bob")
    run(pond, "add-user", "root", "--matrix", "@root:hs", "--role", "admin")
    run(pond, "mute-user", "bob", "--in", "pond", "--for", "2h", "--reason", "too loud")
    (found,) = json.loads(run(pond, "sanctions", "--json"))
    assert (found["target"], found["link"], found["reason"]) == ("bob", "pond", "too loud")
    assert found["until"] - found["since"] == 7_200
    said = json.loads(run(pond, "explain", "--as", "irc/bob", "--in", "pond", "--json"))
    assert said["user"] == "bob"
    assert said["reason"].startswith("muted until ")
    run(pond, "lift", "bob", "--in", "pond")
    assert json.loads(run(pond, "explain", "--as", "irc/bob", "--in", "pond", "--json"))["carried"] is True
    assert "the admin root" in fail(pond, 2, "ban-user", "@*:hs")
    assert "would fit everybody" in fail(pond, 2, "ban-user", "irc/*!*@*")
    assert "there is no link 'lake'" in fail(pond, 2, "ban-user", "bob", "--in", "lake")
    assert "no duration" in fail(pond, 2, "ban-user", "bob", "--for", "soon")
    assert json.loads(run(pond, "sanctions", "--json")) == []


@pytest.mark.parametrize(
    ("sender", "said"),
    [
        ("home/@alice:hs", "this is the member alice"),
        ("home/@alice:hs", "carried to irc/#pond, as <@alice:hs>"),
        ("irc/alice!a@host", "a guest: no user has this identity"),
        ("irc/eve", "refused: not a member"),
        ("irc/eve", "they are told what the link tells its guests"),
    ],
)
def test_explain_says_who_would_hear_somebody_and_why_not(pond: Path, sender: str, said: str) -> None:
    run(pond, "add-user", "alice", "--matrix", "@alice:hs")
    assert said in run(pond, "explain", "--as", sender, "--in", "pond")


def test_explain_says_what_the_link_carries_besides_messages_by_the_keys_of_the_config(pond: Path) -> None:
    asked = ("explain", "--as", "irc/eve", "--in", "pond")
    assert "reactions: words, deletions: on, membership: speakers, topic: off" in run(pond, *asked)
    assert json.loads(run(pond, *asked, "--json"))["settings"]["edits_from_irc"] == "on"


def test_explain_says_by_which_nick_a_member_speaks_on_irc(pond: Path) -> None:
    run(pond, "add-user", "alice", "--matrix", "@alice:hs")
    asked = ("explain", "--as", "home/@alice:hs", "--in", "pond", "--json")
    assert json.loads(run(pond, *asked))["puppets"] == {}
    links = {"pond": {"rooms": ["home/#pond:localhost", "irc/#pond"], "puppets": "members"}}
    (pond / "config.yaml").write_text(yaml.safe_dump(CONFIG | {"links": links}))
    (puppet,) = json.loads(run(pond, *asked))["puppets"].values()
    assert puppet == {"nick": "alice", "username": username("@alice:hs")}
    assert "on irc they speak as alice!~q" in run(pond, *asked[:-1])
    assert json.loads(run(pond, "explain", "--as", "irc/eve", *asked[3:]))["puppets"] == {}
    run(pond, "set-puppet", "alice", "off")
    assert json.loads(run(pond, *asked))["puppets"] == {}


def test_explain_says_which_bots_would_hear_a_text_or_why_it_would_be_refused(pond: Path) -> None:
    run(pond, "add-user", "alice", "--matrix", "@alice:hs")
    asked = ("explain", "--as", "home/@alice:hs", "--in", "pond", "--text")
    assert "bots that hear this: duck" in run(pond, *asked, "duck: hello")
    assert "refused: it may contain a password" in run(pond, *asked, "login alice quack")
    assert "NETWORK/ID" in fail(pond, 2, "explain", "--as", "alice", "--in", "pond")
    assert "is not NICK!USER@HOST" in fail(pond, 2, "explain", "--as", "irc/alice!x", "--in", "pond")


CSV = """name,role,matrix,irc,puppet
alice,admin,@alice:hs @alice:other,irc/alice,off
bob,,,irc/bob,
"""


def test_users_can_be_imported_from_csv_or_json_and_exported_again(pond: Path) -> None:
    (pond / "users.csv").write_text(CSV)
    would = json.loads(run(pond, "import-users", "users.csv", "--dry-run", "--json"))
    assert would == {"would_add": ["alice", "bob"], "would_replace": []}
    assert names(pond) == []
    assert "added 2 and replaced 0" in run(pond, "import-users", "users.csv")
    run(pond, "set-password", "bob", "--password-stdin", stdin="a secret\n")
    before = run(pond, "list-users", "--json")
    assert "are users already (alice, bob): say --update" in fail(pond, 2, "import-users", "users.csv")
    assert "replaced 2" in run(pond, "import-users", "users.csv", "--update")
    assert run(pond, "list-users", "--json") == before
    for shape in ("csv", "json"):
        run(pond, "export-users", f"out.{shape}", "--with-passwords")
        assert stat.S_IMODE((pond / f"out.{shape}").stat().st_mode) == 0o600
        run(pond, "drop-db", "--yes")
        run(pond, "init-db")
        run(pond, "import-users", f"out.{shape}")
        assert run(pond, "list-users", "--json") == before
    assert [user["puppet"] for user in json.loads(before)] == [False, True]
    assert "argon2" not in run(pond, "export-users")
    assert [user["name"] for user in json.loads(run(pond, "export-users", "--json"))] == ["alice", "bob"]
    assert "already" in fail(pond, 2, "export-users", "out.csv")
    run(pond, "drop-db", "--yes")
    run(pond, "init-db")
    run(pond, "import-users", "-", "--format", "json", stdin=before)
    assert [user["name"] for user in json.loads(before)] == names(pond)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("name,role\nalice,king\n", "line 2: 'king' is not a valid Role"),
        ("name,matrix\nalice,@alice:hs\nbob,bob\n", "line 3: 'bob' is not a Matrix id"),
        ("name,irc\nalice,lib/alice\n", "line 2: lib/alice: there is no IRC network 'lib'"),
        ("name,irc\nalice,irc/alice\nbob,irc/ALICE\n", "belongs to alice already"),
        ("name\nalice\nALICE\n", "there is a user 'alice' already"),
        ("name,password\nalice,secret\n", "line 1: the columns are"),
        ("name,password_hash\nalice,secret\n", "line 2: password_hash is not an Argon2id hash"),
        ("name,password_hash\nalice,$argon2id$junk\n", "line 2: password_hash is not an Argon2id hash"),
        ("name,role\nalice\n", "line 2: must have 2 columns"),
        ("name,puppet\nalice,maybe\n", "line 2: puppet is on or off, not 'maybe'"),
        ('name\n"alice\r\nbob"\n', "one word"),
        ("", "line 1: the columns are"),
        ("name\n\x00\n", ""),
    ],
)
def test_an_import_file_with_a_mistake_changes_nothing_and_the_mistake_is_named(
    pond: Path, text: str, said: str
) -> None:
    (pond / "users.csv").write_text(text, newline="")
    for dry in ((), ("--dry-run",)):
        assert said in fail(pond, 2, "import-users", "users.csv", *dry)
    assert names(pond) == []


def test_a_backup_is_private_and_can_be_restored_only_with_yes(pond: Path) -> None:
    run(pond, "add-user", "alice", "--matrix", "@alice:hs")
    made = json.loads(run(pond, "backup", "--json"))["folder"]
    files = sorted((pond / made).iterdir())
    assert [file.name for file in files] == ["audit.jsonl", "config.yaml", "manifest.json", "users.json"]
    assert all(stat.S_IMODE(file.stat().st_mode) == 0o600 for file in files)
    assert stat.S_IMODE((pond / made).stat().st_mode) == 0o700
    run(pond, "remove-user", "alice")
    run(pond, "add-user", "bob")
    assert "say --yes" in fail(pond, 2, "restore", made)
    assert names(pond) == ["bob"]
    kept = json.loads(run(pond, "restore", made, "--yes", "--json"))["kept"]
    assert names(pond) == ["alice"]
    assert "bob" in Path(kept).read_text()
    assert "there is no store in this backup" in fail(pond, 2, "restore", made, "--yes", "--with-store")
    assert [line["what"] for line in json.loads(run(pond, "audit", "--json"))][-1] == "restore"


def test_a_shell_completes_commands_users_and_links(pond: Path) -> None:
    run(pond, "add-user", "alice")
    run(pond, "add-user", "alan")

    def complete(*typed: str) -> list[str]:
        environ = {
            **os.environ,
            "_QUACKBRIDGE_COMPLETE": "bash_complete",
            "COMP_WORDS": " ".join(("quackbridge", *typed)),
        }
        environ["COMP_CWORD"] = str(len(typed))
        done = subprocess.run(
            [sys.executable, "-c", "from bridge.__main__ import main; main()"],
            cwd=pond, env=environ, capture_output=True, text=True, check=False,
        )  # fmt: skip
        return [line.partition(",")[2] for line in done.stdout.splitlines() if line]

    assert complete("set-r") == ["set-role"]
    assert complete("remove-user", "al") == ["alan", "alice"]
    assert complete("set-role", "alice", "a") == ["admin"]
    assert complete("mute-user", "alice", "--in", "") == ["pond"]
    assert complete("outbox", "") == ["list", "retry", "drop"]
    assert complete("media", "") == ["revoke"]
    assert complete("matrix-setup", "") == ["home"]
    assert complete("add-user", "carol", "--irc", "i") == ["irc/"]
    assert complete("explain", "--as", "") == ["home/", "irc/"]
    assert complete("outbox", "retry", "") == [], "there is no store yet"
    event = said(HOME, matrix("alice"), "hello", "$one")
    asyncio.run(_carried(pond / "data" / "store.sqlite", [event]))
    (delivery,) = (each["id"] for each in json.loads(run(pond, "outbox", "list", "--json")))
    assert complete("outbox", "drop", "") == [delivery]
    assert complete("outbox", "retry", "") == [], "it is not dead"
    (pond / "data" / "store.sqlite").write_bytes(b"no store" * 1_000)
    assert complete("outbox", "drop", "") == []
    (pond / "data" / "users.json").write_text("[")
    assert complete("remove-user", "al") == []
    for shell in ("bash", "zsh", "fish"):
        assert "_QUACKBRIDGE_COMPLETE" in run(pond, "completion", shell)


def test_links_to_files_are_revoked_by_the_link_and_by_the_message(pond: Path) -> None:
    cat = Media("image", "cat.png", 5, "image/png", "mxc://hs/cat", until=FOREVER)
    events = [
        rebodied(said(HOME, matrix("alice"), "look", name), media=(cat,)) for name in ("$one/+", "$two", "$three")
    ]
    asyncio.run(_carried(pond / "data" / "store.sqlite", events))
    link = links.link("https://pond.social", bytes(32), handle(events[0], cat), FOREVER)
    for what in (link, "$two", "home/$three"):
        assert run(pond, "media", "revoke", what) == "the links to 1 file no longer work\n"
        assert "has no working link" in fail(pond, 1, "media", "revoke", what)
    assert "there is no network 'nix'; there is" in fail(pond, 2, "media", "revoke", "nix/$abc")
    assert "is neither a link nor" in fail(pond, 2, "media", "revoke", "cat.png")
    assert "media revoke" in run(pond, "audit")


def test_a_message_with_a_text_says_so_when_its_links_are_revoked(pond: Path) -> None:
    cat = Media("image", "cat.png", 5, "image/png", "mxc://hs/cat", until=FOREVER)
    story = replace(said(HOME, matrix("alice"), "once", "$story"), text_until=FOREVER)
    both = rebodied(replace(story, id="$both"), media=(cat, replace(cat, source="mxc://hs/dog")))
    asyncio.run(_carried(pond / "data" / "store.sqlite", [story, both, replace(story, id="$third")]))
    link = links.link("https://pond.social", bytes(32), text_handle(story), FOREVER, links.TEXT)
    assert run(pond, "media", "revoke", link) == "the links to 1 text no longer work\n"
    assert run(pond, "media", "revoke", "$both") == "the links to 2 files and 1 text no longer work\n"
    assert json.loads(run(pond, "media", "revoke", "$third", "--json"))["texts"] == 1


def _sent(sender: Sender, name: str, room: Room = HOME) -> Event:
    cat = Media("image", "cat.png", 5, "image/png", f"mxc://hs/{name}", until=FOREVER)
    return replace(rebodied(said(room, sender, "look", name), media=(cat,)), text_until=FOREVER)


def test_a_ban_or_a_removal_revokes_the_links_to_what_they_sent_if_it_is_asked_to(pond: Path) -> None:
    run(pond, "add-user", "bob", "--irc", "irc/bob", "--matrix", "@bob:hs")
    run(pond, "add-user", "root", "--matrix", "@root:spam.hs", "--role", "admin")
    spammer = replace(irc("spam", network="irc"), mask="spam!s@a.spam.example")
    senders = [
        irc("bob", "BOB", network="irc"),
        replace(irc("x", network="irc"), user="Bob"),  # with a password
        replace(matrix("bob"), user="bob"),
        replace(matrix("eve"), user="eve"),
        irc("bob", network="irc"),  # the nick alone proves nothing
        spammer,
        replace(spammer, user="root"),
    ]
    room = Room("irc", "#pond")
    events = [
        _sent(each, f"${number}", HOME if each.network == "home" else room) for number, each in enumerate(senders)
    ]
    asyncio.run(_carried(pond / "data" / "store.sqlite", events))
    assert run(pond, "ban-user", "bob") == "bob is banned in all links until further notice\n"
    assert run(pond, "ban-user", "bob", "--in", "pond", "--revoke-media") == (
        "bob is banned in pond until further notice; the links to 2 files and 2 texts of theirs no longer work\n"
    )
    assert run(pond, "remove-user", "bob", "--revoke-media") == (
        "removed bob; the links to 1 file and 1 text of theirs no longer work\n"
    )
    done = json.loads(run(pond, "ban-user", "irc/*!*@*.spam.example", "--revoke-media", "--json"))
    assert (done["files"], done["texts"], done["target"]) == (1, 1, "irc/*!*@*.spam.example")
    assert "they sent nothing that has a working link" in run(pond, "ban-user", "@eve:*.hs", "--revoke-media")
    for left in ("$3", "$4", "$6"):
        assert run(pond, "media", "revoke", left) == "the links to 1 file and 1 text no longer work\n"
    audit = run(pond, "audit")
    assert "of bob in pond: 2 files and 2 texts" in audit
    assert "of irc/*!*@*.spam.example: 1 file and 1 text" in audit


def test_a_ban_that_revokes_links_needs_no_store_and_is_done_even_if_that_cannot_be_read(pond: Path) -> None:
    said = run(pond, "ban-user", "@eve:hs", "--revoke-media")
    assert said == "@eve:hs is banned in all links until further notice; they sent nothing that has a working link\n"
    (pond / "data" / "store.sqlite").write_bytes(b"no store" * 1_000)
    said = fail(pond, 1, "ban-user", "@mallory:hs", "--revoke-media")
    assert "@mallory:hs is banned in all links until further notice; but the links to what they sent still work" in said
    assert len(json.loads(run(pond, "sanctions", "--json"))) == 2


async def _carried(path: Path, events: Sequence[Event]) -> None:
    async with contextlib.aclosing(SqliteStore.open(path, lambda: 1.0)) as store:
        lease = await store.acquire("home", "test")
        assert lease is not None
        await lease.commit(Commit.owing(Addressed(event, LIBERA) for event in events))


def test_a_backup_without_a_database_fails_and_creates_nothing(folder: Path) -> None:
    assert "init-db" in fail(folder, 2, "backup")
    assert not (folder / "backups").exists()


def test_a_store_is_backed_up_and_restored_and_not_restored_while_a_daemon_holds_it(pond: Path) -> None:
    store = asyncio.run(_kept(pond / "data" / "store.sqlite"))
    made = pond / json.loads(run(pond, "backup", "--json"))["folder"]
    names_ = ["audit.jsonl", "config.yaml", "manifest.json", "store.sqlite", "users.json"]
    assert sorted(file.name for file in made.iterdir()) == names_
    assert (made / "config.yaml").read_bytes() == (pond / "config.yaml").read_bytes()
    manifest = json.loads((made / "manifest.json").read_text())
    assert manifest["quackbridge"] == __version__
    assert sorted(manifest["sha256"]) == [name for name in names_ if name != "manifest.json"]
    before = {file.name: file.read_bytes() for file in made.iterdir()}
    store.unlink()
    run(pond, "restore", str(made), "--yes", "--with-store")
    assert {file.name: file.read_bytes() for file in made.iterdir()} == before
    assert json.loads(run(pond, "outbox", "list", "--json")) == []
    held = lock(pond / "data" / "store.sqlite")
    assert json.loads(status(pond, 1, "--json"))["running"] is True
    assert "another quackbridge is running" in fail(pond, 2, "restore", str(made), "--yes", "--with-store")
    os.close(held)


@pytest.mark.parametrize("damaged", ["audit.jsonl", "config.yaml", "store.sqlite", "users.json", "manifest.json"])
@pytest.mark.parametrize("how", ["changed", "missing", "emptied"])
def test_a_damaged_backup_is_refused_with_the_name_of_the_file_and_nothing_is_changed(
    pond: Path, damaged: str, how: str
) -> None:
    asyncio.run(_kept(pond / "data" / "store.sqlite"))
    run(pond, "add-user", "alice")
    made = pond / json.loads(run(pond, "backup", "--json"))["folder"]
    run(pond, "add-user", "bob")
    file = made / damaged
    content = file.read_bytes()
    if how == "missing" and damaged != "manifest.json":
        file.unlink()
    else:
        file.write_bytes(b"" if how == "emptied" else content[:-3] + bytes([content[-3] ^ 1]) + content[-2:])
    before = {path.name: path.read_bytes() for path in (pond / "data").iterdir() if path.is_file()}
    for more in ((), ("--with-store",)):
        said = fail(pond, 2, "restore", str(made), "--yes", *more)
        assert str(file) in said
        assert "use another" in said
    assert {path.name: path.read_bytes() for path in (pond / "data").iterdir() if path.is_file()} == before
    assert names(pond) == ["alice", "bob"]


def test_a_backup_that_cannot_be_finished_leaves_nothing(pond: Path) -> None:
    (pond / "data" / "store.sqlite").write_bytes(b"no store" * 100)
    assert "store.sqlite" in fail(pond, 2, "backup")
    assert [*(pond / "backups").iterdir()] == []


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")
def test_a_backup_that_root_makes_belongs_to_the_user_of_the_daemon(pond: Path) -> None:
    os.chown(pond, 12_345, 12_345)
    made = pond / json.loads(run(pond, "backup", "--json"))["folder"]
    assert {file.stat().st_uid for file in (made.parent, made, *made.iterdir())} == {12_345}


def test_a_backup_without_a_manifest_is_of_an_older_version_and_is_restored_with_a_warning(pond: Path) -> None:
    run(pond, "add-user", "alice")
    made = pond / json.loads(run(pond, "backup", "--json"))["folder"]
    (made / "manifest.json").unlink()
    run(pond, "remove-user", "alice")
    done = quackbridge(pond, "restore", str(made), "--yes")
    assert (done.returncode, "was not checked for damage" in done.stderr) == (0, True)
    assert names(pond) == ["alice"]


def test_a_manifest_of_a_newer_version_is_refused(pond: Path) -> None:
    made = pond / json.loads(run(pond, "backup", "--json"))["folder"]
    path = made / "manifest.json"
    path.write_text(path.read_text().replace('"format": 1', '"format": 2'))
    assert "a newer quackbridge has made it" in fail(pond, 2, "restore", str(made), "--yes")


def test_status_tells_the_rest_if_the_daemon_cannot_be_asked_or_does_not_answer(pond: Path) -> None:
    assert "encryption" not in status(pond, 3)
    held = lock(pond / "data" / "store.sqlite")
    try:
        assert "encryption: not known" in status(pond, 1)
        with socket.socket(socket.AF_UNIX) as wedged:
            wedged.bind(str(of_store(pond / "data" / "store.sqlite")))
            wedged.listen()
            said = status(pond, 1)
            assert "encryption: not known" in said
            assert "the daemon does not answer: whether all is well is not known" in said
            found = json.loads(status(pond, 1, "--json"))
            assert (found["encryption"], found["status"], found["checks"]) == ({}, "unknown", {})
    finally:
        os.close(held)


def test_setting_up_a_matrix_account_needs_one_in_the_config(pond: Path) -> None:
    assert "the config has no Matrix network 'nothing'" in fail(pond, 2, "matrix-setup", "nothing")
    assert "the config has no Matrix network 'irc', but: home" in fail(pond, 2, "matrix-setup", "irc")
    held = lock(pond / "data" / "store.sqlite")
    assert "the daemon runs and cannot be asked" in fail(pond, 1, "matrix-setup", "home")
    os.close(held)


async def _remembered(path: Path, changes: Mapping[str, str]) -> None:
    async with contextlib.aclosing(SqliteStore.open(path, lambda: 1.0)) as store:
        lease = await store.acquire("home", "test")
        assert lease is not None
        await lease.remember(changes)


async def _kept(path: Path) -> Path:
    async with contextlib.aclosing(SqliteStore.open(path, lambda: 1.0)) as store:
        assert await store.acquire("irc", "test")
    return path


async def _queued(path: Path) -> None:
    """Alice has said something in the Matrix room, which waits for the IRC network."""
    event = said(Room("home", "#pond:localhost"), matrix("alice"), "quack")
    async with contextlib.aclosing(SqliteStore.open(path, lambda: 1.0)) as store:
        lease = await store.acquire("home", "test")
        assert lease is not None
        assert await store.acquire("irc", "test") is not None
        await lease.commit(Commit.owing([Addressed(event, Room("irc", "#pond"))]))


def _renamed_in_config(pond: Path) -> None:
    changed = {**CONFIG["networks"], "net": CONFIG["networks"]["irc"]}
    del changed["irc"]
    links = {"pond": {"rooms": ["home/#pond:localhost", "net/#pond"], "bots": ["duck"]}}
    (pond / "config.yaml").write_text(yaml.safe_dump({**CONFIG, "networks": changed, "links": links}))


def test_what_is_kept_of_a_network_that_the_config_does_not_know_is_named_and_can_be_renamed(pond: Path) -> None:
    store = pond / "data" / "store.sqlite"
    asyncio.run(_queued(store))
    run(pond, "add-user", "bob", "--irc", "irc/bob")
    run(pond, "ban-user", "irc/spam*")
    assert quackbridge(pond, "check-config").stderr == ""
    _renamed_in_config(pond)
    checked = quackbridge(pond, "check-config")
    assert (checked.returncode, checked.stdout) == (0, "ok\n")
    kept = "there is no network 'irc' in the config, but 1 waiting message, 1 identity, 1 mute or ban and its position"
    assert kept in checked.stderr
    assert "rename-network irc NEW" in checked.stderr
    assert "1 waiting message" in quackbridge(pond, "status").stderr
    held = lock(store)
    assert "another quackbridge is running" in fail(pond, 2, "rename-network", "irc", "net")
    assert json.loads(run(pond, "show-user", "bob", "--json"))["identities"][0]["network"] == "irc"
    os.close(held)
    assert "1 waiting messages" in run(pond, "rename-network", "irc", "net")
    assert quackbridge(pond, "check-config").stderr == ""
    assert json.loads(run(pond, "show-user", "bob", "--json"))["identities"][0]["network"] == "net"
    assert [entry["room"] for entry in json.loads(run(pond, "outbox", "list", "--json"))] == ["net/#pond"]
    assert [each["target"] for each in json.loads(run(pond, "sanctions", "--json"))] == ["net/spam*"]
    assert "irc to net" in run(pond, "audit")
    assert "nothing is kept of a network 'irc'" in fail(pond, 2, "rename-network", "irc", "net")


def test_a_rename_that_the_users_do_not_allow_changes_nothing_in_the_store_either(pond: Path) -> None:
    asyncio.run(_queued(pond / "data" / "store.sqlite"))
    run(pond, "add-user", "bob", "--irc", "irc/bob")
    _renamed_in_config(pond)
    run(pond, "add-user", "eve", "--irc", "net/bob")
    assert "belongs to eve already" in fail(pond, 2, "rename-network", "irc", "net")
    assert [entry["room"] for entry in json.loads(run(pond, "outbox", "list", "--json"))] == ["irc/#pond"]


@pytest.mark.parametrize(
    ("new", "said"),
    [("irc", "the same name"), ("bots", "bots' ears"), ("a/b", "cannot contain"), ("two words", "one word")],
)
def test_a_network_cannot_be_renamed_to_what_is_no_name_of_a_network(pond: Path, new: str, said: str) -> None:
    assert said in fail(pond, 2, "rename-network", "irc", new)


def test_while_the_config_is_broken_commands_use_what_the_daemon_had_last_and_say_so(pond: Path) -> None:
    run(pond, "add-user", "alice")
    asyncio.run(_queued(pond / "data" / "store.sqlite"))
    config, good = pond / "config.yaml", (pond / "config.yaml").read_text()
    remember(config, load(config))
    for broken in (good.replace("networks:", "netwroks:"), good + "\n  -: [", ""):
        config.write_text(broken)
        for command in (
            ["status"],
            ["outbox", "list"],
            ["mute-user", "alice", "--in", "pond"],
            ["lift", "alice", "--in", "pond"],
        ):
            done = quackbridge(pond, *command)
            assert done.returncode == (3 if command == ["status"] else 0), done.stderr
            assert "config.yaml" in done.stderr
            assert f"store {pond / 'data' / 'store.sqlite'}" in done.stderr
        assert fail(pond, 2, "check-config")
    config.unlink()
    assert "there is no config.yaml here" in quackbridge(pond, "status").stderr
    assert json.loads(run(pond, "outbox", "list", "--json"))
    (pond / ".config.yaml.last").unlink()
    fail(pond, 2, "status")


def test_a_command_uses_the_files_of_the_running_daemon_though_the_config_names_others_now(pond: Path) -> None:
    store, config = pond / "data" / "store.sqlite", pond / "config.yaml"
    asyncio.run(_queued(store))
    remember(config, load(config))
    config.write_text(config.read_text().replace("store.sqlite", "other.sqlite"))
    assert json.loads(quackbridge(pond, "status", "--json").stdout)["networks"]["irc"]["queued"] == 0
    held = lock(store)
    done = quackbridge(pond, "status", "--json")
    assert json.loads(done.stdout)["networks"]["irc"]["queued"] == 1
    assert f"store {store}" in done.stderr
    os.close(held)


def test_the_settings_that_are_kept_are_private_and_without_secrets(pond: Path) -> None:
    config = pond / "config.yaml"
    home = {key: value for key, value in CONFIG["networks"]["home"].items() if key != "password_file"}
    irc = {**CONFIG["networks"]["irc"], "realname": "a $${b} \N{DUCK}", "sasl": {"account": "a", "password": "hunter3"}}
    networks = {"home": {**home, "password": "hunter2"}, "irc": irc}
    config.write_text(yaml.safe_dump({**CONFIG, "networks": networks}))
    remember(config, load(config))
    kept = pond / ".config.yaml.last"
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600
    assert "hunter" not in kept.read_text()
    found = recall(config)
    assert found is not None
    assert isinstance(found.networks["irc"], IrcSettings)
    assert found.networks["irc"].realname == "a ${b} \N{DUCK}"


def test_check_config_names_users_and_networks_that_do_not_exist_with_their_place(pond: Path) -> None:
    run(pond, "add-user", "Alice")
    link = {
        "rooms": ["irc/#pond"],
        "members": ["alice", "alcie"],
        "moderators": ["bob"],
        "ignore": ["libera/x", "irc/x"],
    }
    text = yaml.safe_dump({**CONFIG, "links": {"pond": link}}, sort_keys=False)
    (pond / "config.yaml").write_text(text)
    lines = {word: number for number, line in enumerate(text.splitlines(), 1) for word in line.split()}
    checked = quackbridge(pond, "check-config")
    assert (checked.returncode, checked.stdout) == (0, "ok\n")
    expected = [
        f"config.yaml:{lines['libera/x']}:7: links.pond.ignore[0]: libera/x fits nobody: there is no network 'libera'",
        f"config.yaml:{lines['alcie']}:7: links.pond.members[1]: there is no user 'alcie'; did you mean 'Alice'?",
        f"config.yaml:{lines['bob']}:7: links.pond.moderators[0]: there is no user 'bob'",
    ]
    assert checked.stderr.splitlines() == [f"quackbridge: warning: {each}" for each in expected]
    assert "links.pond.members names alice in the config still" in quackbridge(pond, "remove-user", "alice").stderr


@pytest.mark.parametrize(
    ("password", "said"),
    [("short", "at least 8"), (" a password", "no blanks at its ends"), ("a pass\tword", "no control characters")],
)
def test_a_password_that_could_not_be_typed_in_the_chat_or_is_too_short_is_refused(
    pond: Path, password: str, said: str
) -> None:
    run(pond, "add-user", "alice")
    for command in ("set-password alice", "add-user bob"):
        assert said in fail(pond, 2, *command.split(), "--password-stdin", stdin=f"{password}\n")
    assert json.loads(run(pond, "show-user", "alice", "--json"))["has_password"] is False


def test_a_list_of_users_says_how_each_can_be_known(pond: Path) -> None:
    run(pond, "add-user", "alice", "--password-stdin", stdin="a long secret\n")
    run(pond, "add-user", "bob")
    alice, bob = run(pond, "list-users").splitlines()[-2:]
    assert "a login with the password" in alice
    assert "nobody can be this user" in bob


def test_a_file_that_may_not_be_used_is_named_with_its_owner_in_one_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def status(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied", str(tmp_path / "none" / "store.sqlite"))

    monkeypatch.setattr(cli, "main", status)
    monkeypatch.setattr(threading, "active_count", lambda: 1)  # those of other tests do not matter
    with pytest.raises(SystemExit) as ended:
        main()
    me = pwd.getpwuid(os.geteuid()).pw_name
    assert ended.value.code == 2
    said = f"this user may not use it: run the command as user {me}, or as root\n"
    assert capsys.readouterr().err == f"quackbridge: {tmp_path}/none/store.sqlite: {said}"


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can run commands as somebody else")
def test_status_as_another_user_than_the_daemons_says_whose_the_files_are() -> None:
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        folder.chmod(0o755)
        (folder / "config.yaml").write_text(yaml.safe_dump(CONFIG))
        run(folder, "init-db")
        asyncio.run(_queued(folder / "data" / "store.sqlite"))
        for mode in (0o700, 0o755):
            (folder / "data").chmod(mode)
            for command in ("status", "outbox list", "list-users"):
                done = subprocess.run(
                    [sys.executable, "-c", _AS_NOBODY, *command.split()],
                    cwd=folder,
                    env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
                    capture_output=True,
                    text=True,
                    check=False,
                )
                assert done.returncode == 2
                assert done.stderr.endswith("this user may not use it: run the command as user root, or as root\n")


_AS_NOBODY = """
import os, bridge.cli.verbs, bridge.store.backup, bridge.store.sqlite, rich.cells
from bridge.admin.verbs import VERBS
from bridge import __version__
from bridge.__main__ import main
commands = [verb.command for verb in VERBS.values()]  # nobody may not read where Python itself is
"".encode("utf-8-sig")
os.setgroups([]); os.setuid(65534); main()
"""


def test_a_password_cannot_be_asked_for_without_a_terminal_which_is_said_at_once(pond: Path) -> None:
    run(pond, "add-user", "alice")
    for command in ("set-password alice", "add-user bob --password"):
        for stdin in (subprocess.DEVNULL, subprocess.PIPE):
            asked = subprocess.Popen(
                [sys.executable, "-m", "bridge", *command.split()],
                cwd=pond,
                env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
                stdin=stdin,
                stderr=subprocess.PIPE,
                text=True,
                start_new_session=True,  # no terminal controls it
            )
            assert asked.stderr is not None
            assert asked.wait(20) == 2  # nothing is written into the pipe, and it is not closed
            assert "there is no terminal to type a password at: use --password-stdin" in asked.stderr.read()


@pytest.mark.parametrize(
    ("command", "said"),
    [
        ("set-password alice --password-stdin", "standard input is closed"),
        ("import-users -", "standard input is closed"),
        ("chat", "listens"),
    ],
)
def test_a_closed_standard_input_is_said_in_a_sentence(pond: Path, command: str, said: str) -> None:
    run(pond, "add-user", "alice")
    done = subprocess.run(
        ["sh", "-c", f"exec {sys.executable} -m bridge {command} <&-"],
        cwd=pond,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
        capture_output=True,
        text=True,
        check=False,
    )
    assert said in done.stderr
    assert "Traceback" not in done.stderr
    assert "Error" not in done.stderr


def test_a_password_that_is_no_text_is_refused_in_a_sentence(pond: Path) -> None:
    run(pond, "add-user", "alice")
    done = subprocess.run(
        [sys.executable, "-m", "bridge", "set-password", "alice", "--password-stdin"],
        cwd=pond,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2]), "PYTHONUTF8": "1"},
        input=b"\xff\xfe secret\n",
        capture_output=True,
        check=False,
    )
    assert done.returncode == 2
    assert b"UTF-8" in done.stderr


def test_requests_are_listed_approved_and_denied_without_a_daemon(pond: Path) -> None:
    users = TinyUsers(pond / "data" / "users.json")
    assert run(pond, "requests") == "nobody asks to become a member\n"
    for name in ("eve", "--as", "mat"):
        identity = Identity(Proof.IRC, "irc", name)
        users.ask(MembershipRequest(identity, Room("irc", f"{name}_"), time.time()))
    listed = json.loads(run(pond, "requests", "--json"))
    assert [(each["name"], each["network"], each["value"]) for each in listed] == [
        ("eve", "irc", "eve"),
        ("as", "irc", "--as"),
        ("mat", "irc", "mat"),
    ]
    assert "irc/mat" in run(pond, "requests")
    assert run(pond, "approve", "eve", "--as", "evelyn") == "added evelyn, known as irc/eve\n"
    assert run(pond, "approve", "as", "--to", "evelyn") == "irc/--as is evelyn now\n"
    assert "may ask again in 30 days" in run(pond, "deny", "mat")
    assert "no open request called 'mat'" in fail(pond, 2, "approve", "mat")
    assert "no open request called ''" in fail(pond, 2, "approve", "")
    assert names(pond) == ["evelyn"]
    done = [line["what"] for line in json.loads(run(pond, "audit", "--json"))]
    assert done[-6:] == ["request", "request", "request", "approve", "approve", "deny"]


def test_a_request_from_an_irc_network_that_was_removed_is_not_approved(pond: Path) -> None:
    identity = Identity(Proof.IRC, "gone", "eve")
    TinyUsers(pond / "data" / "users.json").ask(MembershipRequest(identity, Room("gone", "eve"), time.time()))
    assert "there is no IRC network 'gone'" in fail(pond, 2, "approve", "eve")
    assert names(pond) == []
