"""Connections through a SOCKS5 proxy (RFC 1928), which looks up the server's name."""

import socket
from urllib.parse import urlsplit

from python_socks import ProxyConnectionError, ProxyError, ProxyTimeoutError
from python_socks.async_.asyncio import Proxy


async def connect(url: str, host: str, port: int, bind: str | None) -> socket.socket:
    """A socket on which the proxy at `url` passes all on to the server. `bind` is the address of ours to connect from.
    Raises OSError, in words without the password."""
    place = _place(url)
    try:
        local = None if bind is None else (bind, 0)
        return await Proxy.from_url(url, rdns=True).connect(host, port, local_addr=local)
    except ProxyConnectionError as error:
        why = str(error.__cause__ or "") or "it closed the connection"
        raise OSError(f"cannot reach the proxy {place}: {why}") from error
    except ProxyTimeoutError as error:
        raise TimeoutError from error
    except ProxyError as error:
        raise OSError(f"the proxy {place} refuses: {error}") from error
    except OSError as error:
        raise OSError(f"the proxy {place} broke off: {error}") from error


def _place(url: str) -> str:
    """The proxy's host and port, without user and password."""
    return urlsplit(url).netloc.rpartition("@")[2]
