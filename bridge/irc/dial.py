"""Opens a connection to the server (TCP, TLS), or says why there is none."""

import asyncio
import ssl
from asyncio import StreamReader, StreamWriter
from collections.abc import Awaitable
from typing import Protocol

from bridge.irc.backoff import Ending
from bridge.irc.settings import IrcSettings
from bridge.irc.wire.line import MAX_LINE

_UNTRUSTED_PAUSE = 60.0
"""Seconds before the next try. Only the server's admins can renew its certificate; our operator may be asleep."""
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
            return Ending(f"cannot connect to {place}: {error}")
