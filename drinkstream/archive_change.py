"""What changes the archive's table besides its query (deltalake; no JVM): erasure, fewer files, no old files."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from itertools import islice
from typing import TypeVar

from deltalake import DeltaTable, WriterProperties
from deltalake.exceptions import CommitFailedError, DeltaError
from tenacity import RetryError, Retrying, retry_if_exception, stop_after_attempt, wait_fixed

from drinkstream.archive import ERASED_SHAPE, Archive, Row
from drinkstream.erasures import Erasures, Place
from drinkstream.errors import ConflictError, UnavailableError, first_line
from drinkstream.post import ERASED

TRIES = 8
"""The archive's query commits now and then; a change that met one of its commits is begun anew so many times."""

PAUSE_S = 0.5
KEYS_A_CHANGE = 1000

ORPHANED_FOR = timedelta(hours=24)
"""A file that belongs to no version is this old before it goes: the batch that writes one takes minutes at most."""

# the same as the query's own files
_WRITTEN = WriterProperties(compression="ZSTD")

_GONE = "Failed to fetch metadata for file"

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Removal:
    """Records that were erased, and how many by day; the newest was appended at `newest_ms` (ms since 1970 UTC)."""

    places: dict[Place, str]
    days: dict[str, int]
    newest_ms: int | None


def erase(uri: str, keys: Iterable[str], now: datetime) -> Removal:
    """Puts the order to leave the post out in place of the value of every record with one of `keys` in the archive.

    A record keeps its place, key, day and append time; what stood in it is gone from the table's newest version, and
    with `vacuum` from the disk. What was erased is added to the erasure list. Done again it finds nothing left to do.
    Raises ConflictError where the archive's query commits too often, UnavailableError where there is no table.
    """
    archive, erasures, removal = Archive(uri), Erasures.beside(uri), Removal({}, {}, None)
    left = iter(sorted(set(keys)))
    while some := list(islice(left, KEYS_A_CHANGE)):
        # what comes between a look and the change is found by the next look
        for look in range(TRIES + 1):
            rows = [row for row in archive.keyed(some) if row.value != ERASED]
            if not rows:
                break
            if look == TRIES:
                raise ConflictError(f"{rows[0].key} and others are archived faster than they are erased: repeat it")
            removal = _with(removal, rows)
            # first, so that no crash leaves a record erased and not named
            erasures.record(removal.places, now)
            retried(partial(_replace, uri, rows))
    return removal


def of_keys(uri: str, keys: Iterable[str]) -> Removal:
    """Every record with one of `keys` that the archive holds, whenever it was erased.

    Unlike what `erase` returns it is the same again where a first attempt was cut off. Raises UnavailableError where
    there is no table.
    """
    archive, removal = Archive(uri), Removal({}, {}, None)
    left = iter(sorted(set(keys)))
    while some := list(islice(left, KEYS_A_CHANGE)):
        removal = _with(removal, archive.keyed(some))
    return removal


def vacuum(uri: str, kept: timedelta = timedelta(0)) -> None:
    """Deletes the files that have not belonged to the newest version for as long as `kept` (whole hours).

    Only files that the table's log calls removed: those that the query is just writing are not touched.
    """
    _vacuum(uri, kept, whole=False)


def drop_orphans(uri: str, older: timedelta) -> None:
    """Deletes files that never came to belong to the table, as a crash between a file and its commit leaves them.

    Those `older` than this (whole hours) only, which must be far above the time of a commit.
    """
    _vacuum(uri, older, whole=True)


def compact(uri: str, days: Iterable[str]) -> int:
    """Rewrites the small files of `days` into few; returns how many files there are less."""
    less = 0
    for day in days:
        less += retried(partial(_compact, uri, day))
    return less


def configure(uri: str, properties: Mapping[str, str]) -> tuple[str, ...]:
    """Gives the table the `properties` that it has not, or has otherwise; returns their names, sorted."""
    return retried(partial(_configure, uri, properties))


def retried(change: Callable[[], T]) -> T:
    """What `change` returns; it is begun anew where somebody else's commit, or deletion of old files, came in between.

    Each try has to read the table anew. Raises ConflictError where something came in between each of TRIES times.
    """
    attempts = Retrying(retry=retry_if_exception(_overtaken), stop=stop_after_attempt(TRIES), wait=wait_fixed(PAUSE_S))
    try:
        return attempts(change)
    except RetryError as error:
        raise ConflictError(
            f"the archive was changed by others each of {TRIES} times: repeat it, at a quieter time "
            f"({first_line(error.last_attempt.exception())})"
        ) from error


def _overtaken(error: BaseException) -> bool:
    # the engine has no kind of its own for a file that went since the table was read
    return isinstance(error, CommitFailedError) or (isinstance(error, DeltaError) and _GONE in str(error))


def _replace(uri: str, rows: list[Row]) -> None:
    table = _table(uri)
    days = ", ".join(_quoted(day) for day in sorted({row.day for row in rows}))
    keys = ", ".join(_quoted(row.key or "") for row in rows)
    order = f"arrow_cast({_quoted(ERASED.decode())}, 'Binary')"
    table.update(
        updates={"value": order, "shape": _quoted(ERASED_SHAPE)},
        predicate=f"day IN ({days}) AND key IN ({keys})",
        writer_properties=_WRITTEN,
    )


def _configure(uri: str, properties: Mapping[str, str]) -> tuple[str, ...]:
    table = _table(uri)
    now = table.metadata().configuration
    other = {name: properties[name] for name in sorted(properties) if now.get(name) != properties[name]}
    if other:
        table.alter.set_table_properties(other)
    return tuple(other)


def _compact(uri: str, day: str) -> int:
    done = _table(uri).optimize.compact(partition_filters=[("day", "=", day)], writer_properties=_WRITTEN)
    return int(done["numFilesRemoved"]) - int(done["numFilesAdded"])


def _with(removal: Removal, rows: Iterable[Row]) -> Removal:
    places, days, newest = dict(removal.places), dict(removal.days), removal.newest_ms
    for row in rows:
        place = row.cluster, row.topic, row.partition, row.offset
        days[row.day] = days.get(row.day, 0) + (place not in places)
        places[place] = row.key or ""
        newest = max(newest or 0, row.append_ms)
    return Removal(places, days, newest)


def _vacuum(uri: str, retention: timedelta, whole: bool) -> None:
    _table(uri).vacuum(
        retention_hours=int(retention / timedelta(hours=1)),
        enforce_retention_duration=False,
        dry_run=False,
        full=whole,
    )


def _table(uri: str) -> DeltaTable:
    try:
        return DeltaTable(uri)
    except (DeltaError, OSError) as error:
        raise UnavailableError(f"the archive at {uri} could not be read: {error}") from error


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"
