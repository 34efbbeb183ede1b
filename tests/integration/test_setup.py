"""`quackbridge setup` on a pseudo-terminal, with Synapse, and InspIRCd with Anope."""

import asyncio
import re
import subprocess
import sys
import time
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from aiohttp import web

from bridge.config import load
from bridge.demo.people import IrcPerson, MatrixPerson
from bridge.demo.servers import Synapse
from bridge.demo.servers.process import HOST
from bridge.users import Role
from bridge.users.tinydb import TinyUsers
from tests.integration.servers import Anope, NgIrcd, unique
from tests.integration.terminal import Terminal

pytestmark = pytest.mark.servers


@dataclass(frozen=True, slots=True)
class Place:
    """The accounts of one test, and the person with both clients."""

    synapse: Synapse
    services: Anope
    duck: str
    alice: str
    account: str
    channel: str
    room: str
    on_matrix: MatrixPerson
    on_irc: IrcPerson

    @property
    def options(self) -> list[str]:
        """Everything but what a test wants to be asked."""
        return [
            *("--homeserver", self.synapse.url, "--matrix-user", self.synapse.user_id(self.duck)),
            *("--matrix-password-file", "password", "--room", self.room),
            *("--irc", f"{HOST}:{self.services.irc.port}", "--nick", self.duck, "--channel", self.channel),
            *("--admin-matrix", self.synapse.user_id(self.alice), "--admin-irc", self.account, "-y"),
        ]


@asynccontextmanager
async def place(synapse: Synapse, services: Anope, folder: Path, preset: str) -> AsyncGenerator[Place, None]:
    duck, alice, account, channel = unique("duck"), unique("alice"), unique("ann"), f"#{unique('pond')}"
    await synapse.register(duck, "duck-secret")
    await synapse.register(alice, "secret")
    await services.register(account, "secret")
    (folder / "password").touch(mode=0o600)
    (folder / "password").write_text("duck-secret\n")
    async with (
        MatrixPerson(synapse.url, alice, "secret") as on_matrix,
        IrcPerson(HOST, services.irc.port, unique("ann"), sasl=(account, "secret")) as on_irc,
    ):
        room = await on_matrix.create_room(None, preset=preset, name="The pond")
        await on_irc.join(channel)
        yield Place(synapse, services, duck, alice, account, channel, room, on_matrix, on_irc)


@pytest.fixture
async def pond(synapse: Synapse, services: Anope, tmp_path: Path) -> AsyncGenerator[Place, None]:
    async with place(synapse, services, tmp_path, "public_chat") as made:
        yield made


def nothing_but_the_password(folder: Path) -> bool:
    return [path.name for path in folder.iterdir()] == ["password"]


def without_terminal(folder: Path, *options: str) -> "subprocess.CompletedProcess[str]":
    command = (sys.executable, "-m", "bridge", "setup", "-c", str(folder / "config.yaml"), *options)
    return subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60, cwd=folder)


def without(options: list[str], name: str) -> list[str]:
    at = options.index(name)
    return options[:at] + options[at + 2 :]


