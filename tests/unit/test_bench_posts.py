"""The generated posts are what the documents say of them, and the product reads in them what they were made to say."""

import json
from collections import Counter
from itertools import islice

import pytest

from bench.posts import CHUNK, START_MS, Line, Writing, lines, truth
from bench.posts_v1 import LEAST, v1
from drinkstream.cells import levels
from drinkstream.hits import mentions
from drinkstream.post import Post, parse_keyed

OTHER_SCRIPTS = {"ja", "ko", "ar", "ru", "th"}
GOLDEN = {
    ("*", ""): 3022,
    ("*", "*"): 421,
    ("*", "guinness"): 209,
    ("*", "pepsi"): 212,
    ("beer", ""): 619,
    ("beer", "guinness"): 209,
    ("coffee", ""): 994,
    ("soda", ""): 212,
    ("soda", "pepsi"): 212,
    ("spirits", ""): 200,
    ("tea", ""): 416,
    ("wine", ""): 581,
}
WRITINGS = pytest.mark.parametrize("writing", [None, v1], ids=["v2", "v1.1"])


def made(writing: Writing | None = None, hit_share: float = 0.03, number: int = 20_000) -> list[Line]:
    """The first lines of a part of the day."""
    return list(islice(lines(3, 10, 2017, hit_share, writing), number))


def test_the_counts_of_a_part_are_always_these():
    """Golden: the truth that a topic is held against must not move unseen."""
    counts = truth(lines(0, 50, 2017))
    assert counts == GOLDEN


@WRITINGS
def test_three_in_a_hundred_name_a_drink_thirty_are_in_other_scripts_and_one_comes_twice(writing: Writing | None):
    found = made(writing)
    assert sum(bool(line.pairs) for line in found) / len(found) == pytest.approx(0.03, abs=0.004)
    assert sum(line.lang in OTHER_SCRIPTS for line in found) / len(found) == pytest.approx(0.30, abs=0.01)
    twice = [n for n in Counter(line.key for line in found).values() if n > 1]
    assert (sum(twice) - len(twice)) / len(found) == pytest.approx(0.01, abs=0.003)


@WRITINGS
def test_the_product_reads_in_each_line_what_it_was_made_to_say(writing: Writing | None):
    for line in made(writing, hit_share=0.5, number=3000):
        post = parse_keyed(line.value, line.key.decode(), line.event_ms + 1000)
        assert isinstance(post, Post)
        assert (f"x:{post.id}".encode(), post.lang, post.event_ms) == (line.key, line.lang, line.event_ms)
        assert set(levels(mentions(post))) == set(levels([(c or None, b or None) for c, b in line.pairs]))


def test_a_filtered_stream_names_a_drink_in_every_post():
    assert all(line.pairs for line in made(hit_share=1.0))


def test_v2_lines_are_as_long_as_the_documents_say_and_escape_only_what_json_must():
    values = [line.value for line in made()]
    assert 400 <= sum(map(len, values)) / len(values) <= 600
    assert all(b"\\u" not in value for value in values)
    assert sum(b"\\n" in value or b'\\"' in value for value in values) / len(values) == pytest.approx(0.10, abs=0.02)


def test_v1_lines_are_long_and_in_escapes_and_hold_quoted_and_reposted_posts():
    values = [line.value for line in made(v1, number=3000)]
    assert min(map(len, values)) >= LEAST
    assert all(value.isascii() and b"https:\\/\\/" in value and b"://" not in value for value in values)
    inside = Counter(
        name for value in values for name in ("quoted_status", "retweeted_status") if name in json.loads(value)
    )
    assert inside["quoted_status"] / len(values) == pytest.approx(0.2, abs=0.03)
    assert inside["retweeted_status"] / len(values) == pytest.approx(0.2, abs=0.03)


def test_the_parts_of_a_day_share_no_id_and_lie_one_after_the_other():
    first, second = (list(islice(lines(chunk, 2, 1), 500)) for chunk in (0, 1))
    assert not {line.key for line in first} & {line.key for line in second}
    assert min(line.event_ms for line in second) == START_MS + 43_200_000
    assert max(line.event_ms for line in first) < START_MS + 43_200_000
    assert CHUNK == 100_000
