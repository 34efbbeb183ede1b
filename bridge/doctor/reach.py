"""Checks of the way to a server: its name in DNS, and its certificate."""

import asyncio
import socket
import ssl
from collections.abc import AsyncGenerator
from dataclasses import dataclass
from pathlib import Path

from bridge.doctor.finding import Finding, fail, ok, skip, warn
from bridge.irc import probing
from bridge.irc.dialing.servers import Address

_SOON_DAYS = 14
_CONNECT_S = 8.0


@dataclass(frozen=True, slots=True)
class Shown:
    """A certificate: why it is not `trusted` ('' if it is), and the days left (None: unknown)."""

    trouble: str
    days_left: int | None


async def found(
    subject: str, host: str, port: int, *, tls: bool, ca: Path | None = None, pinned: bool = False
) -> AsyncGenerator[Finding, None]:
    """Look up `host`, and look at its certificate. `ca`: trusted instead of the system's; `pinned`: trust is by
    fingerprint, which connecting shows."""
    yield await _dns(f"{subject} dns", host, port)
    if not tls:
        yield skip(f"{subject} tls", "it is off")
        return
    try:
        yield certificate(f"{subject} tls", await _shown(host, port, ca), pinned=pinned)
    except (OSError, TimeoutError) as error:
        said = f"{host}:{port} cannot be reached ({str(error) or 'no answer'})"
        yield fail(f"{subject} tls", said, "check host, port and firewall")


async def _dns(subject: str, host: str, port: int) -> Finding:
    try:
        async with asyncio.timeout(_CONNECT_S):
            answers = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, TimeoutError) as error:
        return fail(
            subject, f"{host} is not found ({str(error) or 'no answer'})", "check the name, and this machine's DNS"
        )
    return addresses(subject, host, {str(each[4][0]) for each in answers})


def addresses(subject: str, host: str, found_ones: set[str]) -> Finding:
    """`host` has these addresses."""
    v6 = sum(":" in each for each in found_ones)
    return ok(subject, f"{host} has {len(found_ones) - v6} IPv4 and {v6} IPv6 addresses")


def certificate(subject: str, shown: Shown, *, pinned: bool) -> Finding:
    """How the certificate is."""
    left = "" if shown.days_left is None else f", {shown.days_left} days left"
    if shown.days_left is not None and shown.days_left < 0 and not pinned:
        return fail(
            subject, f"the certificate has expired{left}", "its operator has to renew it; or this clock is wrong"
        )
    if shown.trouble and not pinned:
        do = "install the CA that signed it, or name it in the config; on IRC, tls_fingerprints pins the certificate"
        return fail(subject, f"the certificate is not trusted: {shown.trouble}", do)
    if shown.days_left is not None and shown.days_left < _SOON_DAYS:
        return warn(subject, f"the certificate expires soon{left}", "its operator has to renew it")
    return ok(subject, f"the certificate is {'pinned' if pinned else 'trusted'}{left}")


async def _shown(host: str, port: int, ca: Path | None) -> Shown:
    trouble = ""
    try:
        async with asyncio.timeout(_CONNECT_S):
            context = ssl.create_default_context(cafile=str(ca) if ca is not None else None)
            _, writer = await asyncio.open_connection(host, port, ssl=context)
        writer.transport.abort()
    except ssl.SSLCertVerificationError as error:
        trouble = error.verify_message
    seen = await probing.certificate(Address(host, port, tls=True))
    return Shown(trouble, seen.days_left if seen is not None else None)
