"""/metrics of the real daemon says what was said on real servers, and names nobody."""

import asyncio
import re
from pathlib import Path

import aiohttp
import pytest
from prometheus_client.parser import text_string_to_metric_families

from bridge.demo.people import MatrixPerson
from bridge.demo.servers import Synapse
from bridge.demo.servers.process import HOST, free_port
from bridge.model.accounting import Cause
from bridge.model.counters import ConnectOutcome, DeliveryOutcome
from bridge.model.event import TYPES
from tests.integration.daemon import write_config
from tests.integration.pond import PASSWORD, Pond
from tests.integration.servers import Anope, unique
from tests.programs import promtool

pytestmark = pytest.mark.servers

_NAMES = {"home", "irc", "pond", "", "matrix"}
"""The names in the config, and the types of its networks."""
_OURS = {*TYPES, *Cause, *DeliveryOutcome, *ConnectOutcome, "queued", "dead", "served", "refused"}

Samples = dict[tuple[str, frozenset[tuple[str, str]]], float]


async def scrape(port: int) -> str:
    async with aiohttp.ClientSession() as http, http.get(f"http://{HOST}:{port}/metrics") as answer:
        assert answer.status == 200
        return await answer.text()


async def status_page(port: int) -> str:
    async with aiohttp.ClientSession() as http, http.get(f"http://{HOST}:{port}/") as answer:
        assert answer.status == 200
        return await answer.text()


def samples(text: str) -> Samples:
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def value(found: Samples, name: str, **labels: str) -> float:
    return found[f"quackbridge_{name}", frozenset(labels.items())]


async def until(port: int, name: str, number: float, **labels: str) -> str:
    """The page, once that metric is at least `number`."""
    async with asyncio.timeout(20):
        while value(samples(text := await scrape(port)), name, **labels) < number:  # noqa: ASYNC110
            await asyncio.sleep(0.1)
    return text


@pytest.fixture
async def pond(tmp_path: Path, synapse: Synapse, services: Anope) -> Pond:
    pond = Pond(tmp_path, synapse, services)
    await pond.dig()
    pond.config["http"] = {"listen": f"{HOST}:{free_port()}"}
    write_config(pond.folder, pond.config, {"home": PASSWORD})
    return pond


async def test_the_numbers_are_those_of_what_was_said_and_promtool_finds_nothing_to_criticise(pond: Pond) -> None:
    port = int(str(pond.config["http"]["listen"]).rpartition(":")[2])  # type: ignore[index]
    async with pond.daemon() as daemon, pond.people() as (alice, bob):
        await daemon.ready()
        for number in range(3):
            await alice.send(pond.room, f"from alice {number}")
            await bob.heard(f"from alice {number}")
        for number in range(2):
            await bob.say(pond.channel, f"from bob {number}")
            await alice.heard(f"from bob {number}")
        stranger = unique("xX_odd_nick_Xx")
        async with pond.person(stranger) as guest:
            await guest.join(pond.channel)
            await guest.say(pond.channel, "let me in, I am <b>nobody</b>")
            await guest.heard("only members are carried")
            await guest.say(pond.duck, "help")
            await guest.heard("You may say")
        odd = '"} 1\\n<b>odd</b>{le="'
        async with MatrixPerson(pond.synapse.url, unique("guest.of-")) as other:
            await other.rename(odd)
            await other.join(pond.room)
            await other.send(pond.room, "let me in, too")
            await until(port, "events_refused_total", 2, link="pond", reason="guest")
        await until(port, "deliveries_total", 2, network="home", link="pond", outcome="sent")
        (pond.folder / "config.yaml").write_text("networks: 5\n")
        await daemon.logged("not_reloaded")
        text = await scrape(port)
        shown = await status_page(port)
    for said in ("pond</bdi>", f"home/{pond.room}</bdi>", f"irc/{pond.channel}</bdi>", "quackbridge</h1>"):
        assert said in shown
    for name in (stranger, pond.alice, pond.bob, pond.duck):
        assert name.lower() not in shown.lower()
    found = samples(text)
    assert value(found, "deliveries_total", network="irc", link="pond", outcome="sent") == 3
    assert value(found, "deliveries_total", network="home", link="pond", outcome="sent") == 2
    assert value(found, "deliveries_total", network="irc", link="pond", outcome="dead") == 0
    assert value(found, "deliveries_total", network="irc", link="", outcome="sent") >= 2
    assert value(found, "delivery_duration_seconds_count", network="irc") >= 3
    timed = value(found, "delivery_duration_seconds_count", network="home")
    assert timed >= 2  # with the hint for the guest, who may have left by then
    assert value(found, "delivery_duration_seconds_bucket", network="home", le="60.0") == timed
    assert value(found, "events_received_total", network="home", kind="message") == 4
    assert value(found, "events_received_total", network="irc", kind="message") == 4
    assert value(found, "events_refused_total", link="pond", reason="guest") == 2
    assert value(found, "network_up", network="home", type="matrix") == 1
    assert value(found, "network_connects_total", network="irc", outcome="connected") == 1
    assert value(found, "outbox_deliveries", network="irc", state="queued") == 0
    assert value(found, "outbox_oldest_age_seconds", network="irc") == 0
    assert value(found, "store_size_bytes") > 4096
    assert value(found, "event_loop_lag_seconds") < 5
    assert value(found, "config_last_reload_successful") == 0
    assert value(found, "config_last_reload_success_timestamp_seconds") > 1e9
    assert found["process_resident_memory_bytes", frozenset()] > 1e6
    checked = promtool("check", "metrics", stdin=text)
    assert (checked.returncode, checked.stdout, checked.stderr) == (0, "", "")
    labels = {
        value
        for family in text_string_to_metric_families(text)
        if family.name.startswith("quackbridge") and family.name != "quackbridge_build_info"
        for sample in family.samples
        for label, value in sample.labels.items()
        if label != "le"
    }
    assert labels <= _NAMES | _OURS
    for name in (stranger, pond.alice, pond.bob, pond.duck, pond.channel, pond.room, odd, "guest.of", "<b>"):
        assert not re.search(re.escape(name), text, re.IGNORECASE)
