"""Audit the runs of an attempt: every gate for each day, before anything is published."""

import json
import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, date, datetime
from functools import cache, partial

import click

from drinkstream.archive import Archive
from drinkstream.audit import Facts, apart, close, failed_gates
from drinkstream.cells import ANY, NO_BRAND
from drinkstream.command import exit_code
from drinkstream.erasures import Erasures
from drinkstream.errors import AuditError, UnavailableError
from drinkstream.merge import Publication, hours_of
from drinkstream.positions import Ledger, Span, missing
from drinkstream.post import NO_DAY
from drinkstream.reconcile import PostName
from drinkstream.settings import Settings
from drinkstream.share import KINDS, Filter, Total, count
from drinkstream.store.read import EpochRow, Reader, Run
from drinkstream.store.session import connect
from drinkstream.store.write import Writer
from jobs.append import log_of
from jobs.attempt import only_day, runs_of
from jobs.facts import KEYS_A_QUERY, gather
from jobs.health import behind


def main(argv: list[str] | None = None) -> int:
    """Audits the runs of an attempt; the exit code is AuditError's where any gate fails."""
    return exit_code(run, argv)


@click.command()
@click.option("--attempt", required=True, help="The attempt whose runs are audited.")
@click.option("--ask", is_flag=True, help="Leave a total too far from the speed layer's to the person who approves.")
@only_day
def run(attempt: str, ask: bool, day: date | None) -> None:
    """Check every run of ATTEMPT against the archive, the speed layer and the log of publications."""
    settings = Settings.load()
    cassandra = connect(settings, settings.writer_login())
    try:
        audit(settings, Reader(cassandra), Writer(cassandra), attempt, datetime.now(UTC), day, ask)
    finally:
        cassandra.cluster.shutdown()


@dataclass(frozen=True, slots=True)
class Archived:
    """The posts topic in the archive at one version, and its offsets that are accounted for nowhere.

    `rows` are all by day, `posts` those of them that are posts or may be.
    """

    rows: Mapping[str, int]
    posts: Mapping[str, int]
    unaccounted: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Verdict:
    """The gates that a run failed, and what is left to the person who approves it, each in words."""

    failed: tuple[str, ...] = ()
    asks: tuple[str, ...] = ()

    def words(self) -> str:
        """All of it in a line."""
        return "; ".join([*self.failed, *(f"a person has to approve that {words}" for words in self.asks)]) or "passed"


def audit(
    settings: Settings,
    reader: Reader,
    writer: Writer,
    attempt: str,
    now: datetime,
    day: date | None = None,
    ask: bool = False,
) -> None:
    """Stores the verdict with each run, or with that of one day. Raises AuditError that names every failed gate.

    With `ask` a run that is only `apart` is no failure: the verdict says what a person is to approve. A run that was
    published is left as it is: its verdict let it be, and others rely on that, as a rollback does.
    """
    epoch = reader.current_epoch()
    failures = []
    # the days of one attempt are read at one version: the archive is asked once for all of them
    archived = cache(partial(archived_at, settings))
    for attempted in runs_of(reader, attempt, day):
        log = log_of(reader, attempted.day)
        if seqs := [p.seq for p in log if p.run_id == attempted.run_id]:
            print(f"day={attempted.day} run={attempted.run_id}: was published already, as seq {min(seqs)}")
            continue
        counts = ""
        try:
            held = archived(attempted.archive_version)
        except AuditError as gone:
            verdict = Verdict(failed=(str(gone),))
        else:
            found = facts(settings, reader, attempted, epoch, held, log)
            verdict = judged(settings, found, now, ask)
            counts = f" batch={found.batch_n} speed={found.speed_n} removed={found.removed}"
            if found.behind:
                counts += f" (speed is {found.behind} records behind what the run read: its count is not compared)"
        writer.run(attempted.day, attempted.run_id, audit=json.dumps({"at": now.isoformat(), **asdict(verdict)}))
        print(f"day={attempted.day} run={attempted.run_id}{counts}: {verdict.words()}")
        failures += [f"{attempted.day}: {words}" for words in verdict.failed]
    if failures:
        raise AuditError("not to be published. " + ". ".join(failures))


def judged(settings: Settings, found: Facts, now: datetime, ask: bool) -> Verdict:
    """The verdict on a run; with `ask` what a person may let pass is left to one, where nothing else fails."""
    failed, beyond = failed_gates(found, now, settings.max_rejected_share), apart(found, settings.audit_tolerance)
    if ask and not failed:
        return Verdict(asks=beyond)
    further = "; once you know which of them is right, recompute_range lets a person publish it"
    return Verdict(failed=(*failed, *(words + further for words in beyond)))


