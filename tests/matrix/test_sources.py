"""Where files are and what decrypts them, in one string (bridge.matrix.dialect.sources)."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.matrix.dialect.sources import FileKey, Source, parse, source_of
from tests.matrix.sealed import IV, KEY, sealed

_, FILE = sealed(b"quack")
SOURCE = source_of({"file": FILE})


def changed(value: object, *path: str) -> dict[str, Any]:
    """`FILE` with another value at `path`."""
    first, *rest = path
    inner = FILE[first]
    return {**FILE, first: {**inner, rest[0]: value} if rest else value}


def test_an_encrypted_file_has_its_key_counter_and_hash_behind_its_address() -> None:
    found = parse(SOURCE)
    assert found is not None
    assert found.key is not None
    assert (found.uri, found.key.key, found.key.iv) == ("mxc://hs/a", KEY, IV)
    assert found.spelled == SOURCE
    assert len(SOURCE) < 130
    assert repr(KEY) not in repr(found), "a key is not to be shown"
    assert source_of({"file": FILE, "url": "mxc://hs/plain"}) == SOURCE
    assert source_of({"file": {}, "url": "mxc://hs/plain"}) == "mxc://hs/plain"
    assert source_of({"file": "mxc://hs/b", "url": "mxc://hs/plain"}) == "mxc://hs/plain"


@pytest.mark.parametrize("padding", ["", "=", "=="])
def test_base64_may_be_padded_and_of_either_alphabet(padding: str) -> None:
    key = FILE["key"]["k"].replace("-", "+").replace("_", "/") + padding
    iv = FILE["iv"] + padding
    assert source_of({"file": changed(key, "key", "k") | {"iv": iv}}) == SOURCE


@pytest.mark.parametrize(
    ("path", "values"),
    [
        (("v",), ["v1", "v3", 2, None]),
        (("url",), ["https://hs/a", "mxc://hs", "mxc://hs/a#b", 7]),
        (("key",), ["x", [], {}]),
        (("key", "alg"), ["A128CTR", "A256GCM", None]),
        (("key", "k"), ["", "A" * 42, "A" * 44, "A" * 42 + "!", "A" * 42 + ".", "A" * 42 + "é", "A" * 1_000_000, 7]),
        (("iv",), ["", "A" * 21, "A" * 23, "A" * 21 + "\n", 7]),
        (("hashes",), [{}, [], None, {"sha1": "A" * 43}]),
        (("hashes", "sha256"), ["", "A" * 42, "A" * 44, 7]),
    ],
)  # fmt: skip
def test_a_malformed_encrypted_file_has_no_source(path: tuple[str, ...], values: list[object]) -> None:
    for value in values:
        assert source_of({"file": changed(value, *path), "url": "mxc://hs/plain"}) == ""


@pytest.mark.parametrize(
    "uri",
    ["mxc://hs", "mxc://hs/", "mxc:///a", "https://hs/a", "mxc://hs/../a", "mxc://../a", "mxc://hs..pond/a", "mxc://.hs/a",
     "mxc://hs/a/b", "mxc://hs/a?b", "mxc://hs/a#b", "mxc://h s/a", "mxc://hs/%2e", "mxc://hs/..", "mxc://hs/a\r\nX: y",
     "mxc://hs/a\n", "", "mxc://ann@hs/a", "mxc://ann:pw@hs/a", "mxc://hs:/a", "mxc://hs:80:80/a", "mxc://hs:123456/a",
     "mxc://hs:-1/a", "mxc://hs:٣/a", "mxc://[::1/a", "mxc://[::1]x/a", "mxc://hs/" + "a" * 300, "MXC://hs/a",
     "mxc://" + "h" * 300 + "/a", SOURCE + ".", SOURCE + "A", SOURCE.replace(".", "", 1), SOURCE + ".AAAA"],
)  # fmt: skip
def test_an_address_that_is_none_is_no_source(uri: str) -> None:
    assert parse(uri) is None
    assert source_of({"url": uri}) == ""


@pytest.mark.parametrize("server", ["hs", "hs.pond", "hs.pond:8448", "1.2.3.4", "[::1]", "[2001:db8::1.2.3.4]:80"])
def test_every_form_of_a_server_name_is_one(server: str) -> None:
    assert parse(f"mxc://{server}/a-B_9") == Source(server, "a-B_9")


@given(st.binary(min_size=32, max_size=32), st.binary(min_size=16, max_size=16), st.binary(min_size=32, max_size=32))
def test_what_is_written_is_read_back(key: bytes, iv: bytes, sha256: bytes) -> None:
    source = Source("hs:1", "a", FileKey(key, iv, sha256))
    assert parse(source.spelled) == source


@given(st.text() | st.text(alphabet="mxc:/#.=AZaz09-_").map(lambda text: f"mxc://hs/a#{text}"))
def test_any_text_is_a_source_or_none(text: str) -> None:
    found = parse(text)
    assert found is None or found.spelled == text
