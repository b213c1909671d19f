"""From Kafka through both layers to the reason: what `why` says of each post is what the layers really did with it."""

import json
import subprocess
import sys
from collections import defaultdict
from collections.abc import Iterator, Mapping
from datetime import UTC, date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from cassandra.cluster import Session
from kafka import KafkaProducer

from drinkstream.archive import Archive
from drinkstream.bundle import cells_of_part, pack, unpack
from drinkstream.lookup import gather
from drinkstream.merge import Publication
from drinkstream.post import envelopes
from drinkstream.settings import ROOT, Settings
from drinkstream.store.read import Reader
from drinkstream.store.session import connect
from drinkstream.store.write import Writer
from drinkstream.why import explain
from streaming.offsets import look
from tests.lib import oracle
from tests.lib.archiving import archived
from tests.lib.prefilter import shared
from tests.lib.programs import Program, environment
from webapp import create_app
from webapp.serving import serving

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

DAY = date(2017, 9, 14)
MINUTE_MS = 1_505_386_800_000  # 2017-09-14T11:00:00Z
TEXTS = {
    "I really need a cup of coffee right now": {("coffee", None)},
    "having a cold beer after work": {("beer", None)},
    "a glass of red wine and then a cup of green tea": {("wine", None), ("tea", None)},
    "drinking a can of pepsi": {("soda", "pepsi")},
    "nothing to see here, move along": set(),
}
SMALL = {"speed_trigger": 0.2, "archive_trigger": 0, "speed_heap": 700, "recompute_heap": 700}


def post_id(n: int) -> str:
    return str(((MINUTE_MS + n * 7_000 - 1_288_834_974_657) << 22) + n)


def edit_id(n: int) -> str:
    """The id of the post's second version; of post 21 it was written on the next day."""
    return str(int(post_id(n)) + (54_000_000 << 22 if n == 21 else 1000))


def line(n: int, text: str, edit: bool = False) -> bytes:
    data = {"id": edit_id(n) if edit else post_id(n), "text": text, "lang": "en"}
    return json.dumps({"data": {**data, "edit_history_tweet_ids": [post_id(n)]}}).encode()


def delete(n: int, edit: bool = False) -> bytes:
    return json.dumps({"delete": {"status": {"id_str": edit_id(n) if edit else post_id(n)}}}).encode()


def lines() -> Iterator[bytes]:
    """Posts, some twice, some edited, some deleted, before they come or by the id of an edit too, and half of one."""
    texts = list(TEXTS)
    for n in range(40):
        if n % 13 == 5:
            yield delete(n)
        yield line(n, texts[n % 5])
        if n % 4 == 0:
            yield line(n, texts[(n + 1) % 5])
        if n % 7 == 0:
            yield line(n, texts[(n + 2) % 5], edit=True)
        if n % 14 == 7:
            yield delete(n, edit=True)
        if n % 11 == 3:
            yield delete(n)
    yield line(40, texts[0])[:-20]


