"""irctest, the IRCv3 test suite for clients and servers, against us as a client.

It is not part of this repository: `git clone https://github.com/progval/irctest`, name the folder in the environment
variable IRCTEST, and `pip install ecdsa filelock` for the test of ECDSA and for its lock of ports.
"""

import os
import re
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

from bridge.irc.settings import IrcSettings
from tests.conftest import cannot

pytestmark = [pytest.mark.real_time, pytest.mark.timeout(900)]

ROOT = Path(__file__).parents[2]
_TESTS = 20
_PINS = 5
"""Those that need certificate fingerprints and STS."""


def _checkout() -> Path:
    """The folder of irctest; skips the test if it cannot run."""
    folder = Path(os.environ.get("IRCTEST", "/nonexistent"))
    if not (folder / "irctest" / "client_tests").is_dir():
        pytest.skip("irctest is not here: clone https://github.com/progval/irctest and set IRCTEST to its folder")
    if missing := [name for name in ("ecdsa", "filelock") if find_spec(name) is None]:
        cannot(f"irctest needs: pip install {' '.join(missing)}")
    return folder


def test_all_client_tests_of_irctest_pass() -> None:
    folder = _checkout()
    pinning = "tls_fingerprints" in IrcSettings.model_fields and find_spec("bridge.irc.wire.sts") is not None
    paths = os.pathsep.join(filter(None, (str(ROOT), os.environ.get("PYTHONPATH", ""))))
    ran = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "no:randomly", "--timeout=60",
         "--controller=tests.peers.quackbridge_controller", "irctest/client_tests",
         *([] if pinning else ["--deselect=irctest/client_tests/tls.py"])],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": paths, "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
        check=False,
    )  # fmt: skip
    passed = re.search(r"(\d+) passed", ran.stdout)
    assert passed is not None, ran.stdout + ran.stderr
    assert int(passed[1]) == (_TESTS if pinning else _TESTS - _PINS), ran.stdout
    assert ran.returncode == 0, ran.stdout
