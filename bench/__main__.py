"""The suite: every row, or those that are named, each kept as soon as it is measured.

    python -m bench [ROW...] [--anew] [--small] [--list]

A row that was measured with this code, these sizes and on this machine is not measured again, unless `--anew`, or where
a row that it needs was since. A wrong count is a failed run: its row is kept as such, the others go on, and the exit
code is that of wrong numbers.
"""

import os
import signal
import sys
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import click

from bench import kept as kept_
from bench.figures import table
from bench.peers import environment
from bench.rows import ROWS
from bench.servers import Servers, only_call
from bench.sizes import Sizes, options
from drinkstream.command import exit_code
from drinkstream.errors import BadInputError, IntegrityError
from drinkstream.settings import Settings


@click.command()
@click.argument("rows", nargs=-1, type=click.Choice(list(ROWS)))
@click.option("--anew", is_flag=True, help="Measure also what was measured before.")
@click.option(
    "--small", is_flag=True, help="Sizes that show that all works and counts right; their figures mean nothing."
)
@click.option("--list", "listed", is_flag=True, help="Say what each row measures, and measure nothing.")
@click.option("--cores", type=click.IntRange(min=1), default=2, show_default=True, help="Cores that all share.")
@click.option("--peers/--no-peers", default=True, help="Measure what others would use beside it.  [default: peers]")
@options
def main(
    rows: tuple[str, ...], anew: bool, small: bool, listed: bool, cores: int, peers: bool, **given: int | None
) -> None:
    """Measure ROWS (all, where none is named) and keep their figures in bench/latest.json below the home."""
    if listed:
        click.echo("\n".join(f"{name:20}{row.what}" for name, row in ROWS.items()))
        return
    sizes = replace(Sizes.small() if small else Sizes(), **{name: n for name, n in given.items() if n is not None})
    pin(cores)
    base = Settings.load()
    file = base.home / "bench" / ("small.json" if small else "latest.json")
    kept = kept_.Kept(file)
    where = {"machine": kept_.machine(cores), "versions": kept_.versions(base.jar_folder), "code": kept_.code()}
    chosen = rows or tuple(ROWS)
    order = dict.fromkeys(name for row in chosen for name in (*ROWS[row].needs, row))
    with only_call(base.home), closing(Servers(base, peers)) as servers:
        for name in order:
            decided: dict[str, Any] = {size: getattr(sizes, size) for size in ROWS[name].sizes}
            needed = {need: kept.get(need) for need in ROWS[name].needs}
            beside = peers and ROWS[name].peers
            marks = {
                **where,
                "settings": decided | ({"peers": peers} if ROWS[name].peers else {}),
                **({"peer_versions": environment.versions()} if beside else {}),
                # a row that is made of others stands no longer than they do
                "needs": {need: {"at": entry["at"], "settings": entry["settings"]} for need, entry in needed.items()},
            }
            if kept.stands(name, marks) and not (anew and name in chosen):
                click.echo(f"{name}: was measured")
                continue
            click.echo(f"{name}: {ROWS[name].what}")
            found = ROWS[name].measure(servers, sizes, needed)
            at = datetime.now(UTC).isoformat(timespec="milliseconds")
            entry = found.entry()
            kept.put(name, {**entry, "asked": ROWS[name].asked.entry(entry), **marks, "at": at})
    entries = {name: kept.get(name) for name in order}
    click.echo(f"\n{file}\n" + table(entries, {name: ROWS[name].asked for name in order}))
    if faults := [f"{name}: {fault}" for name, entry in entries.items() for fault in faults_of(entry)]:
        raise IntegrityError("wrong counts, so a failed run:\n  " + "\n  ".join(faults))


def end_by_signal() -> None:
    """Has SIGTERM end this process as an error does, so that the programs that it started are ended, too."""
    signal.signal(signal.SIGTERM, lambda number, _: sys.exit(128 + number))


def faults_of(entry: dict[str, Any]) -> list[str]:
    """What was wrong about a kept row and its peers."""
    peers = [f"{name}: {fault}" for name, peer in entry["peers"].items() for fault in peer.get("wrong", ())]
    return [*entry.get("wrong", ()), *peers]


def pin(cores: int) -> None:
    """Keeps this process, and so every one that it starts, on the first `cores` of the cores that it may use."""
    free = sorted(os.sched_getaffinity(0))
    if len(free) < cores:
        raise BadInputError(f"{cores} cores are asked for and {len(free)} are there: take --cores {len(free)}")
    os.sched_setaffinity(0, free[:cores])


if __name__ == "__main__":
    end_by_signal()
    sys.exit(exit_code(main, None, "bench"))
