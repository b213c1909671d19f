"""The one seam at which the Cassandra driver's errors become ours."""

from collections.abc import Iterator
from contextlib import contextmanager

from cassandra import DriverException
from cassandra.cluster import NoHostAvailable

from drinkstream.errors import UnavailableError


@contextmanager
def reachable(*but: type[Exception]) -> Iterator[None]:
    """What the driver raises within becomes UnavailableError, except for the kinds `but`, which pass."""
    try:
        yield
    except but:
        raise
    except (DriverException, NoHostAvailable) as error:
        raise UnavailableError(f"Cassandra did not answer: {error}. `make status` shows whether it runs") from error
