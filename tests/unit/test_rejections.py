"""What became of rejected lines: told on the command line, and what their keys are good for."""

import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from click.testing import CliRunner

from drinkstream import post, wire_x
from drinkstream.cli import cli
from drinkstream.post import ERASED, Envelope, Post, Rejected, Tombstone, envelopes, key_of, parse_keyed, unread
from drinkstream.record import rejected
from drinkstream.settings import Settings
from drinkstream.store.read import Reader, Rejection
from drinkstream.store.write import Writer
from jobs.readings import read_batch
from stack.cassandra import SCHEMA, statements
from streaming.roll_up import roll_up_batch
from tests.lib.archived import archive, row
from tests.lib.cassandra_in_memory import Store

NOON_MS = 1505390400000
ID, OTHER = "908300000000000000", "908600000000000000"
LINE = json.dumps({"data": {"id": ID, "text": "tea"}}).encode()


def test_a_line_that_cannot_be_read_is_keyed_by_its_source_and_its_bytes() -> None:
    """The same line always alike; one with an id keeps it, and a notice, which is about no post, has none."""
    # CRC-32 of these nine digits is the checksum's own test value
    lines = (LINE, b"123456789", b"123456789.", b"")
    keys = [key_of(one, "x") for line in lines for one in envelopes(line, "x", NOON_MS + 86_400_000)]
    assert keys[::3] == [f"x:{ID}", None]
    assert keys[1] == "x:?cbf43926" != keys[2]
    assert key_of(Envelope(b"123456789", None, "rejected.cut_off", None), "demo") == "demo:?cbf43926"
    assert [unread(key) for key in keys] == [False, True, True, False]
    (late,) = envelopes(LINE.replace(ID.encode(), b"5"), "x", NOON_MS)
    assert (late.shape, key_of(late, "x")) == ("rejected.time", "x:5")


def test_once_it_can_be_read_it_is_the_post_that_it_says_and_a_wrong_key_still_lets_none_through() -> None:
    read = parse_keyed(LINE, "x:?0badcafe", NOON_MS + 86_400_000)
    assert isinstance(read, Post)
    assert (read.source, read.id) == ("x", ID)
    for key in (None, "", "908300000000000000", ":1"):
        assert parse_keyed(LINE, key, NOON_MS + 86_400_000) == Rejected("key")


def test_an_erased_record_is_an_order_about_the_post_of_its_key() -> None:
    assert parse_keyed(ERASED, f"x:{ID}", NOON_MS) == Tombstone("x", ID, "erase", ())
    assert parse_keyed(ERASED, None, NOON_MS) == Rejected("shape")  # as a line of a network it means nothing
    (sent,) = envelopes(ERASED, "x", NOON_MS)
    assert (sent.shape, sent.id) == ("rejected.shape", None)


def test_the_help_says_what_the_days_are() -> None:
    """They come from the archive alone, and it has no record of runs."""
    said = " ".join(CliRunner().invoke(cli, ["rejections", "--help"]).output.split())
    assert "names the days with lines that can be read now" in said
    assert "recomputed since, under the present meaning, stays among them and needs no more" in said


def test_the_command_names_the_days_with_lines_that_can_be_read_now(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DRINKSTREAM_HOME", str(tmp_path))
    delete = json.dumps({"delete": {"status": {"id_str": OTHER}}}).encode()
    bad = {"day": "none", "append_ts": row(0)["append_ts"].replace(day=20)}  # type: ignore[attr-defined]
    archive(
        tmp_path / "archive",
        [
            row(0, key="x:?0badcafe", shape="rejected.shape", value=LINE, **bad),
            row(1, key="x:?1badcafe", shape="rejected.shape", value=delete, **bad),
            row(2, key="x:?2badcafe", shape="rejected.cut_off", value=LINE[:-3], **bad),
            row(3, key="x:7", value=LINE),
        ],
    )
    found = CliRunner().invoke(cli, ["rejections"])
    assert (found.exit_code, found.output.splitlines()) == (
        0,
        [
            "cut_off: 1 records, 1 still rejected",
            "shape: 2 records, 0 still rejected; readable by now: post 1, tombstone 1",
            "days=2017-09-14,2017-09-15",
        ],
    )
    only = CliRunner().invoke(cli, ["rejections", "--reason", "cut_off", "--lines"]).output.splitlines()
    assert only == [
        f"posts/0 offset 2, rejected: cut_off: {LINE[:-3]!r}",
        "cut_off: 1 records, 1 still rejected",
        "days=",
    ]
    assert CliRunner().invoke(cli, ["rejections", "--reason", "luck"]).exit_code == 2


def test_both_layers_count_such_lines_once_the_parser_reads_them(monkeypatch: pytest.MonkeyPatch) -> None:
    """An older parser, which does not know a form, rejects as many in both."""
    long = json.dumps({"data": {"id": ID, "text": "It is ...", "note_tweet": {"text": "a cup of coffee"}}}).encode()
    append_ms = NOON_MS + 86_400_000
    lines = [
        (f"x:{ID}", LINE.replace(b"tea", b"a cup of tea")),
        ("x:?0badcafe", long),
        (None, long),
        ("x:?1badcafe", LINE[:-9]),
    ]
    keys, values = (list(column) for column in zip(*lines, strict=True))
    archived = pa.RecordBatch.from_pydict(
        {
            "key": pa.array(keys, pa.string()),
            "value": pa.array(values, pa.binary()),
            "stored": ["2017-09-14", "none", "none", "none"],
            "append_ms": [append_ms] * 4,
            "partition": pa.array([0] * 4, pa.int32()),
            "offset": [0, 1, 2, 3],
        }
    )
    appends = pa.array([append_ms * 1000] * 4, pa.timestamp("us", "UTC"))
    live = pa.RecordBatch.from_arrays([archived.column(0), archived.column(1), appends], ["key", "value", "append"])

    def counted() -> tuple[list[tuple[str, str]], dict[str, int]]:
        batch = [(row["what"], row["detail"]) for row in read_batch(archived).to_pylist()]
        speed = {row["tally"]: row["n"] for row in roll_up_batch(live).to_pylist() if row["tally"]}
        return batch, speed

    with monkeypatch.context() as patch:
        patch.setitem(post._READERS, "x", lambda v, s: rejected("shape") if b"note_tweet" in v else wire_x.read(v, s))
        before = counted()
    # a cut line that names no drink is passed over unread by the live layer
    cut = ("rejected", "cut_off")
    assert before == ([("post", ""), *[("rejected", "shape")] * 2, cut], {"post": 1, "rejected.shape": 2})
    assert counted() == (
        [("post", ""), ("post", ""), ("rejected", "key"), cut],
        {"post": 2, "rejected.key": 1},
    )


def test_what_a_run_rejected_is_read_back_by_reason_with_places() -> None:
    store = Store(statements(SCHEMA, Settings()), lambda: 1_000_000)
    session: Any = store.session()
    given = {"shape": (3, ["0:7", "1:9"]), "cut_off (no day)": (1, [])}
    Writer(session).rejections("run-1", given)
    reader = Reader(session)
    assert reader.rejections("run-1") == [
        Rejection("cut_off", False, 1),
        Rejection("shape", True, 3, ((0, 7), (1, 9))),
    ]
    assert reader.rejected_places("run-1") == {(0, 7), (1, 9)}
    assert reader.rejections("run-2") == []
