"""One source's way to Kafka: its lines become records of `posts`, what happened to it lines of `feed.status`.

A status line is one JSON object: `{"source", "via", "kind", "at", ...}`, times in RFC 3339, UTC. Its kinds:

| kind | says | further fields |
|---|---|---|
| connect, disconnect | the source is (not) connected | what the source knows: `reason`, `status` |
| minute | what came in one minute of the wall clock | `minute`, `connected_s`, `received`, and the three below |
| limit | the network kept posts back | `track`: how many since connecting, where it says so |
| gap | something was not received or could not be kept | `reason` and what is known of it: `from`, `to`, `bytes` |
| done | the source has ended | `lines`, `records`, `received` of its whole life |

`connected_s` counts only while somebody reads: where this program stood still (Kafka away for long, a machine asleep)
for longer than the source is patient, nothing counts from the last tick before it until the connection has stood for as
long again.

`received` counts records by class. In a minute, `limits` and `gaps` say how many of those lines were sent in it, and
`undelivered` how many posts the limits say were kept back: at least, since X counts them from the connection's start,
and what its highest count grew by is taken. coverage.py of drinkstream reads these lines.
"""

import json
import logging
import threading
import time
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from drinkstream import wire_json
from drinkstream.errors import UnavailableError
from drinkstream.post import Envelope, envelopes, key_of
from drinkstream.settings import Settings
from streaming.lines import Oversize
from streaming.producer import VALUE_LIMIT, Producer

KEPT = 64 * 1024  # bytes kept of a value above VALUE_LIMIT
TOO_LARGE = "rejected.too_large"
MINUTE_MS = 60_000
MOST_TRACKED = 2**53  # a limit notice that tells of more is a broken one, and its number fits into no table

log = logging.getLogger("drinkstream.feed")


def wall_clock_ms() -> int:
    """Milliseconds since 1970 UTC."""
    return time.time_ns() // 1_000_000


