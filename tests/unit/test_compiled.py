"""The compiled classifier says what its source says, and source that was edited is never shadowed by it."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from drinkstream.compiled import folder, prefer
from drinkstream.settings import ROOT
from stack.compile import what_is_missing

PACKAGE = ROOT / "drinkstream"
DECIDE = """
import json, sys
from drinkstream import matching
from drinkstream.classify import Classifier
from drinkstream.taxonomy import load
from tests.lib.labelled import labelled

posts = [(post.text, post.lang) for post in labelled()]
odd = ["", "\\ud800 beer", "BEEEER" * 300, "#" * 400, "茶" * 2000, "ビール" * 700, "맥주를 " * 300, "ชาไข่มุก" * 200,
       "rt @a: my coff…",
       "G&T & www.tea.com tea@x.org $kof", "ﬁne ｃｏｆｆｅｅ", "i̇stanbul çay", "e\u0301" * 500 + " café"]
posts += [(text, lang) for text in odd for lang in (None, "und", "xx-nonsense", "ko")]
classifier = Classifier(load())
print(json.dumps([matching.__file__.endswith(".so"), [classifier.decide(*post) for post in posts]]))
"""


def decided(root: Path) -> tuple[bool, list]:
    """Whether the classifier of the checkout at `root` is compiled, and all that it decides."""
    done = subprocess.run([sys.executable, "-c", DECIDE], cwd=root, stdout=subprocess.PIPE, text=True, check=True)
    compiled, decisions = json.loads(done.stdout)
    return compiled, decisions


def checkout(root: Path) -> Path:
    """A copy of the source in which one module was edited."""
    for name in ("drinkstream", "tests"):
        shutil.copytree(ROOT / name, root / name, ignore=shutil.ignore_patterns("__pycache__"))
    with (root / "drinkstream" / "fold.py").open("a") as file:
        file.write("# edited\n")
    return root


@pytest.mark.skipif(what_is_missing() is not None, reason=f"{what_is_missing()}: everything runs as plain Python")
def test_compiled_and_plain_decide_alike(tmp_path: Path):
    """Every labelled post, and inputs that are odd in each way that the modules know."""
    compiled, decisions = decided(ROOT)
    assert compiled, "not compiled: run `make install`"
    plain, expected = decided(checkout(tmp_path))
    assert not plain
    assert len(expected) > 1500
    assert decisions == expected


def test_edited_source_has_another_folder(tmp_path: Path):
    before = folder(PACKAGE)
    package = checkout(tmp_path) / "drinkstream"
    assert folder(package) != before
    path = [str(package)]
    prefer(path)
    assert path == [str(package)]
