"""Keys with another name now: the old one works for a while, and `migrate-config` gives the new one."""

from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from bridge.cli import cli
from bridge.config import load_settings, migrations
from bridge.config.migrations import Renamed

_OLD = """\
# My bridge
networks:
  libera:
    type: irc
    server: "irc.libera.chat:6697"   # the main one
    nickname: duck                    # ours
links:
  pond: {rooms: ["libera/#pond"], strangers: ignore}
  lake:
    rooms: ["libera/#lake"]
    # who is not on the list
    strangers: relay
"""
_NEW = _OLD.replace("nickname", "nick").replace("strangers", "guests")


@pytest.fixture
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    renamed = (
        Renamed(("networks", "*"), "nickname", "nick", "0.3.0"),
        Renamed(("links", "*"), "strangers", "guests", "0.3.0"),
    )
    monkeypatch.setattr(migrations, "RENAMED", renamed)
    path = tmp_path / "config.yaml"
    path.write_text(_OLD)
    path.chmod(0o640)
    return path


def migrate(*words: str) -> tuple[str, str]:
    done = CliRunner().invoke(cli, ["migrate-config", *words], standalone_mode=False, catch_exceptions=False)
    assert done.exit_code == 0
    return done.stdout, done.stderr


def test_an_old_name_works_and_the_warning_names_its_place_the_new_one_and_the_release(config: Path) -> None:
    found = load_settings(config)
    assert [str(link.guests) for link in found.links.values()] == ["ignore", "relay"]
    assert f"{config}:6:5: networks.libera.nickname: is called nick now; the old name works until 0.3.0" in "\n".join(
        found.warnings
    )
    assert len(found.warnings) == 3


def test_a_problem_with_an_old_name_is_told_at_its_place(config: Path) -> None:
    config.write_text(_OLD.replace("strangers: relay", "strangers: perhaps"))
    with pytest.raises(Exception, match=rf"{config}:12:5: links\.lake\.guests: must be "):
        load_settings(config)


def test_a_file_is_shown_with_the_new_names_and_changed_only_if_asked_to(config: Path) -> None:
    shown, said = migrate("-c", str(config))
    assert "-    nickname: duck" in shown
    assert "+    nick: duck" in shown
    assert "Nothing was changed" in said
    assert config.read_text() == _OLD
    migrate("-c", str(config), "--write")
    assert config.read_text() == _NEW
    assert config.with_name("config.yaml.bak").read_text() == _OLD
    assert config.stat().st_mode & 0o777 == 0o640
    assert load_settings(config).warnings == ()
    assert migrate("-c", str(config))[0] == "nothing to do: every key has its present name\n"


def test_where_both_names_are_there_the_new_one_counts(config: Path) -> None:
    config.write_text(_OLD.replace("nickname: duck", "nickname: old\n    nick: new"))
    assert load_settings(config).networks["libera"].nick == "new"  # type: ignore[union-attr]
    with pytest.raises(
        click.UsageError, match=r"networks\.libera\.nickname: nick is there, too: remove one of the two"
    ):
        migrate("-c", str(config), "--write")
    assert "nickname: old" in config.read_text()
