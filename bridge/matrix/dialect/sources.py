"""Reads and writes `Media.source`: where the bytes of a file are, and the key that decrypts them. No I/O.

A plain file's source is its `mxc://` URI. An encrypted one's has key, counter and hash behind it, in base64url:
`mxc://server/id#key.iv.sha256`. Whoever has it can read the file: it goes into no log and no message.
"""

import re
from base64 import b64encode, urlsafe_b64decode, urlsafe_b64encode
from dataclasses import dataclass, field

from bridge.matrix.dialect.fields import Json, table, word

_HOST = r"[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)*|\[[0-9A-Fa-f:.]{2,45}\]"
_MXC = re.compile(rf"mxc://((?:{_HOST})(?::[0-9]{{1,5}})?)/([A-Za-z0-9_-]{{1,255}})", re.ASCII)
"""Server name (spec, "Server name") and media id (spec, "Matrix Content (mxc://) URIs")."""
_LONGEST = 255
"""Bytes of an `mxc://` URI at most, as Synapse has it."""
_KEY, _IV, _HASH = 32, 16, 32
"""Bytes of an AES-256 key, of a counter block, and of a SHA-256."""
_BASE64 = re.compile(r"[A-Za-z0-9+/_-]{1,44}={0,2}", re.ASCII)
_STANDARD = str.maketrans("+/", "-_")


@dataclass(frozen=True, slots=True)
class FileKey:
    """What decrypts a file: the AES-256-CTR key and first counter block; `sha256` is that of the encrypted bytes."""

    key: bytes = field(repr=False)
    iv: bytes = field(repr=False)
    sha256: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Source:
    """The file `media_id` of `server`; `key` is None if it is not encrypted."""

    server: str
    media_id: str
    key: FileKey | None = None

    @property
    def uri(self) -> str:
        """Its `mxc://` URI: nobody can read an encrypted file by it."""
        return f"mxc://{self.server}/{self.media_id}"

    @property
    def spelled(self) -> str:
        """As `Media.source` has it."""
        if self.key is None:
            return self.uri
        parts = (self.key.key, self.key.iv, self.key.sha256)
        return f"{self.uri}#{'.'.join(urlsafe_b64encode(part).decode().rstrip('=') for part in parts)}"


def parse(text: str) -> Source | None:
    """Read what `Source.spelled` wrote; None if it is anything else."""
    uri, sign, rest = text.partition("#")
    plain = _plain(uri)
    if plain is None or not sign:
        return plain
    parts = rest.split(".", 3)
    key = _file_key(*parts) if len(parts) == 3 else None
    return None if key is None else Source(plain.server, plain.media_id, key)


def source_of(said: Json) -> str:
    """The source of the file in the content `said` of a message: of `file` if it is encrypted (spec, "Sending encrypted
    attachments"), else of `url`; '' if it has none that can be fetched and read."""
    file = table(said, "file")
    found = _encrypted(file) if file else _plain(word(said, "url"))
    return found.spelled if found is not None else ""


def file_of(source: Source) -> dict[str, object]:
    """An encrypted file as clients are told of it: its `EncryptedFile`."""
    assert source.key is not None
    key = {
        "kty": "oct",
        "key_ops": ["encrypt", "decrypt"],
        "alg": "A256CTR",
        "k": urlsafe_b64encode(source.key.key).decode().rstrip("="),
        "ext": True,
    }
    iv, sha256 = (b64encode(part).decode().rstrip("=") for part in (source.key.iv, source.key.sha256))
    return {"v": "v2", "url": source.uri, "key": key, "iv": iv, "hashes": {"sha256": sha256}}


def _plain(uri: str) -> Source | None:
    found = _MXC.fullmatch(uri) if len(uri) <= _LONGEST else None
    return Source(found[1], found[2]) if found is not None else None


def _encrypted(file: Json) -> Source | None:
    """What an `EncryptedFile` names (spec, "Extensions to m.room.message msgtypes"); None of any other version, as its
    key or hash would mean something else."""
    plain, key = _plain(word(file, "url")), table(file, "key")
    if plain is None or word(file, "v") != "v2" or word(key, "alg") != "A256CTR":
        return None
    file_key = _file_key(word(key, "k"), word(file, "iv"), word(table(file, "hashes"), "sha256"))
    return None if file_key is None else Source(plain.server, plain.media_id, file_key)


def _file_key(key: str, iv: str, sha256: str) -> FileKey | None:
    parts = _bytes(key, _KEY), _bytes(iv, _IV), _bytes(sha256, _HASH)
    return FileKey(*parts) if all(parts) else None


def _bytes(text: str, number: int) -> bytes:
    """The bytes that `text` is in base64 of either alphabet, padded or not; none if they are not that `number`."""
    if not _BASE64.fullmatch(text):
        return b""
    bare = text.rstrip("=").translate(_STANDARD)
    if len(bare) != (number * 8 + 5) // 6:
        return b""
    found = urlsafe_b64decode(bare + "=" * (-len(bare) % 4))
    return found if len(found) == number else b""