def rfc3339(ms: int) -> str:
    """The instant as text: `2026-03-01T08:15:00.000Z`."""
    return datetime.fromtimestamp(ms / 1000, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def counted_as(shape: str) -> str:
    """What a record of this shape counts as: its class, and for a rejected one its reason too."""
    return shape if shape.startswith("rejected.") else shape.split(".", 1)[0]


class Feed:
    """Sends and counts what one source delivers; `via` names the adapter (demo, x, replay). May be used by two threads.

    All methods raise UnavailableError where Kafka has refused a record for good.
    """

    def __init__(
        self,
        producer: Producer,
        settings: Settings,
        source: str,
        via: str,
        clock: Callable[[], int] = wall_clock_ms,
    ) -> None:
        self.source = source
        self.lines = 0
        self.received: Counter[str] = Counter()
        self.keepalives = 0  # of the notices: blank lines
        self._via = via
        self._producer = producer
        self._posts = settings.posts_topic
        self._status = settings.status_topic
        self._clock = clock
        self._lock = threading.RLock()
        self._minute = clock() // MINUTE_MS
        self._in_minute: Counter[str] = Counter()
        self._told: Counter[str] = Counter()  # limit and gap lines of this minute, and posts undelivered
        self._highest_track = 0
        self._connected_since: int | None = None  # to be credited from then on; in the future after a standstill
        self._connected_ms = 0
        self._patience_ms: int | None = None
        self._alive_ms = clock()  # the last tick
        self._stood_from: int | None = None  # the beginning of this connection's last standstill
        self._closed = False

    @property
    def records(self) -> int:
        """How many records the lines became."""
        return self.received.total()

    def line(self, line: bytes | Oversize) -> None:
        """Send what one line holds; a line without content is a keepalive."""
        for envelope in self.read(line):
            self.send(envelope)

    def read(self, line: bytes | Oversize) -> list[Envelope]:
        """The records of one line, to be sent by `send`; one that is too large is cut here, and said so."""
        now = self._clock()
        with self._lock:
            self.lines += 1
            if isinstance(line, Oversize):
                return [self._cut(line.start, line.length)]
            found = envelopes(line, self.source, now)
            return [e if len(e.value) <= VALUE_LIMIT else self._cut(e.value[:KEPT], len(e.value)) for e in found]

    def _cut(self, start: bytes, length: int) -> Envelope:
        log.error("event=too_large source=%s bytes=%d limit=%d kept=%d", self.source, length, VALUE_LIMIT, len(start))
        self.status("gap", reason="too_large", bytes=length, kept=len(start))
        return Envelope(start, None, TOO_LARGE, None)

    def send(self, envelope: Envelope) -> None:
        """Send one record and count it in the minute of the wall clock."""
        headers = [("source", self.source.encode()), ("shape", envelope.shape.encode())]
        if envelope.event_ms is not None:
            headers.append(("event_ms", b"%d" % envelope.event_ms))
        key = key_of(envelope, self.source)
        with self._lock:
            if self._closed:
                raise UnavailableError("this feed has ended: what still comes is not sent")
            self.tick()
            self._producer.send(self._posts, envelope.value, None if key is None else key.encode(), headers)
            counted = counted_as(envelope.shape)
            self.received[counted] += 1
            self._in_minute[counted] += 1
            self.keepalives += envelope.shape == "notice.keepalive"
            if envelope.shape == "notice.limit":
                self._limited(_limit(envelope.value))

    def _limited(self, known: dict[str, Any]) -> None:
        track = known.get("track", 0)
        self._told["undelivered"] += max(0, track - self._highest_track)
        self._highest_track = max(track, self._highest_track)
        self.status("limit", **known)

    def tick(self) -> None:
        """Write the lines of the minutes that have ended; to be called at least every few seconds.

        Where it was not, for longer than the source is patient, the source is not known to have been connected.
        """
        with self._lock:
            # looked at once: where a status line waits for Kafka in here, the next tick sees a standstill
            now, before = self._clock(), self._alive_ms
            self._alive_ms = now
            if self._connected_since is not None and self._patience_ms is not None and now - before > self._patience_ms:
                self._stood_still(before, now, self._connected_since, self._patience_ms)
            self._end_minutes(now)

    def _stood_still(self, before: int, now: int, since: int, patience_ms: int) -> None:
        """The connection may have been lost since `before`; it counts again once it has stood as long from now on."""
        if before >= since:
            self._stood_from = before
        self._end_minutes(before)
        self._connected_ms += self._connected_in_minute(before)
        self._connected_since = now + patience_ms

    def _end_minutes(self, now: int) -> None:
        while now // MINUTE_MS > self._minute:
            self._end_minute((self._minute + 1) * MINUTE_MS)

    def _connected_in_minute(self, until_ms: int) -> int:
        """Milliseconds of this minute until then, of those that are not in `_connected_ms` yet."""
        if self._connected_since is None:
            return 0
        return max(0, until_ms - max(self._connected_since, self._minute * MINUTE_MS))

    def _end_minute(self, end_ms: int) -> None:
        connected_ms = self._connected_ms + self._connected_in_minute(end_ms)
        self.status(
            "minute",
            minute=rfc3339(self._minute * MINUTE_MS),
            connected_s=round(connected_ms / 1000, 1),
            received=dict(sorted(self._in_minute.items())),
            limits=self._told["limit"],
            undelivered=self._told["undelivered"],
            gaps=self._told["gap"],
        )
        self._in_minute.clear()
        self._told.clear()
        self._connected_ms = 0
        self._minute += 1

    def connected(self, *, patience_ms: int | None = None, **known: object) -> None:
        """The source is connected from now on.

        `patience_ms` is how long it is sure to keep what nobody reads. None: for ever (a file, the demo), so that what
        came in a standstill is only late.
        """
        with self._lock:
            self.tick()
            self._connected_since = self._alive_ms
            self._patience_ms = patience_ms
            self._stood_from = None
            self._highest_track = 0  # X counts anew with each connection
            self.status("connect", **known)

    def disconnected(self, **known: object) -> int | None:
        """The source is no longer connected; returns since when it is not known to have been, in ms since 1970.

        That is before now where a standstill has just ended. None, and nothing happens, where it was not connected.
        """
        with self._lock:
            if self._connected_since is None:
                return None
            self.tick()
            now = self._alive_ms
            known_until = now if self._stood_from is None or now >= self._connected_since else self._stood_from
            self._connected_ms += self._connected_in_minute(now)
            self._connected_since = None
            self.status("disconnect", **known)
            return known_until

    def status(self, kind: str, **fields: object) -> None:
        """Send one status line."""
        told = {"source": self.source, "via": self._via, "kind": kind, "at": rfc3339(self._clock()), **fields}
        with self._lock:
            self._told[kind] += 1
            self._producer.send(self._status, json.dumps(told).encode(), None, [])
        log.info("event=%s source=%s %s", kind, self.source, " ".join(f"{k}={v}" for k, v in fields.items()))

    def flush(self, seconds: float | None = None) -> bool:
        """Wait for Kafka's acknowledgement of everything sent; returns whether it came within `seconds`."""
        with self._lock:
            return self._producer.flush(seconds)

    def close(self, **known: object) -> None:
        """Write the last status lines and wait for the acknowledgement of everything."""
        with self._lock:
            if self._closed:
                return
            self._closed = True
            self.disconnected(**known)
            self.tick()
            self._end_minute(self._clock())
            received = dict(sorted(self.received.items()))
            self.status("done", lines=self.lines, records=self.records, received=received, **known)
            self._producer.flush()


def _limit(value: bytes) -> dict[str, Any]:
    """What a limit notice says: `{"track": n}`, or nothing where it has another form."""
    told = wire_json.load(value.removeprefix(wire_json.BOM))
    track = told["limit"].get("track") if isinstance(told["limit"], dict) else None
    return {"track": track} if isinstance(track, int) and track <= MOST_TRACKED else {}
