"""What one line is: a post, a tombstone, a notice, or rejected, and for what reason. The only door to the wire shapes.

`envelopes` says what a collector sends to Kafka for a line, `parse` what such a record means. Both rest on the same
reading of the bytes, so that the class, id and day in a record's headers are those that every later layer finds.
"""

import zlib
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import lru_cache

from drinkstream import wire_x, wire_x_page
from drinkstream.record import (
    ERASED,
    REASONS,
    REMOVING,
    Envelope,
    Notice,
    Post,
    PostKind,
    Reading,
    Record,
    Rejected,
    Tombstone,
    detail_of,
    notice,
    rejected,
)

__all__ = [
    "ERASED",
    "NO_DAY",
    "REASONS",
    "REMOVING",
    "SOURCES",
    "Envelope",
    "Notice",
    "Post",
    "PostKind",
    "Record",
    "Rejected",
    "Tombstone",
    "day_of",
    "detail_of",
    "envelopes",
    "key_of",
    "parse",
    "parse_keyed",
    "post_of",
    "unread",
]

EARLIEST_MS = 1_136_073_600_000  # 2006-01-01: Twitter's first post is of March 2006
LATEST_AHEAD_MS = 3_600_000  # clocks differ; an hour ahead of arrival is no longer a clock

NO_DAY = "none"
"""The archive's partition of the records that carry no event time."""

UNREAD = "?"
"""What a key has in place of an id, before a checksum, where the line could not be read: no id begins so."""

_READERS: dict[str, Callable[[bytes, str], Reading]] = {"x": wire_x.read, "demo": wire_x.read}
SOURCES = tuple(_READERS)
"""The sources whose lines can be read."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
DAY_MS = 86_400_000


def parse(value: bytes, source: str, append_ms: int) -> Record:
    """The record that `value`, a line or one member of a page, is; `append_ms` is Kafka's append time.

    Never raises for bad input: that becomes `Rejected(reason)`. The reason `internal` is a fault of ours, never the
    line's.
    """
    return _judged(_read(value, source), append_ms).record


def parse_keyed(value: bytes, key: str | None, append_ms: int) -> Record:
    """The record that a Kafka record is; its source is the prefix of its key, `source:id`.

    A post whose key does not say its source cannot be counted: it is `Rejected("key")`. Its id is the line's own, so a
    line that could not be read when it came is a post as soon as the parser can read it.
    """
    source, _, identity = key.partition(":") if key is not None and ":" in key else ("", "", "")
    if value == ERASED and source:
        return Tombstone(source, identity, "erase", ())
    record = parse(value, source or "x", append_ms)
    return Rejected("key") if isinstance(record, Post) and not source else record


def envelopes(line: bytes, source: str, received_ms: int) -> list[Envelope]:
    """The records that a collector sends for `line`: one, its bytes untouched, or for a v2 page one for each member.

    An empty line is one too (a keepalive). The `id` is None where the line names no post; `event_ms` is None where it
    has no time, or one that lies before 2006 or more than an hour after `received_ms`. Never raises for bad input.
    """
    reading = _read(line, source)
    if source in _READERS and reading.shape in ("rejected.shape", "notice.page"):
        values = _split(line)
        if values is not None:
            return [_member(value, source, received_ms) for value in values]
    return [_envelope(line, _judged(reading, received_ms))]


def key_of(envelope: Envelope, source: str) -> str | None:
    """The Kafka key of what a collector sends: `source:id`; None for a notice, which is about no post.

    A line that cannot be read gets `source:?` and a checksum of its bytes: its source stays known for the day on which
    the parser is mended, the same line has the same key, and many of them do not crowd one partition.
    """
    if envelope.id is not None:
        return f"{source}:{envelope.id}"
    if envelope.shape.startswith("rejected."):
        return f"{source}:{UNREAD}{zlib.crc32(envelope.value):08x}"
    return None


def unread(key: str | None) -> bool:
    """Whether a key says that its line could not be read when it came."""
    return key is not None and key.partition(":")[2].startswith(UNREAD)


def post_of(record: Record) -> str | None:
    """`source:id` of the post that a record is, or is about; None where it is about none."""
    return f"{record.source}:{record.id}" if isinstance(record, Post | Tombstone) else None


def day_of(event_ms: int) -> str:
    """The UTC day, `YYYY-MM-DD`, of an event time in milliseconds since 1970."""
    return _day(event_ms // DAY_MS)


@lru_cache(maxsize=4096)
def _day(number: int) -> str:
    return (_EPOCH + timedelta(days=number)).strftime("%Y-%m-%d")


def _read(value: bytes, source: str) -> Reading:
    reader = _READERS.get(source)
    if reader is None:
        return rejected("shape")
    if not value or value.isspace():
        return notice(source, "keepalive")
    try:
        return reader(value, source)
    except MemoryError:
        raise
    except Exception:  # noqa: BLE001  a fault of ours: it is counted, and the audit refuses the day
        return rejected("internal")


def _split(line: bytes) -> list[bytes] | None:
    try:
        return wire_x_page.split(line)
    except MemoryError:
        raise
    except Exception:  # noqa: BLE001  as in `_read`; the line goes out whole
        return None


def _judged(reading: Reading, now_ms: int) -> Reading:
    """`reading`, rejected if its time cannot be. Its id stays: the key must not depend on whose clock judged."""
    event_ms = reading.event_ms
    if event_ms is None or EARLIEST_MS <= event_ms <= now_ms + LATEST_AHEAD_MS:
        return reading
    return Reading(Rejected("time"), "rejected.time", reading.id, None)


def _envelope(value: bytes, reading: Reading) -> Envelope:
    return Envelope(value, reading.id, reading.shape, reading.event_ms)


def _member(value: bytes, source: str, received_ms: int) -> Envelope:
    reading = _judged(_read(value, source), received_ms)
    shape = "post.x.v2.member" if reading.shape == "post.x.v2" else reading.shape
    return Envelope(value, reading.id, shape, reading.event_ms)
