"""A drain beside the archive query: neither rests, and what counts is when posts are through both."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from bench import drain
from bench.drained import Drained, summed
from bench.steady import Step, steps
from bench.topic import Topic
from drinkstream.settings import Settings
from drinkstream.store.rows import Batch

BEGAN = datetime(2026, 1, 1, tzinfo=UTC)
TOPIC = Topic("a_5000", 5000, 5000 * 430, 0.03, {})
DRAINED = [12, 14, 16, 18, 20]
"""When each of the drain's micro-batches of a thousand posts ended: 500 posts/s."""


class Servers:
    """A speed query that drains TOPIC, and an archive query that committed a thousand posts at each of `commits`.

    `settings` notes what each program was started with.
    """

    def __init__(self, commits: list[int]) -> None:
        self.commits = commits
        self.settings: dict[str, Settings] = {}
        self.used = 0.0

    @contextmanager
    def running(self, settings: Settings, module: str) -> Iterator[Any]:
        self.settings[module] = settings
        yield SimpleNamespace(poll=lambda: None)

    def cpu_s(self) -> float:
        self.used += 0.1
        return self.used

    def archived(self, _: object) -> list[Step]:
        return steps((BEGAN + timedelta(seconds=second), 1000) for second in self.commits)


def with_archive(servers: Servers, home: Path, monkeypatch: pytest.MonkeyPatch) -> Drained:
    done = [
        Batch(number, BEGAN, BEGAN + timedelta(seconds=second), None, 1000, 0, {})
        for number, second in enumerate(DRAINED)
    ]

    @contextmanager
    def reading(_: Settings) -> Iterator[Any]:
        yield SimpleNamespace(epochs=lambda: [SimpleNamespace(epoch="e1", processed={"0": 5000})])

    monkeypatch.setattr(drain, "reading", reading)
    asked: list[int] = []

    def batches(*_: object) -> list[Batch]:
        asked.append(1)
        return done[:2] if len(asked) == 1 else done

    monkeypatch.setattr(drain, "batches", batches)
    monkeypatch.setattr(drain, "commits", servers.archived)
    monkeypatch.setattr(drain, "wrong_counts", lambda *_: ())
    monkeypatch.setattr(drain, "_wrong_archive", lambda *_: ())
    settings = Settings(home=home, speed_max_offsets=1000, keyspace="bench1")
    return drain._with_archive(servers, settings, TOPIC, 2000)  # type: ignore[arg-type]


def test_the_archive_query_takes_commit_after_commit_into_a_table_of_its_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    servers = Servers(DRAINED)
    with_archive(servers, tmp_path, monkeypatch)
    archive, speed = servers.settings["streaming.archive"], servers.settings["streaming.speed"]
    assert (archive.archive_trigger, archive.archive_max_offsets) == (0, 1000)
    assert (archive.home, speed.home) == (tmp_path / "bench1", tmp_path)


def test_an_archive_that_ends_long_behind_the_drain_lowers_the_figure(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    equal = with_archive(Servers(DRAINED), tmp_path, monkeypatch)
    assert (equal.posts_per_s, dict(equal.also)) == (500.0, {"drain_posts_per_s": 500.0, "archive_posts_per_s": 500.0})
    late = with_archive(Servers([14, 24, 34, 54, 74]), tmp_path, monkeypatch)
    assert (late.posts_per_s, dict(late.also)) == (50.0, {"drain_posts_per_s": 500.0, "archive_posts_per_s": 60.0})
    beside = summed(TOPIC, [equal, late, late]).entry()
    assert (beside["value"], beside["drain_posts_per_s"], beside["archive_posts_per_s"]) == (50.0, 500.0, 60.0)
