"""What the classifier answers: spans in the text as given, a reason for what it holds back, an answer for any text."""

import time

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from drinkstream.classify import Classifier, Held, Mention
from drinkstream.taxonomy import load

CLASSIFIER = Classifier(load())


def pairs(text: str, lang: str | None = "en") -> list[tuple[str | None, str | None]]:
    return [(mention.category, mention.brand) for mention in CLASSIFIER.decide(text, lang).mentions]


@pytest.mark.parametrize(
    ("text", "lang", "alias", "start", "end"),
    [
        ("I need coffee", "en", "coffee", 7, 13),
        ("so ＣＯＦＦＥＥ now", "en", "ＣＯＦＦＥＥ", 3, 9),
        ("un cafe\u0301!", "fr", "cafe\u0301", 3, 8),
        ("😀😀 cofffeee", "en", "cofffeee", 3, 11),
        ("أحب قهـــوة", "ar", "قهـــوة", 4, 11),
        ("朝はコーヒーを飲む", "ja", "コーヒー", 2, 6),
        ("#ILoveBeer", "en", "Beer", 6, 10),
        ("#ilovebeer", "en", "beer", 6, 10),
        ("İyi KAHVE", "tr", "KAHVE", 4, 9),
    ],
)
def test_spans_are_positions_in_the_text_as_given(text: str, lang: str, alias: str, start: int, end: int):
    (mention,) = CLASSIFIER.decide(text, lang).mentions
    assert (mention.alias, mention.start, mention.end) == (alias, start, end)
    assert text[start:end] == alias


def test_a_brand_with_its_drink_is_one_mention():
    assert CLASSIFIER.decide("pumpkin spice latte from Starbucks", "en").mentions == (
        Mention("coffee", "starbucks", "Starbucks", 25, 34, "brands.starbucks+en.coffee"),
    )


def test_what_is_held_back_names_its_rule():
    assert CLASSIFIER.decide("spill the tea", "en").held == (Held("tea", "traps.gossip"),)
    assert CLASSIFIER.decide("corona cases are up", "en").held == (Held("corona", "traps.brand-names-elsewhere"),)


def test_each_drink_of_a_mix_counts():
    assert pairs("rum and coke please") == [("spirits", None), ("soda", "coca-cola")]
    assert pairs("jack and coke") == [("spirits", "jack daniels"), ("soda", "coca-cola")]
    assert pairs("gin and tonic") == [("spirits", None)]


def test_milk_in_a_latte_does_not_count_and_milk_as_the_topic_does():
    assert pairs("a latte with oat milk") == [("coffee", None)]
    assert pairs("no milk for my tea") == [("milk", None), ("tea", None)]


@pytest.mark.parametrize("text", ["@starbucks", "https://x.test/coffee", "www.coffee.test", "$SBUX", "me@coffee.test"])
def test_handles_links_and_cashtags_name_nothing(text: str):
    assert CLASSIFIER.decide(text, "en").mentions == ()


@pytest.mark.parametrize("text", ["@muellerbier", "@m\u00fcller_bier", "https://t.co/altesbier", "$helles_bier"])
def test_handles_links_and_cashtags_are_no_compounds(text: str):
    assert CLASSIFIER.decide(text, "de").mentions == ()


@pytest.mark.parametrize(
    ("text", "lang", "named"),
    [
        ("I love coffee.It makes me happy", "en", [("coffee", None)]),
        ("Had a beer.It was cold", "en", [("beer", None)]),
        ("a can of Red Bull.It helped", "en", [("energy", "red bull")]),
        ("Quiero un café.Es temprano", "es", [("coffee", None)]),
        ("a link, coffee.it", "en", []),
        ("see coffee.It/menu", "en", []),
        ("see COFFEE.IT", "en", []),
        ("see Coffee.com", "en", []),
    ],
)
def test_a_missing_space_after_a_full_stop_makes_no_link(text: str, lang: str, named: list[tuple[str, str | None]]):
    assert pairs(text, lang) == named


