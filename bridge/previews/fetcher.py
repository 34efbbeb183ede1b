"""Fetches pictures, sound and videos from web servers that may be hostile, and only from public addresses.

Each redirect and each address of a name is checked, and again each socket before it connects. The first 4 KB of a file
decide what it is; what the server says of it is ignored.
"""

import asyncio
import errno
import socket
import threading
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from urllib.parse import unquote

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult
from aiohttp.typedefs import LooseHeaders
from yarl import URL

import bridge
from bridge.network import Fetched, NoSuchFile, NotFetched
from bridge.previews.addresses import IPNetwork, Unfit, is_near, is_within, may_reach, web_address
from bridge.previews.apart import Decoder
from bridge.previews.kinds import HEAD, FileType, type_of
from bridge.previews.pictures import Looks

LookUp = Callable[[str, int], Awaitable[Sequence[str]]]
"""The IP addresses of a host by its name; the port is only for the system. Raises OSError, ValueError; NoSuchFile if
there is no means to look it up now."""

_REDIRECTS = (301, 302, 303, 307, 308)
_MOST_REDIRECTS = 3
_LATER = (408, 425, 429)
"""HTTP errors 4xx that are about the server now, not about the file."""
_MOST_ADDRESSES = 8
"""Addresses of a host that are tried at most; all of them are checked."""
_MOST_LOOK_UPS = 8
"""Look-ups of names at once at most. One that hangs still counts when nobody waits for it any more."""
_NAME = 100
"""Characters of the name of a file at most."""
_REASON = 200
"""Characters of the reason of a failure at most."""
_HEADERS: LooseHeaders = {
    "User-Agent": f"quackbridge/{bridge.__version__} (+preview)",
    "Accept": "image/*, video/*, audio/*",
    "Accept-Encoding": "identity",
}


@dataclass(frozen=True, slots=True)
class Deadlines:
    """Seconds until the first byte of a file, and until its last, both from the first request."""

    first_byte: float = 5.0
    all: float = 8.0


class Fetcher:
    """Fetches one file a call. `private`: networks that may be fetched from though they are not public; for tests.
    `look_up` finds the addresses of a host (None: as the system does)."""

    def __init__(
        self,
        *,
        private: Sequence[IPNetwork] = (),
        look_up: LookUp | None = None,
        deadlines: Deadlines = Deadlines(),
    ) -> None:
        self._private = tuple(private)
        self._look_up = look_up or _SystemLookUp()
        self._deadlines = deadlines
        self._decoder = Decoder()

    async def __call__(self, address: str, limit: int, spend: Callable[[int], bool] = lambda _: True) -> Fetched:
        """The file at `address`, if it is a picture, sound or video of at most `limit` bytes. `spend` pays for bytes
        that were read, or returns False: then no more is read.

        Raises NoSuchFile if there is none, and NotFetched if the server is to be left alone for a while: it is away,
        slow, or no host that we fetch from. Their texts are for the log."""
        try:
            async with asyncio.timeout(self._deadlines.all), asyncio.timeout(self._deadlines.first_byte) as first_byte:
                url = web_address(address)
                data, file_type = await self._fetch(url, limit, spend, first_byte)
                seen = await self._decoder.looks(data, file_type)
        except TimeoutError as error:
            raise NotFetched("too slow") from error
        except Unfit as error:
            raise NotFetched(str(error)) from error
        except (aiohttp.ClientError, OSError, ValueError) as error:
            reason = str(error).partition("\n")[0][:_REASON]
            raise NotFetched(f"{type(error).__name__}: {reason}") from error
        return _fetched(url, data, file_type, seen)

    async def _fetch(
        self, url: URL, limit: int, spend: Callable[[int], bool], first_byte: asyncio.Timeout
    ) -> tuple[bytes, FileType]:
        async with public_session(private=self._private, look_up=self._look_up, total_s=None) as session:
            for _ in range(_MOST_REDIRECTS + 1):
                answer = await session.get(url, allow_redirects=False)
                try:
                    if answer.status not in _REDIRECTS:
                        return await _read(answer, limit, spend, first_byte)
                    url = _next(url, answer.headers.get("Location", ""))
                finally:
                    answer.close()
        raise NoSuchFile("too many redirects")


def public_session(
    *, private: Sequence[IPNetwork] = (), look_up: LookUp | None = None, total_s: float | None = 30.0
) -> aiohttp.ClientSession:
    """A session that connects to the public internet only, and to the networks `private`; without cookies, proxies or a
    cache, so that no request knows of another. A request takes at most `total_s` seconds (None: no limit)."""

    def connects(info: tuple[int, int, int, str, tuple[str, int] | tuple[str, int, int, int]]) -> socket.socket:
        """A socket for a connection to an address, which is checked here whatever came before. Raises OSError."""
        family, kind, protocol, _, there = info
        _check([there[0]], there[1], private)
        if not is_within(there[0], private) and is_near(there[0], _own_address(family, there)):
            raise _failure("an address of this machine, or of one beside it")
        return socket.socket(family, kind, protocol)

    connector = aiohttp.TCPConnector(
        resolver=_PublicResolver(look_up or _SystemLookUp(), private),
        socket_factory=connects,
        use_dns_cache=False,
        force_close=True,
    )
    return aiohttp.ClientSession(
        connector=connector,
        cookie_jar=aiohttp.DummyCookieJar(),
        headers=_HEADERS,
        timeout=aiohttp.ClientTimeout(total=total_s),
        trust_env=False,
        auto_decompress=False,
    )


