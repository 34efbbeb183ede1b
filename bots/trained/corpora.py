"""Reads corpora: files of conversations become lists of turns. Nothing in a file is run; an error names file and line.

Formats: chatterbot-corpus YAML, CSV (question, answer), JSON lines (also the bridge's archive), logs of irssi and
weechat, an export of a Matrix room, and chitchat-dataset's JSON.
"""

import csv
import io
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import yaml

from bots.trained.logs import irssi, is_irssi, weechat, without_gaps

Turn: TypeAlias = tuple[str, str]
"""Who spoke, and what they said."""
Talk: TypeAlias = tuple[Turn, ...]

LARGEST = 512 * 2**20
"""Bytes of a file."""
_TEXT = 4000
"""Characters of a turn."""
_QUESTIONS = frozenset({".yml", ".yaml", ".csv"})
_YAML_LARGEST = 16 * 2**20


class CorpusError(ValueError):
    """A corpus cannot be read; worded for the operator, with file and line."""

    def __init__(self, path: Path, line: int, reason: str) -> None:
        super().__init__(f"{path}:{line}: {reason}" if line else f"{path}: {reason}")


@dataclass(frozen=True, slots=True)
class Corpus:
    """One file's conversations, each with an id that stays the same while the file does. `questions`: they are
    questions with their answers, meant to be known; else people talk."""

    path: Path
    talks: Mapping[str, Talk]
    questions: bool = False


def read(path: Path) -> Corpus:
    """Read one file; how, its name and first line tell. Raises CorpusError."""
    try:
        size = path.stat().st_size
        if not path.is_file():
            raise CorpusError(path, 0, "this is no file")
        if size > LARGEST:
            raise CorpusError(path, 0, f"the file has more than {LARGEST // 2**20} MB")
        text = path.read_text(encoding="utf-8-sig", errors="replace")
    except OSError as error:
        raise CorpusError(path, 0, f"cannot be read: {error.strerror}") from None
    talks = parse(path, text)
    return Corpus(path, talks, path.suffix in _QUESTIONS or _asks(path, text))


def parse(path: Path, text: str) -> Mapping[str, Talk]:
    """What `text`, the content of `path`, says. Raises CorpusError."""
    talks = {key: _clean(talk) for key, talk in _reader(path, text)(path, text)}
    talks = {key: talk for key, talk in talks.items() if len(talk) > 1}
    if not talks:
        raise CorpusError(path, 0, "there is no conversation in it")
    return talks


def files(path: Path) -> Sequence[Path]:
    """`path` itself, or all files of a folder that are corpora by their names, in the order of their names."""
    if not path.is_dir():
        return [path]
    return sorted(each for each in path.rglob("*") if each.suffix in _READERS and each.is_file())


def joined(talk: Talk) -> list[str]:
    """The texts of a talk, those in a row by one speaker joined."""
    found: list[str] = []
    last: str | None = None
    for who, text in talk:
        if who == last:
            found[-1] = f"{found[-1]} {text}"
        else:
            found.append(text)
        last = who
    return found


def _asks(path: Path, text: str) -> bool:
    """Whether JSON lines are questions with answers."""
    return path.suffix == ".jsonl" and '"question"' in text[:_TEXT]


def _clean(talk: Talk) -> Talk:
    return tuple((who, text) for who, said in talk if (text := " ".join(said[:_TEXT].split())))


def _reader(path: Path, text: str) -> "_Reader":
    if path.suffix not in _READERS:
        raise CorpusError(path, 0, f"unknown kind of file; known are {', '.join(sorted(_READERS))}")
    return _READERS[path.suffix]


def _yaml(path: Path, text: str) -> Iterator[tuple[str, Talk]]:
    if len(text) > _YAML_LARGEST:
        raise CorpusError(path, 0, f"a YAML file may have {_YAML_LARGEST // 2**20} MB")
    try:
        for event in yaml.parse(text, yaml.CSafeLoader):
            if isinstance(event, yaml.AliasEvent):  # a few lines of aliases can stand for gigabytes
                raise CorpusError(path, event.start_mark.line + 1 if event.start_mark else 0, "aliases are not allowed")
        found = yaml.load(text, yaml.CSafeLoader)
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 0
        raise CorpusError(path, line, f"no YAML: {error.problem}") from None
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise CorpusError(path, 0, f"no YAML: {str(error).partition(chr(10))[0]}") from None
    talks = found.get("conversations") if isinstance(found, dict) else None
    if not isinstance(talks, list):
        raise CorpusError(path, 1, "`conversations` is missing, or no list")
    for number, talk in enumerate(talks, 1):
        talk = [*map(_with_colon, talk)] if isinstance(talk, list) else [str(talk)]
        if not isinstance(talk, list) or any(isinstance(each, list | dict | set) for each in talk):
            raise CorpusError(path, 0, f"conversation {number} is no list of texts")
        yield str(number), tuple((str(place % 2), str(each)) for place, each in enumerate(talk))


