"""`quackbridge outbox` as the operator meets it, on a real store."""

import asyncio
import json
import time
from contextlib import aclosing
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from bridge.cli import cli
from bridge.model.event import Event
from bridge.model.outbox import Delivery
from bridge.store import Commit, Dead, Unusable, Waits
from bridge.store.sqlite import SqliteStore
from tests.events import HOME, LIBERA, matrix, said

CONFIG = """
networks:
  home: {type: matrix, homeserver: "https://matrix.pond.net", user: "@duck:hs", password_file: absent}
  libera: {type: irc, server: "irc.libera.chat:6697", nick: duckling}
links:
  pond: {rooms: ["home/#pond:hs", "libera/#pond"]}
users: {database: data/users.json}
store: {path: data/store.sqlite}
"""
EVENTS = (
    said(HOME, matrix("alice"), "hello there [red] \x1b[31m\u202e" + "x" * 50, "$dead"),
    said(HOME, matrix("bob"), "later", "$queued"),
)
DEAD, QUEUED = (Delivery.of(event.key, LIBERA).id for event in EVENTS)


async def _fill(path: Path, events: tuple[Event, ...]) -> None:
    async with aclosing(SqliteStore.open(path, lambda: time.time() - 7_300)) as store:
        home, libera = await store.acquire("home", "test"), await store.acquire("libera", "test")
        assert home
        assert libera
        await home.commit(Commit(None, "c1", events, [Delivery.of(event.key, LIBERA) for event in events]))
        await libera.settle(Dead([DEAD], "too large"))
        await libera.settle(Waits(LIBERA, time.time() + 60, "offline"))


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "config.yaml"
    path.write_text(CONFIG)
    return path


@pytest.fixture
def filled(config: Path) -> Path:
    asyncio.run(_fill(config.parent / "data/store.sqlite", EVENTS))
    return config


def run(config: Path, *args: str) -> Result:
    return CliRunner().invoke(cli, ["outbox", *args, "-c", str(config)], env={"COLUMNS": "200"})


def test_outbox_list_shows_dead_and_queued_deliveries_with_their_reasons(filled: Path) -> None:
    shown = run(filled, "list")
    assert shown.exit_code == 0, shown.output
    dead, queued = shown.output.splitlines()[-2:]
    for part in (DEAD[:8], "dead", "libera/#pond", "@alice:hs", "2 hours", "too large", "hello there [red]"):
        assert part in dead
    for part in (QUEUED[:8], "queued", "@bob:hs", "offline", "later"):
        assert part in queued


def test_outbox_list_strips_control_characters_from_messages_and_cuts_them(filled: Path) -> None:
    shown = run(filled, "list").output
    assert "hello there [red]" in shown
    assert "\x1b" not in shown
    assert "\u202e" not in shown
    assert "x" * 50 not in shown


def test_outbox_list_as_json_holds_the_whole_text_and_id_of_each_delivery(filled: Path) -> None:
    dead, queued = json.loads(run(filled, "list", "--json").output)
    assert (dead["id"], dead["state"], dead["reason"], dead["from"]) == (DEAD, "dead", "too large", str(HOME))
    assert dead["text"].endswith("x" * 50)
    assert (queued["id"], queued["attempts"]) == (QUEUED, 1)


def test_outbox_retry_accepts_the_start_of_an_id(filled: Path) -> None:
    again = run(filled, "retry", DEAD[:4])
    assert again.exit_code == 0
    assert again.output == f"queued again: {DEAD} for libera/#pond\n"
    states = [entry["state"] for entry in json.loads(run(filled, "list", "--json").output)]
    assert states == ["queued", "queued"]


@pytest.mark.parametrize("start", ["ffffffffff", DEAD[:3], ""])
def test_outbox_drop_refuses_an_id_that_is_unknown_or_too_short(filled: Path, start: str) -> None:
    refused = run(filled, "drop", start)
    assert refused.exit_code == 1
    assert refused.output.startswith("Error: ")
    assert len(json.loads(run(filled, "list", "--json").output)) == 2


def test_outbox_retry_refuses_a_delivery_that_is_queued_already(filled: Path) -> None:
    refused = run(filled, "retry", QUEUED)
    assert (refused.exit_code, refused.output) == (1, f"Error: {QUEUED} is not dead: it is queued already\n")


def test_a_dropped_delivery_leaves_the_outbox_list_and_cannot_be_dropped_again(filled: Path) -> None:
    assert run(filled, "drop", DEAD).exit_code == 0
    assert run(filled, "drop", QUEUED).exit_code == 0
    assert run(filled, "drop", QUEUED).exit_code == 1
    assert run(filled, "list").output == "the outbox is empty: everything has been sent\n"
    assert json.loads(run(filled, "list", "--json").output) == []


def test_outbox_list_before_the_first_run_fails_and_creates_no_store(config: Path) -> None:
    assert isinstance(run(config, "list").exception, Unusable)  # the entry point makes it a line and exit code 2
    assert not (config.parent / "data").exists()
