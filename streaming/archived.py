"""Has the archive come as far as Kafka was at a certain moment? Two questions, each answered by one line of JSON.

    python -m streaming.archived ends           {"cluster": "5L6g", "ends": {"0": 812, "1": 790}}
    python -m streaming.archived behind LINE    [{"partition": 1, "reached": 700, "end": 790}], [] once it has

`LINE` is the first one's answer: who waits asks once where Kafka ends, and then as often as it likes how far the
archive is from there. Records that arrive in between are no reason to wait longer.
"""

import json
import sys
from collections.abc import Mapping
from dataclasses import asdict, dataclass

import click

from drinkstream.command import exit_code
from drinkstream.errors import BadInputError, IntegrityError
from drinkstream.positions import Ledger, Positions
from drinkstream.settings import Settings
from streaming.offsets import look


@dataclass(frozen=True, slots=True)
class Ends:
    """Where the posts topic ended in each partition of a Kafka cluster: the next offset that it was to give."""

    cluster: str
    ends: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Behind:
    """A partition whose records from offset `reached` up to, not including, `end` are not archived yet."""

    partition: int
    reached: int
    end: int


def main(argv: list[str] | None = None) -> int:
    """Answers one of the two questions on stdout; an error's message goes to stderr, its code comes back."""
    return exit_code(commands, argv)


@click.group(name="streaming.archived")
def commands() -> None:
    """Has the archive come as far as Kafka was?"""


@commands.command("ends")
def say_ends() -> None:
    """Where the posts topic ends now."""
    settings = Settings.load()
    kafka = look(settings.bootstrap, (settings.posts_topic,))
    found = Ends(kafka.cluster, {str(partition): end for (_, partition), end in sorted(kafka.end.items())})
    print(json.dumps(asdict(found)))


@commands.command("behind")
@click.argument("line")
def say_behind(line: str) -> None:
    """The partitions in which the archive has not reached the ends in LINE."""
    settings = Settings.load()
    until = parse(line)
    ledger = Ledger.beside(settings.archive)
    if (refused := ledger.taken_no_more(until.cluster, settings.posts_topic)) is not None:
        raise IntegrityError(refused)
    found = behind(until, settings.posts_topic, ledger.positions(until.cluster))
    print(json.dumps([asdict(place) for place in found]))


def parse(line: str) -> Ends:
    """The answer of `ends`, read back. Raises BadInputError for anything else."""
    try:
        told = json.loads(line)
        return Ends(str(told["cluster"]), {str(int(p)): int(end) for p, end in told["ends"].items()})
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise BadInputError(f"{line!r} is not a line that `streaming.archived ends` printed") from error


def behind(until: Ends, topic: str, reached: Positions) -> tuple[Behind, ...]:
    """The partitions of `topic` that are not archived up to their end yet, by number."""
    places = [Behind(int(p), reached.get((topic, int(p)), 0), end) for p, end in until.ends.items()]
    return tuple(sorted((place for place in places if place.reached < place.end), key=lambda place: place.partition))


if __name__ == "__main__":
    sys.exit(main())
