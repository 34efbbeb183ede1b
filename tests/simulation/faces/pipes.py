"""A TCP connection in memory: asyncio's streams for the program, lines for the server, and bad weather between them."""

import asyncio
from asyncio import StreamReader, StreamReaderProtocol, StreamWriter
from collections import deque
from dataclasses import dataclass
from typing import Protocol

from tests.simulation.weather import Weather

_FASTEST_S, _SLOWEST_S = 0.005, 0.2
"""Seconds that a piece of data is on its way."""
_UNNOTICED_S = 8.0
"""Most seconds until an end notices that the connection is lost, if the other end does not say so."""


class Acceptor(Protocol):
    """The server's end."""

    def heard(self, pipe: "Pipe", line: str) -> None:
        """A line has come."""
        ...

    def lost(self, pipe: "Pipe") -> None:
        """The server finds that the connection is over."""
        ...

    def doubted(self, pipe: "Pipe") -> None:
        """From now on, the program cannot know what becomes of `on_its_way`, and of what has just arrived."""
        ...


@dataclass(slots=True, eq=False)
class Piece:
    """Some data, when it was written, and when it came to the program."""

    data: bytes
    written_at: float
    came_at: float | None = None


class Pipe:
    """One connection. What is written arrives in order, each piece after a delay of its own. `number` counts them;
    `run` is that of the process whose it is; `dropped`: when it let go of it."""

    def __init__(self, number: int, run: int, server: Acceptor, weather: Weather) -> None:
        self.number, self.run = number, run
        self._server = server
        self._weather = weather
        self._loop = asyncio.get_running_loop()
        self.began = self._loop.time()
        self.dropped: float | None = None
        self.is_held = True
        """Whether the program still has it."""
        self.is_served = True
        """Whether the server still has it."""
        self._up: deque[Piece] = deque()
        self._coming: deque[Piece] = deque()
        self.written_at = 0.0
        """When the program wrote what the server hears now."""
        self._rest = b""
        self._up_at = self._down_at = 0.0
        self._is_broken = False
        self.reader = StreamReader(loop=self._loop)
        self._protocol = StreamReaderProtocol(self.reader, loop=self._loop)
        self._transport = _Transport(self)
        self._protocol.connection_made(self._transport)
        self.writer = StreamWriter(self._transport, self._protocol, self.reader, self._loop)

    @property
    def on_its_way(self) -> bytes:
        """What will arrive at the server yet."""
        return b"".join(each.data for each in self._up)

    def lag(self, seconds: float) -> None:
        """What is on its way, in both directions, takes so much longer from now on."""
        now = self._loop.time()
        self._up_at = max(self._up_at, now + seconds)
        self._down_at = max(self._down_at, now + seconds)

    # The program's end

    def write(self, data: bytes) -> None:
        if not (self.is_held and self.is_served) or self._is_broken:
            return
        self._up.append(Piece(data, self._loop.time()))
        self._up_at = max(self._up_at, self._loop.time() + self._delay())
        self._loop.call_at(self._up_at, self._arrive)

    def close(self) -> None:
        """The program closes it: all that was written still arrives."""
        if self.is_held:
            self._server.doubted(self)
            self._let_go()
            if not self._is_broken:
                self._loop.call_at(max(self._up_at, self._loop.time()) + self._delay(), self._end_at_server)

    def sever(self) -> None:
        """The process is gone: some of what was written is on its way still, and the server soon sees the end."""
        if self.is_held:
            self._lose_some()
            self._let_go()
            self._loop.call_later(self._delay(), self._end_at_server)

    def _let_go(self) -> None:
        self.is_held, self.dropped = False, self._loop.time()
        self.reader.feed_eof()
        self._loop.call_soon(self._protocol.connection_lost, None)

    def _arrive(self) -> None:
        if not self._up:
            return  # it was lost, or came at once
        piece = self._up.popleft()
        if self.is_served:
            self.written_at = piece.written_at
            *lines, self._rest = (self._rest + piece.data).split(b"\n")
            for line in lines:
                if self.is_served:
                    self._server.heard(self, line.rstrip(b"\r").decode())

    # The server's end

    def send(self, *lines: str) -> Piece:
        """Have the server write lines."""
        piece = Piece("".join(f"{line}\r\n" for line in lines).encode(), self._loop.time())
        if lines and self.is_served and not self._is_broken:
            self._down(piece)
        return piece

    def end(self, *lines: str) -> None:
        """The server says these last lines, and closes."""
        self.send(*lines)
        if self.is_served:
            self._server.doubted(self)
            self.is_served = False
            self._down(Piece(b"", self._loop.time()))

    def _down(self, piece: Piece) -> None:
        self._coming.append(piece)
        self._down_at = max(self._down_at, self._loop.time() + self._delay())
        self._loop.call_at(self._down_at, self._deliver)

    def _deliver(self) -> None:
        """Let the next piece come, unless the process is paused: then all wait, in order."""
        if self._weather.paused_until > self._loop.time():
            self._loop.call_at(self._weather.paused_until, self._deliver)
            return
        piece = self._coming.popleft()
        if not self.is_held or self._is_broken:
            return
        piece.came_at = self._loop.time()
        if piece.data:
            self.reader.feed_data(piece.data)
        else:
            self.reader.feed_eof()

    # The nemesis

    def cut(self) -> None:
        """The way between the two is gone: what is on its way is lost but for its beginning, and each end notices it
        by itself, sooner or later."""
        if self._is_broken or not self.is_held or not self.is_served:
            return
        self._lose_some()
        self._is_broken = True
        soon = self._weather.rng.random() < 0.5
        rng = self._weather.rng
        self._loop.call_later(rng.uniform(0, 0.5 if soon else _UNNOTICED_S), self._break_at_program)
        self._loop.call_later(rng.uniform(0, 0.5 if soon else _UNNOTICED_S), self._end_at_server)

    def _break_at_program(self) -> None:
        if self.is_held:
            self.reader.set_exception(ConnectionResetError("reset"))

    def _lose_some(self) -> None:
        """Of what is on its way to the server, the beginning arrives, and no more."""
        for _ in range(self._weather.rng.randint(0, len(self._up))):
            self._arrive()
        self._up.clear()
        self._server.doubted(self)

    def _end_at_server(self) -> None:
        if self.is_served:
            self.is_served = False
            self._server.lost(self)

    def _delay(self) -> float:
        return self._weather.rng.uniform(_FASTEST_S, _SLOWEST_S)


class _Transport(asyncio.Transport):
    """As much of a transport as streams use."""

    def __init__(self, pipe: Pipe) -> None:
        super().__init__()
        self._pipe = pipe
        self._is_closing = False

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self._pipe.write(bytes(data))

    def is_closing(self) -> bool:
        return self._is_closing

    def close(self) -> None:
        if not self._is_closing:
            self._is_closing = True
            self._pipe.close()

    def abort(self) -> None:
        self.close()

    def pause_reading(self) -> None:
        """The reader has enough: nothing is held back, there is little."""

    def resume_reading(self) -> None:
        """See `pause_reading`."""