async def test_from_an_empty_folder_to_a_message_each_way(pond: Place, tmp_path: Path) -> None:
    began = time.monotonic()
    async with Terminal(tmp_path, "setup") as terminal:
        await terminal.answers("User id of the bridge", "duck")
        await terminal.reads("'duck' is not a Matrix id: @name:server")
        await terminal.answers("User id of the bridge", f"@{pond.duck}:{pond.synapse.server_name}")
        await terminal.answers("URL of the homeserver", pond.synapse.url)
        await terminal.answers("Password of @", "wrong")
        await terminal.reads("the homeserver does not accept the password of @")
        await terminal.answers("Password of @", "duck-secret")
        await terminal.answers("Alias .* or id", f"#nowhere:{pond.synapse.server_name}")
        await terminal.reads("That does not work: there is no room #nowhere")
        await terminal.answers("Alias .* or id", pond.room)
        await terminal.reads("2 people, not encrypted; I may speak: yes")
        await terminal.answers("Network .*, or HOST:PORT", f"{HOST}:{pond.services.irc.port}")
        await terminal.answers("Nick of the bridge", pond.on_irc.nick)
        await terminal.reads(f"the nick {pond.on_irc.nick} cannot be had")
        await terminal.answers("Nick of the bridge", pond.duck)
        await terminal.reads(r"It offers SASL, .*PLAIN")
        await terminal.answers("Has the bridge an account", "n")
        await terminal.answers("Channel", pond.channel)
        await terminal.reads(f"operators: {pond.on_irc.nick}")
        await terminal.answers("consent of the channel's operators", "y")
        code = await terminal.reads(r"Say this in the Matrix room: (quack \d{4})\n")
        await pond.on_matrix.send(pond.room, code[1])
        await terminal.reads(f"That was {pond.synapse.user_id(pond.alice)}")
        await terminal.answers("Is .* you", "n")
        await terminal.reads("somebody guessed the code")
        code = await terminal.reads(r"Say this in the Matrix room: (quack \d{4})\n")
        await pond.on_matrix.send(pond.room, code[1])
        await terminal.answers("Is .* you", "y")
        code = await terminal.reads(r"on IRC: (quack \d{4})\n")
        await pond.on_irc.say(pond.channel, code[1])
        await terminal.reads(f"That was {pond.on_irc.nick}, logged in as {pond.account}")
        await terminal.answers(f"Is {pond.account} you", "y")
        await terminal.answers("What of them", "")
        await terminal.reads("check-config finds nothing wrong")
        await terminal.reads("I wait until both arrive")
        await pond.on_matrix.send(pond.room, "hello pond")
        await terminal.reads(
            re.escape(f"{pond.alice} in home/{pond.room} -> irc/{pond.channel}, acknowledged after 0.")
        )
        await pond.on_irc.say(pond.channel, "hello room")
        await terminal.reads(
            re.escape(f"{pond.alice} in irc/{pond.channel} -> home/{pond.room}, acknowledged after 0.")
        )
        await terminal.reads("quackbridge run")
        assert await terminal.ends() == 0
    assert time.monotonic() - began < 60
    config = load(tmp_path / "config.yaml", {})
    assert config.warnings == ()
    assert (tmp_path / "secrets").stat().st_mode & 0o777 == 0o700
    assert (tmp_path / "data").stat().st_mode & 0o777 == 0o700
    assert (tmp_path / "secrets" / "home").stat().st_mode & 0o777 == 0o600
    (admin,) = TinyUsers(tmp_path / "data" / "users.json").list()
    assert admin.role is Role.ADMIN
    assert len(admin.identities) == 2
    assert "duck-secret" not in terminal.screen


