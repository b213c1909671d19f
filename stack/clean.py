"""`make clean`: all data of this stack gone, its downloads kept unless they are to go too."""

import argparse
import sys

from drinkstream.errors import ConflictError, DrinkStreamError
from drinkstream.settings import Settings
from stack import supervisor
from stack.folders import remove
from stack.home import MARK, strange

DOWNLOADS = ("jars", "boot")


def main(argv: list[str] | None = None) -> int:
    """Remove data, logs and passwords (with --all the downloads as well); refused while anything runs."""
    parser = argparse.ArgumentParser(prog="python -m stack.clean", description=main.__doc__)
    parser.add_argument("--all", action="store_true", help="remove the downloaded jars as well")
    options = parser.parse_args(argv)
    try:
        clean(Settings.load(), everything=options.all)
    except DrinkStreamError as error:
        print(error, file=sys.stderr)
        return error.exit_code
    return 0


def clean(settings: Settings, everything: bool) -> None:
    """Empty `home`. Raises ConflictError while the stack runs, or where `home` is not a folder that the stack made."""
    if supervisor.pid(settings) or supervisor.left(settings):
        raise ConflictError("the stack is running: `make down` first, then `make clean`")
    home = settings.home
    if strange(home):
        raise ConflictError(f"{home} was not made by `make up` (it has no {MARK}): nothing is removed")
    for path in home.glob("*"):
        # the mark goes last, and with all the rest alone: what is left is still the stack's
        if path.name not in (MARK, "lost+found") and (everything or path.name not in DOWNLOADS):
            remove(path)
    if everything:
        (home / MARK).unlink(missing_ok=True)
    print(f"clean: {home} holds {'nothing' if everything else 'downloads only'}")


if __name__ == "__main__":
    sys.exit(main())
