"""A fixed number of HTTP requests a second, whatever becomes of them, over connections that stay open.

    python -m bench.openloop HOST PORT RATE SECONDS < REQUESTS

REQUESTS is JSON: [address, whether it names the ETag of the last answer to it] of each request, sent in turn and from
the first on again. One that names an ETag may be answered by 304, as a browser's that has the answer already.

Requests are due at fixed moments, and each one's time counts from the moment at which it was due, not from when a
connection was free for it: a server that stalls is not spared the requests that it kept waiting (no coordinated
omission). A server may close a connection that was idle while a request is on its way to it; such a request, of whose
answer nothing came, is sent once more, as clients do, and its time goes on.
Writes {"ms": [...], "failed": n, "again": n, "unchanged": n} to standard output.
"""

import asyncio
import json
import sys
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from typing import NamedTuple

CONNECTIONS = 64
NOT_MODIFIED = b"HTTP/1.1 304"
TICK_S = 0.001
PATIENCE_S = 30.0
"""How long after the last request is waited for answers; what has none by then took as long as that."""


Ask = tuple[str, bool]
"""An address, and whether its request names the ETag of the last answer to it."""


class Request(NamedTuple):
    """What is asked, when it was due (the loop's time), and how often it was sent before."""

    path: str
    conditional: bool
    due: float
    sent: int = 0


@dataclass
class Times:
    """Milliseconds that each answered request took, and how many were refused, cut off or not answered.

    `again` requests were sent once more, since their connection was closed before any answer; `unchanged` ones were
    told that the answer is still the one whose ETag they named.
    """

    ms: list[float] = field(default_factory=list)
    failed: int = 0
    again: int = 0
    unchanged: int = 0


class Client:
    """What all connections know: the host, and of each address the ETag of its last answer."""

    def __init__(self, host: str, port: int) -> None:
        self._host = f"{host}:{port}"
        self._etags: dict[str, str] = {}

    def content(self, request: Request) -> bytes:
        """A request as it is sent; one for an address without an answer so far names no ETag."""
        etag = self._etags.get(request.path) if request.conditional else None
        named = f"If-None-Match: {etag}\r\n" if etag is not None else ""
        return f"GET {request.path} HTTP/1.1\r\nHost: {self._host}\r\n{named}\r\n".encode()

    def answered(self, request: Request, head: bytes) -> None:
        """Keeps the ETag of an answer."""
        if request.conditional and (etag := header(head, b"etag")) is not None:
            self._etags[request.path] = etag.decode()


class Connection(asyncio.Protocol):
    """One connection, one request at a time.

    `free` is called with it after each answer, `lost` with it and the request of which nothing came (None: there was
    none, or part of its answer came) once it is closed.
    """

    def __init__(
        self,
        client: Client,
        times: Times,
        free: Callable[["Connection"], None],
        lost: Callable[["Connection", Request | None], None],
    ) -> None:
        self._client = client
        self._times = times
        self._free = free
        self._lost = lost
        self._request: Request | None = None
        self._got = bytearray()
        self._length: int | None = None
        self.transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport

    @property
    def closed(self) -> bool:
        """Whether nothing can be sent on it any more."""
        return self.transport is None or self.transport.is_closing()

    def ask(self, request: Request) -> None:
        """Sends a request."""
        assert self.transport is not None
        self._request = request._replace(sent=request.sent + 1)
        self.transport.write(self._client.content(request))

    def data_received(self, data: bytes) -> None:
        self._got += data
        assert self._request is not None
        if self._length is None:
            end = self._got.find(b"\r\n\r\n")
            if end < 0:
                return
            head = bytes(self._got[:end])
            self._length = end + 4 + body_length(head)
            self._client.answered(self._request, head)
        if len(self._got) < self._length:
            return
        self._times.ms.append((asyncio.get_running_loop().time() - self._request.due) * 1000)
        unchanged = self._request.conditional and self._got.startswith(NOT_MODIFIED)
        self._times.unchanged += unchanged
        self._times.failed += not unchanged and not self._got.startswith(b"HTTP/1.1 200")
        self._got.clear()
        self._length = self._request = None
        self._free(self)

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - the protocol's own name
        self.transport = None
        self._lost(self, None if self._got else self._request)


def header(head: bytes, wanted: bytes) -> bytes | None:
    """The value of a header (named in lower case) in a response's head; None where it has none."""
    for line in head.split(b"\r\n"):
        name, _, value = line.partition(b":")
        if name.lower() == wanted:
            return value.strip()
    return None


def body_length(head: bytes) -> int:
    """The length of the body behind a response's head. Raises ValueError where the head announces none."""
    if head.startswith(NOT_MODIFIED):
        return 0
    length = header(head, b"content-length")
    if length is None:
        raise ValueError(f"an answer without a length: {head!r}")
    return int(length)


async def run(host: str, port: int, rate: float, seconds: float, asks: Sequence[Ask]) -> Times:
    """The times of `rate * seconds` requests: `asks` in turn, and from the first on again."""
    loop = asyncio.get_running_loop()
    times = Times()
    idle: deque[Connection] = deque()
    opened: set[Connection] = set()
    waiting: deque[Request] = deque()
    client = Client(host, port)

    def free(connection: Connection) -> None:
        if waiting and not connection.closed:
            connection.ask(waiting.popleft())
        else:
            idle.append(connection)

    def lost(connection: Connection, request: Request | None) -> None:
        opened.discard(connection)
        if request is not None and request.sent < 2:
            times.again += 1
            waiting.appendleft(request)

    async def connect() -> Connection:
        _, connection = await loop.create_connection(lambda: Connection(client, times, free, lost), host, port)
        opened.add(connection)
        return connection

    async def serve() -> None:
        while waiting:
            while idle and idle[-1].closed:
                idle.pop()
            if idle:
                idle.pop().ask(waiting.popleft())
            elif len(opened) < CONNECTIONS:
                idle.append(await connect())
            else:
                return

    idle.extend([await connect() for _ in range(CONNECTIONS)])
    began, number, last = loop.time(), 0, int(rate * seconds)
    while number < last:
        while number < last and began + number / rate <= loop.time():
            waiting.append(Request(*asks[number % len(asks)], began + number / rate))
            number += 1
        await serve()
        await asyncio.sleep(TICK_S)
    end = loop.time() + PATIENCE_S
    while len(times.ms) < last and loop.time() < end:
        await serve()
        await asyncio.sleep(TICK_S)
    # what was cut off, or is not answered yet
    missing = last - len(times.ms)
    times.failed += missing
    times.ms.extend([PATIENCE_S * 1000] * missing)
    for connection in list(opened):
        if connection.transport is not None:
            connection.transport.close()
    await asyncio.sleep(0)
    return times


def main(host: str, port: str, rate: str, seconds: str) -> None:
    """Sends the requests and writes what they took."""
    asks = [(path, conditional) for path, conditional in json.load(sys.stdin)]
    times = asyncio.run(run(host, int(port), float(rate), float(seconds), asks))
    print(json.dumps(asdict(times)))


if __name__ == "__main__":
    main(*sys.argv[1:])
