"""Peers of the drain: a wrong count of one is caught, one that fails is told of, and what the words of others find."""

import json
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from bench import freshness, posts
from bench.__main__ import faults_of
from bench.figures import Measured
from bench.peers import drain, environment, jvm, recompute, textbook, words
from bench.servers import log_of
from bench.sizes import Sizes
from bench.topic import Topic
from drinkstream.archive_files import RECORDS
from drinkstream.cells import pack
from drinkstream.errors import BadInputError, DrinkStreamError, UnavailableError
from drinkstream.settings import Settings
from drinkstream.store.read import Reader
from drinkstream.store.write import CellRow, Writer
from drinkstream.taxonomy import load
from stack.cassandra import SCHEMA, statements
from stack.jars import read_sums
from streaming.offsets import KafkaOffsets
from tests.lib.cassandra_in_memory import Store
from tests.lib.planted import COFFEE, DAY, delete, post_id, tweet

PEER = drain.Peer("some", "bench.peers.some", parts=2)
TOPIC = Topic("a_400", 400, 400 * 430, 0.03, {("*", ""): 2, ("beer", ""): 2})
SAYS = "import json, sys, time\nfor said in json.loads(sys.argv[1]):\n    print(json.dumps(said), flush=True)\n"
STAYS = "time.sleep(60)\n"


class Servers:
    """Starts, for each part of a peer, a program that says what it is to say; Cassandra is in memory."""

    def __init__(self, settings: Settings, said: list[list[dict[str, Any]]], then: str = STAYS) -> None:
        self.settings = settings
        self.said = said
        self.then = then
        self.store = Store(statements(SCHEMA, settings), lambda: 1_000_000)
        self.cells: Callable[[Writer, str], None] = lambda *_: None

    @contextmanager
    def fresh(self, _: str) -> Iterator[Settings]:
        yield self.settings

    @contextmanager
    def running(
        self, settings: Settings, _: str, epoch: str, part: str, parts: str, python: str, log: str
    ) -> Iterator["subprocess.Popen[bytes]"]:
        assert (python, parts) == (sys.executable, "2")
        self.cells(Writer(self.store.session()), epoch)
        path = log_of(settings, log)
        path.parent.mkdir(exist_ok=True)
        command = [sys.executable, "-c", SAYS + self.then, json.dumps(self.said[int(part)])]
        with path.open("wb") as file, subprocess.Popen(command, stdout=file, stderr=file) as process:
            try:
                yield process
            finally:
                process.terminate()

    def cpu_s(self) -> float:
        return 0.0

    @contextmanager
    def reading(self, _: Settings) -> Iterator[Reader]:
        yield Reader(self.store.session())


def told(posts_: int, at: float, ended: bool = False) -> dict[str, Any]:
    return {"posts": posts_, "at": at, "ended": ended}


@pytest.fixture
def servers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Servers:
    made = Servers(
        Settings(home=tmp_path), [[told(100, 10.0), told(200, 12.0, True)], [told(90, 9.5), told(200, 12.5, True)]]
    )
    monkeypatch.setattr(drain, "reading", made.reading)
    return made


def measured(servers: Servers) -> Measured:
    return drain.measured(servers, replace(Sizes.small(), runs=1), TOPIC, 100, "some", PEER)  # type: ignore[arg-type]


def counting(*ids: str) -> Callable[[Writer, str], None]:
    """Writes these posts into a cell of any drink and one of beer."""

    def write(writer: Writer, epoch: str) -> None:
        hour = "2017-09-14T08"
        writer.speed_hours(epoch, [hour], datetime(2026, 1, 1, tzinfo=UTC))
        rows = [CellRow(hour, c, 0, "", "x", "original", "en", 0, 0, len(ids), pack(ids)) for c in ("*", "beer")]
        writer.speed_cells(epoch, rows, 1)

    return write


def test_the_rate_of_a_peer_is_that_of_all_its_processes_behind_the_warm_up(servers: Servers) -> None:
    servers.cells = counting("1", "2")
    found = measured(servers)
    # in the 2 s in which both were warm and neither had ended: 100 posts of one, and two thirds of 110 of the other
    assert (found.wrong, found.runs) == ((), (pytest.approx((100 + 110 * 2 / 3) / 2.0),))


