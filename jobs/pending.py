"""The days that a night takes along: published ones that many records came for since, and those nobody published.

A night may be missed, as while the stack was stopped, or fail for good. Its day is answered by the speed layer until
the rows of that end their lives, and then by nothing, though the archive holds it all: the next nights make up for it.
"""

import sys
from collections.abc import Collection, Container, Iterable, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta

import click

from drinkstream import meaning
from drinkstream.archive import Archive
from drinkstream.command import exit_code
from drinkstream.merge import Publication, days_between, snapshot
from drinkstream.settings import Settings
from drinkstream.store.read import Reader, Run
from drinkstream.store.session import connect

ANSWER = "days="
"""What the last line of the output begins with; the days follow, with commas between them."""


MOST_RUNS = 9
"""A day with so many failed runs and no publication is left to a person.

A night that fails writes three, one for each try of its recompute, and each night that makes up for it one to three: a
fault that passes has passed by then, and one that does not must not hold up the other days for ever.
"""


MOST_DAYS = 30
"""A night recomputes no more: Airflow maps 1,024 tasks at most, and ends a recompute that takes longer than a day."""


def main(argv: list[str] | None = None) -> int:
    """Says which days; returns the exit code."""
    return exit_code(run, argv)


@click.command()
@click.option("--but", default=None, type=click.DateTime(["%Y-%m-%d"]), help="A day that is recomputed anyway.")
def run(but: datetime | None) -> None:
    """Print the published days with more records pending than the setting `pending_limit` allows, and missed days.

    A day that was rolled back, or that was published by other rules than those installed, is left to a person: see
    `settled_by_night`.
    Missed are days before BUT (without it: before today, UTC) that nobody published: see `missed`. Of many days some
    are left to the next nights: see `tonight`.
    """
    settings = Settings.load()
    before = but.date() if but is not None else datetime.now(UTC).date()
    cassandra = connect(settings, settings.reader_login())
    try:
        reader = Reader(cassandra)
        log = reader.publications(reader.published_months())
        published, back = snapshot(log, None).publications, rolled_back(log)
        in_force = counted(reader, published)
        failed_runs = {
            day: _failed(reader.runs(day)) for day in unpublished(published, before, settings.speed_ttl_days)
        }
        archive = Archive(settings.archive)
        asked = {str(day): run.position for day, run in in_force.items() if but is None or day != before}
        found = archive.pending(settings.posts_topic, asked) if asked else {}
        over_limit = over(found, settings.pending_limit)
        held = archive.came_in(settings.posts_topic, map(str, failed_runs)) if failed_runs else frozenset()
        moved = archive.other_topics(settings.posts_topic, {*over_limit, *held})
        meanings = {day: in_force[date.fromisoformat(day)].meaning for day in over_limit}
        late = settled_by_night(over_limit, meanings, moved.keys() | back)
        tries = {day: since(reader, published[date.fromisoformat(day)]) for day in late}
    finally:
        cassandra.cluster.shutdown()
    for day in late:
        print(f"day={day} pending={found[day]}")
    for day in sorted({*over_limit} - {*late} - moved.keys()):
        why = "it was rolled back" if day in back else f"other rules counted it ({meanings[day]})"
        print(
            f"day={day} pending={found[day]}: left as it is, since {why}: recompute_range counts it by the rules "
            "installed, once a person approves what that changes"
        )
    for day, topics in sorted(moved.items()):
        print(f"day={day}: left as it is, since posts of it lie under {' and '.join(topics)} too")
    take, leave = missed(failed_runs, held - moved.keys())
    for day in take:
        print(f"day={day} published=never")
    for day in leave:
        print(
            f"day={day} published=never: {MOST_RUNS} runs and more failed; settle why, then run a Backfill of the day"
        )
    days, later = tonight(take, {day: (tries[day], -found[day]) for day in late})
    if later:
        print(
            f"left={later}: {MOST_DAYS} days are taken in a night, missed ones first; the next nights take the others"
        )
    print(ANSWER + ",".join(days))


