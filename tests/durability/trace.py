"""What strace saw of a program, as what it changed in a folder and what it said on its standard output, in order."""

import json
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

CALLS = (
    "mkdir,mkdirat,open,openat,openat2,creat,write,writev,pwrite64,pwritev,pwritev2,truncate,ftruncate,fallocate,sync,"
    "syncfs,fdatasync,fsync,sync_file_range,unlink,unlinkat,rmdir,rename,renameat,renameat2,link,linkat,symlink,"
    "symlinkat,mmap,copy_file_range,sendfile,splice,io_uring_enter"
)
"""Every call that may change a file or bring it to the disk; of those that are not read here none may touch the
folder."""

COMMAND = ("strace", "-f", "--seccomp-bpf", "-y", "-xx", "-s", "1000000", "-e", f"trace={CALLS}", "-e", "signal=none")


@dataclass(frozen=True, slots=True)
class Opened:
    """The file was opened, and created if it did not exist."""

    path: str
    truncated: bool


@dataclass(frozen=True, slots=True)
class MadeFolder:
    path: str


@dataclass(frozen=True, slots=True)
class Written:
    path: str
    offset: int
    data: bytes


@dataclass(frozen=True, slots=True)
class Sized:
    path: str
    size: int


@dataclass(frozen=True, slots=True)
class Grown:
    """`fallocate`: at least that size."""

    path: str
    size: int


@dataclass(frozen=True, slots=True)
class Synced:
    """What was changed in the file or folder by the first `before` operations is on the disk."""

    path: str
    before: int


@dataclass(frozen=True, slots=True)
class Removed:
    path: str


@dataclass(frozen=True, slots=True)
class Moved:
    path: str
    to: str


@dataclass(frozen=True, slots=True)
class Said:
    line: Mapping[str, Any]


Operation = Opened | MadeFolder | Written | Sized | Grown | Synced | Removed | Moved | Said

_LINE = re.compile(r"(?P<thread>\d+) +(?:<\.\.\. (?P<resumed>\w+) resumed>(?P<rest>.*)|(?P<call>\w+)\((?P<args>.*))")
_UNFINISHED = " <unfinished ...>"
_RESULT = re.compile(r"\) += (?P<number>-?\d+|0x[0-9a-f]+|\?)(?:<(?P<path>[^>]*)>)?.*$")
_ARGUMENT = re.compile(r'\s*(?:"((?:\\x[0-9a-f]{2})*)"|(-?\w+(?:\|\w+)*)(?:<([^>]*)>(\(deleted\))?)?|([^,]*))(?:,|$)')
_IGNORED = ("-shm",)  # SQLite builds it again from the journal: on no disk after a power cut


@dataclass(frozen=True, slots=True)
class _Argument:
    """`text` of a string, or of a number or name as strace writes it; `path` of a file descriptor, empty where that has
    no name any more."""

    text: bytes
    quoted: bool
    path: str = ""


class UnknownCallError(Exception):
    """The program changed the folder by a call that is not understood here, so the trace proves nothing."""


def read(trace: Path, folder: Path) -> list[Operation]:
    """What the program did below `folder`, which was its working directory, with paths relative to it."""
    operations: list[Operation] = []
    begun: dict[str, tuple[str, str, int]] = {}
    with trace.open(encoding="ascii") as lines:
        for line in lines:
            found = _LINE.match(line)
            if found is None:
                continue  # of a thread that ended
            thread = found["thread"]
            if found["resumed"]:
                call, arguments, start = begun.pop(thread)
                arguments += found["rest"]
            else:
                call, arguments, start = found["call"], found["args"], len(operations)
                if call == "write":  # what is said is said when it is begun: it was promised before
                    operations.extend(_said(arguments))
                if arguments.endswith(_UNFINISHED):
                    begun[thread] = (call, arguments.removesuffix(_UNFINISHED), start)
                    continue
            operations.extend(_operations(call, arguments, start, folder))
    return operations


def _operations(call: str, text: str, start: int, folder: Path) -> Iterator[Operation]:
    result = _RESULT.search(text)
    if result is None or result["number"].startswith(("-", "?")):
        return  # it failed, or the program ended in it
    arguments = _arguments(text[: result.start()])
    if call == "mmap" and not (b"MAP_SHARED" in arguments[3].text and b"PROT_WRITE" in arguments[2].text):
        return  # it only reads
    names = _names(call, arguments, folder, _unhex(result["path"] or ""))
    if names and not any(name.endswith(_IGNORED) for name in names):
        yield from _understood(call, names, arguments, int(result["number"], 0), start)


def _understood(
    call: str, names: Sequence[str], args: Sequence[_Argument], result: int, start: int
) -> Iterator[Operation]:
    name = names[0]
    match call:
        case "open" | "openat" | "creat":
            flags = b" ".join(each.text for each in args)
            if b"O_CREAT" in flags or b"O_TRUNC" in flags:
                yield Opened(name, b"O_TRUNC" in flags)
        case "mkdir" | "mkdirat":
            yield MadeFolder(name)
        case "pwrite64":
            yield Written(name, int(args[3].text), args[1].text[:result])
        case "ftruncate":
            yield Sized(name, int(args[1].text))
        case "fallocate" if args[1].text == b"0":
            yield Grown(name, int(args[2].text) + int(args[3].text))
        case "fdatasync" | "fsync":
            yield Synced(name, start)
        case "unlink" | "unlinkat":
            yield Removed(name)
        case "rename" | "renameat" | "renameat2":
            yield Moved(name, names[1])
        case _:
            raise UnknownCallError(f"{call} on {names}")


def _said(arguments: str) -> Iterator[Said]:
    if not arguments.startswith("1<"):
        return
    for line in _arguments(arguments)[1].text.splitlines():
        yield Said(json.loads(line))


def _arguments(text: str) -> Sequence[_Argument]:
    found = []
    for string, word, path, deleted, other in _ARGUMENT.findall(text):
        if string:
            found.append(_Argument(bytes.fromhex(string.replace("\\x", "")), quoted=True))
        elif word or other:
            found.append(_Argument((word or other).encode(), quoted=False, path="" if deleted else _unhex(path)))
    return found


def _unhex(text: str) -> str:
    return os.fsdecode(bytes.fromhex(text.replace("\\x", ""))) if text.startswith("\\x") else ""


def _names(call: str, arguments: Sequence[_Argument], folder: Path, opened: str) -> Sequence[str]:
    """The files below `folder` that the call opened, has open or names; none where it is about others."""
    places = [opened] if opened else [each.path for each in arguments if each.path and each.text != b"AT_FDCWD"]
    if call not in ("write", "pwrite64"):
        places += [os.fsdecode(each.text) for each in arguments if each.quoted]
    found = [os.path.relpath(folder / place, folder) for place in places]
    return [name for name in found if not name.startswith("..")]