class _PublicResolver(AbstractResolver):
    """Resolves a name, and refuses it unless each of its addresses may be fetched from."""

    def __init__(self, look_up: LookUp, private: Sequence[IPNetwork]) -> None:
        self._look_up = look_up
        self._private = private

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        addresses = [*dict.fromkeys(await self._look_up(host, port))]
        if not addresses:
            raise _failure("the name has no address")
        _check(addresses, port, self._private)
        return [
            ResolveResult(
                hostname=host,
                host=address,
                port=port,
                family=socket.AF_INET6 if ":" in address else socket.AF_INET,
                proto=socket.IPPROTO_TCP,
                flags=socket.AI_NUMERICHOST | socket.AI_NUMERICSERV,
            )
            for address in addresses[:_MOST_ADDRESSES]
        ]

    async def close(self) -> None:
        """It keeps nothing open."""


class _SystemLookUp:
    """Looks names up as the system does, each in a daemon thread: one that hangs takes no thread from the event loop,
    and does not delay the end of the process."""

    def __init__(self) -> None:
        self._slots = threading.BoundedSemaphore(_MOST_LOOK_UPS)

    async def __call__(self, host: str, port: int) -> Sequence[str]:
        loop = asyncio.get_running_loop()
        found: asyncio.Future[Sequence[str]] = loop.create_future()
        if not self._slots.acquire(blocking=False):
            raise NoSuchFile("too many look-ups of names")  # which is not the fault of this host
        threading.Thread(target=self._run, args=(host, port, loop, found), name="look-up", daemon=True).start()
        return await found

    def _run(
        self, host: str, port: int, loop: asyncio.AbstractEventLoop, found: "asyncio.Future[Sequence[str]]"
    ) -> None:
        addresses: Sequence[str] = ()
        error: Exception | None = None
        try:
            infos = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_ADDRCONFIG)
            addresses = [str(there[0]) for *_, there in infos]
        except (OSError, ValueError) as failed:
            error = failed
        finally:
            self._slots.release()
        if not loop.is_closed():
            loop.call_soon_threadsafe(_tell, found, addresses, error)


def _tell(found: "asyncio.Future[Sequence[str]]", addresses: Sequence[str], error: Exception | None) -> None:
    if found.done():  # nobody waits any more
        return
    if error is not None:
        found.set_exception(error)
    else:
        found.set_result(addresses)


def _check(addresses: Sequence[str], port: int, private: Sequence[IPNetwork]) -> None:
    """Raises OSError unless each of `addresses` may be fetched from."""
    if not all(may_reach(address, port, private) for address in addresses):
        raise _failure("no public address")


def _own_address(family: int, there: tuple[str, int] | tuple[str, int, int, int]) -> str:
    """The address from which this machine would connect to `there`. Sends nothing. Raises OSError without a route."""
    with socket.socket(family, socket.SOCK_DGRAM) as probe:
        probe.connect(there)
        return str(probe.getsockname()[0])


def _failure(reason: str) -> OSError:
    return OSError(errno.EACCES, reason)


def _next(url: URL, location: str) -> URL:
    """Where a redirect from `url` leads. Raises Unfit."""
    if not location:
        raise Unfit("a redirect to no address")
    try:
        return web_address(str(url.join(URL(location))))
    except ValueError as error:
        raise Unfit("a redirect to no address") from error


async def _read(
    answer: aiohttp.ClientResponse, limit: int, spend: Callable[[int], bool], first_byte: asyncio.Timeout
) -> tuple[bytes, FileType]:
    """The file in the body of `answer`."""
    if answer.status >= 500 or answer.status in _LATER:
        raise NotFetched(f"HTTP {answer.status}")
    if answer.status != 200:
        raise NoSuchFile(f"HTTP {answer.status}")
    if answer.headers.get("Content-Encoding", "identity").strip().lower() not in ("", "identity"):
        raise NoSuchFile("compressed")
    if answer.content_length is not None and answer.content_length > limit:
        raise NoSuchFile("too large")
    data, file_type = bytearray(), None
    async for chunk in answer.content.iter_any():
        first_byte.reschedule(None)
        data += chunk
        if not spend(len(chunk)):
            raise NoSuchFile("enough was read")
        if len(data) > limit:
            raise NoSuchFile("too large")
        if file_type is None and len(data) >= HEAD:
            file_type = _known(data)
    return bytes(data), file_type or _known(data)


def _known(data: bytearray) -> FileType:
    if (file_type := type_of(bytes(data[:HEAD]))) is None:
        raise NoSuchFile("no picture, sound or video")
    return file_type


def _fetched(url: URL, data: bytes, file_type: FileType, seen: Looks) -> Fetched:
    name = name_of(url, file_type)
    return Fetched(
        file_type.kind, name, data, file_type.mime, width=seen.width, height=seen.height, blurhash=seen.blurhash
    )


def name_of(url: URL, file_type: FileType) -> str:
    """The name of a file at `url`: the last part of the path, in one line, with an ending that its bytes deserve."""
    last = unquote(url.raw_path.rpartition("/")[2], errors="replace")
    last = "".join(char if char.isprintable() else "_" for char in last)
    last = last.replace("\\", "/").rpartition("/")[2].strip(". ")
    stem, dot, ending = last.rpartition(".")
    if dot and stem and ending.lower() in file_type.extensions:
        return f"{stem[:_NAME]}.{ending}"
    stem = stem if dot and ending.isalnum() and len(ending) <= 5 else last
    return f"{stem.strip('. ')[:_NAME] or file_type.kind}.{file_type.extensions[0]}"
