"""The vectors that IRC software shares (https://github.com/ircdocs/parser-tests), each file whole, from the package
`irc-parser-tests`."""

from pathlib import Path
from typing import Any

import parser_tests
import pytest
import yaml

from bridge.irc.wire.line import Source, compose, parse
from bridge.model.glob import matches

_FOLDER = Path(parser_tests.__file__).parent / "data"


def vectors(name: str) -> list[Any]:
    return list(yaml.safe_load((_FOLDER / f"{name}.yaml").read_text(encoding="utf-8"))["tests"])


def test_every_file_of_the_package_is_read_here() -> None:
    ours = {"msg-split", "msg-join", "mask-match", "userhost-split", "validate-hostname"}
    assert {path.stem for path in _FOLDER.glob("*.yaml")} == ours


@pytest.mark.parametrize("vector", vectors("msg-split"), ids=lambda each: each["input"])
def test_a_message_is_split_into_its_atoms(vector: dict[str, Any]) -> None:
    line, atoms = parse(vector["input"]), vector["atoms"]
    assert line is not None
    assert line.command == atoms["verb"].upper()
    assert list(line.params) == atoms.get("params", [])
    assert line.tags == atoms.get("tags", {})
    assert _whole(line.source) == atoms.get("source", "")


@pytest.mark.parametrize("vector", vectors("msg-join"), ids=lambda each: each["desc"])
def test_atoms_are_joined_into_one_of_the_messages_that_match(vector: dict[str, Any]) -> None:
    """But for the source, which clients do not send."""
    atoms = vector["atoms"]
    source = f":{atoms['source']} " if "source" in atoms else ""
    data = compose(atoms["verb"], *atoms.get("params", ()), tags=atoms.get("tags"))
    assert data.decode().removesuffix("\r\n") in [text.replace(source, "", 1) for text in vector["matches"]]


@pytest.mark.parametrize("vector", vectors("mask-match"), ids=lambda each: each["mask"])
def test_a_mask_matches_whom_it_should(vector: dict[str, Any]) -> None:
    for text in vector["matches"]:
        assert matches(vector["mask"], text)
    for text in vector["fails"]:
        assert not matches(vector["mask"], text)


@pytest.mark.parametrize("vector", vectors("userhost-split"), ids=lambda each: each["source"])
def test_a_source_is_split_into_nick_user_and_host(vector: dict[str, Any]) -> None:
    line, atoms = parse(f":{vector['source']} PING"), vector["atoms"]
    assert line is not None
    assert line.source == Source(atoms.get("nick", ""), atoms.get("user", ""), atoms.get("host", ""))


@pytest.mark.parametrize("vector", vectors("validate-hostname"), ids=lambda each: each["host"])
def test_a_host_is_believed_whether_it_is_valid_or_not(vector: dict[str, Any]) -> None:
    """The vectors are for servers. By their own note, clients take whatever host a server shows."""
    line = parse(f":al!u@{vector['host']} PING")
    assert line is not None
    assert line.source.host == vector["host"]


def _whole(source: Source) -> str:
    user = f"!{source.user}" if source.user else ""
    return f"{source.nick}{user}" + (f"@{source.host}" if source.host else "")
