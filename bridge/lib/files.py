"""Files that nobody but their owner reads."""

import os
from contextlib import suppress
from pathlib import Path

Stamp = tuple[int, int, int, int]


def stamp(path: Path) -> Stamp | None:
    """What differs once the file at `path` has been written again, or may be read again; None while there is none."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_mtime_ns, found.st_ctime_ns, found.st_size, found.st_ino


def write_new(path: Path, content: bytes) -> None:
    """Put `content` into a new private file, on disk when this returns. OSError, and no file, where that fails;
    FileExistsError where there is one already."""
    handle = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_CLOEXEC, 0o600)
    try:
        try:
            write_all(handle, content)
            os.fsync(handle)
        finally:
            os.close(handle)
    except BaseException:
        path.unlink(missing_ok=True)
        raise


def write_all(handle: int, content: bytes) -> None:
    view = memoryview(content)
    while view:
        view = view[os.write(handle, view) :]


def make_folders(folder: Path) -> None:
    """Make the private folder, with those above it that are missing; they are there after a power cut, too."""
    missing = [each for each in (folder, *folder.parents) if not each.exists()]
    for each in reversed(missing):
        each.mkdir(mode=0o700, exist_ok=True)
        sync_folder(each.parent)


def sync_folder(folder: Path) -> None:
    """What was made, renamed or removed in `folder` stays so after a power cut, where that can be asked for."""
    try:
        handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except PermissionError:  # a folder that may be written to and not be read
        return
    try:
        with suppress(OSError):  # some file systems cannot; the names are in place already
            os.fsync(handle)
    finally:
        os.close(handle)
