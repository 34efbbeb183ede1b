"""Many members with nicks of their own, by TLS: what each costs."""

import gc
import tracemalloc
from pathlib import Path
from typing import Any

import pytest

from bridge.demo.servers import InspIRCd
from tests.integration.certificates import self_signed
from tests.integration.puppets import member, pond, says
from tests.integration.servers import unique

pytestmark = [pytest.mark.servers, pytest.mark.timeout(120)]

_COUNT = 15
_MOST = 100_000
"""Bytes of a puppet in Python; OpenSSL takes some 40,000 more."""


async def test_each_of_many_puppets_takes_little_memory(tmp_path: Path) -> None:
    signed = self_signed(tmp_path, "localhost", 9)
    people = [member(unique("ann")) for _ in range(_COUNT + 1)]
    async with InspIRCd(tmp_path / "ircd", tls=(signed.certificate, signed.key)) as server:
        way: dict[str, Any] = {
            "host": "localhost",
            "port": server.tls_port,
            "tls": True,
            "tls_ca_file": signed.certificate,
        }
        async with pond(server, puppets={"limit": _COUNT + 1}, **way) as (us, bob):
            await says(us, people[0], "first")
            gc.collect()
            tracemalloc.start()
            try:
                before, _ = tracemalloc.get_traced_memory()
                for each in people[1:]:
                    await says(us, each, f"I am {each.user}")
                gc.collect()
                after, _ = tracemalloc.get_traced_memory()
            finally:
                tracemalloc.stop()
            await bob.heard(f"I am {people[-1].user}")
            faces = {heard.sender for heard in bob.messages}
            assert len(faces & {each.user for each in people}) >= _COUNT  # a busy machine may be late for one
            assert (after - before) / _COUNT < _MOST
