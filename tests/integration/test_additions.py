"""`quackbridge add-network` and `add-link` on real servers, beside a running bridge; and `setup` where a config is."""

import subprocess
import sys
from pathlib import Path

import pytest

from bridge.config import load
from bridge.demo.people import IrcPerson
from bridge.demo.servers import Synapse
from bridge.demo.servers.process import HOST
from tests.integration.daemon import write_config
from tests.integration.pond import PASSWORD, Pond, dug
from tests.integration.servers import Anope, NgIrcd, unique
from tests.integration.terminal import Terminal

pytestmark = pytest.mark.servers

_COMMENT = "# our bridge; call alice if it is down\n"


@pytest.fixture
async def pond(tmp_path: Path, synapse: Synapse, services: Anope) -> Pond:
    pond = await dug(tmp_path, synapse, services)
    write_config(pond.folder, pond.config, {"home": PASSWORD})
    config = pond.folder / "config.yaml"
    config.write_text(_COMMENT + config.read_text())
    config.chmod(0o640)
    return pond


def run(folder: Path, *words: str) -> "subprocess.CompletedProcess[str]":
    command = (sys.executable, "-m", "bridge", *words)
    return subprocess.run(
        command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60, cwd=folder, check=False
    )


async def test_a_network_and_a_link_are_added_beside_a_running_bridge_which_carries_there_then(
    pond: Pond, ngircd: NgIrcd
) -> None:
    channel, config = f"#{unique('lake')}", pond.folder / "config.yaml"
    before = config.read_text()
    async with pond.people() as (alice, _), pond.daemon() as daemon:
        await daemon.ready()
        lake = await alice.create_room(unique("lake"))
        added = run(
            pond.folder, "add-network", "irc", "--irc", f"{HOST}:{ngircd.port}", "--nick", pond.duck, "--name",
            "plain", "-y",
        )  # fmt: skip
        assert added.returncode == 0, added.stderr
        assert "+  " in added.stdout
        assert config.with_name("config.yaml.bak").read_text() == before
        await daemon.logged("reloaded")
        linked = run(
            pond.folder, "add-link", "--room", f"home/{lake}", "--room", f"plain/{channel}", "--room",
            f"irc/{channel}", "--name", "lake", "-y",
        )  # fmt: skip
        assert linked.returncode == 0, linked.stderr
        await daemon.logged("joined", lambda line: line.get("room") == f"plain/{channel}")
        await daemon.logged("joined", lambda line: line.get("room") == f"home/{lake}")
        async with IrcPerson(HOST, ngircd.port, unique("carl")) as carl:
            await carl.join(channel)
            await alice.send(lake, "hello lake")
            await carl.heard("hello lake", timeout=30)
        assert not [line for line in daemon.log if line.get("event") in ("nick_refused", "logged_out", "offline")]
    assert config.read_text().startswith(_COMMENT)
    assert config.stat().st_mode & 0o777 == 0o640
    assert load(config).links["lake"].bots == ("duck",)


async def test_what_does_not_work_is_told_and_changes_nothing(pond: Pond) -> None:
    config = pond.folder / "config.yaml"
    before, names = config.read_text(), sorted(path.name for path in pond.folder.iterdir())
    for words, said in (
        (["add-link"], "missing: --room NETWORK/ROOM"),
        (["add-link", "--room", "nowhere/#pond", "-y"], "'nowhere/#pond' is no room of a network here"),
        (["add-link", "--room", f"irc/{pond.channel}", "-y"], f"irc/{pond.channel} is in the link 'pond' already"),
        (["add-link", "--room", f"home/#nowhere:{pond.synapse.server_name}", "-y"], "there is no room #nowhere"),
        (["add-network"], "missing: KIND (matrix or irc)"),
        (["add-network", "irc", "-y"], "missing: --irc, --nick"),
        (["add-network", "irc", "--irc", f"{HOST}:9", "--nick", "duck", "-y"], f"{HOST}:9"),
        (["add-network", "matrix", "--matrix-user", pond.duck_id], "missing: --matrix-password-file, --yes"),
        (["setup"], "`quackbridge add-link` and `quackbridge add-network`"),
    ):
        done = run(pond.folder, *words)
        assert done.returncode == 2, words
        assert said in done.stderr
        assert "Traceback" not in done.stderr
    assert config.read_text() == before
    assert sorted(path.name for path in pond.folder.iterdir()) == names


async def test_the_setup_offers_what_there_is_to_do_where_a_config_is(pond: Pond) -> None:
    channel, config = f"#{unique('sea')}", pond.folder / "config.yaml"
    before = config.read_text()
    async with Terminal(pond.folder, "setup") as terminal:
        await terminal.answers("Add a network, add a link, check, or quit", "nothing")
        await terminal.reads("'nothing' is none of network, link, check, quit")
        await terminal.answers("Add a network, add a link, check, or quit", "check")
        await terminal.reads("The configuration is right")
        assert await terminal.ends() == 0
    async with Terminal(pond.folder, "setup") as terminal:
        await terminal.answers("Add a network, add a link, check, or quit", "link")
        await terminal.answers("Room on home", "")
        await terminal.answers("Room on irc", channel)
        await terminal.answers("Nobody else is there. Is the name right?", "y")
        await terminal.answers("consent of the channel's operators", "y")
        await terminal.answers("Name of the link in the config", "")
        await terminal.reads(r"\+ +rooms:")
        await terminal.answers("Write it", "n")
        assert await terminal.ends() == 2
    assert config.read_text() == before
    async with Terminal(pond.folder, "add-link") as terminal:
        await terminal.answers("Room on home", "")
        await terminal.answers("Room on irc", channel)
        await terminal.answers("Nobody else is there. Is the name right?", "y")
        await terminal.answers("consent of the channel's operators", "y")
        await terminal.answers("Name of the link in the config", "sea")
        await terminal.answers("Write it", "y")
        await terminal.reads(f"sea links irc/{channel}")
        assert await terminal.ends() == 0
    assert "sea" in load(config).links