def test_a_wrong_count_of_a_peer_is_a_failed_run(servers: Servers) -> None:
    servers.cells = counting("1", "2", "3")
    row = Measured((1.0,), "posts/s", peers={"some": measured(servers)}).entry()
    assert row["correct"]
    assert not row["peers"]["some"]["correct"]
    (any_drink, beer) = faults_of(row)
    assert any_drink.startswith("some: */")
    assert beer.startswith("some: beer/")


def test_a_peer_that_has_written_nothing_is_wrong_in_every_level(servers: Servers) -> None:
    assert len(measured(servers).wrong) == len(TOPIC.counts)


def test_a_peer_that_fails_is_told_of_with_the_end_of_its_log(servers: Servers) -> None:
    servers.said[1] = servers.said[1][:1]
    servers.then = "sys.exit('no more heap' if len(json.loads(sys.argv[1])) == 1 else time.sleep(60))"
    with pytest.raises(DrinkStreamError, match=r"some\.1\.log(.|\n)*no more heap"):
        measured(servers)


def test_a_peer_that_writes_once_cannot_be_measured(servers: Servers) -> None:
    servers.said = [[told(200, 12.0, True)], [told(200, 12.5, True)]]
    with pytest.raises(BadInputError, match="smaller --most"):
        measured(servers)


def test_the_rate_of_one_process_ends_with_its_last_full_write() -> None:
    """What is left at the end is 10 posts, for which it waits as long as for 100."""
    lines = [told(0, 8.0), told(100, 10.0), told(100, 10.1), told(200, 11.0), told(300, 12.0), told(310, 13.0, True)]
    assert drain.rate("some", [lines], 100) == 200 / 2.0
    # with one write behind the warm-up, that one it is
    assert drain.rate("some", [lines], 300) == 10 / 1.0
    # with none, the last one all the same: sizes that small only show that all works
    assert drain.rate("some", [lines], 310) == 10 / 1.0


def test_where_freshness_is_measured_a_peer_writes_as_often_as_a_micro_batch_begins(tmp_path: Path) -> None:
    given: list[tuple[str, ...]] = []

    class Noting:
        @contextmanager
        def running(self, _: Settings, module: str, *arguments: str, **__: str) -> Iterator[None]:
            given.append((module, *arguments))
            yield None

    settings = Settings(home=tmp_path, speed_trigger=0.4)
    peer = replace(drain.JVM["Flink"], ready=lambda _: sys.executable)
    with freshness._peer(peer, Noting(), settings, None) as (_, __, epoch):  # type: ignore[arg-type]
        assert given == [("bench.peers.jvm", "flink", epoch, "400")]


def test_how_often_is_written_stands_beside_how_fresh_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    told = {"p50": 0.6, "max": 2.0, "cores": 0.5, "hits": 9.0}
    monkeypatch.setattr(freshness, "_run", lambda *_: (1.1, told, ()))
    servers = Servers(Settings(home=tmp_path, speed_trigger=0.4), [])
    found = freshness._measured(servers, Sizes.small(), "some", freshness._speed)  # type: ignore[arg-type]
    assert (found.runs, found.beside["written_every_s"]) == ((1.1,), 0.4)


@pytest.mark.parametrize(("arguments", "every"), [((), "1000"), (("400",), "400")])
def test_the_java_peers_are_given_all_that_they_ask_for_and_how_often_they_write(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: tuple[str, ...], every: str
) -> None:
    """Every second in a drain, where they are not told otherwise."""
    became: list[dict[str, str]] = []
    monkeypatch.setenv("DRINKSTREAM_HOME", str(tmp_path))
    monkeypatch.setenv("DRINKSTREAM_CASSANDRA_PASSWORD", "any")
    monkeypatch.setattr(jvm, "look", lambda *_: KafkaOffsets("cluster", {}, {}))
    monkeypatch.setattr(jvm, "_compiled", lambda *_: tmp_path)
    monkeypatch.setattr(jvm, "_program", str)
    monkeypatch.setattr("os.execve", lambda _, __, environment: became.append(environment))
    jvm.main("streams", "e1", *arguments)
    (environment,) = became
    asked = re.findall(r'get\("(\w+)"\)', (jvm.HERE / "peers" / "Given.java").read_text())
    assert {f"PEER_{name}" for name in asked} == {name for name in environment if name.startswith("PEER_")}
    assert (environment["PEER_WRITE_MS"], environment["PEER_EPOCH"]) == (every, "e1")


