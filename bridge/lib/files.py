"""Private files that survive a power cut, and change detection."""

import os
import pwd
from contextlib import suppress
from pathlib import Path

Stamp = tuple[int, int, int, int]


def stamp(path: Path) -> Stamp | None:
    """A value that changes when the file's content or permissions change; None if the file cannot be found."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_mtime_ns, found.st_ctime_ns, found.st_size, found.st_ino


def owner(path: Path) -> str:
    """The name of the user who owns `path` or, if it may not be looked at, the nearest folder around it; '' if nobody
    knows."""
    for each in (path, *path.parents):
        try:
            uid = each.stat().st_uid
        except OSError:
            continue
        try:
            return pwd.getpwuid(uid).pw_name
        except KeyError:
            return str(uid)
    return ""


def not_ours(path: Path) -> str:
    """What to do about a file at `path` that we may not use."""
    return f"this user may not use it: run the command as user {owner(path)}, or as root"


def write_new(path: Path, content: bytes) -> None:
    """Write `content` to a new private file, which belongs to the owner of its folder, also if root writes it; it is on
    disk when this returns. Raises OSError, and leaves no file, if that fails; FileExistsError if it exists already."""
    handle = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_CLOEXEC, 0o600)
    try:
        try:
            os.fchmod(handle, 0o600)  # whatever the umask
            if os.geteuid() == 0:
                folder = path.parent.stat()
                os.fchown(handle, folder.st_uid, folder.st_gid)
            write_all(handle, content)
            os.fsync(handle)
        finally:
            os.close(handle)
    except BaseException:
        path.unlink(missing_ok=True)
        raise


def belongs_with(path: Path, model: Path) -> None:
    """As root, give the file `path` to the owner of `model`, or of its folder if it is not there: else the daemon's
    user could not open a file that root has made. For others, do nothing."""
    if os.geteuid() == 0:
        found = _owned(model)
        os.chown(path, found.st_uid, found.st_gid, follow_symlinks=False)


def open_private(path: Path, model: Path) -> int:
    """Open the file at `path` to read and write, or make it, for its owner alone; returns the descriptor. As root, what
    is made belongs to the owner of `model`, as in `belongs_with`. Raises OSError if `path` is a link: where the
    daemon's user may write, a link could point to any file, and root would give that away."""
    flags = os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW
    try:
        handle = os.open(path, flags | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        return os.open(path, flags)
    try:
        os.fchmod(handle, 0o600)
        if os.geteuid() == 0:
            found = _owned(model)
            os.fchown(handle, found.st_uid, found.st_gid)
    except BaseException:
        os.close(handle)
        raise
    return handle


def _owned(model: Path) -> os.stat_result:
    return (model if model.exists() else model.parent).stat()


def replace_file(path: Path, content: bytes) -> None:
    """Put `content` in the place of the file at `path`, whole or not at all, with its owner, group and mode."""
    before, new = path.stat(), path.with_name(f".{path.name}.new")
    new.unlink(missing_ok=True)  # left by a power cut
    write_new(new, content)
    try:
        if os.geteuid() == 0:
            os.chown(new, before.st_uid, before.st_gid, follow_symlinks=False)
        new.chmod(before.st_mode & 0o7777)
        new.replace(path)
    except BaseException:
        new.unlink(missing_ok=True)
        raise
    sync_folder(path.parent)


def keep_copy(path: Path) -> Path:
    """Keep the file at `path` as it is under a name with `.bak` behind it, instead of what was there; returns where."""
    before, copy = path.stat(), path.with_name(f"{path.name}.bak")
    copy.unlink(missing_ok=True)  # not written through: it may be a link that the owner of the folder has made
    write_new(copy, path.read_bytes())
    if os.geteuid() == 0:
        os.chown(copy, before.st_uid, before.st_gid, follow_symlinks=False)
    copy.chmod(before.st_mode & 0o7777)
    return copy


def write_all(handle: int, content: bytes) -> None:
    view = memoryview(content)
    while view:
        view = view[os.write(handle, view) :]


def make_folders(folder: Path) -> None:
    """Make a private folder, and its missing parents. They survive a power cut. Made by root, they belong to the
    owner of the folder around them."""
    missing = [each for each in (folder, *folder.parents) if not each.exists()]
    for each in reversed(missing):
        each.mkdir(mode=0o700, exist_ok=True)
        belongs_with(each, each.parent)
        sync_folder(each.parent)


def sync_folder(folder: Path) -> None:
    """Make creations, renames and removals in `folder` survive a power cut, if the file system supports that."""
    try:
        handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except PermissionError:  # a folder that is writable but not readable
        return
    try:
        with suppress(OSError):  # some file systems cannot; the names are in place already
            os.fsync(handle)
    finally:
        os.close(handle)
