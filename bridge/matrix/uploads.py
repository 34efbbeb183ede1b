"""Uploads files to the homeserver that are sent with messages."""

import asyncio
import hashlib
import secrets
from dataclasses import replace

from Crypto.Cipher import AES

from bridge.matrix.dialect.fields import number
from bridge.matrix.dialect.sources import FileKey, parse
from bridge.matrix.http.homeserver import ApiError, Homeserver, Unreachable
from bridge.model.outbox import Attached
from bridge.model.text import one_line
from bridge.network import Fetched, NotStored, Refused

_NAME = 100
"""Characters of a name at most."""
_TOO_LARGE = 413
_SEALED = "application/octet-stream"


class Uploads:
    """The files that one account sends."""

    def __init__(self, homeserver: Homeserver) -> None:
        self._homeserver = homeserver
        self._largest: int | None = None
        self._is_asked = False

    async def attach(self, file: Fetched, *, sealed: bool = False) -> Attached:
        """See `bridge.network.MediaSink`. `sealed`: the homeserver gets it encrypted, and clients get the key with the
        message (spec, "Sending encrypted attachments")."""
        data, key = (file.data, None) if not sealed else await asyncio.to_thread(_encrypted, file.data)
        name = " ".join(one_line(file.name.encode(errors="replace").decode(), _NAME).split()) or file.kind
        try:
            await self._check(len(file.data))
            mime, shown = (file.mime, name) if key is None else (_SEALED, "")
            source = await self._homeserver.upload(data, mime, shown)
        except ApiError as error:
            if error.status == _TOO_LARGE:
                self._is_asked = False  # the limit is another one now
            raise NotStored(f"the homeserver does not take the file ({error})") from None
        except (Unreachable, Refused) as error:
            raise NotStored(f"the file cannot be uploaded: {error}") from None
        found = parse(source)
        if found is None or found.key is not None:
            raise NotStored("the homeserver gave no address for the file")
        return Attached(
            file.kind,
            name,
            len(file.data),
            file.mime,
            replace(found, key=key).spelled,
            file.width,
            file.height,
            file.length,
            file.blurhash,
        )

    async def _check(self, size: int) -> None:
        """Raises NotStored for a file that the homeserver says it does not take (spec, "GET media/config"). It is asked
        once; one that knows no such question may take any."""
        if not self._is_asked:
            try:
                self._largest = number(await self._homeserver.get("media", "config"), "m.upload.size")
            except ApiError as error:
                if error.passes or error.logged_out:
                    raise
                self._largest = None
            self._is_asked = True
        if self._largest is not None and size > self._largest >= 0:
            raise NotStored(f"the homeserver takes files of {self._largest:,} bytes at most, and this one has {size:,}")


def _encrypted(data: bytes) -> tuple[bytes, FileKey]:
    """The data encrypted with a new key. The counter is the second half of the first block, and begins at 0."""
    key, iv = secrets.token_bytes(32), secrets.token_bytes(8) + bytes(8)
    sealed = AES.new(key, AES.MODE_CTR, nonce=iv[:8], initial_value=0).encrypt(data)
    return sealed, FileKey(key, iv, hashlib.sha256(sealed).digest())
