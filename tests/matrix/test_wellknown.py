"""The homeserver that a well-known document names (bridge.matrix.http.wellknown), over real HTTP and TLS."""

import asyncio
import ssl
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from aiohttp import web
from structlog.testing import capture_logs

from bridge.matrix.dialect.fields import Json
from bridge.matrix.http.homeserver import Homeserver, TooLarge, Unreachable
from bridge.matrix.http.wellknown import base_url, find
from tests.integration.certificates import self_signed

pytestmark = pytest.mark.real_time

_US, _TOKEN = "@duck:hs", "syt_very_secret"
_Answer = Callable[[web.Request], web.Response]


@asynccontextmanager
async def serving(answer: _Answer, context: ssl.SSLContext | None = None) -> AsyncGenerator[str, None]:
    """A web server on this machine; its URL."""

    async def answered(request: web.Request) -> web.Response:
        return answer(request)

    application = web.Application()
    application.router.add_route("*", "/{path:.*}", answered)
    runner = web.AppRunner(application, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0, ssl_context=context).start()
    yield f"http{'s' if context else ''}://localhost:{runner.addresses[0][1]}"
    await runner.cleanup()


@pytest.fixture
def tls(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ssl.SSLContext:
    signed = self_signed(tmp_path, "localhost", 9)
    known = ssl.create_default_context(cafile=signed.certificate)
    monkeypatch.setattr("aiohttp.connector._SSL_CONTEXT_VERIFIED", known)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(signed.certificate, signed.key)
    return context


class Site:
    """A web site that is no homeserver; its well-known document is `document`."""

    def __init__(self, document: web.Response | Json | None) -> None:
        self.document = document
        self.asked: list[tuple[str, str]] = []

    def __call__(self, request: web.Request) -> web.Response:
        self.asked.append((request.path, request.headers.get("Authorization", "")))
        if request.path != "/.well-known/matrix/client" or self.document is None:
            return web.Response(status=404, text="<h1>Nothing here</h1>", content_type="text/html")
        return self.document if isinstance(self.document, web.Response) else web.json_response(self.document)


def _api(_: web.Request) -> web.Response:
    return web.json_response({"flows": []})


async def _found(url: str) -> str:
    """Where a homeserver that is configured as `url` is asked."""
    homeserver = Homeserver(url, _US)
    try:
        async with asyncio.timeout(10):
            await find(homeserver, "home")
        return str(homeserver._client.homeserver)
    finally:
        await homeserver.close()


async def _refusal(url: str) -> Unreachable:
    with pytest.raises(Unreachable) as raised:
        await _found(url)
    return raised.value


def _naming(url: object) -> Json:
    return {"m.homeserver": {"base_url": url}}


async def test_where_only_a_well_known_document_is_the_homeserver_that_it_names_is_asked_and_logged(
    tls: ssl.SSLContext,
) -> None:
    async with serving(_api, tls) as real, serving(site := Site(_naming(f"{real}/")), tls) as url:
        with capture_logs() as logs:
            assert await _found(url) == real
    assert [path for path, _ in site.asked] == ["/_matrix/client/v3/login", "/.well-known/matrix/client"]
    (line,) = logs
    assert (line["event"], line["homeserver"]) == ("homeserver_found", real)
    assert line["by"] == f"{url}/.well-known/matrix/client"


async def test_a_homeserver_that_answers_is_asked_whatever_a_document_there_names() -> None:
    async with serving(_api) as url:
        assert await _found(url) == url


@pytest.mark.parametrize(
    ("document", "words"),
    [
        (_naming("http://hs.example"), "must be https://"),
        (_naming("javascript:alert(1)"), "not the URL of a homeserver"),
        (_naming("https://"), "not the URL of a homeserver"),
        (_naming("https://u:p@hs.example"), "not the URL of a homeserver"),
        (_naming("https://hs.example:99999"), "not the URL of a homeserver"),
        (_naming("https://hs.example/\u202e"), "not the URL of a homeserver"),
        (_naming("https://[::1"), "not the URL of a homeserver"),
        (_naming(7), "names no homeserver"),
        ({"m.homeserver": []}, "names no homeserver"),
        ({}, "names no homeserver"),
    ],
)
async def test_a_document_that_names_plain_http_or_nonsense_is_refused_in_words(document: Json, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        base_url(document)
    async with serving(Site(document)) as url:
        error = await _refusal(url)
    assert words in str(error)
    assert "`homeserver`" in error.hint


@pytest.mark.parametrize("text", ["<html>", "[]", '"x"', ""])
async def test_a_document_that_is_no_json_object_is_refused(text: str) -> None:
    async with serving(Site(web.Response(text=text))) as url:
        assert "no Matrix homeserver answers there" in str(await _refusal(url))


async def test_without_a_document_the_operator_is_told_that_no_homeserver_answers() -> None:
    async with serving(Site(None)) as url:
        error = await _refusal(url)
    assert "HTTP status 404" in str(error)
    assert f"{url}/.well-known/matrix/client" in str(error)


async def test_a_document_is_not_read_beyond_64_kib() -> None:
    async with serving(Site({"padding": "x" * 70_000, **_naming("https://hs.example")})) as url:
        assert "larger than 64 KB" in str(await _refusal(url))
        homeserver = Homeserver(url, _US)
        with pytest.raises(TooLarge):
            await homeserver.document(f"{url}/.well-known/matrix/client")
        await homeserver.close()


async def test_a_document_elsewhere_is_not_read_and_our_token_is_not_sent_to_a_document(tls: ssl.SSLContext) -> None:
    async with serving(other := Site(_naming("https://hs.example")), tls) as there:
        async with serving(Site(_moved(there)), tls) as url:
            assert f"it redirects to {there}" in str(await _refusal(url))
        async with serving(site := Site(_moved(there)), tls) as url:
            homeserver = Homeserver(url, _US)
            homeserver.token = _TOKEN
            with pytest.raises(Unreachable, match="redirects"):
                await homeserver.document(f"{url}/.well-known/matrix/client")
            await homeserver.close()
    assert not other.asked
    assert {token for _, token in site.asked} == {""}


def _moved(there: str) -> web.Response:
    return web.Response(status=302, headers={"Location": f"{there}/.well-known/matrix/client"})


async def test_a_named_place_where_no_homeserver_answers_is_named_in_the_error(tls: ssl.SSLContext) -> None:
    async with serving(Site(None), tls) as empty, serving(Site(_naming(empty)), tls) as url:
        assert f"names {empty}, but no Matrix homeserver answers there" in str(await _refusal(url))
