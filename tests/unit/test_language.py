"""A post's language is its tag's, and that of its small words where they say something else."""

import pytest

from drinkstream.language import Languages, primary

LANGUAGES = Languages({"en": ("the", "and", "my"), "es": ("una", "por", "favor"), "pt": ("uma", "por", "favor")})


@pytest.mark.parametrize(
    ("text", "lang", "expected"),
    [
        ("una por favor", None, {"es"}),
        ("por favor", None, {"es", "pt"}),
        ("the una", None, {"en", "es"}),
        ("drinks", None, {"en"}),
        ("", None, {"en"}),
        ("una por favor", "en", {"en", "es"}),
        ("una", "en", {"en"}),
        ("the and my una por", "en", {"en"}),
        ("una por favor", "xx", {"xx", "es"}),
    ],
)
def test_a_text_is_read_in_the_languages_of_its_tag_and_its_words(text: str, lang: str | None, expected: set[str]):
    assert LANGUAGES.of(text.split(), lang) == expected


@pytest.mark.parametrize(
    ("tag", "expected"),
    [
        ("en-GB", "en"),
        ("PT_br", "pt"),
        ("in", "id"),
        ("iw", "he"),
        ("und", None),
        ("qme", None),
        ("", None),
        (None, None),
    ],
)
def test_tags_have_one_spelling_of_each_language(tag: str | None, expected: str | None):
    assert primary(tag) == expected
