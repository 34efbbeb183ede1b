"""The socket of the running daemon, and the command line's side of it."""

import asyncio
import os
import socket
import stat
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from bridge.admin.answers import Answers
from bridge.admin.live import Json, LocalLive, NotDone, NotRunning, SocketLive
from bridge.app import admin_socket
from bridge.lib.sockets import of_config, of_store, places

pytestmark = pytest.mark.real_time


async def _answer(question: str, about: Json) -> Json:
    if question == "wait":
        await asyncio.sleep(3600)
    if question == "slow":
        await asyncio.sleep(1)
    if question == "no":
        raise NotDone("it cannot be done", "recovery key")
    return {"question": question, "about": dict(about)}


def _config(store: Path) -> Path:
    return store.with_name("config.yaml")


def _live(store: Path, config: Path) -> SocketLive:
    return SocketLive(places(store, config, {}), store)


def _answers(live: SocketLive) -> bool:
    try:
        return bool(live.ask("anything"))
    except NotRunning:
        return False


@asynccontextmanager
async def _serving(store: Path, environ: dict[str, str] | None = None) -> AsyncGenerator[SocketLive, None]:
    task = asyncio.create_task(admin_socket.serve(store, _config(store), _answer, environ or {}))
    for _ in range(200):
        if task.done() or await asyncio.to_thread(_answers, _live(store, _config(store))):
            break
        await asyncio.sleep(0.01)
    try:
        yield _live(store, _config(store))
    finally:
        task.cancel()
        await asyncio.wait({task})


async def test_a_question_is_answered_and_what_cannot_be_done_says_why_and_what_it_needs(tmp_path: Path) -> None:
    async with _serving(tmp_path / "store.sqlite") as live:
        found = await asyncio.to_thread(live.ask, "encryption", network="home")
        assert found == {"question": "encryption", "about": {"network": "home"}}
        with pytest.raises(NotDone, match="it cannot be done") as error:
            await asyncio.to_thread(live.ask, "no")
        assert error.value.needs == "recovery key"
    with pytest.raises(NotRunning, match="does not run"):
        live.ask("encryption")
    assert [*tmp_path.iterdir()] == []


async def test_only_the_daemons_own_user_may_connect_and_what_a_killed_one_left_is_replaced(tmp_path: Path) -> None:
    store = tmp_path / "store.sqlite"
    left = socket.socket(socket.AF_UNIX)
    left.bind(str(of_store(store)))
    left.close()
    async with _serving(store) as live:
        assert stat.S_IMODE(of_store(store).stat().st_mode) == 0o600
        assert await asyncio.to_thread(live.ask, "encryption")


async def test_a_socket_in_the_directory_of_systemd_is_found_by_a_command_that_knows_the_store(tmp_path: Path) -> None:
    runtime = tmp_path / "run"
    runtime.mkdir()
    async with _serving(tmp_path / "store.sqlite", {"RUNTIME_DIRECTORY": f"{runtime}:/other"}) as live:
        assert stat.S_ISSOCK((runtime / "admin.sock").stat().st_mode)
        assert await asyncio.to_thread(live.ask, "encryption")
    assert [*runtime.iterdir()] == []
    assert [*tmp_path.iterdir()] == [runtime]


async def test_a_file_in_its_place_is_not_removed_and_where_it_can_listen_nowhere_the_log_says_why(
    tmp_path: Path,
) -> None:
    store = tmp_path / "store.sqlite"
    for place in (of_store(store), of_config(_config(store))):
        place.write_text("mine")
    long = tmp_path / ("x" * 100) / "store.sqlite"
    long.parent.mkdir()
    with capture_logs() as logs:
        await admin_socket.serve(store, _config(store), _answer, {})
        await admin_socket.serve(long, _config(long), _answer, {})
    assert [line["reason"] for line in logs] == [
        "there is a file of that name",
        "a socket's path may have 107 bytes: use a folder with a shorter path",
    ]
    assert of_store(store).read_text() == of_config(_config(store)).read_text() == "mine"


@pytest.mark.parametrize("folder", ["x" * 100, "closed"])
async def test_where_the_folder_of_the_store_can_have_no_socket_it_is_beside_the_config(
    tmp_path: Path, folder: str
) -> None:
    store, config = tmp_path / folder / "store.sqlite", tmp_path / "config.yaml"
    if folder != "closed":  # else there is none, as if it could not be written
        store.parent.mkdir()
    task = asyncio.create_task(admin_socket.serve(store, config, _answer, {}))
    async with asyncio.timeout(10):
        while not await asyncio.to_thread(_answers, _live(store, config)):  # noqa: ASYNC110
            await asyncio.sleep(0.01)
    assert stat.S_ISSOCK(of_config(config).lstat().st_mode)
    assert stat.S_IMODE(of_config(config).stat().st_mode) == 0o600
    task.cancel()
    await asyncio.wait({task})
    assert not of_config(config).exists()


async def test_a_command_that_knows_only_the_config_finds_it_beside_the_store(tmp_path: Path) -> None:
    store = tmp_path / "data" / "store.sqlite"
    store.parent.mkdir()
    async with _serving(store):
        assert await asyncio.to_thread(_answers, _live(tmp_path / "unknown.sqlite", _config(store)))
    assert [*store.parent.iterdir()] == []


