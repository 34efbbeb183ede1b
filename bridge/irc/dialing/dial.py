"""Opens a connection to the server (TCP, TLS), or says why there is none."""

import asyncio
import socket
import ssl
from asyncio import StreamReader, StreamWriter
from collections.abc import Awaitable
from dataclasses import dataclass
from typing import Any, Protocol

import structlog

from bridge.irc.backoff import Ending
from bridge.irc.dialing import pins, proxies, sources, tls
from bridge.irc.dialing.servers import Address
from bridge.irc.dialing.sources import Source
from bridge.irc.settings import IrcSettings
from bridge.irc.wire.line import MAX_LINE
from bridge.lib.reasons import why
from bridge.lib.tls import UNANSWERED_S, is_plain

log = structlog.get_logger()

_UNTRUSTED_PAUSE = 60.0
"""Seconds before the next try. Only the server's admins can renew its certificate; our operator may be asleep."""
_UNTRUSTED = (
    "connect to the name that it is for, set `tls_ca_file` to its CA, or pin the certificate by `tls_fingerprints`"
)
_UNPINNED = (
    "nothing was sent. If the server has a new certificate, as its admins should confirm, add its fingerprint; if they "
    "know nothing of it, somebody stands in between"
)
_TLS_PORT = "put its TLS port into `server` (6697 on most networks); `tls: false` is for servers on this machine"
_WITHIN = 30.0
"""Seconds for DNS, proxy, TCP and TLS together."""
_HAPPY_EYEBALLS_S = 0.25
"""Seconds that one address of a name has for itself, before the next one is tried, too (RFC 8305)."""


class Connect(Protocol):
    """`asyncio.open_connection`, as far as it is used."""

    def __call__(
        self, host: str | None, port: int | None, *, ssl: ssl.SSLContext | None, limit: int, **options: Any
    ) -> Awaitable[tuple[StreamReader, StreamWriter]]: ...


@dataclass(frozen=True, slots=True)
class Dialed:
    """An open connection to a server, which is the right one if `to.tls`."""

    reader: StreamReader
    writer: StreamWriter
    to: Address


class Dial:
    """Connects to the servers of one network, as often as asked."""

    def __init__(self, settings: IrcSettings, connect: Connect, *, reuse_context_s: float = 0.0) -> None:
        """`reuse_context_s`: for so many seconds, connections share one TLS context."""
        self._settings = settings
        self._connect = connect
        self._reuse_context_s = reuse_context_s
        self._context: tuple[float, ssl.SSLContext] | None = None

    async def open(self, to: Address, source: Source | None = None) -> Dialed | Ending:
        """Connect, from `source` instead of the network's `bind` if it is given; return the connection, or an Ending
        that says why there is none."""
        try:
            context = await self._made_context() if to.tls else None
        except tls.Unusable as error:
            return Ending(str(error), rejected=True, key=error.key)
        slow = asyncio.get_running_loop().call_later(UNANSWERED_S, self._complain, to) if context else None
        try:
            async with asyncio.timeout(_WITHIN):
                reader, writer = await self._reached(to, context, source)
        except ssl.SSLCertVerificationError as error:
            reason = f"the certificate of {to} is not trusted ({error.verify_message})"
            return Ending(f"{reason}: {_UNTRUSTED}", _UNTRUSTED_PAUSE)
        except TimeoutError:
            return Ending(f"{to} did not answer{self._here(source)} within {_WITHIN:.0f} s")
        except OSError as error:
            if is_plain(error):
                return Ending(f"{to} does not speak TLS: {_TLS_PORT}", _UNTRUSTED_PAUSE)
            return Ending(f"cannot connect to {to}{self._here(source)}: {why(error)}")
        except UnicodeError:
            return Ending(f"cannot connect to {to}: no host can have this name", rejected=True)
        finally:
            if slow is not None:
                slow.cancel()
        return self._judged(Dialed(reader, writer, to))

    async def _made_context(self) -> ssl.SSLContext:
        now = asyncio.get_running_loop().time()
        if self._context is not None and now - self._context[0] < self._reuse_context_s:
            return self._context[1]
        context = await asyncio.to_thread(tls.context, self._settings)
        self._context = (now, context) if self._reuse_context_s else None
        return context

    def _here(self, source: Source | None) -> str:
        """Where we connect from, if that is not left to the system."""
        address = source.address if source is not None else self._settings.bind
        return f" from {address}" if address is not None else ""

    async def _reached(
        self, to: Address, context: ssl.SSLContext | None, source: Source | None
    ) -> tuple[StreamReader, StreamWriter]:
        settings = self._settings
        if settings.proxy is not None:
            passed_on = await proxies.connect(settings.proxy, to.host, to.port, settings.bind)
            return await self._spoken(to, context, passed_on)
        if source is not None:
            return await self._spoken(to, context, await sources.connect(to.host, to.port, source))
        options: dict[str, Any] = {} if settings.bind is None else {"local_addr": (settings.bind, 0)}
        return await self._connect(
            to.host, to.port, ssl=context, limit=MAX_LINE, happy_eyeballs_delay=_HAPPY_EYEBALLS_S, **options
        )

    async def _spoken(
        self, to: Address, context: ssl.SSLContext | None, connected: socket.socket
    ) -> tuple[StreamReader, StreamWriter]:
        name = to.host if context else None
        return await self._connect(None, None, ssl=context, limit=MAX_LINE, sock=connected, server_hostname=name)

    def _judged(self, dialed: Dialed) -> Dialed | Ending:
        """The connection, if the server's certificate is pinned, or no pins are set. Nothing was written yet."""
        pinned = self._settings.tls_fingerprints
        if not pinned or not dialed.to.tls:
            return dialed
        encryption = dialed.writer.get_extra_info("ssl_object")
        shown = encryption.getpeercert(binary_form=True) if isinstance(encryption, ssl.SSLObject) else None
        if shown is not None and pins.are_met(pinned, shown):
            return dialed
        dialed.writer.transport.abort()
        reason = f"the certificate of {dialed.to} is none of `tls_fingerprints`; it is {pins.shown(shown or b'')}"
        return Ending(f"{reason}: {_UNPINNED}", _UNTRUSTED_PAUSE)

    def _complain(self, to: Address) -> None:
        log.warning(
            "no_answer",
            network=self._settings.name,
            reason=f"{to} has not begun to speak TLS for {UNANSWERED_S:.0f} s",
            hint=f"if it is reachable, it may be a port for plain connections: {_TLS_PORT}",
        )
