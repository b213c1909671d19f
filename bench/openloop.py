"""A fixed number of HTTP requests a second, whatever becomes of them, over connections that stay open.

    python -m bench.openloop HOST PORT RATE SECONDS PATH...

Requests are due at fixed moments, and each one's time counts from the moment at which it was due, not from when a
connection was free for it: a server that stalls is not spared the requests that it kept waiting (no coordinated
omission). Writes {"ms": [...], "failed": n} to standard output.
"""

import asyncio
import json
import sys
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

CONNECTIONS = 64
TICK_S = 0.001
PATIENCE_S = 30.0
"""How long after the last request is waited for answers; what has none by then took as long as that."""


@dataclass
class Times:
    """Milliseconds that each answered request took, and how many were refused, cut off or not answered."""

    ms: list[float] = field(default_factory=list)
    failed: int = 0


class Connection(asyncio.Protocol):
    """One connection, one request at a time; `free` is called with it after each answer."""

    def __init__(self, times: Times, free: Callable[["Connection"], None]) -> None:
        self._times = times
        self._free = free
        self._due = 0.0
        self._got = bytearray()
        self._length: int | None = None
        self.transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport

    def ask(self, request: bytes, due: float) -> None:
        """Sends a request that was due at `due` (the loop's time)."""
        assert self.transport is not None
        self._due = due
        self.transport.write(request)

    def data_received(self, data: bytes) -> None:
        self._got += data
        if self._length is None:
            head = self._got.find(b"\r\n\r\n")
            if head < 0:
                return
            self._length = head + 4 + content_length(bytes(self._got[:head]))
        if len(self._got) < self._length:
            return
        self._times.ms.append((asyncio.get_running_loop().time() - self._due) * 1000)
        self._times.failed += not self._got.startswith(b"HTTP/1.1 200")
        self._got.clear()
        self._length = None
        self._free(self)

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - the protocol's own name
        self.transport = None


def content_length(head: bytes) -> int:
    """The length of the body that a response's head announces. Raises ValueError where it announces none."""
    for line in head.split(b"\r\n"):
        name, _, value = line.partition(b":")
        if name.lower() == b"content-length":
            return int(value)
    raise ValueError(f"an answer without a length: {head!r}")


async def run(host: str, port: int, rate: float, seconds: float, paths: Sequence[str]) -> Times:
    """The times of `rate * seconds` requests, for each of `paths` in turn."""
    loop = asyncio.get_running_loop()
    times = Times()
    idle: deque[Connection] = deque()
    opened: list[Connection] = []
    waiting: deque[tuple[bytes, float]] = deque()
    requests = [f"GET {path} HTTP/1.1\r\nHost: {host}:{port}\r\n\r\n".encode() for path in paths]

    def free(connection: Connection) -> None:
        if waiting:
            connection.ask(*waiting.popleft())
        else:
            idle.append(connection)

    async def connect() -> Connection:
        _, connection = await loop.create_connection(lambda: Connection(times, free), host, port)
        opened.append(connection)
        return connection

    idle.extend([await connect() for _ in range(CONNECTIONS)])
    began, number, last = loop.time(), 0, int(rate * seconds)
    while number < last:
        while number < last and began + number / rate <= loop.time():
            due = began + number / rate
            request = requests[number % len(requests)]
            number += 1
            while idle:
                connection = idle.pop()
                # a server may close a connection that was idle for long
                if connection.transport is None or connection.transport.is_closing():
                    connection = await connect()
                connection.ask(request, due)
                break
            else:
                waiting.append((request, due))
        await asyncio.sleep(TICK_S)
    end = loop.time() + PATIENCE_S
    while len(times.ms) < last and loop.time() < end:
        await asyncio.sleep(TICK_S)
    # what was cut off, or is not answered yet
    missing = last - len(times.ms)
    times.failed += missing
    times.ms.extend([PATIENCE_S * 1000] * missing)
    for connection in opened:
        if connection.transport is not None:
            connection.transport.close()
    await asyncio.sleep(0)
    return times


def main(host: str, port: str, rate: str, seconds: str, *paths: str) -> None:
    """Sends the requests and writes what they took."""
    times = asyncio.run(run(host, int(port), float(rate), float(seconds), paths))
    print(json.dumps({"ms": times.ms, "failed": times.failed}))


if __name__ == "__main__":
    main(*sys.argv[1:])
