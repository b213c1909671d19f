"""`drinkstream bundle` and `verify` from the command line: the real reader over tables in memory, a real archive."""

from collections import defaultdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from drinkstream import meaning
from drinkstream.bundle import unpack, whole
from drinkstream.cli import cli
from drinkstream.errors import BadInputError, IntegrityError
from drinkstream.merge import Publication
from drinkstream.settings import Settings
from drinkstream.store.write import Writer
from stack.cassandra import SCHEMA, statements
from tests.lib import oracle
from tests.lib.archived import archive, row
from tests.lib.cassandra_in_memory import Store
from tests.lib.planted import COFFEE, DAY, MORNING_MS, PEPSI, TEA, TEXTS, delete, packed, post_id, tweet

PAST_MS = MORNING_MS + 86_400_000
LINES = [
    *((post_id(n), tweet(post_id(n), COFFEE)) for n in range(5)),
    (post_id(5), tweet(post_id(5), PEPSI)),
    (post_id(1), tweet(str(int(post_id(1)) + 1000), TEA, post_id(1))),
    (post_id(2), delete(post_id(2))),
]


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An installation: the day's lines archived, counted by a run, published."""
    archive(
        tmp_path / "archive",
        [
            row(at, key=f"x:{ident}", value=value, append_ts=(PAST_MS + at) * 1000, event_ms=MORNING_MS)
            for at, (ident, value) in enumerate(LINES)
        ],
    )
    ticks = iter(range(1, 10**6))
    store = Store(statements(SCHEMA, Settings()), lambda: next(ticks))
    writer = Writer(store.session())
    cells = oracle.batch([oracle.Record(v, "x", PAST_MS + at, 0, at) for at, (_, v) in enumerate(LINES)], TEXTS.get)
    totals: dict[tuple[str, str, str, str, str], int] = defaultdict(int)
    for (_, _, source, category, brand, kind, lang), ids in cells.items():
        totals[category, brand, source, kind, lang] += len(ids)
    now = datetime(2017, 9, 15, 3, tzinfo=UTC)
    writer.batch_cells("run-1", packed(cells))
    writer.day_totals(DAY, "run-1", totals)
    known = {"meaning": meaning.version(), "status": "complete", "started_at": now, "completed_at": now}
    writer.run(DAY, "run-1", attempt="a", asked_by="", position={"c1/posts/0": len(LINES)}, **known)
    writer.publish(Publication(DAY, 1, "run-1", now, "nightly_share", "scheduled"))

    def connect(*_: Any) -> Any:
        session = store.session()
        session.cluster = type("Cluster", (), {"shutdown": lambda _: None})()  # type: ignore[attr-defined]
        return session

    monkeypatch.setattr("drinkstream.store.session.connect", connect)
    monkeypatch.setenv("DRINKSTREAM_HOME", str(tmp_path))
    monkeypatch.setenv("DRINKSTREAM_CASSANDRA_READER_PASSWORD", "unused")
    return tmp_path


def call(*arguments: object) -> Result:
    return CliRunner().invoke(cli, [str(one) for one in arguments])


@pytest.mark.parametrize(
    "narrowed", [(), ("--by", "brand"), ("--category", "tea"), ("--as-of", "2017-09-15T03:00:00Z")]
)
def test_what_one_command_writes_the_other_finds_again(
    home: Path, monkeypatch: pytest.MonkeyPatch, narrowed: tuple[str, ...]
) -> None:
    """With the archive alone: the second installation has no Cassandra."""
    file = home / "evidence.zip"
    made = call("bundle", "--from", DAY, "--to", DAY, *narrowed, "--out", file)
    assert made.exit_code == 0, made.output
    said = f"sha256:{whole(unpack(file.read_bytes()))}"
    assert made.output.splitlines() == [f"{file}: {file.stat().st_size:,} bytes", said]

    monkeypatch.setattr("drinkstream.store.session.connect", None)
    verified = call("verify", file)
    assert verified.exit_code == 0, verified.output
    assert verified.output.splitlines()[-1] == said


def test_an_archive_without_a_post_names_it(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = home / "evidence.zip"
    call("bundle", "--from", DAY, "--to", DAY, "--out", file)
    other = [row(at, key=f"x:{ident}", value=value) for at, (ident, value) in enumerate(LINES) if at != 3]
    monkeypatch.setenv("DRINKSTREAM_ARCHIVE_URI", archive(home / "other", other).uri)
    result = call("verify", file)
    assert isinstance(result.exception, IntegrityError)
    assert f"{DAY} x:{post_id(3)} counts only in the bundle: no record of it is in this archive" in result.output


def test_a_question_or_a_file_that_makes_no_sense_is_told(home: Path) -> None:
    wrong = call("bundle", "--from", "yesterday", "--out", home / "evidence.zip")
    assert isinstance(wrong.exception, BadInputError)
    assert "from: a day of the calendar" in str(wrong.exception)
    nowhere = call("bundle", "--from", DAY, "--to", DAY, "--out", home / "none" / "evidence.zip")
    assert isinstance(nowhere.exception, BadInputError)
    assert "cannot be written" in str(nowhere.exception)