@pytest.mark.parametrize("body", [b"", b"[]", b"{}", b'{"question": 7}', b"[" * 5000, b'{"question": "x", "about": 1}'])
async def test_what_is_no_question_is_refused(body: bytes, tmp_path: Path) -> None:
    store = tmp_path / "store.sqlite"
    async with _serving(store):
        reader, writer = await asyncio.open_unix_connection(str(of_store(store)))
        writer.write(b"POST /ask HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n" % len(body) + body)
        assert b" 400 " in await reader.readline()
        writer.close()
        reader, writer = await asyncio.open_unix_connection(str(of_store(store)))
        writer.write(b"POST /ask HTTP/1.1\r\nHost: x\r\nContent-Length: 999999\r\n\r\n" + b"x" * 200_000)
        assert b" 413 " in await reader.readline()
        writer.close()


async def test_a_daemon_that_does_not_answer_keeps_a_command_waiting_only_shortly(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bridge.admin.live.LONGEST_S", 0.2)
    async with _serving(tmp_path / "store.sqlite") as live:
        with pytest.raises(NotRunning, match="does not answer"):
            await asyncio.to_thread(live.ask, "wait")
    local = LocalLive(asyncio.get_running_loop(), _answer)
    with pytest.raises(NotRunning, match="does not answer"):
        await asyncio.to_thread(local.ask, "wait")
    assert await asyncio.to_thread(local.ask, "encryption") == {"question": "encryption", "about": {}}


async def test_the_socket_of_a_running_daemon_is_not_replaced_nor_is_one_removed_that_is_not_ours(
    tmp_path: Path,
) -> None:
    runtime = tmp_path / "run"
    runtime.mkdir()
    (tmp_path / "other").mkdir()
    environ = {"RUNTIME_DIRECTORY": str(runtime)}
    async with _serving(tmp_path / "one.sqlite", environ) as one:
        async with _serving(tmp_path / "other" / "store.sqlite", environ) as other:
            assert await asyncio.to_thread(other.ask, "encryption")
            assert stat.S_ISSOCK(of_store(tmp_path / "other" / "store.sqlite").lstat().st_mode)
        assert await asyncio.to_thread(one.ask, "encryption")
        (runtime / "admin.sock").unlink()
        (runtime / "admin.sock").write_text("another's")
    assert (runtime / "admin.sock").read_text() == "another's"
    assert not of_store(tmp_path / "one.sqlite").is_symlink()


async def test_where_commands_could_not_find_it_no_socket_is_left(tmp_path: Path) -> None:
    store = tmp_path / "store.sqlite"
    (tmp_path / "run").mkdir()
    for place in (of_store(store), of_config(_config(store))):
        place.write_text("mine")
    with capture_logs() as logs:
        await admin_socket.serve(store, _config(store), _answer, {"RUNTIME_DIRECTORY": str(tmp_path / "run")})
    assert [line["reason"] for line in logs] == ["there is a file of that name"]
    assert [*(tmp_path / "run").iterdir()] == []


async def test_a_link_in_its_place_is_replaced_and_what_it_leads_to_stays(tmp_path: Path) -> None:
    (tmp_path / "precious").write_text("mine")
    of_store(tmp_path / "store.sqlite").symlink_to(tmp_path / "precious")
    async with _serving(tmp_path / "store.sqlite") as live:
        assert await asyncio.to_thread(live.ask, "encryption")
    assert (tmp_path / "precious").read_text() == "mine"


async def test_clients_that_send_nothing_have_few_places_and_lose_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bridge.http.server._REQUEST_S", 0.5)
    async with _serving(tmp_path / "store.sqlite") as live:
        path = str(of_store(tmp_path / "store.sqlite"))
        slow = [await asyncio.open_unix_connection(path) for _ in range(20)]
        async with asyncio.timeout(10):
            assert [await reader.read() for reader, _ in slow] == [b""] * 20
        assert await asyncio.to_thread(live.ask, "encryption")
        for _, writer in slow:
            writer.close()


async def test_an_answer_may_take_longer_than_a_client_may_be_silent(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bridge.http.server._REQUEST_S", 0.2)
    monkeypatch.setattr("bridge.http.server._ANSWER_S", 0.3)
    async with _serving(tmp_path / "store.sqlite") as live:
        assert await asyncio.to_thread(live.ask, "slow") == {"question": "slow", "about": {}}


async def test_garbage_is_neither_repeated_nor_logged(tmp_path: Path) -> None:
    async with _serving(tmp_path / "store.sqlite"):
        reader, writer = await asyncio.open_unix_connection(str(of_store(tmp_path / "store.sqlite")))
        with capture_logs() as logs:
            writer.write(b"EsTd secret\r\n\r\n")
            answer = await reader.read()
        assert b"400" in answer
        assert b"secret" not in answer
        assert logs == []
        writer.close()


async def test_a_secret_is_told_to_nobody_who_listens_in_the_place_of_the_daemon(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with _serving(tmp_path / "store.sqlite") as live:
        monkeypatch.setattr(live, "_trusted", lambda: {4711})
        with pytest.raises(NotRunning, match="may not use it"):
            await asyncio.to_thread(live.ask, "sign_device", recovery_key="EsTd")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may connect to any socket")
async def test_somebody_elses_socket_is_named(tmp_path: Path) -> None:
    async with _serving(tmp_path / "store.sqlite") as live:
        of_store(tmp_path / "store.sqlite").chmod(0)
        with pytest.raises(NotRunning, match="may not use it"):
            await asyncio.to_thread(live.ask, "encryption")


async def test_a_daemon_says_that_it_does_not_know_a_question_or_a_network() -> None:
    answers = Answers(dict)
    with pytest.raises(NotDone, match="another version"):
        await answers.answer("tea?", {})
    with pytest.raises(NotDone, match="runs no network 'home'"):
        await answers.answer("sign_device", {"network": "home"})
    assert await answers.answer("encryption", {}) == {}