class Stand:
    """Both layers with topics, keyspace, archive and home of their own, and all that Kafka acknowledged."""

    def __init__(self, settings: Settings, session: Session, spark: "SparkSession") -> None:
        self.settings = settings
        self._spark = spark
        self.reader, self.writer = Reader(session), Writer(session)
        self.sent: list[oracle.Record] = []

    def send(self, *values: bytes) -> None:
        """As a collector sends them, in order."""
        producer = KafkaProducer(bootstrap_servers=self.settings.bootstrap, acks="all", compression_type="zstd")
        for value in values:
            (envelope,) = envelopes(value, "x", MINUTE_MS + 86_400_000)
            headers = [("source", b"x"), ("shape", envelope.shape.encode())]
            if envelope.event_ms is not None:
                headers.append(("event_ms", str(envelope.event_ms).encode()))
            key = f"x:{envelope.id}".encode() if envelope.id is not None else None
            place = producer.send(self.settings.posts_topic, value, key, headers).get(10)
            self.sent.append(oracle.Record(value, "x", place.timestamp, place.partition, place.offset))
        producer.close()

    def count_live(self) -> None:
        """Until the current epoch has processed all that Kafka holds."""
        end = look(self.settings.bootstrap, (self.settings.posts_topic,)).end

        def caught_up() -> bool:
            epoch = self.reader.current_epoch()
            return epoch is not None and all(epoch.processed.get(str(p), 0) >= n for (_, p), n in end.items() if n)

        program = Program("streaming.speed", self.settings)
        program.until(caught_up)
        assert program.stop() == 0

    def archive(self) -> None:
        """Until the archive holds all that Kafka does."""
        archived(self._spark, self.settings)

    def publish(self) -> None:
        """A recompute of the day, put in force."""
        command = [sys.executable, "-m", "jobs.recompute", "--from", str(DAY), "--to", str(DAY), "--attempt", "a1"]
        subprocess.run(command, env=environment(self.settings), cwd=ROOT, check=True, timeout=300)
        (run,) = self.reader.runs_of_attempt("a1")
        assert self.writer.publish(Publication(DAY, 1, run.run_id, datetime.now(UTC), "test", "why"))

    def why(self, n: int) -> dict[str, Any]:
        archive, topic = Archive(self.settings.archive), self.settings.posts_topic
        return explain(gather(archive, self.reader, topic, "x", post_id(n)))


@pytest.fixture
def stand(settings: Settings, tmp_path: Path, spark: "SparkSession") -> Iterator[Stand]:
    changed = settings.model_copy(update={"home": shared(tmp_path), "jars": settings.jar_folder, **SMALL})
    session = connect(changed, changed.writer_login())
    yield Stand(changed, session, spark)
    session.cluster.shutdown()


def names(cells: list[dict[str, str]]) -> set[oracle.Cell]:
    """Cells of an answer in the oracle's form."""
    return {
        (c["minute"][:10], c["minute"][11:16], c["source"], c["category"], c["brand"], c["kind"], c["lang"])
        for c in cells
    }


def by_id(cells: Mapping[oracle.Cell, set[str]]) -> dict[str, set[oracle.Cell]]:
    found: dict[str, set[oracle.Cell]] = defaultdict(set)
    for cell, ids in cells.items():
        for one in ids:
            found[one].add(cell)
    return found


def evidence(stand: Stand, folder: Path) -> None:
    """The day's bundle, made by the command, holds on an installation that has the archive and nothing else: what Spark
    counted, plain Python counts again from the records. A changed one is refused, by the name of its part."""
    bundle, bad = folder / "evidence.zip", folder / "bad.zip"
    range_ = ["--from", str(DAY), "--to", str(DAY)]
    made = command(stand.settings, "bundle", *range_, "--reposts", "include", "--out", str(bundle))
    assert made.returncode == 0, made.stderr
    elsewhere = stand.settings.model_copy(
        update={
            "home": folder / "elsewhere",
            "archive_uri": stand.settings.archive,
            "cassandra_port": 1,
            "kafka_port": 1,
            "cassandra_password": None,
            "cassandra_reader_password": None,
        }
    )
    verified = command(elsewhere, "verify", str(bundle))
    assert verified.returncode == 0, verified.stdout + verified.stderr
    assert verified.stdout.splitlines()[-1] == made.stdout.splitlines()[-1]

    parts = unpack(bundle.read_bytes())
    ids = {one for cell in cells_of_part("ids", parts[f"ids/{DAY}.jsonl"]).values() for one in cell}
    assert ids == set(by_id(oracle.batch(stand.sent, TEXTS.get)))
    bad.write_bytes(bundle.read_bytes().replace(b"RECIPE.md", b"RECIPE.MD"))
    refused = command(elsewhere, "verify", str(bad))
    assert (refused.returncode, "IntegrityError: RECIPE.md: named in the manifest" in refused.stderr) == (6, True)
    forged = {**parts, f"ids/{DAY}.jsonl": parts[f"ids/{DAY}.jsonl"].replace(f'"{min(ids)}"'.encode(), b'"1"')}
    bad.write_bytes(pack(forged))
    refused = command(elsewhere, "verify", str(bad))
    assert (refused.returncode, f"{DAY} x:{min(ids)} counts only here" in refused.stdout) == (6, True), refused


