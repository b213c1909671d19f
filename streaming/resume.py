"""Where the archive query goes on: with its checkpoint if that agrees with what is archived, else in a new one."""

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from drinkstream.archive import Archive
from drinkstream.errors import IntegrityError
from drinkstream.positions import Gap, Ledger, Positions, Refusal, Span, furthest, missing
from streaming.checkpoints import begun, fallen, newest, planned, readable
from streaming.offsets import KafkaOffsets

log = logging.getLogger("archive")


@dataclass(frozen=True, slots=True)
class Start:
    """Where the query goes on: `offsets` are needed (and given) only for a checkpoint folder that is new."""

    checkpoint: Path
    offsets: Positions | None


def take_stock(archive: Archive, ledger: Ledger, cluster: str) -> None:
    """Bring the ledger's positions up to what the table holds; down to that where an older copy of it was put back.

    Whatever changes a table raises its version: one that has not the commit that the ledger knows is such a copy.
    """
    table, kept = archive.table_id(), ledger.commit()
    if kept is not None and ledger.table() == table:
        # versions that the copy got since, as by an erasure, are others under the same numbers; an old one may be gone
        here = archive.commit(kept.version)
        if kept.version > archive.version() or here not in (None, kept):
            log.error("the table was put back to an older copy: what it lacks is fetched again, while Kafka has it")
            ledger.forget()
    ledger.advance(cluster, table, archive.positions(cluster), archive.commit())


def resume(kafka: KafkaOffsets, ledger: Ledger, folder: Path) -> Start:
    """Decide where to go on, and record a gap for each partition that Kafka has trimmed beyond the archive's position.

    `folder` holds this cluster's checkpoints, one numbered folder for each life. The newest is used if it agrees with
    the ledger: all that it committed is archived, and of what else it planned all or nothing. Otherwise the next one is
    begun at the archive's positions. Raises IntegrityError where Kafka ends before the archive's position, or did at an
    earlier start: by now it may have given other records the offsets that are archived.
    """
    reached = furthest(dict.fromkeys(kafka.end, 0), ledger.positions(kafka.cluster))
    last = newest(folder) or 0
    _refuse(kafka, reached, ledger, folder, last)
    # of a table that was put back, later gaps are on record
    passed = [gap.span for gap in ledger.gaps()]
    gaps = [
        span
        for (topic, partition), held in kafka.begin.items()
        for place in [(kafka.cluster, topic, partition)]
        for span in missing(None, place, held, [*passed, Span(*place, 0, reached[topic, partition])])
    ]
    for span in gaps:
        ledger.record(Gap(span, _now()))
        log.error("GAP: Kafka no longer holds %s (%d records): recorded, going on after it", span, span.size)
    reached = furthest(reached, kafka.begin)
    if last and not gaps and agrees(folder / str(last), reached, kafka):
        return Start(folder / str(last), None)
    return Start(folder / str(last + 1), {place: reached[place] for place in kafka.end})


def agrees(checkpoint: Path, reached: Mapping[tuple[str, int], int], kafka: KafkaOffsets) -> bool:
    """Whether a query on `checkpoint` would go on exactly at `reached`, in the topics that `kafka` holds.

    A batch that the table already holds under this checkpoint's name is skipped by Delta without an error, whatever it
    reads; so a checkpoint that lost its last batches would lose the records planned into them again.

    The table takes a batch whole or not at all. So the last one, planned and not known to be committed, lies behind
    `reached` in every partition or in none; what is in between, or where Kafka no longer holds all of the batch, was
    reached by a recorded gap, and Spark would stop at the batch for ever. So it would where the batch goes back, or
    beyond Kafka's end, or where a topic is no longer the one that is read.
    """
    last = _last(checkpoint)
    if last is None or not begun(checkpoint) or not readable(checkpoint):
        return False
    starts, ends = last
    if fallen(starts, ends) or fallen(ends, kafka.end) or not {*starts, *ends} <= set(kafka.begin):
        return False
    # of a topic that is not read any more positions are known, too
    places = {*ends, *starts, *(place for place in reached if place in kafka.begin)}
    if all(reached.get(place, 0) == starts.get(place, 0) for place in places):
        return True
    archived = all(reached.get(place, 0) == ends.get(place, 0) for place in places)
    return archived and all(offset <= starts.get(place, 0) for place, offset in kafka.begin.items())


def _refuse(kafka: KafkaOffsets, reached: Positions, ledger: Ledger, folder: Path, last: int) -> None:
    """Raises IntegrityError where Kafka's end is, or was once, before `reached`; noted in the ledger until removed."""
    now = {place: end for place, end in kafka.end.items() if end < reached[place]}
    logged = _last(folder / str(last))
    then = {} if logged is None else {place: end for place, end in fallen(*logged).items() if place in kafka.end}
    known = ledger.refusals(kafka.cluster)
    for place, end in (then | now).items():
        if place not in known:
            ledger.refuse(Refusal(kafka.cluster, *place, end, reached[place], _now()))
    if then:
        # once a person has resolved it, it is not to be found there again
        (folder / str(last + 1)).mkdir()
    refused = [one for place, one in ledger.refusals(kafka.cluster).items() if place in kafka.end]
    if refused:
        raise IntegrityError(
            f"{'; '.join(map(str, refused))}: the topic was made anew or lost records, and new ones get offsets that "
            "are archived already. Nothing more is archived until a person decides. A Kafka with a new cluster id, or "
            "a topic of another name (DRINKSTREAM_POSTS_TOPIC, DRINKSTREAM_STATUS_TOPIC), is archived from its first "
            "record; under another name the days so far cannot be recomputed. Or remove the key `refused` from "
            f"{ledger.positions_file} once Kafka's end is at the archived offset again, not before: archiving goes on "
            "there, and what has come under lower offsets since is never archived (docs/archive.md)"
        )


def _last(checkpoint: Path) -> tuple[Positions, Positions] | None:
    """Where the last batch that was planned begins and ends; both are its end where it is committed.

    None where there is none, none was committed, or the checkpoint cannot be read.
    """
    batch, done = newest(checkpoint / "offsets"), newest(checkpoint / "commits")
    if batch is None or done is None:
        return None
    starts, ends = planned(checkpoint, done), planned(checkpoint, batch)
    return None if starts is None or ends is None else (starts, ends)


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds")
