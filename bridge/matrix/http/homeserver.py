"""The only HTTP of the Matrix adapter: single requests to the client-server API, and their errors."""

import asyncio
import json
import math
from abc import ABC, abstractmethod
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from functools import lru_cache
from urllib.parse import quote

import aiohttp
import structlog
from nio import AsyncClient, AsyncClientConfig
from yarl import URL

from bridge.lib.reasons import why
from bridge.lib.tls import UNANSWERED_S, is_plain
from bridge.matrix.dialect.fields import Json, number, tables, word
from bridge.matrix.http.chunks import Chunks

log = structlog.get_logger()

_API = "/_matrix/client/v3/"
_V1 = "/_matrix/client/v1/"
_VERSIONS = "/_matrix/client/versions"
_UPLOAD = "/_matrix/media/v3/upload"
_DOWNLOADS = ("/_matrix/client/v1/media/download/{}/{}", "/_matrix/media/v3/download/{}/{}")
"""Where files are (spec, "Content repository"): with our token, and where homeservers older than version 1.11 have
them, without."""
_REMOTE_MS = 20_000
"""How long the homeserver may wait for a file that it does not have yet."""
_SILENT_S = 30.0
"""Seconds without a byte after which a download ends."""
_WITHIN = 30.0
"""Seconds for an answer. A join of a room elsewhere may take this long."""

_LARGEST = 32 * 1024 * 1024
"""Most bytes of an answer: five times a page of 100 events of the largest size."""

_LARGEST_IN_CHUNKS = 4 * _LARGEST
"""The same of an answer that is read event by event, and not kept: the members of a room of 50,000 take 40 MB."""

_LARGEST_DOCUMENT = 64 * 1024
"""Most bytes of a document that is not of the API: it names a server or two."""

_LONGEST_PAUSE = 600.0
"""Most seconds of a pause that a server asks for: a proxy or a wrong clock may ask for more."""
_UNTRUSTED = (
    "this machine does not trust the homeserver's certificate; if your own CA signed it, install that CA"
    " (Debian: /usr/local/share/ca-certificates, update-ca-certificates) or name it in SSL_CERT_FILE"
)
_EXPIRED = "the homeserver's operator has to renew its certificate; if they have, this machine's clock is wrong"
_ANOTHER = "the homeserver's certificate is for another name: check `homeserver` in the configuration"
_CERTIFICATE = {9: _EXPIRED, 10: _EXPIRED, 62: _ANOTHER, 64: _ANOTHER}
"""Hints by OpenSSL's error code (X509_V_ERR_*)."""
_PORT = "check the port in `homeserver`: this one may be for plain http://, and the bridge speaks https:// to it"
_TLS_PORT = "check the host and the port in `homeserver`; if that port is for https://, write so"
_OF_PROXIES = (502, 503, 504)
"""Statuses with which a reverse proxy says that what is behind it does not answer."""
_KEEPS_METHOD = (307, 308)
_REDIRECTS = (301, 302, 303, *_KEEPS_METHOD)
_UNLIMITED = aiohttp.ClientTimeout(total=None)
"""For a session whose requests have limits of their own."""
_STRANGE = "the answer is not from a Matrix homeserver"

# Exceptions of a homeserver:
#   ApiError          it answered with an error
#   Unreachable       it did not answer, or the answer makes no sense
#     Stranger        what answered is no Matrix homeserver
#     TooLarge        the answer is larger than we accept
#     TooSlow         there was no answer in time


class ApiError(Exception):
    """The homeserver refused. `code`: its errcode (M_FORBIDDEN); `retry_after`: seconds, if it named any; `session`: in
    which it wants us to prove who we are (spec, "User-Interactive Authentication"), else empty."""

    def __init__(
        self, status: int, code: str, reason: str, retry_after: float | None = None, session: str = ""
    ) -> None:
        super().__init__(f"{code or status}: {reason}" if reason else code or f"HTTP status {status}")
        self.status = status
        self.code = code
        self.retry_after = retry_after
        self.session = session

    @property
    def passes(self) -> bool:
        """Whether a later try may succeed."""
        return self.status >= 500 or self.status in (408, 429) or self.code == "M_LIMIT_EXCEEDED"

    @property
    def breaks(self) -> bool:
        """Whether the server itself has failed, perhaps by what it was asked."""
        return self.status == 500

    @property
    def logged_out(self) -> bool:
        return self.code in ("M_UNKNOWN_TOKEN", "M_MISSING_TOKEN")