SILENT = "never mind"
ARRIVED_MS = 1_505_400_000_000


def archived(*records: tuple[str, bytes], stored: str = str(DAY)) -> pa.RecordBatch:
    """Archived records of (key, value) as they come to a peer of the recompute, offsets from 0 on."""
    made = [(key, value, stored, ARRIVED_MS + n, 3, n) for n, (key, value) in enumerate(records)]
    fields = [RECORDS.field(name) for name in recompute.COLUMNS]
    columns = zip(*made, strict=True)
    return pa.record_batch(
        [pa.array(c, field.type) for c, field in zip(columns, fields, strict=True)], schema=pa.schema(fields)
    )


def read(batch: pa.RecordBatch) -> list[dict[str, Any]]:
    """What a peer's engine is given of these records, by offset."""
    made = [row for one in recompute.readings(batch) for row in one.to_pylist()]
    return sorted(made, key=lambda row: row["offset"])


def test_an_engine_is_given_ordinary_posts_by_key_and_day_without_a_look_into_them() -> None:
    (coffee, before, edit, gone, moved) = map(post_id, range(5))
    found = read(
        archived(
            (f"x:{coffee}", tweet(coffee, COFFEE)),
            (f"x:{before}", tweet(before, SILENT)),
            (f"x:{edit}", tweet(edit, COFFEE, first=before)),
            (f"x:{gone}", delete(gone)),
            (f"x:{moved}", tweet(edit, SILENT)),
            ("demo:7", b"{"),
        )
    )
    assert [(row["what"], row["source"], row["id"], row["day"], row["edited"]) for row in found] == [
        ("post", "x", coffee, str(DAY), False),
        ("post", "x", before, str(DAY), False),
        ("post", "x", before, str(DAY), True),
        ("tombstone", "x", gone, None, False),
        ("post", "x", edit, str(DAY), False),
        ("rejected", None, None, None, False),
    ]
    quick = {"stored": str(DAY), "append_ms": ARRIVED_MS + 1, "partition": 3, "offset": 1, "detail": "", "levels": []}
    assert {name: value for name, value in found[1].items() if name in quick} == quick
    assert [found[1][name] for name in ("minute", "kind", "lang", "others")] == [None] * 4
    # what names a drink and what no quick look settles is parsed: its minute is known
    assert [row["minute"] is not None for row in found] == [True, False, True, False, True, False]
    assert [bool(row["levels"]) for row in found] == [True, False, True, False, False, False]


def test_an_engine_is_given_each_record_once_where_all_of_them_are_ordinary_or_none_is() -> None:
    lines = [(f"x:{post_id(n)}", tweet(post_id(n), SILENT)) for n in range(3)]
    assert [row["offset"] for row in read(archived(*lines))] == [0, 1, 2]
    assert [(row["offset"], row["minute"] is None) for row in read(archived(*lines, stored="none"))] == [
        (0, False),
        (1, False),
        (2, False),
    ]


def test_a_process_that_starts_later_or_has_less_left_does_not_lower_the_rate_of_a_peer() -> None:
    """Each takes 100 posts a second all the time; one began 2 s later, and waited 3 s for its last ten posts."""
    early = [told(n * 100, 10.0 + n) for n in range(1, 8)] + [told(750, 17.5, True)]
    late = [told(n * 100, 12.0 + n) for n in range(1, 6)] + [told(510, 20.0, True)]
    assert drain.rate("some", [early, late], 200) == pytest.approx(200.0)
    assert drain.rate("some", [late, early], 200) == pytest.approx(200.0)


