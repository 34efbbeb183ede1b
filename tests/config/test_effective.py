"""`check-config`: all settings that hold, warnings as problems, JSON, and secrets that only the service can read."""

import json
from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner

from bridge.cli import cli
from bridge.config import effective, load, load_settings
from bridge.config.effective import MASK
from bridge.lib import secret_files

ROOT = Path(__file__).parents[2]
_CONFIG = """\
networks:
  home: {type: matrix, homeserver: "https://pond.social", user: "@duck:pond.social", password: "${HOME_PASSWORD}"}
  libera:
    type: irc
    server: irc.libera.chat:6697
    nick: duck
    sasl: {account: duck, password_file: secrets/libera}
    pre_join: ["PRIVMSG Q :AUTH duck hunter2"]
links:
  pond: {rooms: ["home/#pond:pond.social", "libera/#pond"], welcome: {guest: Hello.}}
"""


@pytest.fixture
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("HOME_PASSWORD", "quack-quack")
    monkeypatch.delenv("CREDENTIALS_DIRECTORY", raising=False)
    (tmp_path / "secrets").mkdir()
    secret = tmp_path / "secrets" / "libera"
    secret.write_text("swordfish\n")
    secret.chmod(0o600)
    path = tmp_path / "config.yaml"
    path.write_text(_CONFIG)
    return path


def run(*words: str) -> tuple[int, str, str]:
    done = CliRunner().invoke(cli, words, standalone_mode=False, catch_exceptions=False)
    code = done.return_value if isinstance(done.return_value, int) else done.exit_code
    return code, done.stdout, done.stderr


def test_all_settings_that_hold_are_shown_and_no_secret(config: Path) -> None:
    code, shown, _ = run("check-config", "-c", str(config), "--show")
    assert code == 0
    for secret in ("quack-quack", "swordfish", "hunter2"):
        assert secret not in shown
    found = yaml.safe_load(shown)
    assert found["networks"]["home"]["password"] == MASK
    assert found["networks"]["libera"]["pre_join"] == MASK
    assert found["networks"]["libera"]["sasl"]["password_file"] == "secrets/libera"
    assert found["networks"]["libera"]["flood"] == {"burst": 5, "per_second": 0.5}
    assert found["links"]["pond"]["welcome"]["guest"] == "Hello."
    assert found["links"]["pond"]["guests"] == "duck-only"
    assert found["links"]["pond"]["media"]["links"] == "30d"
    assert found["outbox"]["max_age"] == "24h"
    assert "http" not in found, "it is off"


def test_what_is_shown_means_the_same_as_the_file(config: Path) -> None:
    before = load(config)
    shown = json.loads(json.dumps(effective(before)))
    shown["networks"]["home"]["password"] = "quack-quack"
    del shown["networks"]["libera"]["pre_join"]
    config.write_text(yaml.safe_dump(shown))
    after = load(config)
    assert after.links == before.links
    assert after.outbox == before.outbox
    assert after.networks["home"].model_dump() == before.networks["home"].model_dump()


def test_the_example_is_shown_whole(tmp_path: Path) -> None:
    text = (ROOT / "config.example.yaml").read_text().replace("CHANGE-ME", "mine").replace("example.org", "pond.social")
    (tmp_path / "config.yaml").write_text(text)
    shown = effective(load_settings(tmp_path / "config.yaml"))
    assert {*yaml.safe_load(text)} <= {*shown}


def test_strict_takes_a_warning_for_a_problem(config: Path) -> None:
    assert run("check-config", "-c", str(config))[0] == 0  # there is no user database yet: a warning
    code, _, warned = run("check-config", "-c", str(config), "--strict")
    assert code == 2
    assert "warning" in warned


def test_problems_and_warnings_are_json_if_asked_for(config: Path) -> None:
    code, told, _ = run("check-config", "-c", str(config), "--json", "--show")
    found = json.loads(told)
    assert (code, found["ok"], found["problems"]) == (0, True, [])
    assert len(found["warnings"]) == 1
    assert found["settings"]["links"]["pond"]["guests"] == "duck-only"
    config.write_text(_CONFIG.replace("nick: duck", "nik: duck"))
    code, told, _ = run("check-config", "-c", str(config), "--json")
    found = json.loads(told)
    assert (code, found["ok"]) == (2, False)
    assert {"line", "column", "key", "message"} == {*found["problems"][0]}
    assert "networks.libera.nik" in [each["key"] for each in found["problems"]]


def test_a_credential_of_the_service_is_not_missed_elsewhere_and_read_by_the_service(
    config: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config.write_text(_CONFIG.replace("secrets/libera", '"${CREDENTIALS_DIRECTORY}/libera"'))
    code, _, warned = run("check-config", "-c", str(config))
    assert code == 0
    assert "networks.libera.sasl.password_file: not checked: only the service has ${CREDENTIALS_DIRECTORY}" in warned
    with pytest.raises(Exception, match="the environment variable CREDENTIALS_DIRECTORY is not set"):
        load(config)
    given = tmp_path / "credentials"
    given.mkdir()
    (given / "libera").write_text("swordfish\n")
    (given / "libera").chmod(0o440)  # systemd gives its own modes
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(given))
    assert "swordfish" in str(load(config).networks["libera"].sasl.password)  # type: ignore[union-attr]


def test_a_secret_that_others_can_read_is_refused_unless_a_container_hands_it_in(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    secret = tmp_path / "home"
    secret.write_text("quack\n")
    secret.chmod(0o444)
    with pytest.raises(ValueError, match="others can read"):
        secret_files.read(secret)
    monkeypatch.setattr(secret_files, "_CONTAINER", str(tmp_path))
    assert secret_files.read(secret) == "quack"


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("nick: 123", "must be a string: put it in quotes"),
        ("nick: no", "must be a string: put it in quotes"),
        ("server: 22:22", "must be host:port in quotes"),
        ("nick: 2026-11-28", "must be a string: put it in quotes"),
        ("nick: ~", "must be a string: put it in quotes"),
    ],
)
def test_what_yaml_makes_of_bare_words_is_told(config: Path, line: str, said: str) -> None:
    key = line.partition(":")[0]
    kept = [each for each in _CONFIG.splitlines() if not each.strip().startswith(f"{key}:")]
    kept.insert(3, f"    {line}")
    config.write_text("\n".join(kept))
    with pytest.raises(Exception, match=said):
        load(config)