class Unreachable(Exception):
    """The homeserver cannot be asked right now. `hint` is what the operator may do."""

    def __init__(self, reason: str, hint: str = "") -> None:
        super().__init__(reason)
        self.hint = hint


class Stranger(Unreachable):
    """What answered is no Matrix homeserver."""


class TooLarge(Unreachable):
    """The answer is too large; the rest was not read."""


class TooSlow(Unreachable):
    """There was no answer in time."""


def expected(answer: Json, key: str) -> str:
    """The string under `key`. Raises Unreachable if it is missing: a proxy may have made up the answer."""
    if not (found := word(answer, key)):
        raise Unreachable(f"{_STRANGE}: it has no {key}")
    return found


def chunk(answer: Json) -> list[Json]:
    """The events of an answer to /messages. Raises Unreachable if it has no chunk: that is not an empty page."""
    if not isinstance(answer.get("chunk"), list):
        raise Unreachable(f"{_STRANGE}: it has no chunk")
    return [*tables(answer, "chunk")]


class ClientApi(ABC):
    """Requests to the client-server API, as some account. Each raises ApiError and Unreachable."""

    async def get(self, *path: str, query: Mapping[str, str] | None = None, within: float = _WITHIN) -> Json:
        return await self._ask("GET", path, query, None, within)

    async def each(self, *path: str, query: Mapping[str, str] | None = None, take: Callable[[Json], None]) -> Json:
        """Get an answer of many events: `take` gets each one in its `chunk` as it comes, and what is left is returned.
        What `take` raises ends it."""
        found = await self._ask("GET", path, query, None, _WITHIN, take)
        for event in tables(found, "chunk"):
            take(event)
        return found

    async def post(self, *path: str, query: Mapping[str, str] | None = None, body: Json | None = None) -> Json:
        return await self._ask("POST", path, query, json.dumps(body or {}), _WITHIN)

    async def put(self, *path: str, body: Json | str) -> Json:
        """`body`: an object, or JSON text."""
        return await self._ask("PUT", path, None, body if isinstance(body, str) else json.dumps(body), _WITHIN)

    @abstractmethod
    async def _ask(
        self,
        method: str,
        path: Sequence[str],
        query: Mapping[str, str] | None,
        body: str | None,
        within: float,
        take: Callable[[Json], None] | None = None,
    ) -> Json: ...


