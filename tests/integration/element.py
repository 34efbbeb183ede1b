"""A person on Matrix whose client is matrix-js-sdk with its Rust crypto: what Element Web runs, and none of our code.

The clients of all people are in one Node.js process, `js/person.mjs`. We ask it by lines of JSON.
"""

import asyncio
import base64
import itertools
import json
import os
import shutil
import subprocess
import threading
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, InvalidStateError
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from tests.integration.pond import PASSWORD

JS = Path(__file__).with_name("js")
_PATIENCE = 20.0  # seconds
_TAIL = 3_000  # characters of the SDK's log that an error shows


def missing() -> str | None:
    """Why there is no such client here, or None if there is."""
    if not (JS / "node_modules" / "matrix-js-sdk").is_dir():
        return "matrix-js-sdk is not installed here: scripts/npm-packages tests/integration/js"
    return None if _node() else "there is no Node.js here"


def _node() -> str | None:
    """The Node.js that is installed beside the SDK, or else the machine's. Debian 12's npm makes no link to the first
    in `.bin`."""
    beside = (JS / "node_modules").glob("node-*/bin/node")
    return next((str(each) for each in beside if os.access(each, os.X_OK)), None) or shutil.which("node")


@dataclass(frozen=True, slots=True)
class Heard:
    """An event, as the client shows it. `failure`: why it cannot be read, or ''."""

    id: str
    room: str
    sender: str
    type: str
    content: Mapping[str, Any]
    sealed: bool
    failure: str
    shield: str
    """NONE, GREY or RED, and the reason; '' for what is plain or cannot be read."""
    session: str
    """The id of the Megolm session, '' for what is plain."""

    @property
    def text(self) -> str:
        """Its text; `?` and the reason for what cannot be read."""
        return f"? {self.failure}" if self.failure else str(self.content.get("body", ""))


