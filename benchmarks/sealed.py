"""A person in an encrypted room, in a process of their own, so that what their sealing and opening costs is measured
neither as time nor as ours: `python -m benchmarks.sealed URL NAME FOLDER`.

Lines of JSON: `{"make": ALIAS}` and `{"join": ALIAS}` are answered with the room's id, `{"say": TEXT}` with the time at
which the sealed message was about to be sent, `{"knows": USER}` once the person's client gives that user its keys.
What is heard comes between the answers, with the time at which it came, before it was opened.
"""

import asyncio
import json
import sys
import time
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

from aiohttp import ClientResponse
from nio import AsyncClient, AsyncClientConfig, Event, RoomPreset

from bridge.demo.people.heard import Ears, Heard
from tests.integration.sealed import SealedPerson

_ENCRYPTION = {"type": "m.room.encryption", "state_key": "", "content": {"algorithm": "m.megolm.v1.aes-sha2"}}
_ENDED = object()


class _Timed(AsyncClient):  # type: ignore[misc]
    """When the last message left, and when the last answer to a sync came, in monotonic seconds."""

    left = came = 0.0

    async def send(self, method: str, path: str, *args: Any, **more: Any) -> ClientResponse:
        if "/send/" in path:
            self.left = time.monotonic()
        answer: ClientResponse = await super().send(method, path, *args, **more)
        return answer

    async def parse_body(self, transport_response: ClientResponse) -> dict[Any, Any]:
        found: dict[Any, Any] = await super().parse_body(transport_response)
        if transport_response.url.path.endswith("/sync"):
            self.came = time.monotonic()
        return found


class _Person(SealedPerson):
    def __init__(self, url: str, name: str, folder: Path) -> None:
        super().__init__(url, name, folder)
        config = AsyncClientConfig(encryption_enabled=True, store_sync_tokens=False)
        self.client = self._timed = _Timed(url, name, store_path=str(folder), config=config)
        self._room = ""
        self._told = 0

    async def obey(self, command: Mapping[str, str]) -> object:
        match command:
            case {"make": alias}:
                made = await self.client.room_create(
                    alias=alias, initial_state=[_ENCRYPTION], preset=RoomPreset.public_chat
                )
                self._room = str(made.room_id)
                return self._room
            case {"join": alias}:
                self._room = str((await self.client.join(alias)).room_id)
                return self._room
            case {"knows": user}:
                await self.knows(self._room, user)
                return user
            case {"say": text}:
                await self.say(self._room, text)
                return self._timed.left
        raise ValueError(command)

    async def _step(self, timeout: int) -> None:
        await super()._step(timeout)
        for event in self.heard[self._told :]:
            _print({"heard": _text(event), "sender": event.sender, "at": self._timed.came})
        self._told = len(self.heard)


def _text(event: Event) -> str:
    return str(event.source.get("content", {}).get("body", "")) if event.decrypted else "not opened"


def _print(line: Mapping[str, object]) -> None:
    print(json.dumps(line), flush=True)


async def _serve(url: str, name: str, folder: Path) -> None:
    loop = asyncio.get_running_loop()
    commands = asyncio.StreamReader()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(commands), sys.stdin)
    async with _Person(url, name, folder) as person:
        _print({"done": person.user_id})
        async for line in commands:
            _print({"done": await person.obey(json.loads(line))})


class Sealed:
    """The other end: a person to be asked."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.user_id = ""
        self._process = process
        self._ears = Ears()
        self._done: asyncio.Queue[Any] = asyncio.Queue()

    @property
    def messages(self) -> list[Heard]:
        return self._ears.messages

    async def heard(self, wanted: Any, timeout: float) -> Heard:
        """As `MatrixPerson.heard`."""
        return await self._ears.heard(wanted, timeout)

    async def ask(self, **command: str) -> Any:
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(command).encode() + b"\n")
        return await self._answer()

    async def listen(self) -> None:
        """Until the process ends. Its first line says that it is there."""
        assert self._process.stdout is not None
        async for line in self._process.stdout:
            match json.loads(line):
                case {"done": answer}:
                    self._done.put_nowait(answer)
                case {"heard": text, "sender": sender, "at": at}:
                    self._ears.take(Heard("", sender, text, "text", at))
        self._ears.go_deaf("the process has ended")
        self._done.put_nowait(_ENDED)

    async def there(self) -> None:
        self.user_id = await self._answer()

    async def _answer(self) -> Any:
        answer = await self._done.get()
        assert answer is not _ENDED, "the person's process has ended"
        return answer


@asynccontextmanager
async def sealed(url: str, name: str, folder: Path) -> AsyncGenerator[Sealed, None]:
    """A person with an account, listening."""
    pipe = asyncio.subprocess.PIPE
    command = (sys.executable, "-m", "benchmarks.sealed", url, name, str(folder))
    process = await asyncio.create_subprocess_exec(*command, stdin=pipe, stdout=pipe)
    person = Sealed(process)
    listening = asyncio.create_task(person.listen(), name=f"{name} listens")
    try:
        await person.there()
        yield person
    finally:
        with suppress(ProcessLookupError):
            process.kill()
        await process.wait()
        await listening


if __name__ == "__main__":
    asyncio.run(_serve(sys.argv[1], sys.argv[2], Path(sys.argv[3])))
