"""Where the archive query goes on: with its checkpoint if that agrees with what is archived, else in a new one."""

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from drinkstream.errors import IntegrityError
from drinkstream.positions import Gap, Ledger, Positions, Span, furthest
from streaming.offsets import KafkaOffsets, positions_of

log = logging.getLogger("archive")


@dataclass(frozen=True, slots=True)
class Start:
    """Where the query goes on: `offsets` are needed (and given) only for a checkpoint folder that is new."""

    checkpoint: Path
    offsets: Positions | None


def resume(kafka: KafkaOffsets, ledger: Ledger, folder: Path) -> Start:
    """Decide where to go on, and record a gap for each partition that Kafka has trimmed beyond the archive's position.

    `folder` holds this cluster's checkpoints, one numbered folder for each life. The newest is used if it agrees with
    the ledger: all that it committed is archived, and of what else it planned all or nothing. Otherwise the next one is
    begun at the archive's positions. Raises IntegrityError where Kafka ends before the archive's position.
    """
    reached = furthest(dict.fromkeys(kafka.end, 0), ledger.positions(kafka.cluster))
    gaps = []
    for place, held in kafka.begin.items():
        if reached[place] > kafka.end[place]:
            raise IntegrityError(
                f"{place[0]}/{place[1]} ends at offset {kafka.end[place]} but {reached[place]} are archived: the topic "
                "was made anew or lost records. Give Kafka a new cluster id, or move the archive and its ledger away"
            )
        if held > reached[place]:
            gaps.append(Span(kafka.cluster, *place, reached[place], held))
    for span in gaps:
        ledger.record(Gap(span, datetime.now(UTC).isoformat(timespec="milliseconds")))
        log.error("GAP: Kafka no longer holds %s (%d records): recorded, going on after it", span, span.size)
    reached = furthest(reached, kafka.begin)
    numbers = sorted(int(path.name) for path in folder.glob("[0-9]*") if path.name.isdigit())
    newest = numbers[-1] if numbers else 0
    if newest and not gaps and agrees(folder / str(newest), reached, kafka.begin):
        return Start(folder / str(newest), None)
    return Start(folder / str(newest + 1), {place: reached[place] for place in kafka.end})


def agrees(checkpoint: Path, reached: Mapping[tuple[str, int], int], begin: Mapping[tuple[str, int], int]) -> bool:
    """Whether a query on `checkpoint` would go on exactly at `reached`; Kafka holds the offsets from `begin` on.

    A batch that the table already holds under this checkpoint's name is skipped by Delta without an error, whatever it
    reads; so a checkpoint that lost its last batches would lose the records planned into them again.

    The table takes a batch whole or not at all. So the last one, planned and not known to be committed, lies behind
    `reached` in every partition or in none; what is in between, or where Kafka no longer holds all of the batch, was
    reached by a recorded gap, and Spark would stop at the batch for ever.
    """
    planned, committed = _newest(checkpoint / "offsets"), _newest(checkpoint / "commits")
    if planned is None or committed is None or not (checkpoint / "metadata").is_file():
        return False
    ends, starts = (_offsets(checkpoint / "offsets" / str(batch)) for batch in (planned, committed))
    if ends is None or starts is None:
        return False
    places = {*ends, *starts, *reached}
    if all(reached.get(place, 0) == starts.get(place, 0) for place in places):
        return True
    archived = all(reached.get(place, 0) == ends.get(place, 0) for place in places)
    return archived and all(offset <= starts.get(place, 0) for place, offset in begin.items())


def _newest(folder: Path) -> int | None:
    return max((int(path.name) for path in folder.glob("[0-9]*") if path.name.isdigit()), default=None)


def _offsets(path: Path) -> Positions | None:
    """The Kafka offsets in a file of Spark's offset log (version line, batch metadata, one line for each source)."""
    lines = path.read_text().splitlines() if path.is_file() else []
    if len(lines) != 3 or lines[0] != "v1":
        return None
    return positions_of(lines[2])
