"""Every phrase of the demo's bank is read as it is labelled by hand: what the demo shows is what the rules say."""

import tomllib

import pytest

from drinkstream.classify import Classifier
from drinkstream.taxonomy import load
from tests.lib.labels import BANK, label

CLASSIFIER = Classifier(load())
PHRASES = [(p["text"], p["lang"]) for p in tomllib.loads(BANK.read_text(encoding="utf-8"))["phrase"]]


@pytest.mark.parametrize(("text", "lang"), PHRASES)
def test_a_demo_phrase_is_read_as_labelled(text: str, lang: str):
    found = {(mention.category, mention.brand) for mention in CLASSIFIER.decide(text, lang).mentions}
    assert found == label(text)
