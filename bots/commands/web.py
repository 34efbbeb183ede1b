"""`weather` and `title`: ask an address that the operator has configured."""

import asyncio
import codecs
import html
from urllib.parse import quote, urlsplit

import aiohttp

from bots.api import Home
from bots.commands.command import Call, command
from bridge.model.text import one_line

_PATIENCE_S = 10.0
_BYTES = 64 << 10  # of an answer are read
_NO_ENCODINGS = frozenset({"punycode", "idna", "unicode-escape", "raw-unicode-escape"})
_LONGEST = 300  # characters of what is said of it


@command("weather PLACE", needs="weather")
async def weather(call: Call) -> str | None:
    """Tell the weather at a place.

    >>> weather Berlin
    berlin: sunny
    """
    place = one_line(call.args.strip("?!. "), 80).removeprefix("in ").strip()
    if not place or "/" in place:
        return None
    found = await _fetched(call.home, call.state.weather.replace("{place}", quote(place, safe="")))
    return f"I could not find out: {found}." if isinstance(found, _Failed) else found


@command("title URL", needs="titles")
async def title(call: Call) -> str | None:
    """Tell the title of a page.

    >>> title https://pond.example/duck
    The Duck's "Page"
    """
    url = call.args.strip("<> ")
    if not url.startswith(("http://", "https://")) or any(map(str.isspace, url)) or not _has_host(url):
        return None
    template = call.state.titles
    asked = url if template == "{url}" else template.replace("{url}", quote(url, safe=""))
    found = await _fetched(call.home, asked)
    return f"I could not find out: {found}." if isinstance(found, _Failed) else found


class _Failed(str):
    """Why there is no answer, for people."""

    __slots__ = ()


def _has_host(url: str) -> bool:
    try:
        return bool(urlsplit(url).hostname)
    except ValueError:
        return False


async def _fetched(home: Home, url: str) -> str | _Failed:
    """The first line of what is at `url`, or the title if that is a page."""
    try:
        async with asyncio.timeout(_PATIENCE_S), home.http.get(url) as response:
            if response.status != 200:
                return _Failed(f"the server answered {response.status}")
            content = await _read(response.content)
            text = content.decode(_known(response.charset), errors="replace")
            is_page = response.content_type in ("text/html", "application/xhtml+xml")
            said = _title(text) if is_page else next((line for line in text.splitlines() if line.strip()), "")
    except TimeoutError:
        return _Failed("the server took too long")
    except (aiohttp.ClientError, OSError, ValueError, LookupError, RuntimeError):
        return _Failed("the server cannot be reached, or its answer cannot be read")
    return one_line(" ".join(said.split()), _LONGEST) or _Failed("the answer has no words")


def _known(encoding: str | None) -> str:
    """`encoding`, unless it is none of pages: Python knows some whose time grows with the square of the length. Most
    servers name none."""
    name = codecs.lookup(encoding or "utf-8").name
    return "utf-8" if name in _NO_ENCODINGS else name


async def _read(stream: aiohttp.StreamReader) -> bytes:
    content = b""
    while len(content) < _BYTES and (piece := await stream.read(_BYTES - len(content))):
        content += piece
    return content


def _title(page: str) -> str:
    """The text of the first `<title>` of a page; '' if it has none. Looks at each sign once."""
    lower = page.lower() if page.isascii() else "".join(each.lower() if each.isascii() else each for each in page)
    start = lower.find("<title")
    begins = lower.find(">", start) if start >= 0 else -1
    ends = lower.find("</title", begins) if begins >= 0 else -1
    return html.unescape(page[begins + 1 : ends]) if ends >= 0 else ""


COMMANDS = (weather, title)
