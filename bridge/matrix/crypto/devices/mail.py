"""Sends to devices: keys, why they get none, and what is said to compare emoji."""

import hashlib

from bridge.matrix.crypto.rows import Rows
from bridge.matrix.dialect.fields import Json
from bridge.matrix.dialect.operations import compact
from bridge.matrix.http.homeserver import Homeserver


class Mail:
    """What it sends may depend on `rows`: they are stored before."""

    def __init__(self, homeserver: Homeserver, rows: Rows) -> None:
        self._homeserver = homeserver
        self._rows = rows

    async def send(self, kind: str, body: Json) -> None:
        """Send events of that `kind`, with a body of /sendToDevice."""
        await self._rows.flush()
        text = compact(body)
        transaction = hashlib.sha256(text.encode(errors="replace")).hexdigest()[:32]  # no two are sealed alike
        await self._homeserver.put("sendToDevice", kind, transaction, body=text)
