"""`make logs`: the programs' logs as they grow."""

import os
import sys

from drinkstream.errors import DrinkStreamError
from drinkstream.settings import Settings
from stack.programs import path_of


def main(argv: list[str] | None = None) -> int:
    """Become `tail -F` of the logs of the programs named, or of all; an exit code is returned only where that fails."""
    names = sys.argv[1:] if argv is None else argv
    try:
        settings = Settings.load()
    except DrinkStreamError as error:
        print(error, file=sys.stderr)
        return error.exit_code
    files = [path_of(settings, name) for name in names] or sorted((settings.home / "log").glob("*.log"))
    if not files:
        print(f"no logs in {settings.home / 'log'}: nothing has run yet", file=sys.stderr)
        return 3
    os.execvp("tail", ["tail", "-n", "20", "-F", *map(str, files)])  # noqa: S606


if __name__ == "__main__":
    sys.exit(main())
