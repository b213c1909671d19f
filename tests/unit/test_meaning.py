"""The meaning version: what it is made of, and what it is not."""

import shutil
from pathlib import Path

import pytest

from drinkstream import meaning, prefilter_kept
from drinkstream.settings import ROOT
from streaming import jvm_classes


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the package that the meaning version and the prefilter's file are read of."""
    copy = tmp_path / "drinkstream"
    shutil.copytree(ROOT / "drinkstream", copy, ignore=shutil.ignore_patterns("__pycache__"))
    for module in (meaning, prefilter_kept):
        monkeypatch.setattr(module, "files", lambda _: copy)
    return copy


def test_a_rule_decides_it_and_what_editors_hide_does_not(package: Path):
    """Emacs locks a file by a link to nothing beside it."""
    before = meaning.on_disk(), prefilter_kept.path_of(package, "t")
    assert before[0] == meaning.version()
    for name in (".#post.py", ".#taxonomy.toml", "taxonomy/.#en.toml"):
        (package / name).symlink_to("user@host.1234:1700000000")
    (package / ".post.py").write_text("def (")
    assert (meaning.on_disk(), prefilter_kept.path_of(package, "t")) == before
    (package / "more_rules.py").write_text("")
    assert meaning.on_disk() != before[0]
    assert prefilter_kept.path_of(package, "t") != before[1]


def test_what_editors_hide_is_no_java_source(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(jvm_classes, "FOLDER", tmp_path)
    (tmp_path / "CollectIds.java").write_text("class")
    (tmp_path / ".#CollectIds.java").symlink_to("user@host.1234:1700000000")
    assert jvm_classes.sources() == [tmp_path / "CollectIds.java"]
