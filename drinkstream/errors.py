"""What can go wrong, grouped by what an operator does about it; each kind ends the process with its own exit code."""


class DrinkStreamError(Exception):
    """Base of every error that is ours. The message says what to do next."""

    exit_code = 1


class BadInputError(DrinkStreamError):
    """What was asked makes no sense (a date, a file, a setting): correct the request and repeat it."""

    exit_code = 2


class NotFoundError(BadInputError):
    """What was asked for is not known; the message says what is."""


class UnavailableError(DrinkStreamError):
    """A server or file is not there (yet): it may be there later, so a supervisor or Airflow may try again."""

    exit_code = 3


class AuditError(DrinkStreamError):
    """A run must not be published: its message names each gate that it failed."""

    exit_code = 4


class ConflictError(DrinkStreamError):
    """Somebody else was first, or the state is not the one that was read: look again before repeating."""

    exit_code = 5


class IntegrityError(DrinkStreamError):
    """The numbers do not add up. Nothing was published; the message names the records to look at."""

    exit_code = 6


def first_line(error: BaseException | None) -> str:
    """What a library's error says, without the trace that may follow; its kind where it says nothing."""
    return (str(error).splitlines() or [type(error).__name__])[0]
