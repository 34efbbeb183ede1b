"""What a puppet is called: its nick, its user name and its real name, made of what the allowlist and the network prove,
never of a name that people choose themselves. Pure."""

import re
import unicodedata
from base64 import b32encode
from collections.abc import Iterator
from hashlib import blake2b

from bridge.model.casemap import Casemapping
from bridge.model.text import printable

UNSAID = 9
"""The longest nick that each server takes (RFC 2812 section 1.2.1), where it does not say."""
_NO_NICK = re.compile(r"[^A-Za-z0-9\-\[\]\\`^{}_|]")
_NEVER_FIRST = "-0123456789"
_LETTER = re.compile(r"[A-Za-z0-9]")
_FIELD = re.compile(r"\{name\}|\{id\}")
_SERVICES = re.compile(r"\w*serv\d*|\w*services?\d*|global|root|server|admin|administrator|oper|operator|ircop|alis")
"""Nicks of services, and of those who seem to have a say on a network."""
_ONE_LETTER = "qxlws"
"""Services of some networks have one letter."""
_SEPARATORS = re.compile("[^a-z0-9]+")
_USERNAME_BYTES = 5
_USERNAME = re.compile("q[a-z2-7]{8}")
_LONGEST_REALNAME = 50
"""Characters: servers cut the rest."""


def candidates(template: str, name: str, identity: str, length: int) -> Iterator[str]:
    """Nicks for the user `name` of the allowlist, the best first, of at most `length` characters. A name that loses
    something gets a part of a hash: so nobody looks like somebody else whose name is shorter or plainer."""
    before, _, after = template.partition("{name}")
    base = _NO_NICK.sub("", unicodedata.normalize("NFKD", "_".join(name.split())).encode("ascii", "ignore").decode())
    code = blake2b(f"{name}\0{identity}".encode(errors="replace")).hexdigest()
    if not _LETTER.search(base) or is_reserved(base, Casemapping.ASCII):
        base = "user"
    whole = before + base + after
    is_whole = base == name and len(whole) + (whole[0] in _NEVER_FIRST) <= length
    endings = ("", "_", "-m") if is_whole else ()
    for ending in (*endings, *(f"-{code[at : at + 4]}" for at in range(0, 24, 4)), code[:5], code[5:10]):
        if nick := _made(before, base, ending, after, length):
            yield nick


def of_account(account: str, length: int) -> tuple[str, ...]:
    """The nick that is called as a services account, if a nick can be."""
    fits = 0 < len(account) <= length and not _NO_NICK.search(account) and account[0] not in _NEVER_FIRST
    return (account,) if fits else ()


def _made(before: str, base: str, ending: str, after: str, length: int) -> str:
    """A nick that begins as nicks may, and fits."""
    if len(before) + len(after) + len(ending) >= length:
        before, after = "", ""
    room = length - len(before) - len(after) - len(ending)
    nick = before + base[: max(room, 1)] + ending + after
    if nick[0] in _NEVER_FIRST:
        nick = f"_{before}{base[: max(room - 1, 1)]}{ending}{after}"
    return nick[:length]


def is_reserved(nick: str, casemapping: Casemapping) -> bool:
    """Whether people would take somebody of that nick for services, or for somebody who runs the network."""
    parts = [part for part in _SEPARATORS.split(casemapping.fold(nick).lower()) if part]
    return parts in ([letter] for letter in _ONE_LETTER) or any(map(_SERVICES.fullmatch, parts))


def username(identity: str) -> str:
    """The user name of somebody's puppet, by which operators can ban one person: always the same, nine characters."""
    coded = b32encode(blake2b(identity.encode(errors="replace"), digest_size=_USERNAME_BYTES).digest())
    return f"q{coded.decode().lower()}"


def is_username(name: str) -> bool:
    """Whether a user name is one that `username` makes; some servers show another one."""
    return _USERNAME.fullmatch(name) is not None


def realname(template: str, name: str, identity: str) -> str:
    """The real name, in one line."""
    said = printable(_FIELD.sub(lambda field: name if field[0] == "{name}" else identity, template)).strip()
    return said[:_LONGEST_REALNAME] or "quackbridge"
