"""Fetches the files of messages from the homeserver, piece by piece."""

import re
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import aiohttp
import structlog

from bridge.matrix.http.homeserver import ApiError, Homeserver, TooSlow, Unreachable
from bridge.network import Download, NoSuchFile, NotFetched

log = structlog.get_logger()

_MXC = re.compile(r"mxc://([A-Za-z0-9.:\[\]-]{1,230})/([A-Za-z0-9_-]{1,255})", re.ASCII)
"""Server name and media id (spec, "Matrix Content (mxc://) URIs")."""
_PIECE = 64 * 1024
"""Bytes of a piece at most."""
_AWAY = "The Matrix server does not answer right now; try again later."
_GONE = "The Matrix server does not have this file (any more)."
_NOT_YET = frozenset({"M_NOT_YET_UPLOADED"})
_SLOW = (504,)


class Downloads:
    """The files of one account's homeserver."""

    def __init__(self, network: str, homeserver: Homeserver) -> None:
        self._network = network
        self._homeserver = homeserver

    @asynccontextmanager
    async def download(self, source: str) -> AsyncGenerator[Download, None]:
        """See `bridge.network.MediaSource`."""
        found = _MXC.fullmatch(source)
        if found is None:
            raise NoSuchFile(_GONE)
        try:
            async with self._homeserver.download(*found.groups()) as answer:
                is_packed = answer.headers.get("Content-Encoding", "identity") != "identity"
                size = None if is_packed else answer.content_length
                yield Download(size, answer.headers.get("Content-Type", ""), self._pieces(answer))
        except TooSlow:
            raise TimeoutError from None
        except ApiError as error:
            self._complain(source, error)
            if error.code in _NOT_YET or error.status in _SLOW:
                raise TimeoutError from None
            raise (NoSuchFile(_GONE) if error.status == 404 else NotFetched(_AWAY)) from None
        except Unreachable as error:
            self._complain(source, error)
            raise NotFetched(_AWAY) from None

    async def _pieces(self, answer: aiohttp.ClientResponse) -> AsyncGenerator[bytes, None]:
        try:
            async for piece in answer.content.iter_chunked(_PIECE):
                yield piece
        except (TimeoutError, aiohttp.ClientError, OSError) as error:
            raise NotFetched(str(error) or type(error).__name__) from None

    def _complain(self, source: str, error: Exception) -> None:
        hint = "a link to this file was followed, and could not be served"
        log.warning("file_not_fetched", network=self._network, source=source, reason=str(error), hint=hint)
