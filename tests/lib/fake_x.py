"""X's API on the loopback address: what the filtered stream, its rules and the token exchange answer, as a test says.

    with FakeX() as x:
        x.then(Stream([POST + b"\r\n", b"\r\n"], end="cut"), Refusal(429), Stream([POST + b"\r\n"]))
        ... DRINKSTREAM_X_API_URL=x.url ...

Each connection to the stream takes the next answer; after the last one a stream that only sends keep-alives. The bytes
of a `Stream` go out as HTTP chunks exactly as given, so a line can be spread over chunks or cut anywhere.
"""

import base64
import json
import threading
from collections.abc import Iterable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Literal, Self
from urllib.parse import parse_qs, urlsplit

TOKEN = "AAAA-made-by-the-fake"
KEYS = ("consumer-key", "consumer-secret")


@dataclass(frozen=True)
class Stream:
    """A connection: its chunks, then X ends it (`close`), it breaks off (`cut`), or it stays open (`hold`)."""

    chunks: Iterable[bytes]
    end: Literal["close", "cut", "hold"] = "close"


@dataclass(frozen=True)
class Refusal:
    """An answer other than 200."""

    status: int
    body: dict[str, Any] = field(default_factory=lambda: {"title": "Refused", "detail": "as the test says"})


class FakeX:
    """The server; `requests` holds (method, path, query, headers) of everything asked."""

    def __init__(self) -> None:
        self.requests: list[tuple[str, str, dict[str, str], dict[str, str]]] = []
        self.rules: dict[str, dict[str, str]] = {"1": {"id": "1", "value": "coffee", "tag": "somebody's"}}
        self.rules_answer: Refusal | None = None
        self.tokens = {TOKEN, "bearer"}
        self._answers: list[Stream | Refusal] = []
        self._lock = threading.Lock()
        self._closing = threading.Event()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,))

    @property
    def url(self) -> str:
        """The base address."""
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def then(self, *answers: Stream | Refusal) -> None:
        """What the next connections to the stream get."""
        with self._lock:
            self._answers.extend(answers)

    def next_answer(self) -> Stream | Refusal:
        """The next connection's answer."""
        with self._lock:
            return self._answers.pop(0) if self._answers else Stream([], "hold")

    def connections(self) -> list[dict[str, str]]:
        """The query of each connection to the stream."""
        return [
            query for method, path, query, _ in self.requests if path == "/2/tweets/search/stream" and method == "GET"
        ]

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._closing.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        x = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                path = self._noted()
                if self.headers.get("Authorization", "").removeprefix("Bearer ") not in x.tokens:
                    self._json(401, {"title": "Unauthorized", "type": "about:blank", "status": 401})
                elif path == "/2/tweets/search/stream":
                    self._answer(x.next_answer())
                elif path == "/2/tweets/search/stream/rules":
                    self._rules()
                else:
                    self._json(404, {"title": "Not Found"})

            def do_POST(self) -> None:
                path = self._noted()
                body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                if path == "/oauth2/token":
                    pair = base64.b64encode(":".join(KEYS).encode()).decode()
                    known = self.headers.get("Authorization") == f"Basic {pair}"
                    wanted = body == b"grant_type=client_credentials"
                    if known and wanted:
                        self._json(200, {"token_type": "bearer", "access_token": TOKEN})
                    else:
                        self._json(403, {"errors": [{"code": 99, "message": "Unable to verify your credentials"}]})
                elif path == "/2/tweets/search/stream/rules":
                    self._change_rules(json.loads(body))
                else:
                    self._json(404, {"title": "Not Found"})

            def _noted(self) -> str:
                parts = urlsplit(self.path)
                query = {key: values[0] for key, values in parse_qs(parts.query).items()}
                x.requests.append((self.command, parts.path, query, dict(self.headers)))
                return parts.path

            def _rules(self) -> None:
                if x.rules_answer is not None:
                    self._json(x.rules_answer.status, x.rules_answer.body)
                    return
                there = list(x.rules.values())
                self._json(200, {**({"data": there} if there else {}), "meta": {"result_count": len(there)}})

            def _change_rules(self, change: dict[str, Any]) -> None:
                made, errors = [], []
                for rule in change.get("add", []):
                    if any(rule["value"] == other["value"] for other in x.rules.values()):
                        errors.append({"title": "DuplicateRule", "value": rule["value"]})
                    elif len(rule["value"]) > 1024:
                        errors.append({"title": "UnprocessableEntity", "value": rule["value"]})
                    else:
                        number = str(max(map(int, x.rules), default=0) + 1)
                        x.rules[number] = {"id": number, **rule}
                        made.append(x.rules[number])
                for number in change.get("delete", {}).get("ids", []):
                    x.rules.pop(number, None)
                self._json(201, {"data": made, "meta": {}, **({"errors": errors} if errors else {})})

            def _answer(self, answer: Stream | Refusal) -> None:
                if isinstance(answer, Refusal):
                    self._json(answer.status, answer.body)
                    return
                self.send_response(200)
                self.send_header("Content-Type", "application/json; charset=utf-8")
                self.send_header("Transfer-Encoding", "chunked")
                # said, too: a client that believed it open would ask again on it and see it break
                self.send_header("Connection", "close")
                self.end_headers()
                try:
                    for chunk in answer.chunks:
                        self._chunk(chunk)
                    while answer.end == "hold" and not x._closing.wait(0.2):
                        self._chunk(b"\r\n")
                    if answer.end == "close":
                        self.wfile.write(b"0\r\n\r\n")
                except OSError:
                    pass  # the client has gone

            def _chunk(self, data: bytes) -> None:
                self.wfile.write(b"%x\r\n%b\r\n" % (len(data), data))
                self.wfile.flush()

            def _json(self, status: int, body: dict[str, Any]) -> None:
                data = json.dumps(body).encode()
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

            def log_message(self, format: str, *args: object) -> None:
                """The tests look at `requests` instead."""

        return Handler
