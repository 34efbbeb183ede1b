"""Two workers share a store, and one of them or the store breaks, while people talk."""

import signal
from pathlib import Path

import pytest

from bridge.demo.servers import Synapse
from tests.conftest import need
from tests.fakes.redis import RedisServer
from tests.faults.scene import Outcome
from tests.faults.workers import asleep, cut_off, ended, failed_over, holds, redis_failed_over, store_killed
from tests.integration.servers import Anope
from tests.postgres import Postgres

pytestmark = [pytest.mark.servers, pytest.mark.timeout(240)]

CASES = {
    "the worker of the IRC network is killed": ended("irc", signal.SIGKILL),
    "the worker of the homeserver is killed": ended("home", signal.SIGKILL),
    "the worker of the IRC network is asked to end": ended("irc", signal.SIGTERM),
    "the worker of the IRC network is asleep": asleep("irc"),
    "the worker of the homeserver is asleep": asleep("home"),
    "the worker of the IRC network does not reach the store": cut_off("irc"),
    "the server of the store is killed": store_killed,
}
_LONG = tuple(case for case in CASES if "asleep" in case or "reach" in case or "asked" in case)
"""What `make faults` tries besides."""


@pytest.mark.parametrize("case", [pytest.param(case, marks=[pytest.mark.long] * (case in _LONG)) for case in CASES])
async def test_no_message_is_lost_or_doubled_while(
    case: str, tmp_path: Path, mortal_synapse: Synapse, mortal_services: Anope, report: list[Outcome]
) -> None:
    need(Postgres)
    await holds(CASES[case], tmp_path, mortal_synapse, mortal_services, report)


async def test_no_message_is_lost_or_doubled_when_the_standby_of_the_store_takes_its_place(
    tmp_path: Path, mortal_synapse: Synapse, mortal_services: Anope, report: list[Outcome]
) -> None:
    need(Postgres)
    await holds(failed_over, tmp_path, mortal_synapse, mortal_services, report, standby=True)


async def test_no_message_is_lost_or_doubled_when_sentinels_choose_another_primary_for_a_store_on_redis(
    tmp_path: Path, mortal_synapse: Synapse, mortal_services: Anope, report: list[Outcome]
) -> None:
    need(Postgres, RedisServer)
    await holds(redis_failed_over, tmp_path, mortal_synapse, mortal_services, report, redis=True)
