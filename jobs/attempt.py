"""What the jobs after a recompute share: one attempt's runs, and how a job ends."""

import sys

import click

from drinkstream.errors import BadInputError, DrinkStreamError
from drinkstream.store.read import Reader, Run


def runs_of(reader: Reader, attempt: str) -> list[Run]:
    """The runs that an attempt wrote, by day. Raises BadInputError where it wrote none."""
    runs = reader.runs_of_attempt(attempt)
    if not runs:
        raise BadInputError(f"no attempt {attempt!r} wrote any run: pass the attempt of a recompute that succeeded")
    return runs


def exit_code(command: click.Command, argv: list[str] | None) -> int:
    """Runs a command and returns its exit code; the message of an error, or of bad arguments, goes to stderr."""
    try:
        command.main(argv, standalone_mode=False)
    except DrinkStreamError as error:
        print(f"{type(error).__name__}: {error}", file=sys.stderr)
        return error.exit_code
    except click.ClickException as error:
        error.show()
        return BadInputError.exit_code
    return 0
