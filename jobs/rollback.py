"""Roll a day back: let an earlier run answer for it again, by a new entry in the log of publications."""

import sys
from collections.abc import Sequence
from datetime import UTC, date, datetime

import click

from drinkstream.command import exit_code
from drinkstream.errors import BadInputError, ConflictError, UnavailableError
from drinkstream.merge import Publication
from drinkstream.settings import Settings
from drinkstream.store.read import Reader, Run
from drinkstream.store.session import connect
from drinkstream.store.write import Writer
from jobs.append import append, log_of


def main(argv: list[str] | None = None) -> int:
    """Rolls one day back; the exit code is BadInputError's where there is nothing to go back to."""
    return exit_code(run, argv)


@click.command()
@click.option("--day", required=True, type=click.DateTime(["%Y-%m-%d"]), help="The day (UTC).")
@click.option("--to", default="", help="Run id or seq to go back to; empty: what was in force before.")
@click.option("--who", default="", help="Who asks.")
@click.option("--why", default="", help="Why. The same WHO and WHY for a day mean the same rollback, done once.")
def run(day: datetime, to: str, who: str, why: str) -> None:
    """Let DAY be answered by an earlier run again."""
    why = " ".join(why.split())
    if not why:
        raise BadInputError("--why is empty: say why; it is stored with the publication")
    settings = Settings.load()
    cassandra = connect(settings, settings.writer_login())
    try:
        print(rollback(Reader(cassandra), Writer(cassandra), day.date(), to.strip(), who, why))
    finally:
        cassandra.cluster.shutdown()


def rollback(reader: Reader, writer: Writer, day: date, to: str, who: str, why: str) -> str:
    """Appends a publication that names an old run; says what it did.

    A repetition by the same `who` for the same `why` changes nothing. Raises BadInputError where there is no such run
    or nothing to go back to, ConflictError where another publication came in between, UnavailableError where Cassandra
    did not take the write.
    """
    log = log_of(reader, day)
    if done := [entry for entry in log if (entry.who, entry.why) == (who, why)]:
        return _again(done[-1], log[-1])
    runs = reader.runs(day)
    target = chosen(day, log, runs, to)
    in_force = log[-1]
    if target == in_force.run_id:
        return f"day={day} seq={in_force.seq} run={target}: is in force already"
    entry = Publication(day, in_force.seq + 1, target, datetime.now(UTC), who, why)
    found = append(reader, writer, entry)
    if found is None:
        raise UnavailableError(f"{day}: seq {entry.seq} could not be written, and nothing changed: repeat it")
    if (found.run_id, found.who, found.why) != (target, who, why):
        raise ConflictError(f"{day}: run {found.run_id} took seq {entry.seq} ({found.who}: {found.why}); look at it")
    return f"day={day} seq={entry.seq} run={target}: rolled back from seq {in_force.seq}, run {in_force.run_id}"


def chosen(day: date, log: Sequence[Publication], runs: Sequence[Run], to: str) -> str:
    """The run to go back to, by the log of a day (by seq) and its runs. Raises BadInputError that says what exists.

    `to` is a run id or a seq; empty: the run that was in force before the present one. A run whose rows were dropped is
    no way back.
    """
    if not log:
        known = f"{len(runs)} runs exist, none was ever published" if runs else "no run of it exists"
        raise BadInputError(f"{day} was never published, so there is nothing to go back to: {known}")
    dropped = {run.run_id for run in runs if run.status in ("dropping", "dropped")}
    published = ", ".join(f"{entry.seq} = {entry.run_id}" for entry in log if entry.run_id not in dropped)
    if to:
        by_seq = next((entry.run_id for entry in log if str(entry.seq) == to), None)
        target = by_seq or to
    else:
        earlier = [entry.run_id for entry in log if entry.run_id != log[-1].run_id]
        if not earlier:
            raise BadInputError(f"{day} has no publication before run {log[-1].run_id}: there is nothing to go back to")
        # where none is left, the newest of them says why
        target = next((run_id for run_id in reversed(earlier) if run_id not in dropped), earlier[-1])
    found = next((run for run in runs if run.run_id == target), None)
    if found is None:
        raise BadInputError(f"{day} has no run or seq {target} (any more); published were {published}")
    if target in dropped:
        raise BadInputError(
            f"run {target} of {day} answers nothing any more: its rows were dropped, as of every run that was replaced "
            f"longer ago than DRINKSTREAM_AS_OF_DAYS; recompute the day instead. Still there is {published}"
        )
    if found.status != "complete" or not found.audited:
        raise BadInputError(
            f"run {target} of {day} is not complete or did not pass its audit; published were {published}"
        )
    if target not in {entry.run_id for entry in log}:
        raise BadInputError(f"run {target} of {day} was never in force; published were {published}")
    return target


def _again(done: Publication, newest: Publication) -> str:
    if done.seq != newest.seq:
        raise ConflictError(
            f"{done.day}: this was done as seq {done.seq}, and then {newest.who} published seq {newest.seq} "
            f"({newest.why}); look at it, and give another reason to roll back again"
        )
    return f"day={done.day} seq={done.seq} run={done.run_id}: was rolled back already"


if __name__ == "__main__":
    sys.exit(main())
