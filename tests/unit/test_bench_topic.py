"""Topics and archives that are kept for later calls stand no longer than the code that wrote them."""

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pyarrow as pa
import pytest

from bench import archived, topic
from bench.posts import CHUNK
from bench.topic import Topic
from drinkstream.settings import Settings
from streaming.offsets import KafkaOffsets

COUNTS = {("*", ""): 3, ("beer", "guinness"): 1}


@pytest.fixture
def servers(tmp_path: Path) -> Any:
    settings = Settings(home=tmp_path)
    return SimpleNamespace(settings=settings, start=lambda *_: settings)


@pytest.fixture
def filled(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The topics that were filled, in order, in a Kafka that holds what was sent."""
    done: list[str] = []
    held: dict[str, int] = {}

    def look(_: str, names: tuple[str], *__: float) -> KafkaOffsets:
        place = (names[0], 0)
        return KafkaOffsets("c1", {place: 0}, {place: held.get(names[0], 0)})

    def fill(settings: Settings, _: str, chunks: int) -> Topic:
        done.append(settings.posts_topic)
        held[settings.posts_topic] = chunks * CHUNK
        return Topic(settings.posts_topic, chunks * CHUNK, chunks * CHUNK * 430, 0.03, COUNTS)

    monkeypatch.setattr(topic, "look", look)
    monkeypatch.setattr(topic, "_fill", fill)
    monkeypatch.setattr(topic, "let_through", lambda *_: 0.03)
    monkeypatch.setattr(topic, "remove_topic", lambda settings: held.pop(settings.posts_topic))
    monkeypatch.setattr(topic.kafka, "create_topics", lambda _: [])
    return done


def test_a_topic_is_filled_once_and_again_when_the_code_that_wrote_it_is_another(
    servers: Any, filled: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    first = topic.filled(servers, "a", CHUNK)
    assert topic.filled(servers, "a", CHUNK) == first
    assert filled == [f"a_{CHUNK}"]
    monkeypatch.setattr(topic, "generator", lambda: "other")
    assert topic.filled(servers, "a", CHUNK) == first
    assert filled == [f"a_{CHUNK}"] * 2


def test_a_topic_whose_note_says_nothing_of_the_code_is_filled_again(servers: Any, filled: list[str]) -> None:
    topic.filled(servers, "a", CHUNK)
    note = servers.settings.home / "topics" / f"a_{CHUNK}.json"
    said = json.loads(note.read_text())
    del said["generator"]
    note.write_text(json.dumps(said))
    topic.filled(servers, "a", CHUNK)
    assert filled == [f"a_{CHUNK}"] * 2


def test_an_archive_is_written_once_and_again_when_the_code_that_wrote_it_is_another(
    servers: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    written: list[Path] = []

    def write(folder: Path, note: Path, *_: Any) -> None:
        assert [*folder.iterdir()] == []
        written.append(folder)
        note.write_text(json.dumps({"generator": archived._generator(), "bytes": 7, "counts": {}}))

    monkeypatch.setattr(archived, "_write", write)
    for _ in range(2):
        archived.archived(servers, 2, CHUNK)
    assert len(written) == 1
    monkeypatch.setattr(archived, "generator", lambda *_: "other")
    archived.archived(servers, 2, CHUNK)
    assert written == [written[0]] * 2


def test_what_passes_is_asked_of_the_prefilter_as_it_is_now(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[int] = []

    def candidates(values: pa.Array) -> Any:
        asked.append(len(values))
        return pa.array([True] * 7).to_numpy(zero_copy_only=False)

    monkeypatch.setattr(topic, "candidates", candidates)
    monkeypatch.setattr(topic, "lines", lambda *_: [SimpleNamespace(value=b"{}")] * 10)
    monkeypatch.setattr(topic, "CHUNK", 10)
    topic.let_through.cache_clear()
    assert topic.let_through("post.x.v2") == 0.7
    assert asked == [10]
    topic.let_through.cache_clear()
