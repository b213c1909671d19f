"""Copies of code and taxonomy: what is kept, what is refused, and when a tree counts as changed."""

import errno
import os
import shutil
from pathlib import Path
from typing import Any

import pytest

from drinkstream import meaning
from drinkstream.errors import BadInputError
from drinkstream.settings import ROOT
from streaming.editions import PACKAGES, Edition, keep, newest, prune, stamp


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """Code and taxonomy to be edited."""
    for package in PACKAGES:
        shutil.copytree(ROOT / package, tmp_path / "tree" / package, ignore=shutil.ignore_patterns("__pycache__"))
    return tmp_path / "tree"


def test_a_tree_is_kept_once_under_its_meaning_and_a_change_of_it_beside(tree: Path, tmp_path: Path):
    kept = tmp_path / "kept"
    first = keep(tree, kept)
    assert first.meaning == meaning.version()
    assert keep(tree, kept) == first
    packages = [path for package in PACKAGES for path in (tree / package).rglob("*") if path.is_file()]
    assert all((first.folder / path.relative_to(tree)).is_file() for path in packages)
    words = tree / "drinkstream" / "taxonomy" / "traps.toml"
    words.write_text(words.read_text() + "\n# looked at\n")
    second = keep(tree, kept)
    assert second.meaning != first.meaning
    assert sorted(kept.iterdir()) == sorted([first.folder, second.folder])
    assert (first.folder / "drinkstream" / "taxonomy" / "traps.toml").read_text() != words.read_text()
    sink = tree / "streaming" / "sink.py"
    sink.write_text(sink.read_text() + "\n# mended\n")
    third = keep(tree, kept)
    assert third.meaning == second.meaning
    # of one meaning the code that was kept last is run
    assert newest(kept, second.meaning) == third
    assert newest(kept, "0" * 16) is None
    prune(kept, frozenset({first.meaning, second.meaning}))
    assert sorted(kept.iterdir()) == sorted([first.folder, third.folder])
    prune(kept, frozenset({second.meaning}))
    assert [*kept.iterdir()] == [third.folder]
    assert keep(tree, kept) == third


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("drinkstream/taxonomy/en.toml", "\n[[term]\n", "drinkstream/taxonomy/en.toml"),
        ("drinkstream/classify.py", "\ndef (\n", "SyntaxError"),
    ],
)
def test_what_does_not_load_is_refused_by_name_and_not_kept(
    tree: Path, tmp_path: Path, name: str, text: str, said: str
):
    path = tree / name
    path.write_text(path.read_text() + text)
    with pytest.raises(BadInputError, match=said):
        keep(tree, tmp_path / "kept")
    assert [*(tmp_path / "kept").iterdir()] == []


def test_a_tree_has_another_stamp_once_a_file_changed(tree: Path):
    before = stamp(tree)
    assert stamp(tree) == before
    path = tree / "drinkstream" / "taxonomy" / "en.toml"
    path.write_text(path.read_text() + "\n")
    changed = stamp(tree)
    assert changed != before
    (tree / "drinkstream" / "notes.txt").write_text("no code")
    assert stamp(tree) == changed


def test_what_editors_hide_is_no_part_of_a_tree(tree: Path, tmp_path: Path):
    """Emacs locks a file by a link to nothing beside it."""
    before, first = stamp(tree), keep(tree, tmp_path / "kept")
    for name in ("drinkstream/.#post.py", "drinkstream/taxonomy/.#en.toml", "streaming/.#sink.py"):
        (tree / name).symlink_to("user@host.1234:1700000000")
    (tree / "drinkstream" / ".post.py").write_text("def (")
    (tree / "streaming" / ".copies").mkdir()
    (tree / "streaming" / ".copies" / "sink.py").write_text("def (")
    assert stamp(tree) == before
    assert keep(tree, tmp_path / "kept") == first


def test_a_file_that_cannot_be_looked_at_is_a_change_and_is_refused(tree: Path, tmp_path: Path):
    before = stamp(tree)
    (tree / "drinkstream" / "taxonomy" / "xx.toml").symlink_to("nowhere.toml")
    assert stamp(tree) != before
    with pytest.raises(BadInputError, match=r"drinkstream/taxonomy/xx\.toml went away .* or is a link to nothing"):
        keep(tree, tmp_path / "kept")
    assert [*(tmp_path / "kept").iterdir()] == []


def test_a_folder_that_goes_away_while_it_is_read_ends_nothing(tree: Path, monkeypatch: pytest.MonkeyPatch):
    """As where another commit is checked out meanwhile."""
    scan = os.scandir

    def gone(folder: Any) -> Any:
        if str(folder).endswith("sources"):
            shutil.rmtree(folder, ignore_errors=True)
        return scan(folder)

    before = stamp(tree)
    monkeypatch.setattr(os, "scandir", gone)
    assert stamp(tree) != before


def test_a_disk_that_takes_no_copy_refuses_the_change(tree: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    def full(path: Path, _: bytes) -> int:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(BadInputError, match=r"no copy of the code could be made in .*kept: .*No space left on device"):
        keep(tree, tmp_path / "kept")
    assert [*(tmp_path / "kept").iterdir()] == []


def test_what_was_killed_while_it_was_removed_is_no_edition(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """It goes the next time, as does what was killed while it was made, though the edition was kept again."""

    def killed(_: Path) -> None:
        raise KeyboardInterrupt

    (tmp_path / "m1-abc" / "streaming").mkdir(parents=True)
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(shutil, "rmtree", killed)
        prune(tmp_path, frozenset({"m2"}))
    assert newest(tmp_path, "m1") is None
    assert [path.name for path in tmp_path.iterdir()] == [".old-m1-abc"]
    for name in ("m1-abc", ".new-abc", "m2-abc"):
        (tmp_path / name / "streaming").mkdir(parents=True)
    prune(tmp_path, frozenset({"m2"}))
    assert [path.name for path in tmp_path.iterdir()] == ["m2-abc"]


def test_an_edition_runs_from_its_own_folder(tmp_path: Path):
    assert Edition(tmp_path, "m").environment({"A": "b", "PYTHONPATH": "/elsewhere"}) == {
        "A": "b",
        "PYTHONPATH": str(tmp_path),
    }