def facts(
    settings: Settings,
    reader: Reader,
    attempted: Run,
    epoch: EpochRow | None,
    archived: Archived,
    log: Sequence[Publication],
) -> Facts:
    """What the audit must know of one run, whose archive version holds `archived`; `log` are the day's publications."""
    batch_n, speed_n = attempted.totals.get("drinks", 0), _speed_total(reader, attempted, epoch)
    lacking, taken_back = 0, 0
    if epoch is not None and speed_n is not None and not close(batch_n, speed_n, settings.audit_tolerance):
        if speed_n < batch_n:
            lacking = still_to_count(settings.posts_topic, attempted, epoch)
            # a record is one post at most: what they cannot explain is a difference
            most = speed_n + lacking
            if most < batch_n and not close(batch_n, most, settings.audit_tolerance):
                lacking = 0
        elif attempted.status == "complete":
            taken_back = removed(settings, reader, attempted, epoch)
    return Facts(
        day=attempted.day,
        complete=attempted.status == "complete",
        rows_read=attempted.fingerprint.get("rows", 0),
        rows_held=archived.rows.get(str(attempted.day), 0) + archived.rows.get(NO_DAY, 0),
        rows_of_day=archived.rows.get(str(attempted.day), 0),
        posts_of_day=archived.posts.get(str(attempted.day), 0),
        fed=fed(reader, attempted.day),
        unaccounted=archived.unaccounted,
        rejected=attempted.rejected,
        batch_n=batch_n,
        # what it has not come to yet is missing from its count, and from no other
        speed_n=None if lacking else speed_n,
        behind=lacking,
        removed=taken_back,
        seq_then=attempted.fingerprint.get("seq", 0),
        seq_now=max((p.seq for p in log), default=0),
    )


def fed(reader: Reader, day: date) -> bool:
    """Whether a feed told that it was connected on a day."""
    return any(one.connected_ms > 0 for one in reader.coverage_days([str(day)[:7]]) if one.day == day)


def still_to_count(topic: str, attempted: Run, epoch: EpochRow) -> int:
    """How many of the records that a run read lie behind what an epoch had processed when its row was read."""
    place = f"{epoch.cluster}/{topic}/"
    read = {name.removeprefix(place): end for name, end in attempted.position.items() if name.startswith(place)}
    return behind({**epoch.first_offsets, **epoch.processed}, read)


def removed(settings: Settings, reader: Reader, attempted: Run, epoch: EpochRow) -> int:
    """How many posts of the day's speed total a run left out by an order that it read: a delete, an erasure, ...

    Each post counts as often as the total counts it. The archive is asked at the version that the run read, about the
    posts that only the speed layer has: no order makes up for a post that the run lost.
    """
    hours = hours_of(attempted.day)
    in_batch = {
        (cell.source, one) for cell in reader.batch_ids(attempted.run_id, hours, ANY, NO_BRAND) for one in cell.ids
    }
    live = hours_within(attempted.day, reader.speed_hours(epoch.epoch))
    only_speed: Counter[PostName] = Counter()
    for cell in reader.speed_ids(epoch.epoch, live, ANY, NO_BRAND):
        only_speed.update((cell.source, one) for one in cell.ids if (cell.source, one) not in in_batch)
    archive = Archive(settings.archive, attempted.archive_version)
    names, found = sorted(only_speed), 0
    for at in range(0, len(names), KEYS_A_QUERY):
        # the archive may hold much about many posts
        known = gather(archive, settings.posts_topic, attempted.day, names[at : at + KEYS_A_QUERY], ())
        found += sum(only_speed[name] for name, post in known.items() if post.orders(lambda _: True))
    return found


def archived_at(settings: Settings, version: int | None) -> Archived:
    """What the archive holds at a version of its table.

    Raises AuditError where an earlier version than the table's is gone, UnavailableError where else it cannot be read.
    """
    archive = Archive(settings.archive, version)
    try:
        topic = settings.posts_topic
        return Archived(archive.rows_by_day(topic), archive.posts_by_day(topic), unaccounted(settings, archive))
    except UnavailableError as error:
        gone = "not found" in str(error) or "has no version" in str(error)
        if not gone or version is None or version >= Archive(settings.archive).version():
            raise
        raise AuditError(
            f"version {version} of the archive, which its run read, is gone: its files were deleted meanwhile, as an "
            f"erasure does: recompute the day anew, from the newest ({error})"
        ) from error


def unaccounted(settings: Settings, archive: Archive) -> tuple[str, ...]:
    """The offsets of the posts topic, up to the highest archived ones, that are accounted for nowhere.

    They are neither archived, nor on the erasure list, nor in a recorded gap.
    """
    excused = [gap.span for gap in Ledger.beside(settings.archive).gaps()]
    # an erased record keeps its row; somebody may have deleted the row too
    excused += [Span(*place, place[3] + 1) for place in Erasures.beside(settings.archive).places()]
    return tuple(
        str(hole)
        for place, held in archive.held().items()
        if place[1] == settings.posts_topic
        for hole in missing(held, place, held.islands[-1].until, excused)
    )


def _speed_total(reader: Reader, attempted: Run, epoch: EpochRow | None) -> int | None:
    if epoch is None or attempted.day in epoch.blind_days or epoch.meaning != attempted.meaning:
        return None
    hours = hours_within(attempted.day, reader.speed_hours(epoch.epoch))
    totals = [
        Total(c.category, c.brand, c.source, c.kind, c.lang, c.n)
        for c in reader.speed_counts(epoch.epoch, hours, [ANY])
    ]
    return count(totals, Filter(kinds=frozenset(KINDS)))


def hours_within(day: date, hours: frozenset[str]) -> list[str]:
    """Those of `hours` ('YYYY-MM-DDTHH') that lie in a day, in order."""
    return sorted(hour for hour in hours if hour.startswith(str(day)))


if __name__ == "__main__":
    sys.exit(main())
