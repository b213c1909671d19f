"""`make test-faults`: many kills of random processes under load. Stopped, it goes on after the last result.

    python -m tests.faults [--kills N] [--seed N] [--rate N] [--home FOLDER]

Each kill leaves one line in RESULTS; the stack and its data stay in the folder between calls, `--anew` removes both.
"""

import json
import shutil
import signal
import sys
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path

import click

from drinkstream.settings import ROOT, Settings
from stack import down, up
from stack.programs import PROGRAMS
from tests.faults.kills import Result, Stage
from tests.lib.servers import ports

RESULTS = "results.jsonl"


@click.command()
@click.option("--kills", default=200, show_default=True, help="Kills in all, those of earlier calls included.")
@click.option("--seed", default=1, show_default=True, help="Of the schedule.")
@click.option("--rate", default=40.0, show_default=True, help="Lines a second.")
@click.option(
    "--home", type=click.Path(path_type=Path), default=ROOT / "var" / "faults", help="Folder of stack and results."
)
@click.option("--anew", is_flag=True, help="Forget earlier results.")
def main(kills: int, seed: int, rate: float, home: Path, anew: bool) -> None:
    """Kill random processes of a whole stack, one after the other, and hold merged against the truth after each."""
    stack = home / "stack"
    addresses = home / "ports.json"
    if anew and home.exists():
        down.down(_settings(stack, addresses))
        shutil.rmtree(home)
    stack.mkdir(parents=True, exist_ok=True)
    settings = _settings(stack, addresses)
    results = home / RESULTS
    kept = [json.loads(line) for line in results.read_text().splitlines()] if results.is_file() else []
    if kept and kept[-1]["wrong"]:
        click.echo(f"kill {kept[-1]['kill']} left merged wrong: {kept[-1]['wrong']}. Begin anew with --anew", err=True)
        sys.exit(6)
    done = len(kept)
    click.echo(f"{done} of {kills} kills are done; results: {results}")
    # told to stop, it ends its stack as after Ctrl-C
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    stage = None
    try:
        up.up(settings)
        stage = Stage(settings, seed, rate)
        for number in range(done, kills):
            (result,) = stage.kill(number, list(PROGRAMS))
            _write(results, result)
            if result.wrong:
                click.echo(f"kill {number}: merged is not truth", err=True)
                sys.exit(6)
    finally:
        if stage is not None:
            stage.close()
        down.down(settings)


def _settings(stack: Path, addresses: Path) -> Settings:
    """Settings of the stack, on the ports that its first start found free."""
    if not addresses.is_file():
        addresses.parent.mkdir(parents=True, exist_ok=True)
        addresses.write_text(json.dumps(ports()))
    sizes = {"speed_heap": 700, "archive_heap": 600, "recompute_heap": 800, "archive_trigger": 5}
    feed = {"demo_history_days": 0, "demo_rate": 2.0}
    return Settings(home=stack, jars=Settings.load().jar_folder, **json.loads(addresses.read_text()), **sizes, **feed)


def _write(results: Path, result: Result) -> None:
    line = json.dumps({"at": datetime.now(UTC).isoformat(timespec="seconds"), **asdict(result)})
    with results.open("a") as file:
        file.write(line + "\n")
    click.echo(line)


if __name__ == "__main__":
    main()
