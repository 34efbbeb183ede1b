"""Opens a connection to the server (TCP, TLS), or says why there is none."""

import asyncio
import ssl
from asyncio import StreamReader, StreamWriter
from collections.abc import Awaitable
from pathlib import Path
from typing import Protocol

import structlog

from bridge.irc.backoff import Ending
from bridge.irc.settings import IrcSettings
from bridge.irc.wire.line import MAX_LINE
from bridge.lib.tls import UNANSWERED_S, is_plain

log = structlog.get_logger()

_UNTRUSTED_PAUSE = 60.0
"""Seconds before the next try. Only the server's admins can renew its certificate; our operator may be asleep."""
_TLS_PORT = "put its TLS port into `server` (6697 on most networks); `tls: false` is for servers on this machine"
_WITHIN = 30.0
"""Seconds for DNS, TCP and TLS together."""


class Connect(Protocol):
    """`asyncio.open_connection`, as far as it is used."""

    def __call__(
        self, host: str, port: int, *, ssl: ssl.SSLContext | None, limit: int
    ) -> Awaitable[tuple[StreamReader, StreamWriter]]: ...


class Dial:
    """Connects to the configured server, as often as asked."""

    def __init__(self, settings: IrcSettings, connect: Connect) -> None:
        self._settings = settings
        self._connect = connect
        self._tls: ssl.SSLContext | None = None

    async def open(self) -> tuple[StreamReader, StreamWriter] | Ending:
        """Connect; return the streams, or an Ending that says why there are none."""
        place = f"{self._settings.host}:{self._settings.port}"
        try:
            if self._settings.tls and self._tls is None:
                self._tls = await asyncio.to_thread(ssl.create_default_context, cafile=self._settings.tls_ca_file)
        except OSError as error:
            return Ending(f"the CA file {self._settings.tls_ca_file} cannot be used: {error}", rejected=True)
        try:
            if self._tls is not None and (certificate := _certificate(self._settings)) is not None:
                await asyncio.to_thread(self._tls.load_cert_chain, certificate)  # each time: it may be a new one
        except OSError as error:
            reason = f"the client certificate {certificate} cannot be used: {error}"
            return Ending(reason, rejected=True, key=self._settings.key("sasl", "certificate"))
        slow = asyncio.get_running_loop().call_later(UNANSWERED_S, self._complain, place) if self._tls else None
        try:
            async with asyncio.timeout(_WITHIN):
                return await self._connect(self._settings.host, self._settings.port, ssl=self._tls, limit=MAX_LINE)
        except ssl.SSLCertVerificationError as error:
            reason = f"the certificate of {place} is not trusted ({error.verify_message})"
            return Ending(
                f"{reason}: connect to the name that it is for, or set `tls_ca_file` to its CA", _UNTRUSTED_PAUSE
            )
        except TimeoutError:
            return Ending(f"{place} did not answer within {_WITHIN:.0f} s")
        except OSError as error:
            if is_plain(error):
                return Ending(f"{place} does not speak TLS: {_TLS_PORT}", _UNTRUSTED_PAUSE)
            return Ending(f"cannot connect to {place}: {_why(error)}")
        finally:
            if slow is not None:
                slow.cancel()

    def _complain(self, place: str) -> None:
        log.warning(
            "no_answer",
            network=self._settings.name,
            reason=f"{place} has not begun to speak TLS for {UNANSWERED_S:.0f} s",
            hint=f"if it is reachable, it may be a port for plain connections: {_TLS_PORT}",
        )


def _certificate(settings: IrcSettings) -> Path | None:
    """Our own certificate (SASL EXTERNAL)."""
    return settings.sasl.certificate if settings.sasl is not None else None


def _why(error: OSError) -> str:
    """The reason in words: an aborted handshake has none of its own."""
    return str(error) or ("it closed the connection" if isinstance(error, ConnectionError) else type(error).__name__)