class ElementWeb:
    """The process with the clients. It belongs to no event loop, so it serves the tests of many."""

    def __init__(self, folder: Path) -> None:
        self.log = folder / "element.log"
        self._ids = itertools.count()
        self._waiting: dict[int, Future[Any]] = {}
        self._listeners: dict[str, Callable[[Heard], None]] = {}
        self._ready: Future[None] = Future()

    def __enter__(self) -> Self:
        node = _node()
        assert node is not None
        pipe = subprocess.PIPE
        with self.log.open("wb") as log:
            self._child = subprocess.Popen([node, JS / "person.mjs"], stdin=pipe, stdout=pipe, stderr=log)
        threading.Thread(target=self._read, name="clients", daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        assert self._child.stdin is not None
        self._child.stdin.close()
        self._child.wait(_PATIENCE)

    def listen(self, who: str, hear: Callable[[Heard], None]) -> None:
        """Have `hear` called, in the running loop, with all that `who` hears."""
        loop = asyncio.get_running_loop()

        def call(heard: Heard) -> None:
            with suppress(RuntimeError):  # its loop is closed: the test is over
                loop.call_soon_threadsafe(hear, heard)

        self._listeners[who] = call

    async def ask(self, who: str, verb: str, **more: Any) -> Any:
        """Have `who` do something: a method of person.mjs. AssertionError if that fails."""
        await asyncio.wait_for(asyncio.shield(asyncio.wrap_future(self._ready)), _PATIENCE)
        number = next(self._ids)
        answer = self._waiting[number] = Future()
        assert self._child.stdin is not None
        self._child.stdin.write(json.dumps({"id": number, "who": who, "does": verb, **more}).encode() + b"\n")
        self._child.stdin.flush()
        try:
            return await asyncio.wait_for(asyncio.wrap_future(answer), _PATIENCE)
        except TimeoutError:
            raise AssertionError(f"{who} has not done {verb}: {self._tail()}") from None

    def _read(self) -> None:
        assert self._child.stdout is not None
        for line in self._child.stdout:
            self._take(json.loads(line))
        for future in (self._ready, *self._waiting.values()):
            if not future.done():
                future.set_exception(AssertionError(f"the clients have ended: {self._tail()}"))

    def _take(self, line: Mapping[str, Any]) -> None:
        if "ready" in line:
            self._ready.set_result(None)
        elif "heard" in line:
            if hear := self._listeners.get(line["who"]):
                hear(_heard(line["heard"]))
        else:
            future = self._waiting.pop(line["id"])
            with suppress(InvalidStateError):  # nobody waits any more
                if "failed" in line:
                    future.set_exception(AssertionError(line["failed"]))
                else:
                    future.set_result(line["is"])

    def _tail(self) -> str:
        return self.log.read_text(errors="replace")[-_TAIL:]


def _heard(line: Mapping[str, Any]) -> Heard:
    shield = line["shield"] or {}
    words = " ".join(each for each in (shield.get("colour"), shield.get("reason")) if each)
    plain = {key: line[key] for key in ("id", "room", "sender", "type", "content", "sealed")}
    return Heard(**plain, failure=line["failure"] or "", shield=words, session=line["session"] or "")


class ElementPerson:
    """Logs in as a new device on entering the context; the account has to be there. `signed_only`: excludes devices
    that their owner has not signed, in both directions. Invitations are accepted."""

    _numbers = itertools.count(1)

    def __init__(self, clients: ElementWeb, url: str, name: str, *, signed_only: bool = False) -> None:
        self.heard: dict[str, Heard] = {}
        """By the event's id, each as it was shown last."""
        self.token = ""
        self.device = ""
        self.user_id = ""
        self._clients = clients
        self._url = url
        self._name = name
        self._signed_only = signed_only
        self._who = f"{name} {next(self._numbers)}"
        self._news = asyncio.Condition()
        self._stirring: set[asyncio.Task[None]] = set()

    @property
    def texts(self) -> list[str]:
        """What was said, in order; `?` and the reason for what cannot be read."""
        return [each.text for each in self.heard.values()]

    @property
    def unreadable(self) -> list[Heard]:
        return [each for each in self.heard.values() if each.failure]

    async def __aenter__(self) -> Self:
        self._clients.listen(self._who, self._hear)
        await self.come()
        return self

    async def __aexit__(self, *_: object) -> None:
        with suppress(AssertionError):
            await self.go()

    async def come(self) -> None:
        """Start the client: the same device with the same keys, if it was here before."""
        account = {"url": self._url, "user": self._name, "password": PASSWORD, "signedOnly": self._signed_only}
        found = await self.ask("start", **account)
        self.user_id, self.device, self.token = found["user"], found["device"], found["token"]

    async def go(self) -> None:
        """Close the client."""
        await self.ask("stop")

    async def ask(self, verb: str, **more: Any) -> Any:
        """Have the client do something: a method of person.mjs."""
        return await self._clients.ask(self._who, verb, **more)

    async def say(self, room: str, text: str, **more: Any) -> str:
        """Say it, sealed if the room is encrypted; returns the id of the event."""
        return await self.put(room, "m.room.message", {"msgtype": "m.text", "body": text, **more})

    async def put(self, room: str, kind: str, content: Mapping[str, Any]) -> str:
        return str(await self.ask("send", room=room, type=kind, content=content))

    async def in_order(self, room: str) -> list[Heard]:
        """What was heard in a room, in the order of the homeserver: a client opens messages side by side."""
        return [self.heard[each] for each in await self.ask("timeline", room=room) if each in self.heard]

    async def upload(self, data: bytes) -> dict[str, Any]:
        """Upload a file encrypted; returns the `file` of its event."""
        return dict(await self.ask("upload", data=base64.b64encode(data).decode()))

    async def download(self, file: Mapping[str, Any]) -> bytes:
        """What the `file` of an event leads to, decrypted."""
        return base64.b64decode(await self.ask("download", file=file))

    async def encrypt(self, room: str, **settings: int) -> None:
        """Make a room encrypted."""
        content = {"algorithm": "m.megolm.v1.aes-sha2", **settings}
        await self.ask("state", room=room, type="m.room.encryption", content=content)

    async def knows(self, room: str, *users: str) -> None:
        """Return when this client knows that the room is encrypted, and that `users` are in it."""
        async with asyncio.timeout(_PATIENCE):
            while not await self.ask("knows", room=room, users=users):  # noqa: ASYNC110  (it rings no bell)
                await asyncio.sleep(0.05)

    async def trusts(self, user: str, *, devices: int = 1) -> bool:
        """Whether this client shows `user` as verified, and all of so many devices of theirs as signed by them."""
        found = await self.ask("trusts", user=user)
        return bool(found["verified"]) and [*found["signed"].values()] == [True] * devices

    async def verify(self, **whom: str) -> Sequence[tuple[str, str]]:
        """Ask to compare emoji: `user` with `device` or in `room`. Returns the emoji and their names."""
        return [(emoji, name) for emoji, name in await self.ask("verify", **whom)]

    async def hears(self, text: str, *, sealed: bool = True) -> Heard:
        """The first message with `text`, which was `sealed` or not."""

        def found() -> Heard | None:
            there = (each for each in self.heard.values() if text in each.text and each.sealed == sealed)
            return next(there, None)

        try:
            async with asyncio.timeout(_PATIENCE), self._news:
                await self._news.wait_for(lambda: found() is not None)
        except TimeoutError:
            raise AssertionError(f"{text!r} was not heard, but {self.texts}") from None
        event = found()
        assert event is not None
        return event

    def _hear(self, heard: Heard) -> None:
        self.heard[heard.id] = heard
        task = asyncio.create_task(self._stir())
        self._stirring.add(task)
        task.add_done_callback(self._stirring.discard)

    async def _stir(self) -> None:
        async with self._news:
            self._news.notify_all()
