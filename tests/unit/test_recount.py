"""A day counted again in plain Python gives the oracle's cells, whatever came in whichever order, up to a position."""

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drinkstream import recount as module
from drinkstream.archive import Row
from drinkstream.post import envelopes
from drinkstream.reconcile import CellName
from drinkstream.recount import recount
from tests.lib import oracle
from tests.lib.planted import MORNING_MS, TEXTS, delete, post_id, tweet

DAY = "2017-09-14"
NEXT_DAY_MS = MORNING_MS + 86_400_000
POSITION = {"c/posts/0": 10**6, "c/posts/1": 10**6}


@dataclass
class Table:
    """An archive in a list."""

    rows: list[Row]

    def under(self, topic: str, *days: str) -> Iterator[Row]:
        return (row for row in reversed(self.rows) if row.topic == topic and row.day in days)

    def records(self, keys: Iterable[str], *days: str) -> list[Row]:
        wanted = set(keys)
        mine = [row for row in self.rows if row.key in wanted and row.day in days]
        read = [oracle.read(oracle.Record(row.value or b"", "x", row.append_ms)) for row in mine]
        others = {f"x:{one}" for found in read for one in found.others} - wanted
        return mine + [row for row in self.rows if row.key in others and (row.shape or "").startswith("tombstone")]


def row(n: int, value: bytes, **changed: object) -> Row:
    """As the collector and the archive query make it of a line; `n` is its place in time and in its partition."""
    (envelope,) = envelopes(value, "x", NEXT_DAY_MS)
    key = f"x:{envelope.id}" if envelope.id is not None else None
    day = "none" if envelope.event_ms is None else oracle.day(envelope.event_ms)
    found = {
        "day": day,
        "cluster": "c",
        "topic": "posts",
        "partition": n % 2,
        "offset": n,
        "append_ms": NEXT_DAY_MS + n,
        "key": key,
        "source": "x",
        "shape": envelope.shape,
        "event_ms": envelope.event_ms,
        "value": value,
    }
    return Row(**{**found, **changed})


def truth(rows: Iterable[Row]) -> dict[CellName, frozenset[str]]:
    """The oracle's cells of the day, by the names that ours have."""
    records = [oracle.Record(r.value or b"", "x", r.append_ms, r.partition, r.offset) for r in rows]
    return {
        (f"{day}T{minute[:2]}", int(minute[3:]), category, brand, source, kind, lang): frozenset(ids)
        for (day, minute, source, category, brand, kind, lang), ids in oracle.batch(records, TEXTS.get).items()
    }


def withheld(ident: str, country: str) -> bytes:
    return b'{"status_withheld":{"id":%s,"withheld_in_countries":["%s"]}}' % (ident.encode(), country.encode())


def version_id(n: int, version: int) -> str:
    """The third is written on the next day."""
    return str(int(post_id(n)) + version * 1000 + (version // 3 * 86_400_000 << 22))


def edit(n: int, version: int, text: str) -> bytes:
    return tweet(version_id(n, version), text, post_id(n))


def told(n: int, version: int, text: str) -> bytes:
    """The first version, sent again after it was edited."""
    history = [post_id(n), *(version_id(n, one) for one in range(1, version + 1))]
    data = {"id": post_id(n), "text": text, "lang": "en", "edit_history_tweet_ids": history}
    return json.dumps({"data": data}).encode()


posts = st.integers(0, 4)
texts = st.sampled_from(sorted(TEXTS))
lines = st.one_of(
    st.builds(lambda n, text: tweet(post_id(n), text), posts, texts),
    st.builds(edit, posts, st.integers(1, 3), texts),
    st.builds(told, posts, st.integers(1, 3), texts),
    st.builds(lambda n: delete(post_id(n)), posts),
    st.builds(lambda n, version: delete(version_id(n, version)), posts, st.integers(1, 3)),
    st.builds(lambda n, version: withheld(version_id(n, version), "XX"), posts, st.integers(1, 3)),
    st.builds(lambda n, country: withheld(post_id(n), country), posts, st.sampled_from(["XX", "DE"])),
    st.builds(lambda n, text: tweet(post_id(n), text)[:-20], posts, texts),
)


@given(st.lists(lines, max_size=25), st.integers(0, 25))
def test_a_day_is_what_the_oracle_makes_of_the_records_before_the_position(values: list[bytes], until: int) -> None:
    """Duplicates, edits that name a drink or no longer do, deletes before their post or by the id of a later version,
    lines cut off; what came after the run is not there."""
    rows = [row(n, value) for n, value in enumerate(values)]
    found = recount(Table(rows), "posts", DAY, {"c/posts/0": until, "c/posts/1": until})
    assert found == truth(rows[:until])


def test_what_lies_elsewhere_does_not_count(monkeypatch: pytest.MonkeyPatch) -> None:
    """Another day's rows, another topic's, another cluster's; a record of no day does. However few are read at once."""
    monkeypatch.setattr(module, "ROWS_A_SCAN", 2)
    monkeypatch.setattr(module, "KEYS_A_QUERY", 1)
    text = sorted(TEXTS)[0]
    values = [tweet(post_id(n), text) for n in range(7)]
    counted = [row(0, values[0]), row(1, values[1], day="none"), row(2, values[0])]
    elsewhere = [
        row(3, values[2], day="2017-09-13"),
        row(4, values[3], topic="other"),
        row(5, values[4], cluster="other"),
        row(6, delete(post_id(0)), day="2017-09-13"),
        row(7, values[5], key=None),
        row(8, b""),
    ]
    assert recount(Table(counted + elsewhere), "posts", DAY, POSITION) == truth(counted)


def test_a_record_counts_as_the_post_that_its_line_is_about() -> None:
    """Though another program sent it under another key, as the recompute has it."""
    text = sorted(TEXTS)[0]
    foreign = row(0, tweet(post_id(1), text), key=f"x:{post_id(2)}")
    assert recount(Table([foreign]), "posts", DAY, POSITION) == truth([foreign])