def _with_colon(said: Any) -> Any:
    """The text that YAML takes for a mapping, as there is a colon in it."""
    match said:
        case {**one} if len(one) == 1 and not isinstance(next(iter(one.values())), list | dict | set):
            return ": ".join(str(each) for pair in one.items() for each in pair)
    return said


def _csv(path: Path, text: str) -> Iterator[tuple[str, Talk]]:
    rows = csv.reader(io.StringIO(text, newline=""), strict=True)
    try:
        for row in rows:
            if len(row) > 1 and not (
                rows.line_num == 1 and [each.lower() for each in row[:2]] == ["question", "answer"]
            ):
                yield str(rows.line_num), (("0", row[0]), ("1", row[1]))
            elif len(row) == 1 and row[0].strip():
                raise CorpusError(
                    path, rows.line_num, "a line must have a question and an answer, with a comma between"
                )
    except csv.Error as error:
        raise CorpusError(path, rows.line_num, str(error)) from None


def _json_lines(path: Path, text: str) -> Iterator[tuple[str, Talk]]:
    """A line is {"question", "answer"}, {"turns": [...]}, or a message of an archive: {"who", "text", "time"}."""
    rooms: dict[str, list[tuple[float, Turn]]] = {}
    for number, line in enumerate(io.StringIO(text), 1):
        if not line.strip():
            continue
        match _loaded(path, line, number):
            case {"question": str(question), "answer": str(answer)}:
                yield str(number), (("0", question), ("1", answer))
            case {"turns": [*turns]} if all(isinstance(each, str) for each in turns):
                yield str(number), tuple((str(place % 2), each) for place, each in enumerate(turns))
            case {"who": str(who), "text": str(said), "time": int() | float() as time}:
                found = json.loads(line).get("room")
                rooms.setdefault(str(found), []).append((float(time), (who, said)))
            case _:
                raise CorpusError(path, number, "neither question and answer, nor turns, nor a message of an archive")
    for room, lines in rooms.items():
        yield from ((f"{room} {key}", talk) for key, talk in without_gaps(lines))


def _json(path: Path, text: str) -> Iterator[tuple[str, Talk]]:
    match _loaded(path, text, 0):
        case {"messages": [*events]}:
            yield from without_gaps(_matrix(events))
        case [*events]:
            yield from without_gaps(_matrix(events))
        case {**talks} if talks and all(isinstance(each, dict) and "messages" in each for each in talks.values()):
            for key, talk in talks.items():
                yield str(key), tuple(_chitchat(path, str(key), _part(talk, "messages")))
        case _:
            raise CorpusError(path, 0, "neither an export of a Matrix room nor a chitchat-dataset")


def _matrix(events: Sequence[Any]) -> Iterator[tuple[float, Turn]]:
    """Texts of people; not edits, notices, and what was removed."""
    for event in events:
        match event:
            case {"content": {"m.relates_to": {"rel_type": "m.replace"}}}:
                continue
            case {
                "type": "m.room.message",
                "sender": str(who),
                "origin_server_ts": int(time),
                "content": {"msgtype": "m.text", "body": str(said)},
            }:
                yield time / 1000, (who, said)


def _chitchat(path: Path, key: str, runs: Any) -> Iterator[Turn]:
    for run in runs if isinstance(runs, list) else ():
        for each in run if isinstance(run, list) else ():
            match each:
                case {"sender": str(who), "text": str(said)}:
                    yield who, said
                case _:
                    raise CorpusError(path, 0, f"conversation {key[:80]!r}: a message without sender or text")


def _log(path: Path, text: str) -> Iterator[tuple[str, Talk]]:
    return without_gaps(irssi(text) if is_irssi(text) else weechat(text))


def _part(found: Any, name: str) -> Any:
    return found[name]


def _loaded(path: Path, text: str, line: int) -> Any:
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        raise CorpusError(path, line or error.lineno, f"no JSON: {error.msg}") from None
    except (ValueError, RecursionError):
        raise CorpusError(path, line, "no JSON: too deep, or a number with too many digits") from None


_Reader: TypeAlias = Callable[[Path, str], Iterator[tuple[str, Talk]]]
_READERS: Mapping[str, _Reader] = {
    ".yml": _yaml,
    ".yaml": _yaml,
    ".csv": _csv,
    ".jsonl": _json_lines,
    ".json": _json,
    ".log": _log,
    ".weechatlog": _log,
}