class Homeserver(ClientApi):
    """Client of one homeserver. `token`, if set, goes with each request; `renew` replaces it if it is rejected. Usable
    again after `close`. `configured` is the URL in the configuration."""

    def __init__(self, url: str, user: str, network: str = "") -> None:
        self.configured = url
        self.token = ""
        self.renew: Callable[[str], Awaitable[None]] | None = None
        # We do all retrying; this client of nio does not store, validate against schemas or decrypt anything
        config = AsyncClientConfig(
            store_sync_tokens=False, encryption_enabled=False, max_limit_exceeded=0, max_timeouts=0
        )
        self._network = network  # for the log
        self._url = URL(url)
        self._has_answered = False
        self._lean: aiohttp.ClientSession | None = None
        self._is_redirected = False
        self.answered_at = -math.inf
        """When it answered last (event loop time); what a proxy says of a dead homeserver does not count."""
        self._client = AsyncClient(url.rstrip("/"), user, config=config)

    async def upload(self, data: bytes, mime: str, name: str) -> str:
        """Store a file on the homeserver, and return its `mxc://` URI. Not retried."""
        headers = {"Content-Type": mime, "Authorization": f"Bearer {self.token}"}
        _ = self._session  # the client would make one of its own
        place = f"{_UPLOAD}?filename={_quoted(name)}"
        asked = self._client.send("POST", place, data, headers, timeout=0)
        return expected(await self._answer(asked, _WITHIN, _LARGEST_DOCUMENT), "content_uri")

    @asynccontextmanager
    async def download(self, server: str, media_id: str) -> AsyncGenerator[aiohttp.ClientResponse, None]:
        """The answer with the file `mxc://server/media_id`, its body not read yet. Raises ApiError, Unreachable."""
        used = self.token
        try:
            answer = await self._file(_DOWNLOADS[0], server, media_id)
        except ApiError as error:
            if error.logged_out and self.renew is not None:
                await self.renew(used)
                answer = await self._file(_DOWNLOADS[0], server, media_id)
            elif error.code == "M_UNRECOGNIZED" or (error.status in (404, 405) and not error.code):
                answer = await self._file(_DOWNLOADS[1], server, media_id)
            else:
                raise
        async with answer:
            yield answer

    async def _file(self, place: str, server: str, media_id: str) -> aiohttp.ClientResponse:
        headers = {"Accept-Encoding": "identity"}
        if place == _DOWNLOADS[0]:
            headers["Authorization"] = f"Bearer {self.token}"
        path = place.format(_quoted(server), _quoted(media_id))
        url = URL(f"{str(self._url).rstrip('/')}{path}?timeout_ms={_REMOTE_MS}", encoded=True)
        timeout = aiohttp.ClientTimeout(total=None, connect=_WITHIN, sock_read=_SILENT_S)
        try:
            answer = await self._session.get(url, headers=headers, timeout=timeout)
        except TimeoutError:
            raise TooSlow(f"no answer within {_SILENT_S:.0f} s") from None
        except (aiohttp.ClientError, OSError, ValueError) as error:
            raise Unreachable(_reason(error), _hint(error)) from None
        if answer.status == 200:
            return answer
        async with answer:
            data = await self._read(answer)
        _found(max(answer.status, 400), data, answer.headers.get("Retry-After", ""))
        raise Stranger(_STRANGE)

    async def _read(self, answer: aiohttp.ClientResponse) -> bytes:
        try:
            return await _body(answer, _LARGEST_DOCUMENT)
        except (TimeoutError, aiohttp.ClientError, OSError) as error:
            raise Unreachable(_reason(error)) from None

    def move(self, url: str) -> None:
        """Ask the homeserver at `url` from now on."""
        self._client.homeserver = url.rstrip("/")
        self._url = URL(url)
        self._is_redirected = False

    async def document(self, url: str) -> Json:
        """The JSON object at `url`, which is not of the API. Our token does not go there."""
        return await self._answer(self._session.get(url), _WITHIN, _LARGEST_DOCUMENT)

    async def alive(self, within: float) -> None:
        """Ask what costs the homeserver nothing. Raises ApiError, Unreachable."""
        place = URL(str(self._url).rstrip("/") + _VERSIONS)
        await self._answer(self._session.get(place), within, _LARGEST_DOCUMENT)

    async def close(self) -> None:
        lean, self._lean = self._lean, None
        if lean is not None:
            await lean.close()
        await self._client.close()

    async def _ask(
        self,
        method: str,
        path: Sequence[str],
        query: Mapping[str, str] | None,
        body: str | None,
        within: float,
        take: Callable[[Json], None] | None = None,
    ) -> Json:
        used = self.token
        try:
            return await self.once(method, path, query, body, within, take)
        except ApiError as error:
            if self.renew is None or not error.logged_out:
                raise
        await self.renew(used)
        return await self.once(method, path, query, body, within, take)

    async def once(
        self,
        method: str,
        path: Sequence[str],
        query: Mapping[str, str] | None = None,
        body: str | None = None,
        within: float = _WITHIN,
        take: Callable[[Json], None] | None = None,
    ) -> Json:
        """One request with the current token, not retried. `take` gets what the answer has in its `chunk`, and the rest
        of it is returned."""
        return await self._request(self.token, method, path, query, body, within, take)

    async def service(
        self, token: str, method: str, path: Sequence[str], query: Mapping[str, str], body: str | None
    ) -> Json:
        """One request with the `token` of our application service, not retried."""
        return await self._request(token, method, path, query, body, _WITHIN)

    async def _request(
        self,
        token: str,
        method: str,
        path: Sequence[str],
        query: Mapping[str, str] | None,
        body: str | None,
        within: float,
        take: Callable[[Json], None] | None = None,
    ) -> Json:
        place = _api(path) + "/".join(map(_quoted, path))
        if query:
            place += "?" + "&".join(f"{_quoted(key)}={_quoted(value)}" for key, value in query.items())
        headers = {"Content-Type": "application/json"}
        if token:
            headers["Authorization"] = f"Bearer {token}"
        return await self._answer(self._asked(method, place, body, headers), within, _LARGEST, take)

    async def _asked(
        self, method: str, place: str, body: str | None, headers: Mapping[str, str]
    ) -> aiohttp.ClientResponse:
        """Ask, over a session that follows no redirects: to watch for them costs a tenth of a request."""
        if not self._is_redirected:
            if self._lean is None:
                self._lean = aiohttp.ClientSession(timeout=_UNLIMITED)
            url = URL(f"{str(self._url).rstrip('/')}{place}", encoded=True)
            answer = await self._lean.request(method, url, data=body, headers=headers, allow_redirects=False)
            if answer.status not in _REDIRECTS:
                return answer
            answer.release()
            self._is_redirected = True
        _ = self._session  # the client would make one of its own
        found: aiohttp.ClientResponse = await self._client.send(method, place, body, headers, timeout=0)
        return found

    @property
    def _session(self) -> aiohttp.ClientSession:
        if self._client.client_session is None:
            trace = aiohttp.TraceConfig()
            trace.on_request_redirect.append(_check_redirect)
            self._client.client_session = aiohttp.ClientSession(trace_configs=[trace])
        session: aiohttp.ClientSession = self._client.client_session
        return session

    async def _answer(
        self,
        asked: Awaitable[aiohttp.ClientResponse],
        within: float,
        largest: int,
        take: Callable[[Json], None] | None = None,
    ) -> Json:
        slow = None if self._has_answered else asyncio.get_running_loop().call_later(UNANSWERED_S, self._complain)
        try:
            # One limit for the head and the body of the answer
            async with asyncio.timeout(within):
                async with await asked as answer:
                    if take is not None and answer.status < 400:
                        data = await _rest(answer, take)
                    else:
                        data = await _body(answer, largest)
        except TimeoutError:
            raise TooSlow(f"no answer within {within:.0f} s", self._port_hint()) from None
        except (aiohttp.ClientError, OSError, ValueError) as error:
            raise Unreachable(_reason(error), _hint(error) or self._port_hint()) from None
        finally:
            if slow is not None:
                slow.cancel()
        self._has_answered = True
        if answer.status not in _OF_PROXIES:
            self.answered_at = asyncio.get_running_loop().time()
        return _found(answer.status, data, answer.headers.get("Retry-After", ""))

    def _complain(self) -> None:
        """Tell the operator about a first request without an answer: the port may be a wrong one."""
        log.warning(
            "homeserver_trouble",
            network=self._network,
            reason=f"no answer from {self._url.host}:{self._url.port} for {UNANSWERED_S:.0f} s; waiting",
            hint=self._port_hint(),
        )

    def _port_hint(self) -> str:
        """What to check if there was never an answer."""
        if self._has_answered:
            return ""
        return _PORT if self._url.scheme == "https" else _TLS_PORT


