"""`quackbridge ledger` as the operator meets it, on a real store."""

import asyncio
import json
import time
from contextlib import aclosing
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from bridge.cli import cli
from bridge.model.accounting import Count, Tally
from bridge.model.outbox import Delivery, Post
from bridge.store import Commit, Dead
from bridge.store.sqlite import SqliteStore
from tests.events import HOME, LIBERA, matrix, said
from tests.store.test_outbox import CONFIG


async def _fill(path: Path) -> None:
    async with aclosing(SqliteStore.open(path, lambda: time.time() - 1_800)) as store:
        home, libera = await store.acquire("home", "test"), await store.acquire("libera", "test")
        assert home
        assert libera
        events = [said(HOME, matrix("alice"), text) for text in ("one", "two", "three")]
        deliveries = [Delivery.of(event.key, LIBERA) for event in events]
        counts = [Count(HOME, Tally.REFUSED, "not a member"), Count(HOME, Tally.UNKNOWN, "away")]
        await home.commit(Commit(None, "c1", events, deliveries, counts=counts))
        (post,) = await libera.plan(LIBERA, [Post.of(LIBERA, (deliveries[0].id,), 0, "x")])
        await libera.sent(post, "r")
        await libera.settle(Dead([deliveries[1].id], "too large"))


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "config.yaml"
    path.write_text(CONFIG)
    asyncio.run(_fill(tmp_path / "data/store.sqlite"))
    return path


def run(config: Path, *args: str) -> Result:
    return CliRunner().invoke(cli, ["ledger", *args, "-c", str(config)], env={"COLUMNS": "120"})


def test_the_ledger_shows_what_was_carried_refused_lost_and_delivered(config: Path) -> None:
    words = [" ".join(line.split()) for line in run(config, "--since", "1h").output.splitlines()]
    for line in (
        "heard in the last 1 hour 4",
        "carried 3",
        "refused 1",
        "not a member 1",
        "delivered to libera 1",
        "queued 1",
        "dead 1",
        "lost: too large 1",
        "gaps while disconnected 1",
        "delivered (without what still waits) 50.00 %",
    ):
        assert line in words, words


def test_the_json_ledger_holds_the_totals_and_those_of_each_network(config: Path) -> None:
    data = json.loads(run(config, "--json").stdout)
    assert (data["carried"], data["refused"], data["sent"], data["dead"], data["ratio"]) == (3, 1, 1, 1, 0.5)
    assert data["networks"] == {"libera": {"sent": 1, "queued": 1, "dead": 1, "dropped": 0}}
    assert json.loads(run(config, "--since", "10m", "--json").stdout)["carried"] == 0


def test_a_since_that_is_no_duration_exits_with_2_and_shows_examples(config: Path) -> None:
    result = run(config, "--since", "yesterday")
    assert result.exit_code == 2
    assert "30m or 7d" in result.output
