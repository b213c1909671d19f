"""The lives of the speed query: when one goes on, when a new one starts, and which of them answers."""

import json
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from drinkstream.positions import Positions, settle
from drinkstream.retention import expiring
from drinkstream.store.read import EpochRow, Reader
from drinkstream.store.write import Writer
from streaming.checkpoints import begun, fallen, planned, readable
from streaming.checkpoints import newest as newest_of

DROPPED = "dropped"
"""A file in a checkpoint whose epoch lost rows by the watermark."""


@dataclass(frozen=True, slots=True)
class Kafka:
    """What the broker says of the posts topic: its cluster id, and the first and next offsets by partition."""

    cluster: str
    topic: str
    begin: Mapping[str, int]
    end: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Life:
    """The epoch to run: its id, checkpoint, watermark delay (s), and the offsets to start from where it is new.

    `catch_up` are the next offsets that it must have processed before it answers; None: to be told (succession.py).
    """

    epoch: str
    checkpoint: Path
    watermark_s: int
    first_offsets: Mapping[str, int]
    catch_up: Mapping[str, int] | None


def epoch_id(now: datetime, after: str = "") -> str:
    """A new epoch's id: text behind the id `after` in order, though both start in one second or the clock went back."""
    token = secrets.token_hex(3)
    made = f"{now:%Y%m%dT%H%M%S}-{token}"
    return made if made > after else f"{after}-{token}"


def decide(
    epochs: list[EpochRow], meaning: str, kafka: Kafka, checkpoints: Path, watermark_s: int, now: datetime
) -> tuple[Life, str | None]:
    """The life to lead, and why it is a new one (None: the newest one of this meaning goes on).

    `epochs` are the newest first. A new meaning, another Kafka cluster or topic, a checkpoint that is lost or that
    Spark cannot read, rows that the watermark dropped, records that Kafka let go of unread, or an end of Kafka that
    fell each start a new epoch; beginning.py says from where. One that does not answer yet must first process all that
    Kafka holds now: whatever another one has counted.
    """
    newest = epochs[0] if epochs else None
    mine = living(epochs, meaning)
    why = _why_new(newest, mine, meaning, kafka, checkpoints)
    if mine is not None and why is None:
        folder = checkpoint(checkpoints, mine.epoch)
        catch_up = mine.catch_up if mine.status == "current" else kafka.end
        return Life(mine.epoch, folder, mine.watermark_s, mine.first_offsets, catch_up), None
    # the same backlog must not drop again
    dropped = next((row for row in (mine, newest) if row is not None and row.status == "dropped"), None)
    delay = max(watermark_s, dropped.watermark_s * 2 if dropped is not None else 0)
    new = epoch_id(now, newest.epoch if newest is not None else "")
    return Life(new, checkpoint(checkpoints, new), delay, kafka.begin, kafka.end), why


def outlived(epochs: list[EpochRow], meaning: str, kafka: Kafka, checkpoints: Path) -> list[str]:
    """The epochs that have read records which Kafka does not hold under these offsets, so that no other can count them.

    Of another cluster the archive says which days it had.
    """
    mine = living(epochs, meaning)
    return [
        row.epoch
        for row in epochs
        if row.cluster == kafka.cluster
        and _elsewhere(row, kafka, checkpoint(checkpoints, row.epoch), still=row is mine) is not None
    ]


def living(epochs: list[EpochRow], meaning: str) -> EpochRow | None:
    """The newest epoch of a meaning that is not retired; `epochs` are the newest first."""
    return next((row for row in epochs if row.meaning == meaning and row.status != "retired"), None)


def checkpoint(checkpoints: Path, epoch: str) -> Path:
    """Where an epoch's checkpoint lies."""
    return checkpoints / f"speed-{epoch}"


