"""The demo's posts: the same bytes for the same question, in X's own format, with the promised mix and rhythm."""

import html
import json
from collections import Counter
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any

import pytest

from drinkstream.post import Post, Rejected, Tombstone, envelopes, parse
from streaming.sources import demo
from streaming.sources.demo_bank import phrases
from tests.lib.labels import Mentions, label

SEED = 7
MONDAY = datetime(2026, 3, 2, tzinfo=UTC)
NOW_MS = 1_790_000_000_000
CATEGORIES = {"coffee", "tea", "beer", "wine", "spirits", "soda", "juice", "water", "energy", "milk"}


# the first lines of seed 7 on Monday, 2 March 2026, at 0.2 a second
KNOWN = [
    '{"data":{"id":"2028259000527953920","text":"RT @oskar_69: selamat ulang tahun buat adikku '
    "tersayang\\ntugas kuliah numpuk semua minggu ini\\nsiapa yang nonton pertandingan "
    'semalam\\nhujan…","created_at":"2026-03-02T00:00:03.000Z","lang":"in",'
    '"edit_history_tweet_ids":["2028259000527953920"],"referenced_tweets":[{"type":"retweeted",'
    '"id":"2028258734151901184"}]},"matching_rules":[{"id":"1570000000000000001","tag":"drinkstream '
    'demo"}]}',
    '{"data":{"id":"2028259028357160960","text":"my laptop died in the middle of the '
    "presentation\\ntoday I ran five kilometres without stopping\\nmy grandmother just sent me her "
    'first voice message\\nwe lost the game but I am proud of this team https://t.co/632g4pwp9r",'
    '"created_at":"2026-03-02T00:00:10.000Z","lang":"en",'
    '"edit_history_tweet_ids":["2028259028357160960"],"referenced_tweets":[{"type":"quoted",'
    '"id":"2028245843843555328"}]},"matching_rules":[{"id":"1570000000000000001","tag":"drinkstream '
    'demo"}]}',
    '{"data":{"id":"2028259048854724608","text":"опять опоздала на автобус",'
    '"created_at":"2026-03-02T00:00:15.000Z","lang":"ru",'
    '"edit_history_tweet_ids":["2028259048854724608"]},'
    '"matching_rules":[{"id":"1570000000000000001","tag":"drinkstream demo"}]}',
    '{"data":{"id":"2028259066135257088","text":"RT @oskar_81: @dana_52 banjir lagi, jalan depan '
    'rumah tutup\\nmacet banget hari ini, sudah dua jam di jalan\\ntugas kuliah numpuk semua minggu…",'
    '"created_at":"2026-03-02T00:00:19.000Z","lang":"in",'
    '"edit_history_tweet_ids":["2028259066135257088"],"referenced_tweets":[{"type":"retweeted",'
    '"id":"2028250951742464000"}]},"matching_rules":[{"id":"1570000000000000001","tag":"drinkstream '
    'demo"}]}',
]


@pytest.fixture(scope="module")
def day() -> list[bytes]:
    """All lines of one Friday at 0.3 a second: some 26,000."""
    friday = MONDAY + timedelta(days=4)
    return list(demo.history(SEED, friday, friday + timedelta(days=1), 0.3))


def objects(lines: list[bytes]) -> list[dict[str, Any]]:
    """The `data` of each post's line."""
    whole = [json.loads(line) for line in lines if line.endswith(b"}")]
    return [line["data"] for line in whole if "text" in line.get("data", {})]


def test_a_known_line() -> None:
    """Seed, time and rate decide each byte, on any machine and in any process."""
    assert list(demo.history(SEED, MONDAY, MONDAY + timedelta(seconds=30), 0.2))[: len(KNOWN)] == [
        line.encode() for line in KNOWN
    ]


def test_the_same_span_gives_the_same_bytes_in_any_pieces() -> None:
    """A whole hour, its four quarters, and the live stream from a moment on are the same lines."""
    hour = list(demo.history(SEED, MONDAY, MONDAY + timedelta(hours=1), 0.5))
    quarters = [MONDAY + timedelta(minutes=15 * n, seconds=7 * (0 < n < 4)) for n in range(5)]
    assert [line for a, b in pairwise(quarters) for line in demo.history(SEED, a, b, 0.5)] == hour
    live = demo.stream(SEED, round(quarters[2].timestamp() * 1000), 0.5)
    assert [next(live)[1] for _ in range(100)] == list(demo.history(SEED, quarters[2], quarters[4], 0.5))[:100]


def test_seeds_differ_and_share_no_id() -> None:
    """Two stacks with other seeds can be read together."""
    span = (MONDAY, MONDAY + timedelta(hours=1))
    ids = [{post["id"] for post in objects(list(demo.history(seed, *span, 1.0)))} for seed in (1, 2)]
    assert len(ids[0]) > 1000
    assert len(ids[1]) > 1000
    assert not ids[0] & ids[1]


def test_only_duplicates_repeat_an_id_and_they_repeat_each_byte(day: list[bytes]) -> None:
    """Among whole posts, lines with the same id are equal."""
    by_id: dict[str, set[bytes]] = {}
    for line in day:
        if line.endswith(b"}") and "text" in (data := json.loads(line).get("data", {})):
            by_id.setdefault(data["id"], set()).add(line)
    assert {len(same) for same in by_id.values()} == {1}


