"""The accounting: the sum that must add up, and what it says where it does not."""

import json
from collections import Counter
from collections.abc import Mapping

import pytest

from drinkstream.archive import Class, Held
from drinkstream.errors import IntegrityError
from drinkstream.positions import Span
from drinkstream.settings import Settings
from streaming import accounting
from streaming.accounting import TopicAccount, account, main, render, report
from streaming.offsets import KafkaOffsets

KAFKA = KafkaOffsets("c1", {("posts", 0): 0, ("posts", 1): 5}, {("posts", 0): 10, ("posts", 1): 20})
GAP = Span("c1", "posts", 1, 0, 5)


def held(*islands: tuple[int, int, int], duplicates: int = 0) -> dict[tuple[str, str, int], Held]:
    """Held offsets as (partition, start, until); `duplicates` rows more lie in partition 0."""
    found: dict[tuple[str, str, int], Held] = {}
    for partition in {island[0] for island in islands}:
        spans = tuple(Span("c1", "posts", p, start, until) for p, start, until in islands if p == partition)
        more = duplicates if partition == 0 else 0
        found["c1", "posts", partition] = Held(sum(span.size for span in spans) + more, more, spans)
    return found


def posts(n: int) -> Mapping[Class, int]:
    """Classes of `n` plain posts."""
    return Counter({Class("x", "post"): n})


def test_every_record_is_archived_waits_or_lies_in_a_gap() -> None:
    """Kafka's count of offsets is the sum of the three."""
    found = account(KAFKA, "posts", {}, held((0, 0, 8), (1, 5, 17)), (GAP,), posts(20))
    assert found == TopicAccount("posts", 30, 20, 5, 5, 0, (), posts(20))
    assert found.faults() == []


def test_before_the_first_commit_everything_waits() -> None:
    """An archive without a table holds nothing, and misses nothing."""
    found = account(KAFKA, "posts", {("posts", 1): 5}, {}, (GAP,), {})
    assert (found.into, found.archived, found.waiting, found.gaps, found.faults()) == (30, 0, 25, 5, [])


def test_a_hole_is_named() -> None:
    """Offsets before the position that lie nowhere, in the middle or, where the newest rows were lost, at the end."""
    found = account(KAFKA, "posts", {("posts", 0): 10}, held((0, 0, 4), (0, 6, 9), (1, 5, 20)), (GAP,), posts(22))
    assert found.missing == (Span("c1", "posts", 0, 4, 6), Span("c1", "posts", 0, 9, 10))
    assert found.faults() == [
        "not archived, not waiting, in no gap: posts/0 offsets 4 to 5 (2 records)",
        "not archived, not waiting, in no gap: posts/0 offsets 9 to 9 (1 records)",
    ]


def test_a_kafka_that_ends_before_what_is_archived_is_named() -> None:
    """It was made anew, or lost records: the numbers alone would add up."""
    found = account(KAFKA, "posts", {("posts", 0): 12}, held((0, 0, 12), (1, 5, 20)), (GAP,), posts(27))
    assert found.faults() == ["Kafka ends before what is archived: posts/0 at 10, not 12: see the log of `archive`"]


def test_a_duplicate_is_named() -> None:
    """It does not hide a hole of the same size."""
    found = account(KAFKA, "posts", {}, held((0, 0, 4), (0, 5, 10), (1, 5, 20), duplicates=1), (GAP,), posts(25))
    assert (found.archived, found.duplicates) == (25, 1)
    assert found.faults() == [
        "not archived, not waiting, in no gap: posts/0 offsets 4 to 4 (1 records)",
        "posts: 1 rows repeat an offset that is archived already",
    ]


def test_a_row_without_a_class_is_named() -> None:
    """The four classes must sum to the rows."""
    found = account(KAFKA, "posts", {}, held((0, 0, 10), (1, 5, 20)), (GAP,), posts(24))
    assert found.faults() == ["posts: 25 rows archived, but 24 of them have a class"]


def test_a_row_in_a_gap_is_named() -> None:
    """A record cannot be archived and lost at once."""
    found = account(KAFKA, "posts", {}, held((0, 0, 10), (1, 3, 20)), (GAP,), posts(27))
    assert found.faults() == ["posts: -2 records too many in Kafka's count against the sum of their places"]


