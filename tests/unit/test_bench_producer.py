"""Producers take turns, and what Kafka gives back of a run must be what was sent."""

from collections import Counter
from pathlib import Path
from types import SimpleNamespace

import pytest

from bench import producer
from bench.producer import Program, Sent, first_lines, wrong_records
from bench.sizes import Sizes
from drinkstream.settings import Settings

SENT = [(b"x:1", b'{"id":"1"}'), (b"x:2", b'{"id":"2"}'), (b"x:1", b'{"id":"1"}')]
OTHER = (b"x:9", b'{"id":"9"}')


@pytest.mark.parametrize(
    ("came", "wrong"),
    [
        ([*SENT, OTHER], 0),
        ([OTHER, SENT[1], OTHER, SENT[0], SENT[2]], 0),
        ([SENT[0], SENT[1], (b"x:1", b'{"id":"?"}')], 1),
        ([SENT[0], (b"x:3", SENT[1][1]), SENT[2]], 1),
        ([OTHER], 3),
    ],
    ids=["as sent", "among others", "another value", "another key", "none"],
)
def test_a_record_that_does_not_come_as_it_was_sent_is_a_fault(came: list[tuple[bytes, bytes]], wrong: int) -> None:
    told = (f"{wrong} of 3 records did not come as they were sent",) if wrong else ()
    assert wrong_records(Counter(SENT), came) == told


def test_nothing_is_read_behind_the_last_record_that_was_sent() -> None:
    came = iter([*SENT, OTHER])
    assert wrong_records(Counter(SENT), came) == ()
    assert next(came) == OTHER


def test_the_lines_that_are_read_back_are_the_first_that_a_process_sends() -> None:
    lines = first_lines("post.x.v2", 50)
    assert lines.total() == 50
    assert all(key.startswith(b"x:") and value.startswith(b'{"data":') for key, value in lines)


def test_product_and_peers_take_turns(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    turns: list[tuple[str, str]] = []

    def sent(_: Settings, program: Program) -> Sent:
        turns.append((program.library, program.shape))
        return Sent(10.0 * len(turns), 3.0, 430.0, ("one came twice",) if program.library == "aiokafka" else ())

    nothing = SimpleNamespace(delete_topics=lambda _: None, close=lambda: None)
    monkeypatch.setattr(producer, "_sent", sent)
    monkeypatch.setattr(producer, "let_through", lambda _: 0.04)
    monkeypatch.setattr(producer.peers, "python", str)
    monkeypatch.setattr(producer.kafka, "create_topics", lambda _: [])
    monkeypatch.setattr(producer, "KafkaAdminClient", lambda **_: nothing)
    servers = SimpleNamespace(peers=True, start=lambda _: Settings(home=tmp_path))
    found = producer.producer(servers, Sizes(runs=2)).entry()  # type: ignore[arg-type]
    once = [("kafka-python", "post.x.v2"), ("kafka-python", "post.x.v1")]
    once += [("confluent-kafka", "post.x.v2"), ("aiokafka", "post.x.v2")]
    assert turns == once * 2
    assert (found["runs"], found["correct"], found["let_through"]) == ([10.0, 50.0], True, 0.04)
    assert {name: (peer["runs"], peer["correct"]) for name, peer in found["peers"].items()} == {
        "confluent-kafka": ([30.0, 70.0], True),
        "aiokafka": ([40.0, 80.0], False),
    }
