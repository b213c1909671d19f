"""What a program's last start left behind for the next one: its process group, and how soon it died."""

import json
import time
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from drinkstream.settings import Settings
from stack import folders

QUICK = 20.0  # seconds; a program that lives shorter has not really run
LONGEST_PAUSE = 30.0


@dataclass(frozen=True, slots=True)
class Note:
    """One start. Times are seconds since 1970; `started` is None while the program waits for what it needs."""

    pgid: int
    began: float
    started: float | None = None
    quick_deaths: int = 0

    @property
    def pause(self) -> float:
        """Seconds to wait before this start, so that a program that cannot run does not eat the machine."""
        # a larger power would be no float from the 1,025th death on
        return min(2.0 ** min(self.quick_deaths - 1, 10), LONGEST_PAUSE) if self.quick_deaths else 0.0


def read(settings: Settings, name: str) -> Note | None:
    """The note of a program's last start; None where there is none (or a crash of the machine has cut it off)."""
    try:
        return Note(**json.loads(_path(settings, name).read_text()))
    except (FileNotFoundError, ValueError, TypeError):
        return None


def write(settings: Settings, name: str, note: Note) -> Note:
    """The note, kept."""
    folders.replace(_path(settings, name), json.dumps(asdict(note)))
    return note


def begin(settings: Settings, name: str, pgid: int) -> Note:
    """The note of a start that begins now, in the light of the last one."""
    last = read(settings, name)
    now = time.time()
    quick = last is not None and now - (last.started or last.began) < QUICK
    return write(settings, name, Note(pgid, now, quick_deaths=last.quick_deaths + 1 if last and quick else 0))


def forgive(settings: Settings, name: str) -> None:
    """Forget how often a program died: a person starts it now."""
    if (last := read(settings, name)) is not None:
        write(settings, name, replace(last, began=0.0, started=None, quick_deaths=0))


def _path(settings: Settings, name: str) -> Path:
    return settings.home / "run" / f"{name}.start"
