"""The prefilter never misses what the classifier accepts, however the line spells it."""

import json
import tomllib
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from drinkstream.classify import Classifier
from drinkstream.prefilter import Prefilter
from drinkstream.taxonomy import load

CASES = tomllib.loads((Path(__file__).parents[1] / "parity" / "cases.toml").read_text())["case"]
SPELLINGS = {
    "as it is": lambda text: text,
    "upper case": str.upper,
    "a word a line": lambda text: text.replace(" ", "\n"),
    "one hashtag": lambda text: "#" + text.replace(" ", ""),
    "stretched": lambda text: text.replace("e", "eeee").replace("o", "ooo"),
    "with entities": lambda text: text.replace(" ", " & "),
}


def passes(*texts: str) -> list[bool]:
    """Whether the prefilter lets lines with these texts through, all in one buffer; each in UTF-8 and in escapes."""
    lines = [
        json.dumps({"data": {"id": "1", "text": t}}, ensure_ascii=e).encode() for t in texts for e in (True, False)
    ]
    offsets = np.cumsum([0, *map(len, lines)]).astype(np.int32)
    found = Prefilter(load()).candidates(memoryview(b"".join(lines)), offsets)
    return [bool(a) and bool(b) for a, b in zip(found[::2], found[1::2], strict=True)]


@pytest.mark.parametrize("spelling", SPELLINGS)
def test_what_the_classifier_accepts_passes(spelling: str):
    classifier = Classifier(load())
    texts = [(SPELLINGS[spelling](case["text"]), case["lang"] or None) for case in CASES]
    named = [text for text, lang in texts if classifier.decide(text, lang).mentions]
    assert named
    assert [text for text, passed in zip(named, passes(*named), strict=True) if not passed] == []


CLASSIFIER = Classifier(load())

words = st.sampled_from(sorted({word for case in CASES for word in case["text"].split()}))


@given(st.lists(words | st.text(max_size=6), max_size=12).map(" ".join))
def test_no_text_is_missed(text: str):
    text = text.encode("utf-8", "replace").decode()
    if CLASSIFIER.decide(text, None).mentions:
        assert passes(text) == [True]


def test_plain_talk_is_left_out():
    assert passes("nothing to see here, move along", "the meeting was long") == [False, False]


def test_an_empty_buffer_has_no_candidates():
    assert Prefilter(load()).candidates(b"", np.array([0, 0, 0])).tolist() == [False, False]