def command(settings: Settings, *arguments: str) -> subprocess.CompletedProcess[str]:
    """What `drinkstream` with these arguments says."""
    line = [sys.executable, "-m", "drinkstream.cli", *arguments]
    return subprocess.run(
        line, env=environment(settings), cwd=ROOT, capture_output=True, text=True, timeout=300, check=False
    )


def test_what_is_said_of_each_post_is_what_the_layers_did_with_it(stand: Stand, tmp_path: Path) -> None:
    """Each post's cells in run and epoch are the oracle's, the rules explain them, and its records lie where Kafka put
    them. What comes after the run is said to change the next one. The web shows the texts that were sent. The day's
    evidence bundle holds elsewhere, and no longer once it was changed."""
    stand.send(*lines())
    stand.count_live()
    stand.archive()
    stand.publish()
    batch, live = by_id(oracle.batch(stand.sent, TEXTS.get)), by_id(oracle.speed(stand.sent, TEXTS.get))
    for n in range(40):
        answer = stand.why(n)
        (run,), epoch = answer["runs"], answer["epoch"]
        assert (names(run["cells"]), names(epoch["cells"])) == (
            batch.get(post_id(n), set()),
            live.get(post_id(n), set()),
        ), n
        assert (run["agrees"], epoch["agrees"], run["meaning"]) == (True, True, answer["meaning"]), (n, run, epoch)
        ids = [post_id(n).encode()] + [edit_id(n).encode()] * (n % 7 == 0)
        mine = [one for one in stand.sent if any(i in one.value for i in ids) and one.value[-1:] == b"}"]
        assert sorted((r["partition"], r["offset"]) for r in answer["records"]) == sorted(
            (record.partition, record.offset) for record in mine
        )
        assert all((Path(stand.settings.archive) / r["file"]).is_file() for r in answer["records"])

    app = create_app(stand.settings, lambda: stand.reader)
    client = app.test_client()
    question = f"/api/v1/posts?from={DAY}&to={DAY}&texts=1"
    said = {text["id"]: (text["state"], text["text"]) for text in client.get(question).get_json()["texts"]}
    texts = {f"x:{one}": ("shown", oracle.read(record).text) for one, record in _taken(stand).items()}
    assert said == {key: texts[key] for key in said}
    assert set(said) == {f"x:{one}" for one in batch}

    for n in (7, 21, 35):
        assert f"x:{post_id(n)}" not in said, n
        answer = stand.why(n)
        order = f"an order about the post by the id of its version {edit_id(n)}: deleted"
        assert (answer["state"], answer["records"][-1]["says"]) == ("withheld", order)
        assert [day["why"] for day in answer["days"]] == ["deleted"]

    evidence(stand, tmp_path)
    gone = next(n for n in range(40) if f"x:{post_id(n)}" in said)
    stand.send(delete(gone))
    stand.archive()
    answer = stand.why(gone)
    assert answer["runs"][0]["says"].endswith("; 1 record came since, and the next recompute will leave it out")
    later = client.get(question).get_json()
    assert (len(later["ids"]), later["total"]) == (len(said), len(said))
    hidden = next(text for text in later["texts"] if text["id"] == f"x:{post_id(gone)}")
    assert hidden == {"id": f"x:{post_id(gone)}", "state": "withheld", "text": None, "why": "deleted"}
    serving(app).view.stop()
    serving(app).pending.stop()


def _taken(stand: Stand) -> dict[str, oracle.Record]:
    """The record of each post whose version counts, as the oracle chooses it."""
    versions = defaultdict(list)
    for record in stand.sent:
        found = oracle.read(record)
        if found.what == "post":
            versions[found.id].append(((record.append_ms, record.partition, record.offset), found, record))
    taken = {}
    for one, delivered in versions.items():
        chosen = oracle.chosen([(place, found) for place, found, _ in delivered])
        taken[one] = next(record for _, found, record in delivered if found is chosen)
    return taken
