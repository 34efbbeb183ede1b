"""What the daemon builds from its config."""

import random
from types import SimpleNamespace
from typing import Any

import pytest

from bridge.app.wiring import network, terms
from bridge.config import Config
from bridge.matrix.client import MatrixNetwork
from bridge.store import PatientMemory


@pytest.mark.parametrize(
    ("media", "largest", "per_day"),
    [({}, 20_000_000, 1_000_000_000), ({"max_size": "5M", "max_per_day": "50M"}, 5_000_000, 50_000_000)],
)
def test_previews_have_the_bounds_of_files_and_at_most_twenty_megabytes(
    media: dict[str, str], largest: int, per_day: int
) -> None:
    net = {"type": "irc", "server": "localhost:6667", "tls": False, "nick": "duck"}
    config = Config.model_validate({"networks": {"net": net}, "media": media})
    assert (terms(config).largest_upload, terms(config).uploads_per_day) == (largest, per_day)


def test_a_network_waits_while_the_store_is_full() -> None:
    home = {"type": "matrix", "homeserver": "https://localhost", "user": "@duck:localhost", "password": "x"}
    config = Config.model_validate({"networks": {"home": home}})
    nothing: Any = None
    gate: Any = SimpleNamespace(carries=None, knows=None, may_stay=None, greets=None)
    found = network(config, "home", (), nothing, random.Random(1), gate)
    assert isinstance(found, MatrixNetwork)
    assert isinstance(found._memory, PatientMemory)
