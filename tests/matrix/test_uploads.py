"""Files that are stored on a homeserver (bridge.matrix.uploads)."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest
from nio.crypto.attachments import decrypt_attachment

from bridge.matrix.dialect.captions import attached
from bridge.matrix.dialect.fields import Json
from bridge.matrix.dialect.sources import parse, source_of
from bridge.matrix.http.homeserver import ApiError, Homeserver, Unreachable
from bridge.matrix.uploads import Uploads
from bridge.model.outbox import Attached
from bridge.network import Fetched, NotStored, Refused

_FILE = Fetched("image", "cat.png", b"x" * 100, "image/png", 3, 4, blurhash="L")


class _Server(Homeserver):
    """A homeserver that says `config`, and gives files `uri`."""

    def __init__(self, config: object = None, uri: object = "mxc://hs/a") -> None:
        super().__init__("http://127.0.0.1:1", "@duck:hs")
        self.config, self.uri = config, uri
        self.asked, self.stored = 0, list[str]()

    async def get(self, *path: str, query: Mapping[str, str] | None = None, within: float = 1.0) -> Json:
        assert path == ("media", "config")
        self.asked += 1
        if isinstance(self.config, Exception):
            raise self.config
        return self.config if isinstance(self.config, dict) else {}

    async def upload(self, data: bytes, mime: str, name: str) -> str:
        self.stored.append(name)
        self.data = (data, mime)
        if isinstance(self.uri, Exception):
            raise self.uri
        return str(self.uri)


async def test_a_file_is_stored_with_all_that_is_known_of_it() -> None:
    stored = await Uploads(_Server()).attach(_FILE)
    assert stored == Attached("image", "cat.png", 100, "image/png", "mxc://hs/a", 3, 4, None, "L")


async def test_a_homeserver_is_asked_once_how_large_files_may_be() -> None:
    server = _Server({"m.upload.size": 100})
    uploads = Uploads(server)
    for _ in range(3):
        await uploads.attach(_FILE)
        with pytest.raises(NotStored, match="100 bytes at most, and this one has 101"):
            await uploads.attach(replace(_FILE, data=b"x" * 101))
    assert (server.asked, len(server.stored)) == (1, 3)


@pytest.mark.parametrize(
    "config",
    [{}, {"m.upload.size": "1"}, {"m.upload.size": -1}, {"m.upload.size": None}, {"m.upload.size": 10**400},
     ApiError(404, "M_UNRECOGNIZED", ""), ApiError(403, "", "")],
)  # fmt: skip
async def test_a_homeserver_that_does_not_say_how_large_files_may_be_is_given_any(config: object) -> None:
    server = _Server(config)
    uploads = Uploads(server)
    for _ in range(2):
        await uploads.attach(_FILE)
    assert (server.asked, len(server.stored)) == (1, 2)


@pytest.mark.parametrize("error", [ApiError(502, "", ""), ApiError(429, "", ""), Unreachable("away"), Refused("out")])
async def test_a_homeserver_that_is_away_stores_nothing_and_is_asked_again(error: Exception) -> None:
    server = _Server(error)
    uploads = Uploads(server)
    with pytest.raises(NotStored):
        await uploads.attach(_FILE)
    assert not server.stored
    server.config = {}
    server.uri = error
    with pytest.raises(NotStored):
        await uploads.attach(_FILE)
    server.uri = "mxc://hs/a"
    await uploads.attach(_FILE)
    assert server.asked == 2


async def test_a_limit_that_was_lowered_is_asked_for_again() -> None:
    server = _Server({"m.upload.size": 100}, ApiError(413, "M_TOO_LARGE", ""))
    uploads = Uploads(server)
    for _ in range(2):
        with pytest.raises(NotStored):
            await uploads.attach(_FILE)
    assert server.asked == 2


@pytest.mark.parametrize("uri", ["", "https://hs/a", "mxc://hs", "mxc://hs/a#x", "mxc://hs/../a"])
async def test_an_answer_that_is_no_address_is_no_file(uri: str) -> None:
    with pytest.raises(NotStored):
        await Uploads(_Server(uri=uri)).attach(_FILE)


@pytest.mark.parametrize(
    ("name", "stored"),
    [("a\r\nb\u202e.png", "a b.png"), ("", "image"), (" \n", "image"), ("x" * 500, "x" * 100), ("\ud800.png", "?.png")],
)
async def test_the_name_of_a_file_is_one_clean_line(name: str, stored: str) -> None:
    server = _Server()
    attached = await Uploads(server).attach(replace(_FILE, name=name))
    assert [attached.name] == server.stored == [stored]


@pytest.mark.real_time
async def test_an_encrypted_file_tells_the_homeserver_nothing_and_clients_how_to_decrypt_it() -> None:
    server = _Server()
    stored = await Uploads(server).attach(_FILE, sealed=True)
    data, mime = server.data
    assert (mime, server.stored, b"xxxx" in data) == ("application/octet-stream", [""], False)
    content: Any = attached(stored)
    file = content["file"]
    assert ("url" in content, file["url"], content["info"]["mimetype"]) == (False, "mxc://hs/a", "image/png")
    assert decrypt_attachment(data, file["key"]["k"], file["hashes"]["sha256"], file["iv"]) == _FILE.data
    assert parse(source_of(content)) == parse(stored.source)
    again = await Uploads(server).attach(_FILE, sealed=True)
    assert again.source != stored.source
