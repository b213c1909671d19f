"""What lies in the folders of a stack: removed, whatever kind of thing it is, and replaced as a whole."""

import shutil
from pathlib import Path


def remove(path: Path) -> None:
    """Removes a file, a folder with all that is in it, or a link, of which only the link goes."""
    shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink()


def replace(path: Path, text: str) -> None:
    """Writes a file aside, then switches, and only where it changes: others may read it, or the machine die, then."""
    if path.is_file() and path.read_text() == text:
        return
    aside = path.with_name(f"{path.name}.new")
    aside.write_text(text)
    aside.rename(path)