@pytest.mark.parametrize(
    ("text", "lang", "named"),
    [
        ("#قهوة_الصباح", "ar", [("coffee", None)]),
        ("#утренний_кофе", "ru", [("coffee", None)]),
        ("#УтреннийКофе", "ru", [("coffee", None)]),
        ("#türk_kahvesi", "tr", [("coffee", None)]),
        ("#AmoElCafé", "es", [("coffee", None)]),
        ("#soğuk_bira", "tr", [("beer", None)]),
        ("#кофемолка", "ru", []),
        ("#@müller_bier", "de", []),
    ],
)
def test_hashtags_beyond_ascii_are_cut_too(text: str, lang: str, named: list[tuple[str | None, str | None]]):
    assert pairs(text, lang) == named


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("spill the #tea", []),
        ("hold my #beer", []),
        ("a root #beer please", [("soda", None)]),
        ("need my #Starbucks", [("coffee", "starbucks")]),
        ("good morning #coffee #table", [("coffee", None)]),
        ("so good #milk #chocolate", [("milk", None)]),
    ],
)
def test_a_hashtag_within_a_sentence_is_a_word_of_it(text: str, named: list[tuple[str | None, str | None]]):
    assert pairs(text) == named


@pytest.mark.parametrize(
    ("text", "lang", "named"),
    [
        ("今日はcoffee飲んだ", "ja", [("coffee", None)]),
        ("Red Bull飲んだ", "ja", [("energy", "red bull")]),
        ("Starbucksで限定のやつ買った", "ja", [(None, "starbucks")]),
        ("오늘 cola마셨다", "ko", [("soda", None)]),
        ("我要喝beer啦", "zh", [("beer", None)]),
        ("อยากกินStarbucksมาก", "th", [("coffee", "starbucks")]),
        ("#ilovecoffee部", "ja", [("coffee", None)]),
        ("@beer飲む", "ja", []),
        ("https://t.co/beer飲", "ja", []),
    ],
)
def test_latin_words_end_where_another_script_begins(text: str, lang: str, named: list[tuple[str | None, str | None]]):
    assert pairs(text, lang) == named


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("Love Starbucks. My mom drinks tea.", {("coffee", "starbucks"), ("tea", None)}),
        ("Love Starbucks\nMy mom drinks tea", {("coffee", "starbucks"), ("tea", None)}),
        ("I need my Starbucks before I make tea", {("coffee", "starbucks"), ("tea", None)}),
        ("Starbucks closed early. We drank water at home.", {(None, "starbucks"), ("water", None)}),
        ("I need my Starbucks iced tea", {("tea", "starbucks")}),
        ("a green tea ... from Starbucks", {("tea", "starbucks")}),
    ],
)
def test_a_chain_takes_the_drink_that_is_named_with_it(text: str, named: set[tuple[str | None, str | None]]):
    assert set(pairs(text)) == named


@pytest.mark.parametrize(("lang", "expected"), [("it", "milk"), ("en", "coffee")])
def test_a_word_means_what_it_means_in_the_posts_language(lang: str, expected: str):
    assert pairs("latte!", lang) == [(expected, None)]


@pytest.mark.parametrize("tag", ["in", "id", "id-ID", "ID", "ms"])
def test_old_and_regional_language_tags_are_understood(tag: str):
    assert pairs("teh manis", tag) == [("tea", None)]


@pytest.mark.parametrize("tag", [None, "", "und", "qme", "xx-yy", "🦆"])
def test_an_unknown_language_leaves_the_sure_words(tag: str | None):
    assert pairs("vodka and te", tag) == [("spirits", None)]


@pytest.mark.parametrize(
    ("text", "lang"),
    [
        ("パーティー楽しい", "ja"),
        ("エンジンがかかった", "ja"),
        ("水曜日です", "ja"),
        ("คนชาวไทยในประเทศชาติ", "th"),
        ("น้ำตาไหลน้ำตาล", "th"),
        ("선물 받은 동물", "ko"),
        ("случайно", "ru"),
    ],
)
def test_a_syllable_inside_a_longer_word_is_no_drink(text: str, lang: str):
    assert CLASSIFIER.decide(text, lang).mentions == ()


