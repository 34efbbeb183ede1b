"""The file of a model: arrays in an npz without pickle, texts as compressed JSON, with version and checksum.

Sizes are checked before memory is taken for them. A file that was made to do harm gives a ModelError, nothing else.
"""

import hashlib
import io
import json
import os
import struct
import zipfile
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from numpy.lib import format as npy

VERSION = 1
LARGEST = 256 * 2**20
"""Bytes of a file, and of everything in it once it is unpacked."""
_MEMBERS = 64
_HEADER = 10_000
_DTYPES = frozenset({"|i1", "|u1", "<i4", "<f4"})
_MAGIC = "quackbridge duck"
_DAMAGE = (
    *(zipfile.BadZipFile, zlib.error, struct.error, EOFError),
    *(ValueError, KeyError, OverflowError, NotImplementedError, RuntimeError),
)
"""What comes of reading a file that is no model. RecursionError is one of RuntimeError."""

Arrays: TypeAlias = Mapping[str, np.ndarray[Any, Any]]


class ModelError(ValueError):
    """A file is no model, or not one that this version reads; worded for the operator."""


@dataclass(frozen=True, slots=True)
class Contents:
    """What is in a file: arrays by name, and values that JSON has."""

    arrays: Arrays
    texts: Mapping[str, Any]


def write(path: Path, contents: Contents) -> None:
    """Write a model; a file that is there is replaced once the new one is whole. Raises OSError."""
    text = json.dumps(contents.texts, ensure_ascii=False).encode("utf-8", "replace")
    packed = np.frombuffer(zlib.compress(text, 9), np.uint8)
    arrays = {**contents.arrays, "texts": packed}
    head = {"magic": _MAGIC, "version": VERSION, "checksum": _checksum(arrays)}
    arrays["head"] = np.frombuffer(json.dumps(head).encode(), np.uint8)
    beside = path.with_name(f"{path.name}.new")
    with beside.open("wb") as file:
        np.savez(file, allow_pickle=False, **arrays)
        file.flush()
        os.fsync(file.fileno())
    beside.replace(path)


def read(path: Path) -> Contents:
    """Read a model. Raises ModelError with the file's name."""
    try:
        if path.stat().st_size > LARGEST:
            raise ModelError(f"the file has more than {LARGEST // 2**20} MB")
        with zipfile.ZipFile(path) as file:
            arrays = _arrays(file)
        return _checked(arrays)
    except ModelError as error:
        raise ModelError(f"{path}: {error}") from None
    except OSError as error:
        raise ModelError(f"{path}: cannot be read: {error.strerror or error}") from None
    except _DAMAGE as error:
        raise ModelError(f"{path}: this is no model, or it is damaged: {str(error)[:200]}") from None


def _arrays(file: zipfile.ZipFile) -> dict[str, np.ndarray[Any, Any]]:
    members = file.infolist()
    if len(members) > _MEMBERS or sum(each.file_size for each in members) > LARGEST:
        raise ModelError("it has too many parts, or they are too large")
    return {each.filename.removesuffix(".npy"): _array(file, each) for each in members}


def _array(file: zipfile.ZipFile, member: zipfile.ZipInfo) -> np.ndarray[Any, Any]:
    """One array. Its header is read first: no memory is taken that the file does not fill."""
    if member.compress_type != zipfile.ZIP_STORED:  # what is compressed may be far larger than it says
        raise ModelError(f"{member.filename!r} is compressed")
    with file.open(member) as part:
        data = part.read(member.file_size)
    stream = io.BytesIO(data)
    if npy.read_magic(stream) != (1, 0):
        raise ModelError(f"{member.filename!r} has an unknown version")
    shape, _, dtype = npy.read_array_header_1_0(stream, max_header_size=_HEADER)
    size = int(np.prod([int(each) for each in shape], dtype=object)) if shape else 1
    rest = len(data) - stream.tell()
    if dtype.str not in _DTYPES or any(each < 0 for each in shape) or size * dtype.itemsize != rest:
        raise ModelError(f"{member.filename!r} is not of the size or kind that it says")
    return np.frombuffer(data, dtype, offset=stream.tell()).reshape(shape)


def _checked(arrays: dict[str, np.ndarray[Any, Any]]) -> Contents:
    if "head" not in arrays or "texts" not in arrays:
        raise ModelError("this is no model")
    head = json.loads(arrays.pop("head").tobytes())
    if not isinstance(head, dict) or head.get("magic") != _MAGIC:
        raise ModelError("this is no model")
    if head.get("version") != VERSION:
        raise ModelError(f"it has version {head.get('version')!r}; this program reads {VERSION}: train it again")
    if head.get("checksum") != _checksum(arrays):
        raise ModelError("it is damaged: its checksum is another one")
    unpacker = zlib.decompressobj()
    text = unpacker.decompress(arrays.pop("texts").tobytes(), LARGEST)
    if not unpacker.eof:
        raise ModelError("its texts are too large, or cut off")
    try:
        found = json.loads(text)
    except RecursionError:
        raise ModelError("its texts are too deep") from None
    if not isinstance(found, dict):
        raise ModelError("its texts have another shape")
    return Contents(arrays, found)


def checksum(path: Path) -> str:
    """Of a file's bytes, to tell one model from another. Raises OSError."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()[:16]


def _checksum(arrays: Arrays) -> str:
    found = hashlib.blake2b(digest_size=16)
    for name in sorted(arrays):
        found.update(f"{name} {arrays[name].dtype.str} {arrays[name].shape}\n".encode())
        found.update(np.ascontiguousarray(arrays[name]).data)
    return found.hexdigest()


def shrunk(rows: np.ndarray[Any, Any]) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    """`rows` as int8, and the scale of each row: a quarter of the size."""
    scales = np.abs(rows).max(axis=1, initial=0) / np.float32(127)
    scales[scales == 0] = 1
    return np.round(rows / scales[:, None]).astype(np.int8), scales.astype(np.float32)


def grown(small: np.ndarray[Any, Any], scales: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """The rows that were shrunk."""
    found: np.ndarray[Any, Any] = small.astype(np.float32) * scales[:, None]
    return found
