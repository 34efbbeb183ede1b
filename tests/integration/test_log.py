"""A log that cannot be written."""

import asyncio
import os
import signal
import sys
from contextlib import suppress
from pathlib import Path

import pytest

from bridge.demo.people import IrcPerson, MatrixPerson, NotHeard
from bridge.demo.servers import Synapse
from tests.integration.pond import Pond, dug
from tests.integration.servers import Anope

pytestmark = pytest.mark.servers


@pytest.mark.parametrize("trouble", ["a full disk", "a reader that is gone", "a reader that does not read"])
async def test_a_log_that_cannot_be_written_does_not_keep_messages_from_being_carried(
    tmp_path: Path, synapse: Synapse, services: Anope, trouble: str
) -> None:
    pond = await dug(tmp_path, synapse, services)
    reader, writer = os.pipe()
    if trouble == "a full disk":
        os.dup2(os.open("/dev/full", os.O_WRONLY), writer)
    elif trouble == "a reader that is gone":
        os.close(reader)
    else:
        os.set_blocking(writer, False)
        written = 1
        while written:
            try:
                written = os.write(writer, b"x" * 4096)
            except BlockingIOError:
                written = 0
        os.set_blocking(writer, True)
    command = (sys.executable, "-m", "bridge", "run")
    process = await asyncio.create_subprocess_exec(*command, cwd=pond.folder, stderr=writer, start_new_session=True)
    os.close(writer)
    try:
        async with pond.people() as (alice, bob):
            await _until_carried(alice, bob, pond)
            for number in range(20):
                await alice.send(pond.room, f"line {number}")
            await bob.heard("line 19", timeout=20)
        os.killpg(process.pid, signal.SIGTERM)
        async with asyncio.timeout(20):
            assert await process.wait() == 0
    finally:
        if process.returncode is None:
            os.killpg(process.pid, signal.SIGKILL)


async def _until_carried(alice: MatrixPerson, bob: IrcPerson, pond: Pond) -> None:
    """The daemon cannot say when it is ready."""
    for number in range(60):
        await alice.send(pond.room, f"are you there? {number}")
        with suppress(NotHeard):
            await bob.heard("are you there?", timeout=1)
            return
    raise AssertionError("nothing is carried")
