"""Where a short way is taken through a text, it comes out where the long one does."""

import unicodedata
from typing import Literal

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from drinkstream.fold import fold, table
from drinkstream.taxonomy import load
from drinkstream.tokens import TOKEN, TRIPLE, may_stretch, tokenize

PIECES = st.one_of(
    st.text(max_size=6),
    st.text("ab1_.@&:-$#… \x1f\u2028\u00a0'/", max_size=8),
    st.sampled_from(
        ("https://t.co/a,b", "www.beer.com", "me@beer.com", "g&t", "beer.com", "$BEER", "coffee,", "#x", "...")
    ),
    st.sampled_from(
        ("é", "e\u0301", "ё", "Σ", "ﬁ", "ガ", "カ\u3099", "\u1112\u1161\u11ab", "Ⓑ", "Ｂ", "İ", "\u0640", "🍺")
    ),
)
TEXTS = st.lists(PIECES, max_size=8).map("".join)


@given(TEXTS)
@example("http://a.b\x1fbeer")
def test_tokens_found_piece_by_piece_are_those_of_the_whole_text(text: str):
    folded = fold(text).text
    assert tokenize(folded) == TOKEN.findall(folded)


@given(st.text("aaaéé1_ ﬁЖٓ١", max_size=8) | st.text(max_size=8))
def test_a_text_may_stretch_where_a_letter_stands_three_times_in_a_row(text: str):
    assert may_stretch(text) == (TRIPLE.search(text) is not None)


@given(TEXTS | st.text(max_size=12))
def test_a_text_that_is_only_put_in_lower_case_needs_no_more(text: str):
    """A ligature before it sends the same text the long way."""
    assert fold("\ufb00\n" + text).text == "ff\n" + fold(text).text


def test_each_letter_that_folding_turns_into_another_is_seen_in_a_text():
    assert [char for char, to in table().items() if fold(f"a{chr(char)}b").text != f"a{to.lower()}b"] == []


LETTERS = sorted({char for term in load().terms for word in term.words for char in word})


@pytest.mark.parametrize("form", ["NFC", "NFKC"])
def test_letters_of_aliases_are_one_in_all_forms_that_unicode_gives_them(form: Literal["NFC", "NFKC"]):
    normal = {char: unicodedata.normalize(form, char) for char in LETTERS if char.isalpha()}
    assert [char for char, to in normal.items() if fold(char).text != fold(to).text] == []


@given(st.characters(), st.sampled_from("\u0300\u0301\u0308\u0327\u3099\u309a\uff9e\uff9f"))
def test_a_letter_and_its_mark_are_one_however_they_are_written(letter: str, mark: str):
    composed = unicodedata.normalize("NFC", letter + mark)
    # signs stay as they are written
    if letter.isalpha() and len(composed) == 1 and len(letter.lower()) == 1:
        assert fold(letter + mark).text == fold(composed).text
