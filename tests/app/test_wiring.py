"""What the daemon builds from its config."""

import pytest

from bridge.app.wiring import terms
from bridge.config import Config


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