def test_a_cut_off_word_of_a_repost_may_have_been_longer():
    assert pairs("RT @x: we saw the whole tea…") == []
    assert pairs("RT @x: we love our morning coffee…") == [("coffee", None)]


ODD = [
    "",
    " ",
    "a" * 100_000,
    "\ud83d",
    "\udc00coffee",
    "\x00\x1b[31m",
    "\u202ecoffee\u202c",
    "\ufeff",
    "e" + "\u0301" * 9999,
]


@pytest.mark.parametrize("text", ODD, ids=range(len(ODD)))
@pytest.mark.parametrize("lang", ["en", None, "nonsense"])
def test_there_is_an_answer_for_any_text(text: str, lang: str | None):
    decision = CLASSIFIER.decide(text, lang)
    assert all(text[mention.start : mention.end] == mention.alias for mention in decision.mentions)


@given(st.text(st.characters(exclude_categories=())), st.none() | st.text(max_size=5))
def test_no_text_and_no_tag_is_a_fault(text: str, lang: str | None):
    decision = CLASSIFIER.decide(text, lang)
    assert all(text[mention.start : mention.end] == mention.alias for mention in decision.mentions)


ODD_WORDS = st.sampled_from(
    (
        "coffee #ILoveBeer red bull tea party コーヒー 커피를 กาแฟ قهوة чай ☕ \u200f \u202e \x00 \ud83d \udc00 "
        "cofffee @x http://a.b/c &amp; İ é e\u0301 … RT @x:"
    ).split(" ")
)


@example("e\u0301コーヒー", None)
@example("コーヒー", "ja")
@example("한잔의 맥주", "ko")
@given(
    st.lists(ODD_WORDS | st.text(st.characters(exclude_categories=()), max_size=4), max_size=40).map("".join),
    st.sampled_from([None, "", "und", "en", "es", "ja", "tlh-x-odd", "\ud83d", "e" * 9999]),
)
def test_drinks_among_odd_characters_are_found_where_they_stand(text: str, lang: str | None):
    decision = CLASSIFIER.decide(text, lang)
    assert all(text[mention.start : mention.end] == mention.alias for mention in decision.mentions)
    assert all(mention.start < mention.end <= len(text) for mention in decision.mentions)


def test_a_word_far_inside_a_long_text_is_found():
    text = "x" * 60_000 + " coffee " + "y" * 40_000
    assert [(m.start, m.end) for m in CLASSIFIER.decide(text, "en").mentions] == [(60_001, 60_007)]


REPEATS = [
    "my cup of tea ",
    "red bull ",
    "spill the tea ",
    "drinking a ",
    "น้ำ",
    "قهوة ",
    "jack and coke ",
    "water in the ",
    "un vino y ",
    "coffee ",
    "tea party ",
    "#coffeetime ",
    "corona ",
    "milk latte ",
    "cofffeee ",
    "コーヒー",
    "커피를 ",
    "삼다수",
    "奶茶",
    "☕ drink ",
    "a.",
    "é",
    "#a",
]


def least_s(text: str) -> float:
    """Seconds of processor time that a text takes, the least of several tries."""
    times = []
    for _ in range(7):
        before = time.process_time()
        CLASSIFIER.decide(text, "en")
        times.append(time.process_time() - before)
    return min(times)


@pytest.mark.parametrize("unit", REPEATS)
def test_the_time_grows_with_the_length_only(unit: str):
    """Ten times the text takes at most thirty times the time: square growth would take a hundred."""
    long = (unit * 20_000)[:20_000]
    assert least_s(long) < max(30 * least_s(long[:2_000]), 0.02)


@pytest.mark.parametrize("unit", REPEATS)
def test_repeats_take_little_more_time_than_what_people_write(unit: str):
    """Ten kilobytes of each: at most six times as long, compiled or not, on whatever machine."""
    written = "I had a coffee with friends and then we went home to watch the game. "
    assert least_s(unit * (10_000 // len(unit.encode()))) < 6 * least_s(written * (10_000 // len(written)))