async def _check_redirect(
    _session: aiohttp.ClientSession, _context: object, redirect: aiohttp.TraceRequestRedirectParams
) -> None:
    """Raises Unreachable, before it is followed, for a redirect to another origin, which must not get our password or
    token, and for one that would turn our request into a GET (RFC 9110 section 15.4)."""
    answer = redirect.response
    try:
        target = redirect.url.join(URL(answer.headers.get("Location", "")))
        elsewhere = target.origin() != redirect.url.origin()
    except ValueError:
        raise Stranger(f"the homeserver redirects to an invalid address (HTTP status {answer.status})") from None
    if elsewhere or (redirect.method != "GET" and answer.status not in _KEEPS_METHOD):
        hint = f"if {target.origin() if elsewhere else target} is the homeserver, put that into `homeserver`"
        raise Stranger(
            f"it redirects to {target.origin()} (HTTP status {answer.status}), which the bridge does not follow", hint
        )


async def _body(answer: aiohttp.ClientResponse, largest: int) -> bytes:
    """The unpacked body. Raises TooLarge beyond `largest` bytes, to bound our memory."""
    data = bytearray()
    async for piece in _pieces(answer, largest):
        data += piece
    return bytes(data)


async def _rest(answer: aiohttp.ClientResponse, take: Callable[[Json], None]) -> bytes:
    """The body without what `take` gets of it: an empty `chunk` is in its place."""
    chunks = Chunks(take)
    async for piece in _pieces(answer, _LARGEST_IN_CHUNKS):
        chunks.feed(piece)
    return b'{"chunk": []' + chunks.rest.encode() if chunks.finish() else chunks.rest.encode()


