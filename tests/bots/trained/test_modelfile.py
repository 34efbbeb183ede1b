"""Model files keep what was written, and refuse what was changed or made to do harm."""

import io
import json
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bots.trained.modelfile import Contents, ModelError, grown, read, shrunk, write

CONTENTS = Contents({"a": np.arange(12, dtype=np.float32).reshape(3, 4)}, {"pool": ["hi", "你好"]})


def member(array: Any) -> bytes:
    stream = io.BytesIO()
    np.save(stream, array)
    return stream.getvalue()


def packed(path: Path, compression: int = zipfile.ZIP_STORED, **members: bytes) -> Path:
    with zipfile.ZipFile(path, "w", compression) as file:
        for name, data in members.items():
            file.writestr(f"{name}.npy", data)
    return path


def test_a_model_is_read_as_it_was_written(tmp_path: Path) -> None:
    write(tmp_path / "m", CONTENTS)
    found = read(tmp_path / "m")
    assert (found.arrays["a"] == CONTENTS.arrays["a"]).all()
    assert found.texts == CONTENTS.texts
    assert [each.name for each in tmp_path.iterdir()] == ["m"]


def test_a_pickle_is_never_loaded(tmp_path: Path) -> None:
    class Harm:
        def __reduce__(self) -> tuple[Any, ...]:
            return (Path.touch, (tmp_path / "harm",))

    objects = np.array([Harm()], dtype=object)
    with pytest.raises(ModelError):
        read(packed(tmp_path / "m", head=member(objects), texts=member(objects)))
    assert not (tmp_path / "harm").exists()


def test_a_header_that_claims_terabytes_takes_no_memory(tmp_path: Path) -> None:
    stream = io.BytesIO()
    header = {"descr": "<f4", "fortran_order": False, "shape": (2**40, 2**20)}
    np.lib.format.write_array_header_1_0(stream, header)
    with pytest.raises(ModelError, match="not of the size"):
        read(packed(tmp_path / "m", a=stream.getvalue()))


def test_a_compressed_part_is_refused(tmp_path: Path) -> None:
    bomb = member(np.zeros(10**6, np.uint8))
    with pytest.raises(ModelError, match="is compressed"):
        read(packed(tmp_path / "m", zipfile.ZIP_DEFLATED, a=bomb))


def test_another_version_says_to_train_again(tmp_path: Path) -> None:
    head = np.frombuffer(json.dumps({"magic": "quackbridge duck", "version": 99}).encode(), np.uint8)
    with pytest.raises(ModelError, match="version 99"):
        read(packed(tmp_path / "m", head=member(head), texts=member(head)))


@pytest.mark.parametrize(
    "data", [b"", b"PK\x03\x04", b"#!/bin/sh\n", b"\x80\x04."], ids=["empty", "zip", "sh", "pickle"]
)
def test_other_files_are_no_models(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "m").write_bytes(data)
    with pytest.raises(ModelError, match=str(tmp_path / "m")):
        read(tmp_path / "m")


@given(st.data())
def test_a_changed_byte_is_refused_or_changes_nothing(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    path = tmp_path_factory.mktemp("model") / "m"
    write(path, CONTENTS)
    content = bytearray(path.read_bytes())
    content[data.draw(st.integers(0, len(content) - 1))] ^= data.draw(st.integers(1, 255))
    path.write_bytes(content)
    try:
        found = read(path)
    except ModelError:
        return
    assert (found.arrays["a"] == CONTENTS.arrays["a"]).all()
    assert found.texts == CONTENTS.texts


def test_shrunk_rows_are_off_by_half_a_step_at_most() -> None:
    rows = np.random.default_rng(0).standard_normal((50, 8)).astype(np.float32)
    rows[3] = 0
    small, scales = shrunk(rows)
    assert small.dtype == np.int8
    assert (np.abs(grown(small, scales) - rows) <= scales[:, None] * 0.501).all()
