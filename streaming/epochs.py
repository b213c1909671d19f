"""The lives of the speed query: when one goes on, when a new one starts, and which of them answers."""

import json
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

from drinkstream.store.read import EpochRow, Reader
from drinkstream.store.write import Writer

TTL_MARGIN = timedelta(days=1)
"""A day whose rows expire sooner than this is no longer answered for."""


@dataclass(frozen=True, slots=True)
class Kafka:
    """What the broker says of the posts topic: its cluster id, and the first and next offsets by partition."""

    cluster: str
    begin: Mapping[str, int]
    end: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Life:
    """The epoch to run: its id, checkpoint, watermark delay (s), and the offsets to start from where it is new."""

    epoch: str
    checkpoint: Path
    watermark_s: int
    first_offsets: Mapping[str, int]
    catch_up: Mapping[str, int]


def epoch_id(now: datetime, after: str = "") -> str:
    """A new epoch's id: text behind the id `after` in order, though both start in one second or the clock went back."""
    token = secrets.token_hex(3)
    made = f"{now:%Y%m%dT%H%M%S}-{token}"
    return made if made > after else f"{after}-{token}"


def decide(
    epochs: list[EpochRow], meaning: str, kafka: Kafka, checkpoints: Path, watermark_s: int, now: datetime
) -> tuple[Life, str | None]:
    """The life to lead, and why it is a new one (None: the newest one goes on).

    `epochs` are the newest first. A new meaning, another Kafka cluster, a lost checkpoint, rows that the watermark
    dropped or records that Kafka let go of unread each start a new epoch, from the earliest record that Kafka holds.
    """
    newest = epochs[0] if epochs else None
    why = _why_new(newest, meaning, kafka, checkpoints)
    if newest is not None and why is None:
        folder = checkpoint(checkpoints, newest.epoch)
        return Life(newest.epoch, folder, newest.watermark_s, newest.first_offsets, newest.catch_up), None
    delay = watermark_s
    if newest is not None and newest.status == "dropped":
        # the same backlog must not drop again
        delay = newest.watermark_s * 2
    replaced = next((epoch for epoch in epochs if epoch.status == "current"), None)
    same_cluster = replaced is not None and replaced.cluster == kafka.cluster
    catch_up = replaced.processed if replaced is not None and same_cluster else kafka.end
    new = epoch_id(now, newest.epoch if newest is not None else "")
    return Life(new, checkpoint(checkpoints, new), delay, kafka.begin, catch_up), why


def checkpoint(checkpoints: Path, epoch: str) -> Path:
    """Where an epoch's checkpoint lies."""
    return checkpoints / f"speed-{epoch}"


def caught_up(processed: Mapping[str, int], life: Life) -> bool:
    """Whether an epoch has processed, in every partition, at least what it must before it answers."""
    first = life.first_offsets
    return all(processed.get(p, first.get(p, 0)) >= offset for p, offset in life.catch_up.items())


def expiring(touched: Mapping[str, datetime], now: datetime, ttl: timedelta) -> frozenset[date]:
    """The days whose oldest rows expire within TTL_MARGIN; `touched` is when each hour was first written."""
    limit = now - ttl + TTL_MARGIN
    return frozenset(date.fromisoformat(hour[:10]) for hour, at in touched.items() if at <= limit)


def become_current(reader: Reader, writer: Writer, epoch: str) -> bool:
    """Makes an epoch the one that answers; False where it was already, and only others were left to be retired.

    Readers take the newest current one, so there is no moment between. A process may die between the writes: the next
    one calls this again, lest the epoch before came back once this one is dropped.
    """
    now = datetime.now(UTC)
    answering = {row.epoch for row in reader.epochs() if row.status == "current"}
    if epoch not in answering:
        writer.epoch(epoch, status="current", current_at=now)
    for other in sorted(answering - {epoch}):
        writer.epoch(other, status="retired", retired_at=now)
    return epoch not in answering


def mark_expiring(reader: Reader, writer: Writer, but: str, now: datetime, ttl: timedelta) -> None:
    """Marks the days whose rows are about to expire in the epoch that answers, unless that is `but`.

    It has no process of its own any more when another one builds in its place.
    """
    for row in reader.epochs():
        if row.status == "current" and row.epoch != but:
            blind = expiring(reader.touched(row.epoch), now, ttl)
            if not blind <= row.blind_days:
                writer.epoch(row.epoch, blind_days=row.blind_days | blind)


def offsets_of(text: str, topic: str) -> dict[str, int]:
    """The next offsets by partition in an entry of Spark's offset log; empty where it has none for the topic."""
    for line in text.splitlines()[2:]:
        if line.startswith("{"):
            found = json.loads(line).get(topic)
            if found is not None:
                return {str(partition): int(offset) for partition, offset in found.items()}
    return {}


def _why_new(newest: EpochRow | None, meaning: str, kafka: Kafka, checkpoints: Path) -> str | None:
    if newest is None:
        return "the first life of the speed query"
    if newest.status == "dropped":
        return f"the watermark of {newest.watermark_s} s dropped rows in {newest.epoch}"
    if newest.meaning != meaning:
        return f"the meaning changed from {newest.meaning} to {meaning}"
    if newest.cluster != kafka.cluster:
        return f"another Kafka cluster: {newest.cluster} became {kafka.cluster}"
    if newest.processed and not (checkpoint(checkpoints, newest.epoch) / "metadata").is_file():
        return f"the checkpoint of {newest.epoch} is lost"
    first = newest.first_offsets
    if gone := [p for p, offset in kafka.begin.items() if newest.processed.get(p, first.get(p, 0)) < offset]:
        return f"Kafka no longer holds what {newest.epoch} has yet to read of partition {', '.join(gone)}"
    return None
