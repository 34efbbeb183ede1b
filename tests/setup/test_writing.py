"""What the setup writes: the config loads as it was meant, and all of it is there, or nothing."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bridge.config import ConfigError, load
from bridge.config.schema import schema
from bridge.irc.settings import IrcSettings
from bridge.matrix.settings import MatrixSettings
from bridge.model.people import Identity, Proof
from bridge.setup import files
from bridge.setup.answers import Answers, IrcAnswers, MatrixAnswers, config_text
from bridge.setup.irc import name_of
from bridge.users import Role
from bridge.users.tinydb import TinyUsers

ANSWERS = Answers(
    "pond",
    MatrixAnswers("home", "https://matrix.duckpond.net", "@duck:duckpond.net", "hunter2", "#pond:duckpond.net"),
    IrcAnswers("libera", "irc.libera.chat:6697", tls=True, nick="duck", channel="#pond", account="duck", password="pw"),
    "duck-only",
    "alice",
    (Identity(Proof.MATRIX, "", "@alice:duckpond.net"), Identity(Proof.IRC, "libera", "ann")),
)

# Names that a config may have: the questions refuse others
_ROOMS = st.from_regex(r"#[^:\s\x00-\x1f\x7f-\x9f]{1,30}:duckpond\.net", fullmatch=True)
_CHANNELS = st.from_regex(r"[#&][^\s,\x00-\x20\x7f-\x9f:]{1,30}", fullmatch=True)


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    room=_ROOMS | st.sampled_from(["#${HOME}:duckpond.net", "#$${x}:duckpond.net", "#a{b}:duckpond.net"]),
    channel=_CHANNELS | st.sampled_from(['#"', "#'quote", "#a#b", "#{x}", "#[y]", "#${HOME}", "#\\n", "#🦆"]),
    nick=st.sampled_from(["duck", "[duck]", "`duck`", "{duck}", "null", "yes", "duck\\", "on"]),
)
def test_strange_names_load_as_they_were_given(tmp_path: Path, room: str, channel: str, nick: str) -> None:
    answers = replace(
        ANSWERS, matrix=replace(ANSWERS.matrix, room=room), irc=replace(ANSWERS.irc, channel=channel, nick=nick)
    )
    (tmp_path / "secrets").mkdir(exist_ok=True)
    for name in ("home", "libera"):
        (tmp_path / "secrets" / name).touch(mode=0o600)
        (tmp_path / "secrets" / name).write_text("pw\n")
    path = tmp_path / "config.yaml"
    path.write_text(config_text(answers), encoding="utf-8")
    config = load(path, {})
    assert [str(each) for each in config.links["pond"].rooms] == [f"home/{room}", f"libera/{channel}"]
    irc = config.networks["libera"]
    assert isinstance(irc, IrcSettings)
    assert irc.nick == nick


def test_all_is_written_private_and_without_warnings(tmp_path: Path) -> None:
    files.write(tmp_path / "config.yaml", ANSWERS)
    config = load(tmp_path / "config.yaml", {})
    assert config.warnings == ()
    home = config.networks["home"]
    assert isinstance(home, MatrixSettings)
    assert home.password == "hunter2"
    modes = {str(path.relative_to(tmp_path)): path.stat().st_mode & 0o777 for path in tmp_path.rglob("*")}
    assert modes["secrets"] == modes["data"] == 0o700
    assert modes["secrets/home"] == modes["secrets/libera"] == modes["data/users.json"] == modes["config.yaml"] == 0o600
    assert not [name for name in modes if name.startswith(".quackbridge")]
    (admin,) = TinyUsers(tmp_path / "data" / "users.json").list()
    assert (admin.name, admin.role, set(admin.identities)) == ("alice", Role.ADMIN, set(ANSWERS.identities))
    assert "hunter2" not in (tmp_path / "config.yaml").read_text()
    assert (tmp_path / "config.yaml").read_text().startswith("# yaml-language-server: $schema=config.schema.json\n")
    assert json.loads((tmp_path / "config.schema.json").read_text()) == json.loads(json.dumps(schema()))


def test_a_secret_that_is_in_the_way_is_kept_and_nothing_else_is_written(tmp_path: Path) -> None:
    (tmp_path / "secrets").mkdir()
    (tmp_path / "secrets" / "libera").write_text("another's")
    assert files.in_the_way(tmp_path / "config.yaml", tuple(ANSWERS.secrets)) == tmp_path / "secrets" / "libera"
    with pytest.raises(FileExistsError):
        files.write(tmp_path / "config.yaml", ANSWERS)
    assert (tmp_path / "secrets" / "libera").read_text() == "another's"
    assert [str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*")] == ["secrets", "secrets/libera"]


def test_what_the_daemon_would_refuse_is_not_written(tmp_path: Path) -> None:
    with pytest.raises(ConfigError):
        files.write(tmp_path / "config.yaml", replace(ANSWERS, link="a/b"))
    assert [*tmp_path.iterdir()] == []


@pytest.mark.parametrize(
    ("server", "name"),
    [
        ("irc.libera.chat:6697", "libera"),
        ("irc.example.org:6697", "example"),
        ("127.0.0.1:6667", "irc"),
        ("192.0.2.7:6697", "irc"),
        ("irc.home.net:6697", "irc"),
        ("[2001:db8::1]:6697", "irc"),
    ],
)
def test_a_network_is_named_after_its_server(server: str, name: str) -> None:
    assert name_of(server) == name
