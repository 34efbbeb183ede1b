"""`quackbridge registration` as the homeserver's admin gets it."""

import json
import stat
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import CliRunner, Result

from bridge.cli import cli

_HOME = {"type": "matrix", "homeserver": "https://hs.pond.social", "user": "@duck:pond.social", "password": "quack"}


def _config(folder: Path, networks: dict[str, Any], **more: Any) -> Path:
    path = folder / "config.yaml"
    path.write_text(yaml.safe_dump({"networks": networks, **more}))
    return path


def _run(config: Path, *arguments: str) -> Result:
    return CliRunner().invoke(cli, ["registration", "-c", str(config), *arguments])


def test_it_is_yaml_alone_and_the_same_at_each_call(tmp_path: Path) -> None:
    config = _config(tmp_path, {"home": _HOME})
    first, second = _run(config), _run(config, "home")
    assert (first.exit_code, first.stderr) == (0, "")
    assert first.stdout == second.stdout
    found = yaml.safe_load(first.stdout)
    assert found["url"] is None
    assert found["rate_limited"] is False
    assert found["namespaces"]["users"] == [{"exclusive": True, "regex": r"@irc_.*:pond\.social"}]
    assert found["sender_localpart"].startswith("irc_")
    assert found["as_token"] != found["hs_token"]
    assert min(len(found["as_token"]), len(found["hs_token"])) >= 43  # 256 bits


def test_it_has_the_url_where_the_homeserver_reaches_us_if_there_is_one(tmp_path: Path) -> None:
    config = _config(tmp_path, {"home": {**_HOME, "ghosts": {"url": "http://bridge.pond.social:9191/"}}})
    first, second = _run(config), _run(config)
    assert first.stdout == second.stdout
    assert yaml.safe_load(first.stdout)["url"] == "http://bridge.pond.social:9191"
    without = yaml.safe_load(_run(_config(tmp_path, {"home": _HOME})).stdout)
    assert without == {**yaml.safe_load(first.stdout), "url": None}


@pytest.mark.parametrize(
    "url", ["bridge.pond.social", "ftp://x", "http://", "http://u:p@x", "http://x?y", "http://x:port", "http://x y"]
)
def test_a_url_that_no_homeserver_can_call_is_an_error(tmp_path: Path, url: str) -> None:
    done = _run(_config(tmp_path, {"home": {**_HOME, "ghosts": {"url": url}}}))
    assert "networks.home.ghosts.url" in str(done.exception)
    assert done.stdout == ""


def test_its_tokens_are_kept_beside_the_store_for_their_owner_alone(tmp_path: Path) -> None:
    config = _config(tmp_path, {"home": _HOME}, store={"path": "elsewhere/q.sqlite"})
    found = yaml.safe_load(_run(config).stdout)
    path = tmp_path / "elsewhere" / "ghosts-home.json"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert json.loads(path.read_text())["as_token"] == found["as_token"]


def test_the_file_with_the_tokens_can_be_named(tmp_path: Path) -> None:
    config = _config(tmp_path, {"home": {**_HOME, "ghosts": {"token_file": "secrets/ghosts"}}})
    assert _run(config).exit_code == 0
    assert stat.S_IMODE((tmp_path / "secrets" / "ghosts").stat().st_mode) == 0o600


def test_a_shared_store_is_warned_of_on_standard_error(tmp_path: Path) -> None:
    config = _config(tmp_path, {"home": _HOME}, store={"url": "redis://db.pond.social"})
    done = _run(config)
    assert yaml.safe_load(done.stdout)["url"] is None
    assert "ghosts.token_file" in done.stderr


@pytest.mark.parametrize(
    ("networks", "arguments", "said"),
    [
        ({"home": _HOME, "work": _HOME}, (), "home, work"),
        ({"home": _HOME}, ("libera",), "'libera' is no Matrix network"),
        ({"irc": {"type": "irc", "server": "irc.pond.social:6697", "nick": "duck"}}, (), "has none"),
    ],
)
def test_which_network_has_to_be_clear(
    tmp_path: Path, networks: dict[str, Any], arguments: tuple[str, ...], said: str
) -> None:
    done = _run(_config(tmp_path, networks), *arguments)
    assert done.exit_code == 2
    assert said in done.stderr
    assert done.stdout == ""


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"as_token": "", "hs_token": "x"}', '{"as_token": 1}'])
def test_tokens_that_cannot_be_read_are_not_overwritten(tmp_path: Path, content: str) -> None:
    config = _config(tmp_path, {"home": _HOME})
    _run(config)
    path = tmp_path / "data" / "ghosts-home.json"
    path.write_text(content)
    done = _run(config)
    assert (done.exit_code, done.stdout) == (1, "")
    assert path.read_text() == content
    path.chmod(0o644)
    assert "others can read" in _run(config).stderr