def test_every_line_is_what_the_parser_takes_it_for(day: list[bytes]) -> None:
    """Posts and tombstones by their id's time, limits, and the broken lines as cut off; nothing else."""
    shapes = Counter(envelope.shape for line in day for envelope in envelopes(line, "demo", NOW_MS))
    assert set(shapes) == {"post.x.v2", "tombstone.delete", "notice.limit", "rejected.cut_off"}
    start_ms = round((MONDAY + timedelta(days=4)).timestamp() * 1000)
    for line in day[:1000]:
        [envelope] = envelopes(line, "demo", NOW_MS)
        record = parse(line, "demo", NOW_MS)
        assert envelope.value == line
        if isinstance(record, Post):
            made = json.loads(line)["data"]["created_at"]
            version_ms = (int(record.version) >> 22) + demo.X_EPOCH_MS
            assert made == datetime.fromtimestamp(version_ms // 1000, UTC).strftime("%Y-%m-%dT%H:%M:%S.000Z")
            assert version_ms >= start_ms
            assert record.edited == (record.id != record.version)
        elif isinstance(record, Tombstone):
            assert envelope.event_ms is not None
            assert envelope.event_ms < start_ms + 86_400_000
        else:
            assert not isinstance(record, Rejected) or record.reason == "cut_off"


def test_the_mix(day: list[bytes]) -> None:
    """The shares of kinds, per mille, within what one day's dice allow."""
    posts = objects(day)
    kinds = Counter(p["referenced_tweets"][0]["type"] if "referenced_tweets" in p else "none" for p in posts)
    found = {
        "retweeted": kinds["retweeted"],
        "replied_to": kinds["replied_to"],
        "quoted": kinds["quoted"],
        "edited": sum(len(p["edit_history_tweet_ids"]) == 2 for p in posts),
        "note": sum("note_tweet" in p for p in posts),
        "duplicate": len(posts) - len({p["id"] for p in posts}),
        "delete": sum(b'"delete"' in line for line in day),
        "limit": sum(b'"limit"' in line for line in day),
        "broken": sum(not line.endswith(b"}") for line in day),
    }
    wanted = {
        "retweeted": 250,
        "replied_to": 200,
        "quoted": 80,
        "edited": 3,
        "note": 6,  # long texts need a language with enough small talk
        "duplicate": 10,
        "delete": 10,
        "limit": 0.5,
        "broken": 0.5,
    }
    allowed = {"retweeted": 10, "replied_to": 10, "quoted": 6, "edited": 1, "note": 2, "duplicate": 2, "delete": 2}
    for kind, share in wanted.items():
        assert abs(1000 * found[kind] / len(day) - share) < allowed.get(kind, 0.3), (kind, found[kind], len(day))


def test_deletes_edits_and_references_name_earlier_posts_of_the_stream(day: list[bytes]) -> None:
    """Within three hours, and each of them a post that was delivered."""
    known = {post["id"] for post in objects(day)}
    known |= {
        p["id"]
        for p in objects(
            list(demo.history(SEED, MONDAY + timedelta(days=3, hours=20), MONDAY + timedelta(days=4), 0.3))
        )
    }
    for line in day:
        if not line.endswith(b"}") or b'"limit"' in line:
            continue
        data = json.loads(line)["data"]
        if "delete" in data:
            assert data["delete"]["tweet"]["id"] in known
            continue
        for earlier in (*(r["id"] for r in data.get("referenced_tweets", [])), *data["edit_history_tweet_ids"][:-1]):
            assert earlier in known
            assert 0 < int(data["id"]) - int(earlier) < (181 * 60_000) << 22


def named(post: dict[str, Any]) -> Mentions:
    """The hand-written labels of the phrases that stand in a delivered post."""
    mentions = label(html.unescape(post.get("note_tweet", post)["text"]))
    assert mentions is not None, post
    return mentions


@pytest.fixture(scope="module")
def week() -> list[dict[str, Any]]:
    """The posts of a whole week at 0.03 a second: some 18,000."""
    return objects(list(demo.history(SEED, MONDAY, MONDAY + timedelta(days=7), 0.03)))


def test_three_posts_in_ten_name_a_drink_and_each_phrase_is_heard_whole(week: list[dict[str, Any]]) -> None:
    """Over a week; the phrase bank's labels are the truth for each delivered text, cut-off reposts included."""
    drinks = [post for post in week if any(category for category, _ in named(post))]
    assert 0.28 < len(drinks) / len(week) < 0.32


def test_coffee_is_a_morning_and_beer_a_friday_evening(week: list[dict[str, Any]]) -> None:
    """The rhythm by hour and by weekday."""
    by_hour: dict[str, Counter[int]] = {"coffee": Counter(), "beer": Counter()}
    by_day: dict[str, Counter[int]] = {"coffee": Counter(), "beer": Counter()}
    for post in week:
        made = datetime.fromisoformat(post["created_at"])
        for category in {category for category, _ in named(post)} & {"coffee", "beer"}:
            by_hour[category][made.hour] += 1
            by_day[category][made.weekday()] += 1
    assert 6 <= by_hour["coffee"].most_common(1)[0][0] <= 9
    assert 17 <= by_hour["beer"].most_common(1)[0][0] <= 21
    assert by_day["beer"][4] > 2 * by_day["beer"][1]
    assert by_day["coffee"][0] > 1.4 * by_day["coffee"][6]


def test_the_phrase_bank_is_large_and_unambiguous() -> None:
    """At least 250 phrases and 12 languages, all categories, none inside another or too long to repost."""
    bank = phrases()
    assert len(bank) >= 250
    assert len({p.lang for p in bank}) >= 12
    assert {category for p in bank for category, _ in p.names} - {""} == CATEGORIES
    assert [p.text for p in bank if len(p.text) > 110 or p.text != p.text.strip()] == []
    assert [p.text for p in bank if p.trap and p.names] == []
    assert [(a.text, b.text) for a in bank for b in bank if a is not b and a.text in b.text] == []


def test_lines_are_as_long_as_x_sends_them(day: list[bytes]) -> None:
    """Some 370 bytes on average."""
    assert 340 < sum(map(len, day)) / len(day) < 420