FIGURES = {
    "at": "2017-09-15T00:00:00+00:00",
    "cluster": "c1",
    "archive_version": 7,
    "lag_seconds": 3.5,
    "topics": {
        "posts": {
            "into": 1_234_600,
            "archived": 1_234_567,
            "waiting": 3,
            "gaps": 30,
            "missing": [],
            "duplicates": 0,
            "begin": {"0": 0},
            "end": {"0": 1_234_600},
            "classes": {
                "post": 1_234_000,
                "tombstone": 500,
                "notice": 50,
                "rejected": {"not_json": 12, "time": 5},
            },
        },
        "feed.status": {
            "into": 9,
            "archived": 9,
            "waiting": 0,
            "gaps": 0,
            "missing": [],
            "duplicates": 0,
            "begin": {"0": 0},
            "end": {"0": 9},
        },
    },
    "sources": {
        "demo": {"post": 1_000_000, "tombstone": 0, "notice": 0, "rejected": {}},
        "x": {"post": 234_000, "tombstone": 500, "notice": 50, "rejected": {"not_json": 12, "time": 5}},
    },
    "gaps": [{"topic": "posts", "partition": 0, "from": 10, "until": 40, "when": "2017-09-14T12:00:00.000+00:00"}],
    "earlier_clusters": [{"cluster": "c0", "archived": 77}],
    "faults": [],
}

TEXT = """\
records in (posts)        1,234,600
  = posts                 1,234,000
  + tombstones                  500
  + notices                      50
  + rejected                     17  not_json 12, time 5
  + not yet archived              3  the oldest came 3.5 s ago
  + lost in gaps                 30

source             posts  tombstones     notices    rejected
demo           1,000,000           0           0           0
x                234,000         500          50          17

feed.status: 9 in = 9 archived + 0 waiting + 0 lost in gaps
earlier Kafka c0: 77 archived
GAP posts/0 offsets 10 to 39, met 2017-09-14T12:00:00.000+00:00
adds up: every record is accounted for once"""


def test_the_text_shows_the_sum_line_by_line() -> None:
    """The one that a person reads under `make status`."""
    assert render(FIGURES, "posts") == TEXT


def test_the_text_says_loudly_what_does_not_add_up() -> None:
    """Each fault has a line; nothing says that it adds up."""
    lines = render({**FIGURES, "faults": ["one thing", "another"]}, "posts").splitlines()
    assert lines[-2:] == ["DOES NOT ADD UP: one thing", "DOES NOT ADD UP: another"]
    assert not any(line.startswith("adds up") for line in lines)


def test_an_unknown_option_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    """With the exit code of a bad request."""
    assert main(["--for-ever"]) == 2
    assert "--for-ever" in capsys.readouterr().err


def test_records_that_do_not_add_up_end_it_with_a_code_of_their_own(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The figures are shown before that, as text or as JSON; `make status` gets them as the error's message."""
    wrong = {**FIGURES, "faults": ["one thing", "another"]}
    monkeypatch.setattr(accounting, "figures", lambda _: wrong)
    for arguments, shown in (([], render(wrong, "posts")), (["--json"], json.dumps(wrong, indent=1))):
        assert main(arguments) == IntegrityError.exit_code
        assert capsys.readouterr() == (shown + "\n", "the accounting does not add up: one thing; another\n")
    with pytest.raises(IntegrityError) as told:
        report(Settings())
    assert str(told.value) == render(wrong, "posts")

    monkeypatch.setattr(accounting, "figures", lambda _: FIGURES)
    assert main([]) == 0
    assert report(Settings()) == TEXT


def test_without_kafka_it_says_so_and_may_be_tried_again(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The exit code is that of something that may be there later."""
    monkeypatch.setattr("streaming.offsets.ANSWER_MS", 100)
    monkeypatch.setenv("DRINKSTREAM_KAFKA_BOOTSTRAP", "127.0.0.1:1")
    assert main(["--wait", "0"]) == 3
    assert "Kafka does not answer on 127.0.0.1:1" in capsys.readouterr().err