def since(reader: Reader, publication: Publication) -> int:
    """How many runs of a published day were begun since."""
    return sum(run.started_at > publication.at for run in reader.runs(publication.day))


def settled_by_night(over_limit: Sequence[str], meanings: Mapping[str, str], left: Container[str]) -> list[str]:
    """Those of the published days `over_limit` that a night recomputes, which nobody has to approve.

    Of each day `meanings` has by which rules its run in force counted it: by others, more would change than what came
    in since. `left` are days of which posts lie under another topic, which a recompute does not read, and those that
    were rolled back: a night would count what was regretted anew.
    """
    return [day for day in over_limit if day not in left and meanings[day] == meaning.version()]


def rolled_back(log: Iterable[Publication]) -> frozenset[str]:
    """The days for which, by the log of publications in any order, an earlier run answers than the last one published.

    A rollback that was undone is none.
    """
    runs: dict[str, list[str]] = {}
    for entry in sorted(log, key=lambda entry: entry.seq):
        runs.setdefault(str(entry.day), []).append(entry.run_id)
    return frozenset(day for day, named in runs.items() if named[-1] != list(dict.fromkeys(named))[-1])


def counted(reader: Reader, published: Mapping[date, Publication]) -> dict[date, Run]:
    """By published day the run in force, where it is there and knows up to which offsets of the archive it read."""
    runs = {day: reader.run(day, publication.run_id) for day, publication in sorted(published.items())}
    return {day: run for day, run in runs.items() if run is not None and run.position}


def unpublished(published: Collection[date], before: date, days: int) -> list[date]:
    """Those of the `days` days before `before` that were never published, in order."""
    last = before - timedelta(days=1)
    return [day for day in days_between(before - timedelta(days=days), last) if day not in published]


def given_up(reader: Reader, before: date, days: int) -> list[date]:
    """Those of the `days` days before `before` that were never published and that no night takes any more, in order.

    The archive is not asked: it is a person's to say why so many runs of a day came to nothing.
    """
    asked = unpublished((), before, days)
    months = sorted({str(day)[:7] for day in asked})
    published = {entry.day for entry in reader.publications(months)}
    return [day for day in asked if day not in published and _failed(reader.runs(day)) >= MOST_RUNS]


def _failed(runs: Collection[Run]) -> int:
    # a dry run, or one that waits for an approval, did not fail
    return sum(run.status != "complete" or not run.audited for run in runs)


def missed(runs: Mapping[date, int], held: Collection[str]) -> tuple[list[str], list[str]]:
    """Which unpublished days are recomputed, and which are left to a person, each in order.

    `runs` is how many failed runs each of them has, `held` the days of which records came in on the day itself. A day
    that only holds what came later, as a delete of an old post does, or lines of a replay, was not counted live: it is
    no night's to publish.
    """
    live = sorted((str(day), n) for day, n in runs.items() if str(day) in held)
    return [day for day, n in live if n < MOST_RUNS], [day for day, n in live if n >= MOST_RUNS]


def tonight(take: Collection[str], late: Mapping[str, tuple[int, int]]) -> tuple[list[str], int]:
    """The days that one night recomputes, in order, and how many are left to the next: MOST_DAYS at most.

    First the missed days `take`, of which live rows are about to go, the oldest first; then the published days `late`
    by their rank, the lowest first and the older one where they are alike. So days that fail each night hold no others
    back.
    """
    wanted = [*sorted(take), *sorted(late, key=lambda day: (late[day], day))]
    return sorted(wanted[:MOST_DAYS]), len(wanted[MOST_DAYS:])


def over(pending: Mapping[str, int], limit: int) -> list[str]:
    """The days with more than `limit` records pending, in order."""
    return sorted(day for day, n in pending.items() if n > limit)


if __name__ == "__main__":
    sys.exit(main())