def test_processes_that_have_no_time_in_common_count_each_by_itself() -> None:
    one = [told(100, 10.0), told(200, 12.0, True)]
    other = [told(100, 20.0), told(200, 21.0, True)]
    assert drain.rate("some", [one, other], 200) == 50.0 + 100.0


SPOKEN = [
    *posts.DRINKS,
    *posts.DRINKS_IN_OTHER_SCRIPTS,
    *((text, lang, ()) for text, lang in (*posts.TALK, *posts.OTHER_SCRIPTS)),
    (" ".join(posts.WORDS), "en", ()),
]


@pytest.mark.parametrize(("text", "lang", "pairs"), SPOKEN)
def test_the_words_of_the_textbook_suffice_for_what_the_generator_says(
    text: str, lang: str, pairs: tuple[tuple[str, str], ...]
) -> None:
    del lang
    named = {(c, "") for c, listed in textbook.WORDS.items() if re.search(textbook.pattern(listed), text.lower())}
    brands = {named for named, listed in textbook.BRANDS.items() if re.search(textbook.pattern(listed), text.lower())}
    assert named | brands == set(pairs) | {(category, "") for category, _ in pairs if (category, "") in named}


def test_the_list_of_words_says_which_letters_may_stand_around_an_alias_and_where_it_is_spoken() -> None:
    listed = {(line[0], *line[1:3]): line[3:] for line in words.words(load())}
    assert listed["coffee", "coffee", ""] == ("", "", "")
    assert listed["コーヒー", "coffee", ""][:2] == ("1", "1")
    assert listed["guinness", "beer", "guinness"] == ("", "", "")
    assert "de" in listed["kaffee", "coffee", ""][2].split(",") or not listed["kaffee", "coffee", ""][2]


def test_the_list_of_words_can_be_read_back(tmp_path: Path) -> None:
    words.write(tmp_path / "words.tsv")
    lines = [tuple(line.split("\t")) for line in (tmp_path / "words.tsv").read_text().split("\n")[:-1]]
    assert lines == list(dict.fromkeys(words.words(load())))
    assert all(alias == alias.lower() and (category or brand) for alias, category, brand, *_ in lines)


def test_the_jars_of_each_program_are_committed_to_in_the_versions_of_the_descriptor() -> None:
    named = re.findall(r'name="([^"]+)" rev="([^"]+)" conf="([^"]+)->default"', jvm.JARS.descriptor.read_text())
    wanted = {f"{folder}/{name}-{rev}.jar" for name, rev, folders in named for folder in folders.split(",")}
    assert len(wanted) == jvm.JARS.descriptor.read_text().count("<dependency ") + sum("," in one[2] for one in named)
    sums = read_sums(jvm.JARS.sums)
    assert wanted <= sums.keys()
    assert {name.partition("/")[0] for name in sums} == set(jvm.MAINS)


def test_the_versions_of_all_peers_are_those_that_locks_and_sums_name() -> None:
    found = environment.versions()
    assert found.keys() == {
        *("aiokafka", "chdb", "confluent-kafka", "duckdb", "polars", "quixstreams", "pathway"),
        *("flink-streaming-java", "flink-connector-kafka", "kafka-streams"),
    }
    named = dict(re.findall(r'name="([^"]+)" rev="([^"]+)"', jvm.JARS.descriptor.read_text()))
    assert {name: found[name] for name in environment.PEER_JARS}.items() <= named.items()
    for lock, packages in environment.PACKAGES.items():
        assert {f"{name}=={found[name]} \\" for name in packages} <= set(lock.read_text().splitlines())


def test_without_a_compiler_the_java_peers_say_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A runtime without javac, all jars there."""
    settings = Settings(home=tmp_path)
    jars = tmp_path / "peers-java"
    jars.mkdir()
    (jars / f".done-{jvm.JARS.fingerprint}").touch()
    monkeypatch.setattr("stack.java.home", lambda: tmp_path)
    with pytest.raises(UnavailableError, match=r"openjdk-17-jdk-headless(.|\n)*--no-peers"):
        jvm.ready(settings)