def caught_up(processed: Mapping[str, int], first_offsets: Mapping[str, int], catch_up: Mapping[str, int]) -> bool:
    """Whether an epoch has processed, in every partition, at least what it must; it began at `first_offsets`."""
    return all(processed.get(p, first_offsets.get(p, 0)) >= offset for p, offset in catch_up.items())


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
        retire(writer, other)
    return epoch not in answering


def retire(writer: Writer, epoch: str) -> None:
    """No query goes on with this epoch; its cells stay readable until they expire."""
    writer.epoch(epoch, status="retired", retired_at=datetime.now(UTC))


def note_dropped(writer: Writer, life: Life) -> None:
    """The watermark dropped rows of this epoch, so that it never goes on: first noted where no store is needed."""
    try:
        (life.checkpoint / DROPPED).touch()
        settle(life.checkpoint)
    finally:
        writer.epoch(life.epoch, status="dropped")


def tell_dropped(reader: Reader, writer: Writer, checkpoints: Path) -> None:
    """Stores of each epoch that it was dropped, where the process that noted it could not."""
    for row in reader.epochs():
        if row.status not in ("dropped", "retired") and (checkpoint(checkpoints, row.epoch) / DROPPED).is_file():
            writer.epoch(row.epoch, status="dropped")


def mark_expiring(reader: Reader, writer: Writer, but: str, now: datetime, ttl: timedelta) -> None:
    """Marks the days whose rows are about to expire in the epoch that answers, unless that is `but`.

    It has no process of its own any more when another one builds in its place. One that answers no more is not marked:
    who asks it by a token looks at its hours.
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


def _why_new(
    newest: EpochRow | None, mine: EpochRow | None, meaning: str, kafka: Kafka, checkpoints: Path
) -> str | None:
    if newest is None:
        return "the first life of the speed query"
    if mine is None:
        return f"the meaning changed from {newest.meaning} to {meaning}"
    if mine.status == "dropped":
        return f"the watermark of {mine.watermark_s} s dropped rows in {mine.epoch}"
    if mine.cluster != kafka.cluster:
        return f"another Kafka cluster: {mine.cluster} became {kafka.cluster}"
    folder = checkpoint(checkpoints, mine.epoch)
    if (mine.processed and not begun(folder)) or not readable(folder):
        return f"the checkpoint of {mine.epoch} is lost"
    first = mine.first_offsets
    if gone := [p for p, offset in kafka.begin.items() if mine.processed.get(p, first.get(p, 0)) < offset]:
        return f"Kafka no longer holds what {mine.epoch} has yet to read of partition {', '.join(gone)}"
    return _elsewhere(mine, kafka, folder, still=True)


def _elsewhere(row: EpochRow, kafka: Kafka, folder: Path, still: bool) -> str | None:
    """Why what an epoch has read is not what Kafka holds under these offsets now; None where it is.

    `kafka` was asked after the row was read. Where a query may go on with the epoch meanwhile, it does not stand
    `still`, and what it plans may lie behind the end that was seen.
    """
    before, after = _planned(folder)
    if others := sorted({topic for topic, _ in after} - {kafka.topic}):
        return f"another topic: {row.epoch} reads {', '.join(others)}"
    ahead = [*{**row.first_offsets, **row.processed}.items()]
    # a batch that goes back is taken up for ever, also once Kafka's end has risen again; so is one beyond that end
    ahead += [(str(partition), offset) for (_, partition), offset in after.items() if still]
    back = {partition for partition, offset in ahead if offset > kafka.end.get(partition, 0)}
    back |= {str(partition) for _, partition in fallen(before, after)}
    if back:
        return f"Kafka's end fell below what {row.epoch} has read of partition {', '.join(sorted(back))}"
    return None


def _planned(folder: Path) -> tuple[Positions, Positions]:
    """Up to where the last but one and the last micro-batch were to read; empty where there is no such entry."""
    last = newest_of(folder / "offsets") or 0
    return planned(folder, last - 1) or {}, planned(folder, last) or {}
