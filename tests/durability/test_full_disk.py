"""On a disk without a free byte nothing is taken in, and what is there is delivered out of the reserve."""

import asyncio
import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.durability.full_disk import MESSAGES
from tests.durability.power import ROOT

pytestmark = pytest.mark.real_time

SIZE = "24m"
_MOUNTED = 'mount -t tmpfs -o size="$1" none "$2" && shift 2 && exec "$@"'


def _alone(folder: Path, *command: str) -> Sequence[str]:
    """`command`, run with a small file system of its own at `folder`, which exists as long as the command runs."""
    user = () if os.geteuid() == 0 else ("--user", "--map-root-user")
    return ("unshare", "--mount", *user, "sh", "-c", _MOUNTED, "sh", SIZE, str(folder), *command)


async def _output(*command: str) -> tuple[int, bytes, bytes]:
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(*command, cwd=ROOT, stdout=pipe, stderr=pipe)
    out, errors = await process.communicate()
    assert process.returncode is not None
    return process.returncode, out, errors


async def test_on_a_full_disk_intake_stops_and_the_backlog_is_sent(tmp_path: Path) -> None:
    status, _, errors = await _output(*_alone(tmp_path, "true"))
    if status:
        pytest.skip(f"no file system can be mounted here: {errors.decode().strip()}")
    scene = (sys.executable, "-m", "tests.durability.full_disk", str(tmp_path))
    status, out, errors = await _output(*_alone(tmp_path, *scene))
    assert status == 0, errors.decode()
    seen = {key: value for line in out.splitlines() for key, value in json.loads(line).items()}
    seen.pop("free")
    assert seen == {
        "heard": MESSAGES,
        "heard_when_full": 0,
        "sent": MESSAGES // 2,
        "heard_then": False,
        "heard_after_a_restart": False,
        "sent_after_a_restart": MESSAGES // 2,
        "heard_with_room": True,
        "sent_with_room": 1,
    }
