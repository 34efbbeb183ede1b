"""Programs of Debian that tests run: promtool and Chromium."""

import shutil
import subprocess
from pathlib import Path

from tests.conftest import cannot

_PATIENCE_S = 60.0
_BROWSERS = ("chromium", "chromium-browser", "google-chrome")
_QUIET = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--disable-dev-shm-usage",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--hide-scrollbars",
    "--timeout=5000",
)


def promtool(*arguments: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
    """promtool, run with `arguments`. Skips the test where it is missing."""
    if shutil.which("promtool") is None:
        cannot("promtool is missing: install Debian's package `prometheus`")
    return subprocess.run(
        ["promtool", *arguments], input=stdin, capture_output=True, text=True, timeout=_PATIENCE_S, check=False
    )


def chromium(profile: Path, *arguments: str) -> str:
    """What headless Chromium prints, with a new profile in the folder `profile`. Skips the test where it is missing."""
    program = next(filter(None, map(shutil.which, _BROWSERS)), None)
    if program is None:
        cannot("no Chromium: install Debian's package `chromium`")
    profile.mkdir()
    done = subprocess.run(
        [program, *_QUIET, f"--user-data-dir={profile}", *arguments],
        capture_output=True,
        text=True,
        timeout=_PATIENCE_S,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout
