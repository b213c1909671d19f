"""The meaning changes while the stream runs, and a reader who asks all the time sees no number fall, double or mix."""

import json
import shutil
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from kafka import KafkaProducer

from drinkstream.settings import ROOT, Settings
from drinkstream.store.read import EpochRow, Reader
from drinkstream.store.session import connect
from streaming.editions import PACKAGES
from tests.lib.batches import batches
from tests.lib.prefilter import shared
from tests.lib.programs import Program
from tests.lib.servers import Servers
from webapp import create_app

DAY = "2017-09-14"
NOON_MS = 1_505_390_400_000
FIZZ = '\n[[drink]]\nid = "glimmerfizz"\ncategory = "soda"\nwords = ["glimmerfizz"]\n'
PER_SECOND = 40


def ident(n: int) -> str:
    return str(((NOON_MS + n * 500 - 1_288_834_974_657) << 22) + n)


class Feed(threading.Thread):
    """Sends one post after the other until it is stopped: every odd one names a word that is no drink yet."""

    def __init__(self, settings: Settings) -> None:
        super().__init__(name="feed")
        self.sent = 0
        self.stopping = threading.Event()
        self._settings = settings

    def run(self) -> None:
        producer = KafkaProducer(bootstrap_servers=self._settings.bootstrap, acks="all")
        while not self.stopping.wait(1 / PER_SECOND):
            post = ident(self.sent)
            text = "glimmerfizz for me" if self.sent % 2 else "coffee for me"
            value = json.dumps({"data": {"id": post, "text": text, "lang": "en", "edit_history_tweet_ids": [post]}})
            # counted before it can be seen
            self.sent += 1
            producer.send(self._settings.posts_topic, value.encode(), f"x:{post}".encode()).get(10)
        producer.close()


@dataclass(frozen=True)
class Seen:
    """One answer: who gave it, its counts, and how many posts had been sent when it was there."""

    epoch: str
    meaning: str
    coffee: int
    soda: int
    drinks: int
    sent: int


@dataclass
class Looker(threading.Thread):
    """Asks the API all the time, over the web application itself."""

    settings: Settings
    feed: Feed
    seen: list[Seen] = field(default_factory=list)
    stopping: threading.Event = field(default_factory=threading.Event)
    error: BaseException | None = None

    def __post_init__(self) -> None:
        super().__init__(name="looker")

    def __hash__(self) -> int:
        return id(self)

    def run(self) -> None:
        client = create_app(self.settings.model_copy(update={"live_refresh": 0.05})).test_client()
        try:
            while not self.stopping.wait(0.02):
                answer = client.get(f"/api/v1/share?from={DAY}&to={DAY}&by=category").get_json()
                found = self._seen(answer)
                if found is not None:
                    self.seen.append(found)
        except BaseException as error:
            self.error = error
            raise

    def _seen(self, answer: dict[str, Any]) -> Seen | None:
        (day,) = answer["days"]
        if day["layer"] == "missing" and not self.seen:
            return None
        assert day["layer"] == "speed", day
        counts = {row["category"]: row["n"] for row in answer["shares"]}
        return Seen(
            day["epoch"],
            day["meaning"],
            counts.get("coffee", 0),
            counts.get("soda", 0),
            answer["total"],
            self.feed.sent,
        )


class Stand:
    """A speed layer on a tree of its own, a feed, and somebody who looks."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.tree = settings.home / "tree"
        for package in PACKAGES:
            shutil.copytree(ROOT / package, self.tree / package, ignore=shutil.ignore_patterns("__pycache__"))
        self.session = connect(settings, settings.writer_login())
        self.reader = Reader(self.session)
        self.feed = Feed(settings)
        self.looker = Looker(settings, self.feed)
        self.program = self.start()

    def start(self) -> Program:
        return Program("streaming.succession", self.settings, self.tree)

    def edit(self, name: str, text: str) -> str:
        """Appends to a file of the taxonomy; returns what it held before."""
        path = self.tree / "drinkstream" / "taxonomy" / name
        before = path.read_text()
        path.write_text(before + text)
        return before

    def current(self) -> EpochRow | None:
        return self.reader.current_epoch()

    def grows(self) -> bool:
        """Whether the newest answer holds more than a second's posts beyond the first of its epoch."""
        last = self.looker.seen[-1]
        first = next(seen for seen in self.looker.seen if seen.epoch == last.epoch)
        return last.coffee > first.coffee + PER_SECOND

    def until(self, condition: Any) -> None:
        self.program.until(lambda: self.looker.error is not None or condition())
        assert self.looker.error is None, self.looker.error

    def stop(self) -> None:
        for thread in (self.feed, self.looker):
            thread.stopping.set()
            if thread.is_alive():
                thread.join()
        self.program.stop()
        self.session.cluster.shutdown()


@pytest.fixture
def stand(servers: Servers, tmp_path: Path) -> Iterator[Stand]:
    """A stand on a topic with one partition, so that what was processed is a prefix of what was sent."""
    settings = servers.cassandra(servers.kafka(partitions=1))
    changes = {"home": shared(tmp_path), "jars": settings.jar_folder, "speed_trigger": 0.3, "speed_heap": 600}
    made = Stand(settings.model_copy(update=changes))
    yield made
    made.stop()


def test_a_new_meaning_takes_over_and_a_broken_one_never_does(stand: Stand):
    """A drink is added, then a taxonomy that does not load, then the checkpoint is lost: asked all the time."""
    stand.feed.start()
    stand.until(lambda: stand.current() is not None)
    stand.looker.start()
    stand.until(lambda: len(stand.looker.seen) > 0 and stand.grows())
    first = stand.current()
    assert first is not None

    stand.edit("en.toml", FIZZ)
    stand.until(lambda: stand.looker.seen[-1].epoch != first.epoch and stand.grows())
    second = stand.current()
    assert second is not None
    assert (second.meaning != first.meaning, "the meaning changed" in second.why) == (True, True)

    good = stand.edit("en.toml", "\n[[drink]\n")
    stand.until(lambda: "REFUSED" in stand.program.log.read_text())
    (refused,) = [line for line in stand.program.log.read_text().splitlines() if "REFUSED" in line]
    assert f"meaning {second.meaning} goes on" in refused
    assert "drinkstream/taxonomy/en.toml" in refused
    answers = len(stand.looker.seen)
    stand.until(lambda: stand.looker.seen[-1].coffee > stand.looker.seen[answers - 1].coffee + PER_SECOND)
    # started anew on a broken taxonomy, and without its checkpoint: the last good meaning counts on, in a new epoch
    stand.program.kill()
    shutil.rmtree(stand.settings.checkpoints)
    stand.program = stand.start()
    stand.until(lambda: stand.looker.seen[-1].epoch not in (first.epoch, second.epoch) and stand.grows())
    third = stand.current()
    assert third is not None
    assert (third.meaning, "checkpoint" in third.why) == (second.meaning, True)
    (stand.tree / "drinkstream" / "taxonomy" / "en.toml").write_text(good)

    stand.feed.stopping.set()
    stand.feed.join()
    sent = stand.feed.sent
    stand.until(lambda: stand.looker.seen[-1].drinks == sent)
    stand.looker.stopping.set()
    stand.looker.join()
    assert stand.program.stop() == 0

    seen = stand.looker.seen
    assert list(dict.fromkeys(s.epoch for s in seen)) == [first.epoch, second.epoch, third.epoch]
    assert {s.epoch: s.meaning for s in seen} == {e.epoch: e.meaning for e in (first, second, third)}
    for before, after in pairwise(seen):
        # of posts that name the one and the other in turns
        assert before.coffee <= after.coffee <= (after.sent + 1) // 2, (before, after)
        assert before.drinks <= after.drinks <= after.sent, (before, after)
        assert before.soda <= after.soda, (before, after)
        if before.epoch != after.epoch:
            # the prefix that the old one had counted is counted by the new one, by its own meaning
            assert after.soda >= before.coffee - 1, (before, after)
        if after.epoch == first.epoch:
            # a look that falls into a micro-batch's writing has some of its rows, and not yet others
            assert after.soda == 0, after
    assert (seen[-1].coffee, seen[-1].soda) == ((sent + 1) // 2, sent // 2)
    assert [row.status for row in stand.reader.epochs()] == ["current", "retired", "retired"]
    done = batches(stand.reader, third.epoch)
    assert (len(done) > 0, [batch for batch in done if batch.ended_at is None]) == (True, [])
