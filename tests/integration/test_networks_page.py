"""Each block of docs/networks.md is right as it stands, for the real `quackbridge check-config`."""

import re
from pathlib import Path

import pytest
import yaml

from tests.integration.daemon import quackbridge

pytestmark = pytest.mark.real_time

PAGE = (Path(__file__).parents[2] / "docs" / "networks.md").read_text()
BLOCKS = dict(re.findall(r"^## (.+?)\n\n```yaml\n(.*?)```", PAGE, re.MULTILINE | re.DOTALL))


@pytest.mark.parametrize("network", BLOCKS)
def test_a_block_is_pasted_under_networks_and_accepted_without_a_warning(tmp_path: Path, network: str) -> None:
    block = BLOCKS[network]
    ((name, section),) = yaml.safe_load(block).items()
    assert section["type"] == "irc"
    (tmp_path / "secrets").mkdir()
    for file in re.findall(r"secrets/\w+", block):
        (tmp_path / file).write_text("quack quack\n")
        (tmp_path / file).chmod(0o600)
    (tmp_path / "ca.pem").touch()
    pasted = "".join(f"  {line}\n" for line in block.splitlines())
    (tmp_path / "config.yaml").write_text(f'networks:\n{pasted}links:\n  pond: {{rooms: ["{name}/#pond"]}}\n')
    (tmp_path / "config.yaml").chmod(0o600)
    assert quackbridge(tmp_path, "init-db").returncode == 0
    checked = quackbridge(tmp_path, "check-config")
    assert (checked.returncode, checked.stderr) == (0, "")


def test_the_page_has_the_networks_that_it_promises_and_no_yaml_that_is_not_checked() -> None:
    assert [*BLOCKS] == ["Libera.Chat", "OFTC", "A ZNC", "A soju", "An InspIRCd of your own", "An Ergo of your own"]
    assert PAGE.count("```yaml") == len(BLOCKS)
