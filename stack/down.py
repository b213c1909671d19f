"""`make down`: nothing of this stack left running."""

import argparse
import sys
from collections.abc import Callable

import psutil

from drinkstream.errors import DrinkStreamError, UnavailableError
from drinkstream.settings import Settings
from stack import processes, supervisor
from stack.alone import alone
from stack.programs import PROGRAMS, SERVERS, chosen

DEADLINE = 240.0


def main(argv: list[str] | None = None) -> int:
    """Stop everything, or with --only some of the programs; stopping what does not run is no error."""
    parser = argparse.ArgumentParser(prog="python -m stack.down", description=main.__doc__)
    parser.add_argument("--only", metavar="A,B", help=f"some of the programs: {', '.join(PROGRAMS)}")
    options = parser.parse_args(argv)
    try:
        settings = Settings.load()
        if options.only:
            names = chosen(settings, options.only)
            supervisor.refuse_left(settings)
            if supervisor.pid(settings) is not None:
                supervisor.stop_programs(settings, names)
        else:
            down(settings)
    except DrinkStreamError as error:
        print(error, file=sys.stderr)
        return error.exit_code
    return 0


def down(settings: Settings, say: Callable[[str], None] = lambda text: print(text, flush=True)) -> None:
    """Stop supervisord with its programs, then end whatever is left of its session.

    Raises UnavailableError if something outlives even that.
    """
    with alone(settings, say):
        session = supervisor.session_id(settings)
        leader = supervisor.pid(settings)
        if leader is not None:
            process = psutil.Process(leader)
            supervisor.stop_programs(settings, [name for name in PROGRAMS if name not in SERVERS])
            supervisor.shutdown(settings)
            try:
                process.wait(DEADLINE)
            except psutil.TimeoutExpired:
                process.kill()
                process.wait(processes.GRACE)
        if session is not None:
            if swept := processes.sweep_session(session, settings.home):
                say(f"ended what was left: {', '.join(swept)}")
            if left := [p for p in processes.session(session) if processes.is_ours(p, settings.home)]:
                raise UnavailableError(f"still running: {', '.join(str(p.pid) for p in left)}")
        for note in (settings.home / "run").glob("*.start"):
            note.unlink()
        (settings.home / "run" / "session").unlink(missing_ok=True)
        say("down: nothing of this stack is running")


if __name__ == "__main__":
    sys.exit(main())
