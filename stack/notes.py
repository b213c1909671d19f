"""What a program's last start left behind for the next one: its process group, and how soon it died."""

import json
import time
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from drinkstream.settings import Settings
from stack import folders

QUICK = 20.0  # seconds; most programs that live shorter have not really run
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

    def younger_than(self, seconds: float) -> bool:
        """Whether this start is less than that ago; false where the clock was set back behind it."""
        return 0 <= time.time() - (self.started or self.began) < seconds


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


def begin(settings: Settings, name: str, pgid: int, quick: float = QUICK) -> Note:
    """The note of a start that begins now, in the light of the last one; one shorter than `quick` seconds was none."""
    last = read(settings, name)
    deaths = last.quick_deaths + 1 if last is not None and last.younger_than(quick) else 0
    return write(settings, name, Note(pgid, time.time(), quick_deaths=deaths))


def forgive(settings: Settings, name: str) -> None:
    """Forget how often a program died: a person starts it now."""
    if (last := read(settings, name)) is not None:
        write(settings, name, replace(last, began=0.0, started=None, quick_deaths=0))


def _path(settings: Settings, name: str) -> Path:
    return settings.home / "run" / f"{name}.start"
