"""Two texts that differ in a word and in truth, for every rule: what counts, and beside it what does not.

`minimal_pairs.toml` holds them: what the rule is, the language, a text with what it names, and the other text with what
that one names (most name nothing), in `other_lang` where that is another language.
"""

import tomllib
from pathlib import Path
from typing import Any

import pytest

from drinkstream.classify import Classifier
from drinkstream.taxonomy import load

PAIRS = tomllib.loads(Path(__file__).with_name("minimal_pairs.toml").read_text(encoding="utf-8"))["pair"]
CLASSIFIER = Classifier(load())


def named(text: str, lang: str) -> list[str]:
    """What a text names, as the table writes it: category, /brand, or category/brand."""
    mentions = {(mention.category or "", mention.brand or "") for mention in CLASSIFIER.decide(text, lang).mentions}
    return sorted(category + (f"/{brand}" if brand else "") for category, brand in mentions)


@pytest.mark.parametrize("pair", PAIRS, ids=lambda pair: pair["rule"])
def test_one_counts_and_the_other_does_not(pair: dict[str, Any]):
    assert named(pair["text"], pair["lang"]) == sorted(pair["names"])
    assert named(pair["other"], pair.get("other_lang", pair["lang"])) == sorted(pair["other_names"])
