"""Where a new epoch begins: for every unpublished day that Kafka holds whole, and all that is not archived yet."""

from collections.abc import Collection
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from drinkstream.archive import Archive
from streaming.beginning import first_offsets
from streaming.offsets import KafkaOffsets
from tests.lib.archived import archive, row

START = datetime(2017, 9, 15, tzinfo=UTC)
OFFSETS = 20
"""Records of each of two partitions, one a minute in both at once."""

D14, D15, D16 = "2017-09-14", "2017-09-15", "2017-09-16"


def minute(n: int) -> datetime:
    return START + timedelta(minutes=n)


def kafka(begin: int = 0) -> KafkaOffsets:
    held = {("posts", 0): begin, ("posts", 1): begin}
    return KafkaOffsets("c1", held, dict.fromkeys(held, OFFSETS))


def times(positions: Any) -> dict[tuple[str, int], int]:
    return {place: int(minute(offset).timestamp() * 1000) for place, offset in positions.items()}


def at(places: Collection[tuple[str, int]], ms: int) -> dict[tuple[str, int], int]:
    first = -((START.timestamp() * 1000 - ms) // 60_000)
    return {place: min(max(int(first), 0), OFFSETS) for place in places}


def kept(folder: Path, *days: str, until: int = OFFSETS, **changed: Any) -> Archive:
    """An archive of both partitions up to an offset; offset n lies under the day `days[n]`, the last for the rest."""
    return archive(
        folder,
        [
            row(n, partition=p, day=days[min(n, len(days) - 1)], append_ts=minute(n), **changed)
            for p in (0, 1)
            for n in range(until)
        ],
    )


def begin(found: Archive, published: set[str] | None = None, **how: Any) -> dict[str, int]:
    days = {date.fromisoformat(day) for day in published or set()}
    return first_offsets(kafka(**how), "posts", found, days, times, at)


def test_without_an_archive_it_is_all_that_kafka_holds(tmp_path: Path):
    assert begin(Archive(str(tmp_path / "none")), {D14}) == {"0": 0, "1": 0}


def test_days_that_are_published_are_not_read_again(tmp_path: Path):
    found = kept(tmp_path, *[D14] * 5, *[D15] * 5, D16)
    assert begin(found) == {"0": 0, "1": 0}
    assert begin(found, {D14}) == {"0": 5, "1": 5}
    assert begin(found, {D14, D15}) == {"0": 10, "1": 10}


def test_a_day_that_came_early_and_late_is_read_from_its_first_record(tmp_path: Path):
    found = kept(tmp_path, D14, D14, D15, *[D14] * 7, D16)
    assert begin(found, {D14, D16}) == {"0": 2, "1": 2}


def test_a_day_that_kafka_holds_in_part_is_lost_anyhow(tmp_path: Path):
    assert begin(kept(tmp_path, *[D14] * 5, D15), begin=3) == {"0": 5, "1": 5}


def test_what_is_not_archived_yet_is_read(tmp_path: Path):
    found = kept(tmp_path, D14, until=12)
    assert begin(found, {D14}) == {"0": 12, "1": 12}


def test_all_partitions_begin_at_one_append_time(tmp_path: Path):
    rows = [row(n, partition=0, day=D14, append_ts=minute(n)) for n in range(OFFSETS)]
    rows += [row(n, partition=1, day=D14, append_ts=minute(n)) for n in range(7)]
    assert begin(archive(tmp_path, rows), {D14}) == {"0": 7, "1": 7}


def test_where_all_is_published_and_archived_it_begins_at_the_end(tmp_path: Path):
    assert begin(kept(tmp_path, D14), {D14}) == {"0": OFFSETS, "1": OFFSETS}


@pytest.mark.parametrize(("shape", "first"), [("post.x.v1", 0), (None, 0), ("rejected.json", OFFSETS)])
def test_posts_without_a_day_may_belong_to_any(tmp_path: Path, shape: str | None, first: int):
    assert begin(kept(tmp_path, "none", shape=shape)) == {"0": first, "1": first}


def test_rows_of_another_cluster_say_nothing_of_this_one(tmp_path: Path):
    assert begin(kept(tmp_path, D14, cluster="c0")) == {"0": 0, "1": 0}


def test_what_the_archive_takes_in_while_it_is_asked_is_read(tmp_path: Path):
    """A new day's first records are archived between the two looks: the epoch begins before them all the same."""
    found = kept(tmp_path, *[D14] * 10, until=10)

    class Growing:
        """The archive, which commits once it has told how far it reaches."""

        def __getattr__(self, name: str) -> Any:
            return getattr(found, name)

        def positions(self, cluster: str) -> Any:
            told = found.positions(cluster)
            archive(
                tmp_path, [row(n, partition=p, day=D15, append_ts=minute(n)) for p in (0, 1) for n in range(10, 15)]
            )
            return told

    growing: Any = Growing()
    days = {date(2017, 9, 14)}
    assert first_offsets(kafka(), "posts", growing, days, times, at) == {"0": 10, "1": 10}


def test_where_kafka_does_not_tell_a_time_it_is_all_that_it_holds(tmp_path: Path):
    found = kept(tmp_path, D14, until=12)
    assert first_offsets(kafka(), "posts", found, {date(2017, 9, 14)}, lambda _: {}, at) == {"0": 0, "1": 0}


@pytest.mark.parametrize(("ends", "first"), [(12, 0), (OFFSETS, 12)])
def test_what_is_archived_beyond_kafkas_end_does_not_count(tmp_path: Path, ends: int, first: int):
    """Kafka lost it, and all that it holds is new; unless both went on since Kafka was looked at."""
    found = kept(tmp_path, D14)
    held = dict.fromkeys([("posts", 0), ("posts", 1)], 0)
    seen = KafkaOffsets("c1", held, dict.fromkeys(held, 12))

    def at_most(places: Collection[tuple[str, int]], ms: int) -> dict[tuple[str, int], int]:
        return {place: min(offset, ends) for place, offset in at(places, ms).items()}

    begun = first_offsets(seen, "posts", found, {date(2017, 9, 14)}, times, at_most)
    assert begun == {"0": first, "1": first}
