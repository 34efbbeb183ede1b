"""The unit by which systemd starts the daemon."""

import json
import shutil
import subprocess
from pathlib import Path

import pytest

from bridge.cli import systemd_unit
from bridge.cli.systemd_unit import unit

_CONTRIB = Path(__file__).parents[2] / "contrib" / "systemd"
_DATA = Path("/var/lib/quackbridge")
_PROGRAM, _CONFIG = Path("/usr/bin/quackbridge"), Path("/etc/quackbridge/config.yaml")
needs_systemd = pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd-analyze is not installed")


def made(**changes: object) -> str:
    given: dict[str, object] = {"program": _PROGRAM, "config": _CONFIG, "folders": {_DATA}, "for_user": False}
    given |= changes
    return unit(given["program"], given["config"], given["folders"], for_user=bool(given["for_user"]))  # type: ignore[arg-type]


def lines(text: str) -> dict[str, str]:
    return dict(line.split("=", 1) for line in text.splitlines() if "=" in line and not line.startswith("#"))


def test_the_unit_for_packages_is_what_the_command_prints() -> None:
    folders = {_DATA, Path("/etc/quackbridge/data")}  # where `setup` puts it, and where packages put it
    assert (_CONTRIB / "quackbridge.service").read_text() == made(folders=folders)
    assert systemd_unit._USER_LINE in (_CONTRIB / "quackbridge.sysusers.conf").read_text()


def test_a_data_folder_elsewhere_may_be_written_and_homes_may_be_read_if_something_is_there() -> None:
    assert "ReadWritePaths" not in made()
    assert lines(made())["ProtectHome"] == "yes"
    elsewhere = lines(made(folders={Path("/srv/my data"), _DATA / "store"}))
    assert elsewhere["ReadWritePaths"] == '"-/srv/my data"'
    assert lines(made(config=Path("/home/alice/config.yaml")))["ProtectHome"] == "read-only"
    assert lines(made(config=Path("/homestead/config.yaml")))["ProtectHome"] == "yes"


def test_a_path_stays_one_word_and_means_itself() -> None:
    strange = lines(made(config=Path('/etc/50% of "my" $HOME/config.yaml')))
    assert strange["ExecStart"] == '/usr/bin/quackbridge run -c "/etc/50%% of \\"my\\" $$HOME/config.yaml"'


def test_a_wrong_configuration_does_not_start_the_daemon_again_and_again() -> None:
    for text in (made(), made(for_user=True)):
        assert lines(text)["Restart"] == "always"
        assert lines(text)["RestartPreventExitStatus"] == "2"


@needs_systemd
@pytest.mark.parametrize("for_user", [False, True])
@pytest.mark.parametrize("config", ["/etc/quackbridge/config.yaml", "/srv/a b/50%.yaml"])
def test_systemd_finds_no_fault_in_it(tmp_path: Path, config: str, *, for_user: bool) -> None:
    text = made(program=Path("/bin/true"), config=Path(config), folders={Path("/srv/a b")}, for_user=for_user)
    path = tmp_path / "quackbridge.service"
    path.write_text(text.replace("Documentation=man:quackbridge(1)\n", ""))  # there is no such page here
    folder = "/srv/a b"
    path.write_text(path.read_text().replace(f'WorkingDirectory="{folder}"', "WorkingDirectory=/"))
    done = subprocess.run(["systemd-analyze", "verify", str(path)], capture_output=True, text=True, check=False)
    assert done.stderr == ""
    assert done.returncode == 0


@needs_systemd
def test_it_exposes_little(tmp_path: Path) -> None:
    path = tmp_path / "quackbridge.service"
    path.write_text(made())
    command = ["systemd-analyze", "security", "--offline=true", "--threshold=15", "--json=short", "--no-pager"]
    done = subprocess.run([*command, str(path)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-500:]
    assert json.loads(done.stdout)


def test_a_unit_that_somebody_has_changed_is_not_replaced_without_asking(tmp_path: Path) -> None:
    where = tmp_path / "units" / "quackbridge.service"
    systemd_unit._write(where, "one\n", yes=False)
    systemd_unit._write(where, "one\n", yes=False)
    assert where.stat().st_mode & 0o777 == 0o644
    where.write_text("mine\n")
    with pytest.raises(Exception, match="is another one; nothing was changed"):
        systemd_unit._write(where, "one\n", yes=False)
    assert where.read_text() == "mine\n"
    systemd_unit._write(where, "one\n", yes=True)
    assert where.read_text() == "one\n"
    assert [*where.parent.iterdir()] == [where]
