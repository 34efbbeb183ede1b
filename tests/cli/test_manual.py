"""The manual page, and completion in a real shell."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from bridge.cli import cli
from bridge.cli.manual import page
from tests.installed import ROOT

pytestmark = pytest.mark.real_time


def test_the_manual_has_every_command_and_no_fault_that_a_formatter_finds(tmp_path: Path) -> None:
    import click

    text = page()
    for name in cli.list_commands(click.Context(cli)):
        assert f".SS {name.replace('-', chr(92) + '-')}" in text
    if shutil.which("groff") is None:
        pytest.skip("groff is not installed")
    done = subprocess.run(["groff", "-man", "-Tutf8", "-ww"], input=text, capture_output=True, text=True, check=False)
    assert done.stderr == ""
    assert "carries conversations between Matrix and IRC" in " ".join(done.stdout.split())


@pytest.mark.parametrize(
    ("typed", "offered"),
    [
        (["show-us"], ["show-user"]),
        (["show-user", "a"], ["alan", "alice"]),
        (["mute-user", "alice", "--in", ""], ["pond"]),
        (["add-user", "carol", "--irc", "lib"], ["libera/"]),
        (["outbox", "dr"], ["drop"]),
    ],
)
def test_bash_completes(tmp_path: Path, typed: list[str], offered: list[str]) -> None:
    (tmp_path / "config.yaml").write_text(
        "networks: {libera: {type: irc, server: 'irc.libera.chat:6697', nick: duck}}\n"
        "links: {pond: {rooms: ['libera/#pond']}}\n"
    )
    command = tmp_path / "quackbridge"
    command.write_text(f'#!/bin/sh\nexec {sys.executable} -m bridge "$@"\n')
    command.chmod(0o755)
    environ = {**os.environ, "PATH": f"{tmp_path}:{os.environ['PATH']}", "PYTHONPATH": str(ROOT)}
    for words in (["init-db"], ["add-user", "alice"], ["add-user", "alan"]):
        subprocess.run([str(command), *words], cwd=tmp_path, env=environ, check=True, capture_output=True)
    line = " ".join(f"'{word}'" for word in ["quackbridge", *typed])
    script = (
        f"source '{ROOT}/share/bash-completion/completions/quackbridge'\n"
        f"COMP_WORDS=({line}); COMP_CWORD={len(typed)}; COMPREPLY=()\n"
        "_quackbridge_completion quackbridge\n"
        'printf "%s\\n" "${COMPREPLY[@]}"\n'
    )
    done = subprocess.run(
        ["bash", "--norc", "-c", script], cwd=tmp_path, env=environ, capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == offered
