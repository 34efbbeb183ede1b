"""Fetches the files of messages from the homeserver, piece by piece, and decrypts those that are encrypted.

The SHA-256 of an encrypted file is checked, because AES-CTR alone does not notice bytes that somebody changed on the
homeserver:

- A file of at most 4 MB is held in memory and checked before its first byte is given. Four are held at a time. Its size
  is known, so clients may ask for parts of it. If it was changed, people get a sentence.
- A larger file, or a fifth one, streams; its last piece is given only once the hash is right. For a part, the HTTP
  server reads the file to its end, and holds back the last piece of the part until then. If the file was changed, it
  cuts the connection.

Why a large file is not read twice, first to check it: the homeserver would send it twice, the download would begin
late, and the second reading could bring other bytes. Why it is not kept on disk: secrets would outlive their links.
"""

import hashlib
from collections.abc import AsyncGenerator
from contextlib import aclosing, asynccontextmanager

import aiohttp
import structlog
from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.ciphers.modes import CTR

from bridge.matrix.dialect.sources import FileKey, Source, parse
from bridge.matrix.http.homeserver import ApiError, Homeserver, TooSlow, Unreachable
from bridge.network import Download, NoSuchFile, NotFetched

log = structlog.get_logger()

_PIECE = 64 * 1024
"""Bytes of a piece at most."""
_HELD, _HELD_AT_ONCE = 4 * 1024 * 1024, 4
"""Bytes of an encrypted file that is verified before it is given, and how many are held in memory at a time."""
_AWAY = "The Matrix server does not answer right now; try again later."
_GONE = "The Matrix server does not have this file."
_CHANGED = "The file on the Matrix server is not the one that was sent."
_BROKEN_OFF = "The Matrix server did not send all of this file; try again later."
_NOT_YET = frozenset({"M_NOT_YET_UPLOADED"})
_SLOW = (504,)


class Downloads:
    """The files of one account's homeserver."""

    def __init__(self, network: str, homeserver: Homeserver) -> None:
        self._network = network
        self._homeserver = homeserver
        self._held = 0

    @asynccontextmanager
    async def download(self, source: str) -> AsyncGenerator[Download, None]:
        """See `bridge.network.MediaSource`."""
        found = parse(source)
        if found is None:
            raise NoSuchFile(_GONE)
        try:
            async with self._homeserver.download(found.server, found.media_id) as answer:
                if found.key is None:
                    yield Download(_size(answer), answer.headers.get("Content-Type", ""), _pieces(answer))
                    return
                async with self._decrypted(answer, found.key) as download:
                    yield download
        except TooSlow:
            raise TimeoutError from None
        except ApiError as error:
            self._complain(found, error)
            if error.code in _NOT_YET or error.status in _SLOW:
                raise TimeoutError from None
            raise (NoSuchFile(_GONE) if error.status == 404 else NotFetched(_AWAY)) from None
        except Unreachable as error:
            self._complain(found, error)
            raise NotFetched(_AWAY) from None

    @asynccontextmanager
    async def _decrypted(self, answer: aiohttp.ClientResponse, key: FileKey) -> AsyncGenerator[Download, None]:
        """The file, of whose type its homeserver knows nothing. See above for the two ways."""
        async with aclosing(_decrypting(_pieces(answer), key)) as pieces:
            size = _size(answer)
            if size is None or size > _HELD or self._held >= _HELD_AT_ONCE:
                yield Download(size, "", pieces, cacheable=False, proved_last=True)
                return
            self._held += 1
            try:
                data = bytearray()
                async for piece in pieces:
                    data += piece
                yield Download(len(data), "", _cut(data), cacheable=False)
            finally:
                self._held -= 1

    def _complain(self, source: Source, error: Exception) -> None:
        hint = "somebody opened a link to this file, and got an error"
        log.warning("file_not_fetched", network=self._network, source=source.uri, reason=str(error), hint=hint)


def _size(answer: aiohttp.ClientResponse) -> int | None:
    """The bytes that the answer will have; None if it does not say."""
    is_packed = answer.headers.get("Content-Encoding", "identity") != "identity"
    return None if is_packed else answer.content_length


async def _pieces(answer: aiohttp.ClientResponse) -> AsyncGenerator[bytes, None]:
    try:
        async for piece in answer.content.iter_chunked(_PIECE):
            yield piece
    except (TimeoutError, aiohttp.ClientError, OSError) as error:
        raise NotFetched(_BROKEN_OFF) from error


async def _decrypting(pieces: AsyncGenerator[bytes, None], key: FileKey) -> AsyncGenerator[bytes, None]:
    """`pieces` decrypted, each once the next is there. Raises NotFetched instead of the last if their hash is not that
    of the file which was sent."""
    decryptor = Cipher(AES(key.key), CTR(key.iv)).decryptor()
    found, held = hashlib.sha256(), b""
    async with aclosing(pieces):
        async for piece in pieces:
            found.update(piece)
            if held:
                yield decryptor.update(held)
            held = piece
    if found.digest() != key.sha256:
        raise NotFetched(_CHANGED)
    if held:
        yield decryptor.update(held)


async def _cut(data: bytearray) -> AsyncGenerator[bytes, None]:
    for at in range(0, len(data), _PIECE):
        yield bytes(data[at : at + _PIECE])
