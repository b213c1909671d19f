"""`make schema`: what the administrator of a Cassandra elsewhere has to run."""

import sys

from drinkstream.errors import DrinkStreamError
from drinkstream.settings import Settings
from stack import cassandra


def main() -> int:
    """Print the CQL of keyspace, tables and roles, with a word in place of each password."""
    try:
        print(cassandra.for_an_administrator(Settings.load()), end="")
    except DrinkStreamError as error:
        print(error, file=sys.stderr)
        return error.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main())
