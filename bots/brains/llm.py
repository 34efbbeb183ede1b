"""The llm brain: asks a language model on any server with the API of OpenAI, also Ollama and llama.cpp."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from typing import Any

import structlog
from pydantic import BaseModel, ConfigDict, Field

from bots.api import CannotThink, Home, Question, Reply
from bots.llm.budget import Budget, Limits, estimated
from bots.llm.failures import Failure, Rest, failure_of
from bots.llm.prompt import instructions_for, prompt
from bots.llm.wire import client
from bridge.lib import secret_files
from bridge.lib.settings import Duration, FilePath
from bridge.model.text import one_line, printable

log = structlog.get_logger()

_WITHOUT = "the language model needs the package openai: install quackbridge[llm]"
_NO_KEY = "none"  # servers of one's own want none, but the package does
_TOKENS = 10_000_000
"""Tokens of one answer at most, whatever the server says."""


class LlmSettings(BaseModel):
    """Where the model is, what it is told, and what it may cost."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)

    url: str = Field(default="http://127.0.0.1:11434/v1", pattern=r"^https?://[^\s]+$")
    """Where the server is."""
    model: str = Field(min_length=1, max_length=200)
    """The model's name there."""
    key_file: FilePath | None = None
    """The file that has the key; nobody else may read it."""
    instructions: str = Field(default="", max_length=20_000)
    """What the model is told about its task."""
    links: dict[str, str] = Field(default_factory=dict)
    """Other instructions in single links, by their names."""
    max_tokens: int = Field(default=400, ge=1, le=10_000)
    """How long an answer may be."""
    temperature: float | None = Field(default=None, ge=0, le=2)
    """How much chance there is in an answer; the server's own, if it is not set."""
    context: int = Field(default=4000, ge=0, le=100_000)
    """Most characters of what was said before."""
    timeout: Duration = Field(default="30s", validate_default=True)
    """How long an answer may take."""
    tokens_per_person: int | None = Field(default=50_000, ge=0)
    """What one member may use in a day; all guests of a link together."""
    tokens_per_link: int | None = Field(default=500_000, ge=0)
    """What all people of a link may use in a day."""
    price: float = Field(default=0.0, ge=0)
    """What a million tokens cost."""
    cost_per_day: float | None = Field(default=None, ge=0)
    """What a day may cost."""


class Llm:
    """Each question is one request, without repeats; what it costs is counted before the next one."""

    Settings = LlmSettings

    def __init__(self, settings: LlmSettings, home: Home, *, steady: Callable[[], float] = time.monotonic) -> None:
        self._settings = settings
        self._home = home
        self._steady = steady
        self._rest = Rest()
        self._key = _key(settings)
        self._client = _client(settings, self._key)
        limits = Limits(settings.tokens_per_person, settings.tokens_per_link, settings.price, settings.cost_per_day)
        self._budget = Budget(home.memory, limits)

    async def reply(self, question: Question) -> Reply | None:
        """The whole answer."""
        said: Reply | None = None
        async for so_far in self.stream(question):
            said = so_far
        return said

    async def stream(self, question: Question) -> AsyncIterator[Reply]:
        """The answer as it grows. Raises CannotThink with a reason for the room."""
        now = self._home.clock()
        if not self._rest.is_over(self._steady()):
            raise CannotThink(self._rest.last.value)
        settings = self._settings
        instructions = instructions_for(question.link, settings.instructions, settings.links)
        messages = prompt(self._home.name, question, instructions, settings.context)
        sent = estimated(*(each["content"] for each in messages))
        reserved = sent + settings.max_tokens
        if (refusal := await self._budget.refusal(question, now, reserved)) is not None:
            raise CannotThink(refusal)
        pieces = _Pieces(4 * settings.max_tokens + 100)
        try:
            async with asyncio.timeout(settings.timeout):
                async for piece in self._asked(messages):
                    if pieces.add(piece):
                        yield Reply(pieces.shown, settings.model)
                    if pieces.is_full:
                        break
            if pieces.has_more:
                yield Reply(pieces.shown, settings.model)
        except Exception as error:
            self._fail(error)
        finally:
            used = pieces.tokens or sent + estimated(pieces.text)
            await self._budget.count(question, now, used, reserved)
        if not pieces.shown:
            self._fail(ValueError("an empty answer"))
        self._rest.worked()

    async def _asked(self, messages: Any) -> AsyncIterator[Any]:
        settings = self._settings
        more: dict[str, Any] = {} if settings.temperature is None else {"temperature": settings.temperature}
        stream = await self._client.chat.completions.create(
            model=settings.model,
            messages=messages,
            max_tokens=settings.max_tokens,
            stream=True,
            stream_options={"include_usage": True},
            **more,
        )
        async with stream:
            async for piece in stream:
                yield piece

    def _fail(self, error: Exception) -> None:
        failure, wait_s = _judged(error)
        self._rest.failed(failure, self._steady(), wait_s)
        said = str(error)[:10_000]
        if self._key:
            said = said.replace(self._key, "***")  # some servers repeat the key that they refuse
        reason = one_line(f"{type(error).__name__}: {said}", 300)
        log.warning(
            "llm_failed", url=_without_login(self._settings.url), reason=reason, hint="it is left alone for a while"
        )
        raise CannotThink(failure.value) from None


