"""What supervisord starts for each program: end what a killed predecessor left, wait for what it needs, become it."""

import os
import resource
import sys
import time
from dataclasses import replace

from drinkstream.errors import DrinkStreamError, UnavailableError
from drinkstream.settings import Settings
from stack import notes, processes, ready
from stack.notes import LONGEST_PAUSE, Note
from stack.programs import PROGRAMS, Program

PATIENCE = 600.0  # seconds; then the attempt ends, with the reason in the log, and supervisord makes a new one


def main(argv: list[str] | None = None) -> int:
    """Become the program named; an exit code is returned only where it could not be started."""
    (name,) = sys.argv[1:] if argv is None else argv
    program = PROGRAMS[name]
    try:
        settings = Settings.load()
        note = _replace_predecessor(settings, program)
        for question in program.needs:
            _say(program, f"waiting until: {(question.__doc__ or '').strip()}")
            ready.wait(settings, question, PATIENCE)
        if program.prepare is not None:
            program.prepare(settings)
        command = program.command(settings)
        variables = {**os.environ, **program.environment(settings)}
        notes.write(settings, name, replace(note, started=time.time()))
    except DrinkStreamError as error:
        _say(program, str(error))
        return error.exit_code
    except OSError as error:
        # a full disk above all: supervisord gives up on what dies at once, and must not before there is space again
        _say(program, f"{error}; next try in {LONGEST_PAUSE:.0f} s")
        time.sleep(LONGEST_PAUSE)
        return UnavailableError.exit_code
    _raise_file_limit()
    os.nice(program.niceness)
    _say(program, f"starts as process {os.getpid()}")
    os.execvpe(command[0], command, variables)  # noqa: S606 - no shell is wanted


def _replace_predecessor(settings: Settings, program: Program) -> Note:
    """End the process group of the last start, then note ours: supervisord leads each program into a new one."""
    last = notes.read(settings, program.name)
    if last is not None and last.pgid != os.getpgrp():
        ended = processes.reap_group(last.pgid)
        if ended:
            _say(program, f"ended {ended} processes that the last start had left")
    note = notes.begin(settings, program.name, os.getpgrp(), program.quick)
    if note.pause:
        _say(program, f"died {note.quick_deaths} times at once; next try in {note.pause:.0f} s")
        time.sleep(note.pause)  # nothing to ask for: this is the pause itself
    return note


def _raise_file_limit() -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = 65_536 if hard == resource.RLIM_INFINITY else min(hard, 65_536)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, wanted), hard))


def _say(program: Program, text: str) -> None:
    print(f"{program.name}: {text}", flush=True)


if __name__ == "__main__":
    sys.exit(main())
