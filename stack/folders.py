"""Removing what lies in the folders of a stack, whatever kind of thing it is."""

import shutil
from pathlib import Path


def remove(path: Path) -> None:
    """Removes a file, a folder with all that is in it, or a link, of which only the link goes."""
    shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink()
