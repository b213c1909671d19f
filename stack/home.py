"""Whose a home is: the stack's own, which `make clean` may empty, or somebody else's."""

from pathlib import Path

from drinkstream.errors import BadInputError
from drinkstream.settings import Settings

MARK = ".drinkstream"
"""In every home of a stack."""

# of a file system; of `make down` and `make evaluate`, which claim nothing
_NOBODYS = {"lost+found", "run", "prefilter"}
# by a release that claimed no home before it started, which left one of these traces
_INSTALLED = {"jars", "boot", "web"}
_TRACES = ("web/echarts.min.js", "jars/.lock", "boot/pyvenv.cfg")


def claim(settings: Settings) -> None:
    """Marks `home` as this stack's. Raises BadInputError where it holds what is somebody else's."""
    home = settings.home
    if others := strange(home):
        raise BadInputError(
            f"DRINKSTREAM_HOME={home} holds what this stack did not make ({', '.join(others[:3])}"
            f"{', ...' if others[3:] else ''}), and `make clean` empties it: name a new or an empty folder"
        )
    home.mkdir(parents=True, exist_ok=True)
    (home / MARK).touch()


def strange(home: Path) -> list[str]:
    """The names of what lies in `home` and is somebody else's; nothing is where it bears the mark."""
    if not home.is_dir() or (home / MARK).is_file():
        return []
    known = _NOBODYS | (_INSTALLED if any((home / trace).is_file() for trace in _TRACES) else set())
    return sorted(path.name for path in home.iterdir() if path.name not in known)
