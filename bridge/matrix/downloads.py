"""Fetches the files of messages from the homeserver, piece by piece, and decrypts those that are encrypted.

All of an encrypted file is verified before it counts: AES-CTR alone does not notice bytes that somebody changed on the
homeserver. Two ways:

- A file of at most 4 MB, as most pictures are, is verified before its first byte is given. It has a size, so parts of
  it can be asked for; of a changed one people get a sentence. Four are held in memory at a time.
- A larger one, or a fifth, streams, but its last piece comes only once the hash of all is right. The HTTP side reads it
  to its end for any part, and holds back the last piece of that, too; if it was changed, it cuts the connection.

To read a large file twice, first to verify it, doubles what the homeserver sends, begins late, and proves nothing of
what the second reading gets. On our disk people's secrets would outlive the link.
"""

import hashlib
from collections.abc import AsyncGenerator
from contextlib import aclosing, asynccontextmanager

import aiohttp
import structlog
from cryptography.hazmat.primitives.ciphers import Cipher as Algorithm
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.ciphers.modes import CTR

from bridge.matrix.dialect.sources import Cipher, Source, parse
from bridge.matrix.http.homeserver import ApiError, Homeserver, TooSlow, Unreachable
from bridge.network import Download, NoSuchFile, NotFetched

log = structlog.get_logger()

_PIECE = 64 * 1024
"""Bytes of a piece at most."""
_HELD, _HELD_AT_ONCE = 4 * 1024 * 1024, 4
"""Bytes of an encrypted file that is verified before it is given, and how many are held in memory at a time."""
_AWAY = "The Matrix server does not answer right now; try again later."
_GONE = "The Matrix server does not have this file (any more)."
_CHANGED = "The Matrix server gives another file than the one that was sent."
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
                if found.cipher is None:
                    yield Download(_size(answer), answer.headers.get("Content-Type", ""), _pieces(answer))
                    return
                async with self._decrypted(answer, found.cipher) as download:
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
    async def _decrypted(self, answer: aiohttp.ClientResponse, cipher: Cipher) -> AsyncGenerator[Download, None]:
        """The file, of whose type its homeserver knows nothing. See above for the two ways."""
        async with aclosing(_opened(_pieces(answer), cipher)) as pieces:
            size = _size(answer)
            if size is None or size > _HELD or self._held >= _HELD_AT_ONCE:
                yield Download(size, "", pieces, keep=False, proved_last=True)
                return
            self._held += 1
            try:
                data = bytearray()
                async for piece in pieces:
                    data += piece
                yield Download(len(data), "", _cut(data), keep=False)
            finally:
                self._held -= 1

    def _complain(self, source: Source, error: Exception) -> None:
        hint = "a link to this file was followed, and could not be served"
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
        raise NotFetched(str(error) or type(error).__name__) from None


async def _opened(pieces: AsyncGenerator[bytes, None], cipher: Cipher) -> AsyncGenerator[bytes, None]:
    """`pieces` decrypted, each once the next is there. Raises NotFetched instead of the last if their hash is not that
    of the file which was sent."""
    decryptor = Algorithm(AES(cipher.key), CTR(cipher.iv)).decryptor()
    found, held = hashlib.sha256(), b""
    async with aclosing(pieces):
        async for piece in pieces:
            found.update(piece)
            if held:
                yield decryptor.update(held)
            held = piece
    if found.digest() != cipher.sha256:
        raise NotFetched(_CHANGED)
    if held:
        yield decryptor.update(held)


async def _cut(data: bytearray) -> AsyncGenerator[bytes, None]:
    for at in range(0, len(data), _PIECE):
        yield bytes(data[at : at + _PIECE])
