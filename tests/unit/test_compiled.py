"""The compiled modules say what their source says, and source that was edited is never shadowed by them."""

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
from drinkstream.kafka_records import encoded, murmur2
from drinkstream.post import parse_keyed
from drinkstream.taxonomy import load
from tests.lib.labelled import labelled

posts = [(post.text, post.lang) for post in labelled()]
odd = ["", "\\ud800 beer", "BEEEER" * 300, "#" * 400, "茶" * 2000, "ビール" * 700, "맥주를 " * 300, "ชาไข่มุก" * 200,
       "rt @a: my coff…",
       "G&T & www.tea.com tea@x.org $kof", "ﬁne ｃｏｆｆｅｅ", "i̇stanbul çay", "e\u0301" * 500 + " café"]
posts += [(text, lang) for text in odd for lang in (None, "und", "xx-nonsense", "ko")]
classifier = Classifier(load())
found = [classifier.decide(*post) for post in posts]

ids = [30000000000000 + n for n in range(len(posts))]
v2 = [{"data": {"id": str(i), "text": t, "lang": l, "edit_history_tweet_ids": [str(i), str(i + 1)][: i % 3],
                "referenced_tweets": [{"type": ["quoted", "replied_to", "retweeted"][i % 3], "id": "1"}]}}
      for i, (t, l) in zip(ids, posts)]
v1 = [{"id": i, "full_text": t, "lang": l, "created_at": "Thu Sep 14 00:00:00 +0000 2017",
       "entities": {"hashtags": [{"text": "tea"}]}, "is_quote_status": i % 2 == 0} for i, (t, l) in zip(ids, posts)]
lines = [json.dumps(line, ensure_ascii=at % 2 == 0).encode("utf-8", "replace") for at, line in enumerate([*v2, *v1])]
lines += [line[: at % len(line)] for at, line in enumerate(lines)]
lines += [b"", b" ", b"null", b"[]", b"[" * 3000, b"1e999", b"NaN", bytes([255]), bytes([239, 187, 191]) + b"{}",
          b'{"delete":{"status":{"id":7}}}', b'{"data":{"id":"007","text":""}}',
          b'{"id":' + b"9" * 5000 + b',"text":""}', b'{"text":"\\\\ud83d","id":5}']
found += [repr(parse_keyed(line, "x:1", 1700000000000)) for line in lines]
found += [[murmur2(line[:at % 99]), encoded(at, at - 9, line[:at % 99], line, [("shape", line[:9])]).hex()]
          for at, line in enumerate(lines)]
print(json.dumps([matching.__file__.endswith(".so"), found]))
"""


def decided(root: Path) -> tuple[bool, list]:
    """Whether the classifier of the checkout at `root` is compiled, and what it makes of every text and line."""
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
def test_compiled_and_plain_say_the_same(tmp_path: Path):
    """Of every labelled post, as a text and as lines, whole and cut off, and of what is odd in ways that they know."""
    compiled, decisions = decided(ROOT)
    assert compiled, "not compiled: run `make install`"
    plain, expected = decided(checkout(tmp_path))
    assert not plain
    assert len(expected) > 7500
    assert decisions == expected


def test_edited_source_has_another_folder(tmp_path: Path):
    before = folder(PACKAGE)
    package = checkout(tmp_path) / "drinkstream"
    assert folder(package) != before
    path = [str(package)]
    prefer(path)
    assert path == [str(package)]