async def _pieces(answer: aiohttp.ClientResponse, largest: int) -> AsyncGenerator[bytes, None]:
    size = 0
    async for piece in answer.content.iter_any():
        size += len(piece)
        if size > largest:
            answer.close()
            raise TooLarge(f"the answer is larger than {_size(largest)}, and rejected")
        yield piece


def _api(path: Sequence[str]) -> str:
    """Where `path` is: some newer endpoints exist in version 1 only (spec, "Relationships API", "GET media/config", and
    the application service API's ping)."""
    is_new = path[:1] in (("media",), ("appservice",)) or "relations" in path[2:3]
    return _V1 if is_new else _API


def _size(number: int) -> str:
    return f"{number // 2**20} MB" if number >= 2**20 else f"{number // 2**10} KB"


def _reason(error: Exception) -> str:
    if isinstance(error, aiohttp.ClientConnectorSSLError) and is_plain(error.os_error):
        return f"{error.host}:{error.port} does not speak TLS"
    if isinstance(error, aiohttp.ClientConnectorError) and not isinstance(error, aiohttp.ClientSSLError):
        return f"cannot connect to {error.host}:{error.port}: {why(error.os_error)}"
    if isinstance(error, aiohttp.ClientResponseError):  # what the parser says is no sentence
        return "what listens there does not speak HTTP"
    return str(error) or type(error).__name__


def _hint(error: Exception) -> str:
    if isinstance(error, aiohttp.ClientConnectorCertificateError):
        found = error.certificate_error
        return _CERTIFICATE.get(getattr(found, "verify_code", 0), _UNTRUSTED)
    if isinstance(error, aiohttp.ClientConnectorDNSError):
        return "check the name in `homeserver`, and this machine's DNS"
    if isinstance(error, aiohttp.ClientConnectorSSLError):
        return _PORT
    return ""


@lru_cache(256)  # most parts of most requests are the same
def _quoted(part: str) -> str:
    return quote(part, safe="")


def _found(status: int, data: bytes, retry_after: str) -> Json:
    try:
        found = json.loads(data)
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict):
        if status < 400:
            raise Stranger(_STRANGE)
        raise ApiError(status, "", "", _pause({}, retry_after))
    if status >= 400:
        pause, session = _pause(found, retry_after), word(found, "session")
        raise ApiError(status, word(found, "errcode"), word(found, "error"), pause, session)
    return found


def _pause(found: Json, retry_after: str) -> float | None:
    """Seconds that the answer or its header asks us to wait (spec, "Rate limiting")."""
    milliseconds = number(found, "retry_after_ms")
    if milliseconds is None and len(retry_after) < 10 and retry_after.isdecimal():
        milliseconds = int(retry_after) * 1000
    return min(milliseconds / 1000, _LONGEST_PAUSE) if milliseconds and milliseconds > 0 else None
