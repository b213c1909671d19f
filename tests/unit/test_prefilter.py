"""The prefilter never misses what the classifier accepts, however the line spells it."""

import json
import re
import tomllib
import unicodedata
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from drinkstream.classify import Classifier
from drinkstream.lexicon import common_words, is_tight, spelled_out
from drinkstream.post import Post, parse
from drinkstream.prefilter import Prefilter
from drinkstream.taxonomy import load

CASES = tomllib.loads((Path(__file__).parents[1] / "parity" / "cases.toml").read_text())["case"]
SPELLINGS = {
    "as it is": lambda text: text,
    "upper case": str.upper,
    "a word a line": lambda text: text.replace(" ", "\n"),
    "one hashtag": lambda text: "#" + text.replace(" ", ""),
    "a hashtag with underscores": lambda text: "#été_" + text.replace(" ", "_"),
    "a hashtag with capitals": lambda text: "#Ўsé" + text.title().replace(" ", ""),
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


@pytest.mark.parametrize("by", [" ", "  ", "-", ". ", "'", "’"])
def test_what_may_part_short_words_is_seen(by: str):
    texts = [f"a glass{by}of{by}cab with dinner", f"one mt{by}dew please", f"I'm at tim{by}s for a coffee"]
    assert passes(*texts) == [True, True, True]


def test_a_phrase_of_single_letters_is_seen_by_all_of_them():
    """Two of them stand in every other line: sewing new, long night."""
    parters = (" ", "  ", "-", ". ", "'", "\u2019")
    texts = [f"one G{first}n{second}t please" for first in parters for second in parters]
    named = [text for text in texts if CLASSIFIER.decide(text, "en").mentions]
    assert "one G n t please" in named
    assert "one G'n\u2019t please" in named
    assert [text for text, passed in zip(named, passes(*named), strict=True) if not passed] == []
    assert passes("drawing no t", "G n more") == [False, False]


def test_words_of_a_phrase_may_stand_around_any_other():
    texts = [
        "Drinking a Sculpin by Ballast Point Brewing Company @ the garden",
        'Drinking a "Sculpin" by Ballast Point Brewing',
        "drinking an IPA: by Zog Brewery",
    ]
    for text in texts:
        assert [mention.category for mention in CLASSIFIER.decide(text, "en").mentions] == ["beer"]
    assert passes(*texts) == [True, True, True]


def test_small_words_that_much_else_parts_are_no_phrase():
    """The prefilter would have to seek them wherever one of them stands."""
    texts = [f"Drinking{by}a Sculpin by Ballast Point Brewing" for by in (", ", " \u2014 ", ': "')]
    assert [CLASSIFIER.decide(text, "en").mentions for text in texts] == [(), (), ()]


@pytest.mark.parametrize("text", ["пИво сегодня", "ПИво сегодня", "кОФе утром", "ΜΠύρα τώρα"])
def test_mixed_case_beyond_ascii_is_seen(text: str):
    assert CLASSIFIER.decide(text, None).mentions
    assert passes(text) == [True]


def test_plain_talk_is_left_out():
    assert passes("nothing to see here, move along", "the meeting was long") == [False, False]


def test_an_empty_buffer_has_no_candidates():
    assert Prefilter(load()).candidates(b"", np.array([0, 0, 0])).tolist() == [False, False]


@pytest.mark.parametrize(
    "text",
    [
        "please co\u064ffee now",
        "ビ\u064eール",
        "맥\u064e주",
        "bee\u064e\u0651\u064fr",
        "bee" + "\u064e" * 9 + "r",
        "สตรอเบอร์รี่ปั่\u064eน",
    ],
)
def test_arabic_vowel_signs_part_words_of_other_letters(text: str):
    """The prefilter does not look for aliases with such signs in them, so none may count."""
    assert CLASSIFIER.decide(text, None).mentions == ()


FORMS = sorted({" ".join(form) for term in load().terms if not term.emoji for form in spelled_out(term)})
TIGHT = [form for form in FORMS if is_tight(tuple(form.split()), common_words(load()))]
OPEN = [form for form in FORMS if "*" in form]
NARROW = {unicodedata.normalize("NFKC", one): one for one in map(chr, range(0xFF66, 0xFF9E))} | {
    unicodedata.normalize("NFKC", two): two
    for base in map(chr, range(0xFF66, 0xFF9E))
    for two in (base + "ﾞ", base + "ﾟ")
}
IN_ONE = {
    unicodedata.normalize("NFKC", one): one
    for one in map(chr, range(0x900, 0xB00))
    if len(unicodedata.normalize("NFKC", one)) == 2
}


def narrow(form: str) -> str:
    return "".join(NARROW.get(char, char) for char in form)


def dots_in_one(form: str) -> str:
    """With each Indic letter and its dot as one character."""
    for two, one in IN_ONE.items():
        form = form.replace(two, one)
    return form


def vocalised(form: str) -> str:
    return re.sub("(?<=[\u0620-\u06ff])(?=[\u0620-\u06ff])", "\u0651\u064e", form)


def signed(form: str) -> str:
    """With Arabic vowel signs within and after whatever its letters are, and before it."""
    middle = (len(form) + 1) // 2
    return "\u064f" + form[:middle] + "\u0651\u064e" + form[middle:] + "\u064b"


STYLES = (
    str,
    str.upper,
    str.title,
    str.swapcase,
    lambda form: "#" + form.replace(" ", ""),
    lambda form: "#é_" + form.replace(" ", "_"),
    lambda form: "#Été" + form.title().replace(" ", ""),
    lambda form: form[:2] + 4 * form[2:3] + form[3:],
    lambda form: unicodedata.normalize("NFD", form),
    lambda form: form.replace("w", "wwww") + ".",  # else a link begins so
    lambda form: f"今{form}で",
    narrow,
    dots_in_one,
    vocalised,
    signed,
    lambda form: "\u064e" + form.replace(" ", "\u0651\u064e") + "\u064c",
    lambda form: "".join(chr(ord(char) + 0xFEE0) if char.isascii() and char.isalpha() else char for char in form),
)


@settings(max_examples=400)
@given(
    st.lists(
        st.tuples(st.sampled_from(FORMS) | st.sampled_from(TIGHT) | st.sampled_from(OPEN), st.sampled_from(STYLES)),
        min_size=1,
        max_size=3,
    ),
    st.sampled_from([" ", "\n", ", ", " drink ", "é", "ж", "_", "", " brewery "]),
    st.sampled_from([" ", "  ", "-", ", ", " - ", ' "', ". ", "'"]),
    st.sampled_from([None, "en", "de", "es", "fr", "id", "tr", "ru", "lv", "ar", "ja", "ko", "th", "vi", "pl"]),
)
def test_no_alias_is_missed_however_it_is_written(
    written: list[tuple[str, Callable[[str], str]]], by: str, within: str, lang: str
):
    text = by.join(style(form.replace("*", "zog")).replace(" ", within) for form, style in written) + by
    if CLASSIFIER.decide(text, lang).mentions:
        assert passes(text) == [True]


@pytest.mark.parametrize("style", [narrow, dots_in_one, vocalised])
def test_each_alias_of_a_script_is_seen_in_its_other_spelling(style: Callable[[str], str]):
    texts = [style(form) for form in FORMS if style(form) != form]
    named = [text for text in texts if any(CLASSIFIER.decide(text, lang).mentions for lang in (None, "ar", "fa"))]
    assert len(named) > len(texts) / 10
    assert [text for text, passed in zip(named, passes(*named), strict=True) if not passed] == []


@pytest.mark.parametrize(
    ("text", "lang", "named"),
    [
        ("one mt dewwww. please", "en", ("soda", "mountain dew")),
        ("mtn dewwww.", "en", ("soda", "mountain dew")),
        ("こｰひｰ飲む", "ja", ("coffee", None)),
        ("三ﾂ矢を飲んだ", "ja", ("soda", "mitsuya cider")),
        ("今日はcoffee飲んだ", "ja", ("coffee", None)),
        ("শুধু এক কাপ চা\u09dfের", "bn", ("tea", None)),
        ("বি\u09dfার", "bn", ("beer", None)),
        ("एक कॉ\u095eी", "hi", ("coffee", None)),
        ("شربت قَهْوَة", "ar", ("coffee", None)),
        ("กินน\u0e4d\u0e49าเปล่า", "th", ("water", None)),
    ],
)
def test_a_rare_spelling_counts_and_is_seen(text: str, lang: str, named: tuple[str, str | None]):
    assert [(mention.category, mention.brand) for mention in CLASSIFIER.decide(text, lang).mentions] == [named]
    assert passes(text) == [True]


def test_talk_in_other_scripts_is_left_out():
    talk = (
        "今日はとても疲れたので早く寝ることにします",
        "오늘 날씨가 정말 좋아서",
        "сегодня была отличная погода",
        "كان الجو جميلا",
        "شكراً جزيلاً",
        "আজ আবহাওয়া খুব ভালো ছিল",
    )
    assert passes(*talk) == [False] * len(talk)


AMPERSANDS = ("&", "&amp;", "&AMP;", "&#38;", "&#x26;")
APOSTROPHES = ("'", "&#39;", "&#x27;", "&apos;", "&rsquo;", r"\u0027", r"\u2019")
ESCAPES = {"&": r"\u0026", "<": r"\u003c", ">": r"\u003e", "=": r"\u003d", "'": r"\u0027", "+": r"\u002b"}


@pytest.mark.parametrize(
    "escape",
    [
        lambda text: text,
        lambda text: "".join(ESCAPES.get(char, char) for char in text),
        lambda text: "".join(f"\\u{ESCAPES[char][2:].upper()}" if char in ESCAPES else char for char in text),
    ],
    ids=["X", "Go and Gson", ".NET"],
)
def test_what_programs_escape_though_json_would_not_is_seen(escape: Callable[[str], str]):
    """A line that went through one of them is another spelling of the same post."""
    texts = [
        *(f"a cold {named} in a glass" for sign in AMPERSANDS for named in (f"G{sign}T", f"g{sign}t", f"A{sign}W")),
        *(f"{one} {sign} {other} please" for sign in AMPERSANDS for one, other in (("gin", "tonic"), ("rum", "coke"))),
        *(f"one mt{sign}dew please, I'm at tim{sign}s for a coffee" for sign in APOSTROPHES),
        *(
            f"I drink {left}tea{right}"
            for left in ("<", "&lt;", ">", "=", "+", "&")
            for right in ("<", "&gt;", "=", "")
        ),
        *("un caf&eacute; por favor", "a cup of &#116;ea", "a cup of &#x74;ea", "Tim&#39;s coffee", "A&W root beer"),
    ]
    lines = [f'{{"data":{{"id":"1262047442541674496","text":"{escape(text)}"}}}}'.encode() for text in texts]
    records = [parse(line, "x", 1_800_000_000_000) for line in lines]
    counted = [isinstance(record, Post) and bool(CLASSIFIER.decide(record.text, "en").mentions) for record in records]
    assert counted.count(True) > 40
    offsets = np.cumsum([0, *map(len, lines)])
    found = Prefilter(load()).candidates(b"".join(lines), offsets).tolist()
    assert [line for line, counts, passed in zip(lines, counted, found, strict=True) if counts and not passed] == []


def test_an_escaped_ampersand_by_itself_calls_for_no_closer_look():
    r"""Links hold many, and half of all posts that were rewritten have a `\u0026amp;`."""
    lines = [
        rf'{{"data":{{"id":"1","text":"me {ampersand} you"}},"link":"https://example.org/?a=b{ampersand}c=d"}}'.encode()
        for ampersand in (r"\u0026", r"\u0026amp;")
    ]
    offsets = np.cumsum([0, *map(len, lines)])
    assert Prefilter(load()).candidates(b"".join(lines), offsets).tolist() == [False, False]


@pytest.mark.parametrize("named", ["a cup of cofffffee", "a glasssss of whiite wiiine", "#ilovecofffeee"])
@pytest.mark.parametrize("before", [0, 200, 479, 480, 481, 3000])
@pytest.mark.parametrize("after", [0, 480, 3000])
def test_a_stretched_alias_is_seen_wherever_it_stands_in_a_long_line(named: str, before: int, after: int):
    """Around other runs of a letter too, and however much stands on either side."""
    assert passes(f"{'la ' * (before // 3)}brrrr {named} haaa{' lo' * (after // 3)}", "nothing hmmm at all") == [
        True,
        False,
    ]
