"""Reconcile published runs with the speed layer: the cells whose ids differ, stored by day and printed."""

import sys
from collections.abc import Iterable

import click

from drinkstream.command import exit_code
from drinkstream.reconcile import CellName, Difference, compare
from drinkstream.settings import Settings
from drinkstream.store.read import CellIds, EpochRow, Reader, Run
from drinkstream.store.session import connect
from drinkstream.store.write import Writer
from drinkstream.taxonomy import load
from jobs.attempt import runs_of
from jobs.audit import hours_of

SHOWN = 20


def main(argv: list[str] | None = None) -> int:
    """Reconciles the runs of an attempt; returns the exit code."""
    return exit_code(run, argv)


@click.command()
@click.option("--attempt", required=True, help="The attempt whose runs are reconciled.")
def run(attempt: str) -> None:
    """Compare every run of ATTEMPT with the current epoch, cell by cell and id by id."""
    settings = Settings.load()
    cassandra = connect(settings, settings.writer_login())
    try:
        reader, writer = Reader(cassandra), Writer(cassandra)
        epoch = reader.current_epoch()
        for attempted in runs_of(reader, attempt):
            if epoch is None or attempted.day in epoch.blind_days:
                print(f"day={attempted.day}: the speed layer cannot answer for it; nothing to compare")
                continue
            found = differences(reader, attempted, epoch)
            for difference in found:
                writer.reconciliation(attempted.day, attempted.run_id, difference, "")
            only_batch = len({post for d in found for post in d.only_batch})
            only_speed = len({post for d in found for post in d.only_speed})
            print(
                f"day={attempted.day} run={attempted.run_id} epoch={epoch.epoch} cells that differ={len(found)} "
                f"posts only in batch={only_batch} only in speed={only_speed}"
            )
            for difference in found[:SHOWN]:
                print(f"  {difference.cell}: batch only {difference.only_batch} speed only {difference.only_speed}")
    finally:
        cassandra.cluster.shutdown()


def differences(reader: Reader, attempted: Run, epoch: EpochRow) -> tuple[Difference, ...]:
    """The cells of a run's day whose ids differ from those of an epoch."""
    hours = [f"{attempted.day}T{hour:02d}" for hour in range(24)]
    live = hours_of(attempted.day, reader.speed_hours(epoch.epoch))
    found: list[Difference] = []
    for category in ("*", *load().categories):
        batch = _by_cell(reader.batch_ids(attempted.run_id, hours, category, None))
        speed = _by_cell(reader.speed_ids(epoch.epoch, live, category, None))
        found += compare(batch, speed)
    return tuple(found)


def _by_cell(cells: Iterable[CellIds]) -> dict[CellName, tuple[str, ...]]:
    return {cell[:7]: cell.ids for cell in cells}


if __name__ == "__main__":
    sys.exit(main())