class _Pieces:
    """An answer that grows, of at most `limit` characters."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self.text = ""
        self.tokens = 0
        self._length_shown = 0

    @property
    def is_full(self) -> bool:
        return len(self.text) >= self._limit

    @property
    def shown(self) -> str:
        """Without what a terminal or a client would act on."""
        return "\n".join(map(printable, self.text.splitlines())).strip()

    def add(self, piece: Any) -> bool:
        """Whether there is more to be shown. The longer the answer, the larger the steps: each looks at all of it."""
        total = getattr(getattr(piece, "usage", None), "total_tokens", 0)
        self.tokens = min(total, _TOKENS) if isinstance(total, int) and total > 0 else self.tokens
        choices = getattr(piece, "choices", None) or ()
        more = getattr(getattr(choices[0], "delta", None), "content", None) if choices else None
        if not isinstance(more, str) or not more:
            return False
        self.text = (self.text + more)[: self._limit]
        if len(self.text) - self._length_shown <= self._length_shown // 64:
            return False
        self._length_shown = len(self.text)
        return bool(self.shown)

    @property
    def has_more(self) -> bool:
        """Whether there is something that `add` has not asked to show."""
        return len(self.text) > self._length_shown and bool(self.shown)


def _client(settings: LlmSettings, key: str) -> Any:
    """Raises ValueError, worded for the operator."""
    try:
        import openai
    except ImportError:
        raise ValueError(_WITHOUT) from None
    return openai.AsyncOpenAI(
        base_url=settings.url,
        api_key=key or _NO_KEY,
        max_retries=0,
        timeout=settings.timeout,
        http_client=client(openai, settings.timeout),
    )


def _key(settings: LlmSettings) -> str:
    """The key; '' if there is none. Raises ValueError, worded for the operator."""
    if settings.key_file is None:
        return ""
    try:
        return secret_files.read(settings.key_file)
    except ValueError as error:
        raise ValueError(f"key_file: {error}") from error


def _without_login(url: str) -> str:
    """`url` without a user and password."""
    scheme, _, rest = url.partition("://")
    place, slash, path = rest.partition("/")
    return f"{scheme}://{place.rpartition('@')[2]}{slash}{path.partition('?')[0]}"


def _judged(error: Exception) -> tuple[Failure, float]:
    """What happened, and for how many seconds the server wants to be left alone."""
    import openai

    match error:
        case TimeoutError() | openai.APITimeoutError():
            return Failure.SLOW, 0.0
        case openai.APIStatusError():
            return failure_of(error.status_code), _seconds(error.response.headers.get("retry-after", ""))
        case openai.APIConnectionError():
            return Failure.AWAY, 0.0
        case openai.APIError():
            return Failure.BROKEN, 0.0
        case _:
            return Failure.NONSENSE, 0.0


def _seconds(text: str) -> float:
    return float(text) if text.isascii() and text.isdigit() and len(text) < 9 else 0.0
