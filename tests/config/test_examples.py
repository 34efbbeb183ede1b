"""The example configuration of every release, and earlier forms of it, still load."""

from pathlib import Path

import pytest

from bridge.config import load_settings

_EXAMPLES = sorted((Path(__file__).parents[1] / "configs").glob("*.yaml"))


@pytest.mark.parametrize("example", _EXAMPLES, ids=lambda path: path.stem)
def test_an_example_of_an_earlier_time_loads(example: Path, tmp_path: Path) -> None:
    text = example.read_text().replace("CHANGE-ME", "mine").replace("example.org", "pond.social")
    path = tmp_path / "config.yaml"
    path.write_text(text)
    found = load_settings(path)
    assert found.networks
    assert found.links


def test_there_are_some() -> None:
    assert "0.1.0" in [path.stem for path in _EXAMPLES]