async def test_whatever_was_mistyped_can_be_corrected_and_a_guest_who_is_relayed_sees_both_lines(
    pond: Place, ngircd: NgIrcd, tmp_path: Path
) -> None:
    channel, nick = f"#{unique('bay')}", unique("ann")
    async with IrcPerson(HOST, ngircd.port, nick) as ann, Terminal(tmp_path, "setup") as terminal:
        await ann.join(channel)
        await terminal.answers("User id of the bridge", f"@{pond.duck}x:nowhere.invalid")
        await terminal.answers("URL of the homeserver .*, or the right user id", pond.synapse.user_id(f"{pond.duck}x"))
        await terminal.answers("URL of the homeserver", pond.synapse.url)
        await terminal.answers("Enter alone: another user id", "duck-secret")
        await terminal.reads("does not accept the password")
        await terminal.answers("Enter alone: another user id", "")
        await terminal.answers("User id of the bridge", pond.synapse.user_id(pond.duck))
        await terminal.answers("URL of the homeserver", pond.synapse.url)
        await terminal.answers("Enter alone: another user id", "duck-secret")
        await terminal.answers("Alias .* or id", pond.room)
        await terminal.answers("Network .*, or HOST:PORT", f"{HOST} 6667")
        await terminal.reads("is neither libera, oftc, hackint nor HOST:PORT")
        await terminal.answers("Network .*, or HOST:PORT", f"{HOST}:1")
        await terminal.answers("Nick of the bridge", "https://x:1")
        await terminal.reads("looks like an address")
        await terminal.answers("Nick of the bridge", "duck")
        await terminal.reads("That does not work: .*refused")
        await terminal.answers("Network .*, or HOST:PORT", f"{HOST}:{ngircd.port}")
        await terminal.answers("Nick of the bridge", unique("duck"))
        await terminal.reads("without encryption, as it is on this machine")
        await terminal.answers("Channel .such as", f"{channel}x")
        await terminal.answers("Nobody else is there. Is the name right?", "n")
        await terminal.answers("Channel .such as", channel)
        assert "NickServ" not in terminal.screen
        await terminal.answers("consent of the channel's operators", "y")
        code = await terminal.reads(r"Say this in the Matrix room: (quack \d{4})\n")
        await pond.on_matrix.send(pond.room, code[1].capitalize())
        await terminal.answers("Is .* you", "y")
        code = await terminal.reads(r"on IRC: (quack \d{4})\n")
        await ann.say(channel, code[1])
        await terminal.reads("a nick proves nothing")
        await terminal.reads("you are a guest yourself: your lines there are carried with relay only")
        await terminal.answers("What of them", "r")
        await terminal.reads("I wait until both arrive")
        await pond.on_matrix.send(pond.room, "hello bay")
        await terminal.reads(re.escape(f"{pond.alice} in home/{pond.room} -> irc/{channel}, acknowledged"))
        await ann.say(channel, "hello room")
        await terminal.reads(re.escape(f"a guest in irc/{channel} -> home/{pond.room}, acknowledged"))
        assert await terminal.ends() == 0


async def test_a_channel_that_is_for_the_invited_names_whom_to_invite(pond: Place, tmp_path: Path) -> None:
    await pond.on_irc.raw(f"MODE {pond.channel} +i")
    await pond.on_irc.ping()
    async with Terminal(tmp_path, "setup", *pond.options, "--no-first-message") as terminal:
        await terminal.answers("Has the bridge an account", "n")
        await terminal.reads(f"ask its operators to invite {pond.duck}, or to let it in")
        assert await terminal.interrupted() == 130


async def test_options_alone_make_a_config_without_a_terminal(pond: Place, tmp_path: Path) -> None:
    done = await asyncio.to_thread(without_terminal, tmp_path, *pond.options)
    assert (done.returncode, done.stderr) == (0, "")
    assert load(tmp_path / "config.yaml", {}).warnings == ()
    again = await asyncio.to_thread(without_terminal, tmp_path, *pond.options)
    assert again.returncode == 2
    assert "config.yaml exists already: nothing was changed" in again.stderr


async def test_an_invitation_is_waited_for(synapse: Synapse, services: Anope, tmp_path: Path) -> None:
    async with place(synapse, services, tmp_path, "private_chat") as pond:
        refused = await asyncio.to_thread(without_terminal, tmp_path, *pond.options)
        assert refused.returncode == 2
        assert "lets only those in who are invited" in refused.stderr
        assert nothing_but_the_password(tmp_path)
        async with Terminal(tmp_path, "setup", *pond.options, "--no-first-message") as terminal:
            await terminal.reads("I am waiting, and go on by myself")
            await pond.on_matrix.invite(pond.room, synapse.user_id(pond.duck))
            await terminal.reads("Joined The pond: 2 people")


_QUESTIONS = {
    "--matrix-user": "User id of the bridge",
    "--homeserver": "URL of the homeserver",
    "--matrix-password-file": "Password of @",
    "--room": "Alias .* or id",
    "--irc": "Network .*, or HOST:PORT",
    "--nick": "Nick of the bridge",
    "has account": "Has the bridge an account",
    "account": "Account at the services",
    "account's password": "Password of duckling",
    "--channel": "Channel",
    "consent": "consent of the channel's operators",
    "--admin-matrix": "Say this in the Matrix room",
    "--admin-irc": "on IRC: quack",
    "guests": "What of them",
}
"""What is asked if that option is not given."""


