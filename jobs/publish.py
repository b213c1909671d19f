"""Publish the audited runs of an attempt, each by one conditional write to the log of publications."""

import sys
from collections.abc import Iterable
from datetime import UTC, date, datetime

import click

from drinkstream.command import exit_code
from drinkstream.errors import AuditError, ConflictError, UnavailableError
from drinkstream.merge import Publication
from drinkstream.settings import Settings
from drinkstream.store.read import Reader, Run
from drinkstream.store.session import connect
from drinkstream.store.write import Writer
from jobs.append import append, log_of
from jobs.attempt import only_day, runs_of


def main(argv: list[str] | None = None) -> int:
    """Publishes the runs of an attempt; the exit code is that of `publish_each`'s error."""
    return exit_code(run, argv)


@click.command()
@click.option("--attempt", required=True, help="The attempt whose audited runs are published.")
@click.option("--who", default="", help="Who publishes.")
@click.option("--why", default="", help="Why.")
@click.option("--approved-by", default="", help="Who approved it, which is said behind WHY.")
@only_day
def run(attempt: str, who: str, why: str, approved_by: str, day: date | None) -> None:
    """Let every day of ATTEMPT be answered by its run."""
    settings = Settings.load()
    cassandra = connect(settings, settings.writer_login())
    try:
        reader, writer = Reader(cassandra), Writer(cassandra)
        publish_each(reader, writer, runs_of(reader, attempt, day), who, why, approved_by)
    finally:
        cassandra.cluster.shutdown()


def publish_each(
    reader: Reader, writer: Writer, runs: Iterable[Run], who: str, why: str, approved_by: str = ""
) -> None:
    """Publishes every run that may be, and says what it did.

    Raises in the end ConflictError, or AuditError where there was no conflict, with what is wrong with each of the
    other days; UnavailableError at once, since a repetition does the rest.
    """
    left: list[ConflictError | AuditError] = []
    for attempted in runs:
        try:
            print(publish(reader, writer, attempted, who, why, approved_by), flush=True)
        except (ConflictError, AuditError) as error:
            left.append(error)
    if left:
        kind = ConflictError if any(isinstance(error, ConflictError) for error in left) else AuditError
        raise kind("; ".join(map(str, left)))


def publish(reader: Reader, writer: Writer, attempted: Run, who: str, why: str, approved_by: str = "") -> str:
    """Publishes one run after the publication that its recompute saw; says what it did.

    A run that is already in force is left as it is, so that a repeated task changes nothing. Raises AuditError where
    the run did not pass its audit, or passed it if a person approves and nobody did, ConflictError where another
    publication came in between, UnavailableError where Cassandra did not take the write.
    """
    seq = attempted.fingerprint.get("seq", 0) + 1
    # before its status: a run that was overtaken while it waited may have been dropped
    log = log_of(reader, attempted.day)
    found = next((entry for entry in log if entry.seq == seq), None)
    if found is None:
        if attempted.status != "complete" or not attempted.audited:
            raise AuditError(f"{attempted.day}: run {attempted.run_id} has not passed its audit, and was not published")
        reason = why + approval(attempted, approved_by)
        entry = Publication(attempted.day, seq, attempted.run_id, datetime.now(UTC), who, reason)
        found = append(reader, writer, entry)
        if found is entry:
            return f"day={attempted.day} seq={seq} run={attempted.run_id}: published"
    if found is None:
        raise UnavailableError(f"{attempted.day}: seq {seq} could not be written, and nothing changed: repeat it")
    if found.run_id == attempted.run_id:
        said = f"day={attempted.day} seq={seq} run={attempted.run_id}: was published already"
        if (last := max(log, key=lambda entry: entry.seq, default=found)).seq > seq:
            said += (
                f"; seq {last.seq}, run {last.run_id}, is in force since ({last.who}: {last.why}), and stays so: "
                "rollback_share lets an earlier run answer"
            )
        return said
    raise ConflictError(
        f"{attempted.day}: run {found.run_id} took seq {seq}; look at it before you recompute the day again"
    )


def approval(attempted: Run, approved_by: str) -> str:
    """Who approved a run, and what its audit had asked them, to be said behind the reason; empty where nobody did.

    Raises AuditError where it asked and nobody did.
    """
    if attempted.asks and not approved_by:
        raise AuditError(
            f"{attempted.day}: run {attempted.run_id} was not published, since nobody approved that "
            f"{'; '.join(attempted.asks)}"
        )
    return f" (approved by {': '.join([approved_by, *attempted.asks])})" if approved_by else ""


if __name__ == "__main__":
    sys.exit(main())
