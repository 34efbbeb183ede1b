"""Reading an answer of many events piece by piece (bridge.matrix.http.chunks)."""

import json
from collections.abc import Iterable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.matrix.dialect.fields import Json
from bridge.matrix.http import chunks
from bridge.matrix.http.chunks import Chunks
from tests.matrix.test_power import JSON


def _read(pieces: Iterable[bytes]) -> tuple[list[Json], bool, str]:
    found: list[Json] = []
    reader = Chunks(found.append)
    for piece in pieces:
        reader.feed(piece)
    return found, reader.finish(), reader.rest


@given(
    st.lists(JSON.filter(lambda value: not isinstance(value, int | float)), max_size=8),
    st.lists(st.integers(1, 40)),
    st.sampled_from([None, 2]),
    st.booleans(),
)
def test_events_are_the_same_in_whatever_pieces_they_come(
    events: list[object], cuts: list[int], indent: int | None, ascii_: bool
) -> None:
    data = json.dumps({"chunk": events, "end": "t"}, indent=indent, ensure_ascii=ascii_).encode(errors="replace")
    pieces, at = [], 0
    for cut in cuts:
        pieces.append(data[at : at + cut])
        at += cut
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(chunks, "_STEP", 1)
        found, over, rest = _read([*pieces, data[at:]])
    wanted = [event for event in json.loads(data)["chunk"] if isinstance(event, dict)]
    assert json.dumps(found) == json.dumps(wanted)
    assert over
    assert json.loads('{"chunk": []' + rest) == {"chunk": [], "end": "t"}


@given(st.binary(max_size=200) | st.binary(max_size=50).map(lambda data: b'{"chunk": [{"a": 1}' + data))
def test_any_bytes_are_read_without_an_error(data: bytes) -> None:
    found, over, rest = _read([data[:7], data[7:]])
    assert all(isinstance(event, dict) for event in found)
    assert over or not found or rest is not None


def test_another_answer_is_the_rest() -> None:
    assert _read([b'{"errcode": ', b'"M_FORBIDDEN"}']) == ([], False, '{"errcode": "M_FORBIDDEN"}')


def test_an_answer_that_ends_early_is_not_complete() -> None:
    assert _read([b'{"chunk": [{"a": 1}, {"b": '])[:2] == ([{"a": 1}], False)


def test_one_event_of_many_megabytes_is_looked_at_a_few_times_only(monkeypatch: pytest.MonkeyPatch) -> None:
    looks: list[int] = []

    class Counting(json.JSONDecoder):
        def raw_decode(self, s: str, idx: int = 0) -> tuple[object, int]:
            looks.append(len(s))
            return super().raw_decode(s, idx)

    monkeypatch.setattr(chunks, "_DECODER", Counting())
    piece = b"x" * 65_536
    found, over, _ = _read([b'{"chunk": [{"a": "', *[piece] * 128, b'"}]}'])
    assert (len(found), over) == (1, True)
    assert sum(looks) < 4 * 128 * len(piece)


def test_what_the_reader_of_events_raises_ends_the_reading() -> None:
    def enough(event: Json) -> None:
        raise KeyError(event["a"])

    with pytest.raises(KeyError):
        _read_with(enough, b'{"chunk": [{"a": 1}, {"a": 2}]}')


def _read_with(take: object, data: bytes) -> None:
    reader = Chunks(take)  # type: ignore[arg-type]
    reader.feed(data)
    reader.finish()