@pytest.mark.parametrize("asked", _QUESTIONS)
async def test_ctrl_c_at_a_question_leaves_nothing(pond: Place, tmp_path: Path, asked: str) -> None:
    options = without(pond.options, asked) if asked.startswith("--") else pond.options
    if asked == "consent":
        options.remove("-y")
    async with Terminal(tmp_path, "setup", *options) as terminal:
        if asked.startswith("account"):
            await terminal.answers("Has the bridge an account", "y")
        elif list(_QUESTIONS).index(asked) > list(_QUESTIONS).index("account"):
            await terminal.answers("Has the bridge an account", "n")
        if asked == "account's password":
            await terminal.answers("Account at the services", "duckling")
        await terminal.reads(_QUESTIONS[asked])
        assert await terminal.interrupted() == 130
        assert "Traceback" not in terminal.screen
    assert nothing_but_the_password(tmp_path)


async def test_a_closed_window_leaves_nothing(pond: Place, tmp_path: Path) -> None:
    async with Terminal(tmp_path, "setup", *without(pond.options, "--channel")) as terminal:
        await terminal.answers("Has the bridge an account", "n")
        await terminal.reads("Channel")
        assert await terminal.hangs_up() == 130
    assert nothing_but_the_password(tmp_path)


async def test_without_a_terminal_all_that_is_missing_is_told_at_once(tmp_path: Path) -> None:
    done = await asyncio.to_thread(without_terminal, tmp_path, "--nick", "duck")
    assert done.returncode == 2
    for option in (
        "--matrix-user",
        "--matrix-password-file",
        "--room",
        "--irc",
        "--channel",
        "--admin-matrix",
        "--yes",
    ):
        assert option in done.stderr
    assert "--nick" not in done.stderr
    assert [*tmp_path.iterdir()] == []


@pytest.mark.parametrize("answer", [web.json_response, None], ids=["sso", "404"])
async def test_a_homeserver_without_passwords_is_told(pond: Place, tmp_path: Path, answer: object) -> None:
    async def versions(_: web.Request) -> web.Response:
        return web.json_response({"versions": ["v1.11"]})

    async def login(_: web.Request) -> web.Response:
        if answer is None:
            return web.json_response({"errcode": "M_UNRECOGNIZED", "error": "no"}, status=404)
        return web.json_response({"flows": [{"type": "m.login.sso"}]})

    app = web.Application()
    app.router.add_get("/_matrix/client/versions", versions)
    app.router.add_get("/_matrix/client/v3/login", login)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, HOST, 0)
    await site.start()
    try:
        url = f"http://{HOST}:{runner.addresses[0][1]}"
        options = [*without(pond.options, "--homeserver"), "--homeserver", url]
        done = await asyncio.to_thread(without_terminal, tmp_path, *options)
    finally:
        await runner.cleanup()
    assert done.returncode == 2
    assert "takes no login by password" in done.stderr
    assert "a fresh token" in done.stderr
    assert nothing_but_the_password(tmp_path)


async def test_a_network_for_accounts_only_is_explained(pond: Place, tmp_path: Path) -> None:
    async def turn_away(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"NICK ")
        writer.write(b"ERROR :Closing Link: 127.0.0.1 (SASL access only)\r\n")
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(turn_away, HOST, 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        options = [*without(pond.options, "--irc"), "--irc", f"{HOST}:{port}"]
        done = await asyncio.to_thread(without_terminal, tmp_path, *options)
        assert done.returncode == 2
        assert "lets only those in who log in to an account" in done.stderr
        async with Terminal(tmp_path, "setup", *options) as terminal:
            await terminal.reads("lets only those in who log in to an account")
            await terminal.reads("Account at the services")
    assert nothing_but_the_password(tmp_path)


def test_run_without_a_config_names_the_setup(tmp_path: Path) -> None:
    command = (sys.executable, "-m", "bridge", "run")
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60, cwd=tmp_path)
    assert done.returncode == 2
    assert "there is no config.yaml here; `quackbridge setup` makes one" in done.stderr
