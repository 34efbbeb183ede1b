"""What a homeserver asks of our application service: transactions, whether somebody exists, and whether it reaches us
(https://spec.matrix.org/latest/application-service-api/)."""

import asyncio
import hmac
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from urllib.parse import unquote

import structlog
from aiohttp import web

from bridge.http.headers import ALWAYS
from bridge.http.server import extend_timeout, take_back
from bridge.network import NotNow, ReceivesTransactions

log = structlog.get_logger()

_PREFIX = "/_matrix/app/"
_LARGEST = 16 * 1024 * 1024
"""Most bytes of a transaction. Synapse puts at most 100 events into one, each of at most 64 KB and about as much of
what it adds."""
_AT_ONCE = 2
"""Most transactions of a homeserver that are read at a time. It sends one after the other."""
_ANSWER_S = 60.0
"""Seconds that reading a transaction and storing it may take."""
_LATER_S = 5
_SAID_EVERY_S = 600.0
"""Seconds between two log lines about a wrong token."""


@dataclass(frozen=True, slots=True)
class Peer:
    """The homeserver of `network`, which says `token`. `service` is what takes in what it tells; None: that does not
    run here."""

    network: str
    token: str = field(repr=False)
    service: ReceivesTransactions | None = None


@dataclass(frozen=True, slots=True)
class Asked:
    """What is asked: `what` is "transactions", "users", "rooms" or "ping", and `name` which of them."""

    what: str
    name: str = ""


_METHODS: Mapping[str, str] = {"transactions": "PUT", "users": "GET", "rooms": "GET", "ping": "POST"}


class Unrecognised(Exception):
    """There is no such endpoint, or not with that method: then `status` is 405, else 404."""

    def __init__(self, status: int) -> None:
        super().__init__(status)
        self.status = status


def read(method: str, path: str) -> Asked:
    """What a request asks; `path` is still quoted, and may have any beginning, as in the registration's `url`. Raises
    Unrecognised."""
    parts = path.partition(_PREFIX)[2].split("/")
    what = parts[1] if parts[0] == "v1" and len(parts) > 1 else ""
    wants_name = what != "ping"
    if what not in _METHODS or len(parts) != (3 if wants_name else 2) or not parts[-1]:
        raise Unrecognised(404)
    if method != _METHODS[what]:
        raise Unrecognised(405)
    return Asked(what, unquote(parts[2]) if wants_name else "")


def peer_of(authorization: str, peers: Sequence[Peer]) -> Peer | None:
    """Who asks, by the header; None if nobody has that token. Takes equally long for each wrong one."""
    scheme, _, token = authorization.partition(" ")
    given = token.strip().encode() if scheme.lower() == "bearer" else b""
    found = [peer for peer in peers if hmac.compare_digest(given, peer.token.encode())]
    return found[0] if found and given else None


def routes(peers: Callable[[], Sequence[Peer]]) -> Sequence[web.AbstractRouteDef]:
    """All endpoints, below any path. `peers` gives the homeservers that may ask now; if there are none, nothing is
    there."""
    endpoint = _Endpoint(peers)
    return [web.route("*", f"/{{before:(?:.*/)?}}{_PREFIX[1:]}{{after:.*}}", endpoint.answer)]


class _Endpoint:
    def __init__(self, peers: Callable[[], Sequence[Peer]]) -> None:
        self._peers = peers
        self._reading: Counter[str] = Counter()
        self._say_again_at = 0.0

    async def answer(self, request: web.Request) -> web.Response:
        peers = self._peers()
        if not peers:
            raise web.HTTPNotFound
        try:
            asked = read(request.method, request.rel_url.raw_path)
        except Unrecognised as error:
            return _error(error.status, "M_UNRECOGNIZED", "There is no such endpoint.")
        authorization = request.headers.get("Authorization", "")
        if not authorization:
            return _error(401, "M_FORBIDDEN", "A homeserver says its token.")
        peer = peer_of(authorization, peers)
        if peer is None:
            self._tell_of_wrong_token()
            return _error(403, "M_FORBIDDEN", "This is not the token of a homeserver.")
        take_back(request)
        if peer.service is None:
            return _later("This machine does not run that network now.")
        match asked.what:
            case "transactions":
                return await self._transaction(request, peer.network, peer.service, asked.name)
            case "users" if peer.service.is_ghost(asked.name):
                return web.json_response({})
            case "ping":
                await peer.service.receive_ping()
                return web.json_response({})
            case _:
                return _error(404, "M_NOT_FOUND", "There is nobody and no room of that name.")

    async def _transaction(
        self, request: web.Request, network: str, service: ReceivesTransactions, name: str
    ) -> web.Response:
        if self._reading[network] >= _AT_ONCE:
            return _later("Other transactions are being read.")
        extend_timeout(request, _ANSWER_S)
        self._reading[network] += 1
        try:
            body = await _body(request)
            if body is None:
                return _error(413, "M_TOO_LARGE", f"A transaction has at most {_LARGEST} bytes.")
            await service.receive_transaction(name, body)
        except NotNow as error:
            return _later(str(error))
        except ValueError:
            return _error(400, "M_NOT_JSON", "This is not a transaction.")
        finally:
            self._reading[network] -= 1
        return web.json_response({})

    def _tell_of_wrong_token(self) -> None:
        """Log it, once in a while: anybody may ask."""
        now = asyncio.get_running_loop().time()
        if now >= self._say_again_at:
            self._say_again_at = now + _SAID_EVERY_S
            hint = "if it is your homeserver, give it what `quackbridge registration` prints now, and start it anew"
            log.warning("homeserver_token_wrong", hint=hint)


async def _body(request: web.Request) -> bytes | None:
    """The body; None if it is too large, of which the rest is not read."""
    if (request.content_length or 0) > _LARGEST:
        return None
    data = bytearray()
    async for piece in request.content.iter_any():
        data += piece
        if len(data) > _LARGEST:
            return None
    return bytes(data)


def _error(status: int, code: str, sentence: str, **headers: str) -> web.Response:
    """An answer as of the Matrix API. The connection ends: there may be a body, which is not read."""
    more = {**ALWAYS, **headers}
    response = web.json_response({"errcode": code, "error": sentence}, status=status, headers=more)
    response.force_close()
    return response


def _later(sentence: str) -> web.Response:
    return _error(503, "M_UNKNOWN", sentence, **{"Retry-After": str(_LATER_S)})
