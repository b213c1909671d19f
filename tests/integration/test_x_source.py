"""X's filtered stream through tweepy against a fake of its API: every byte arrives, every trouble has a name."""

import json
import logging
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import pytest
import tweepy
import tweepy.streaming
from pydantic import SecretStr
from tenacity import Retrying, retry_if_not_result, stop_after_delay, wait_fixed

from drinkstream.errors import BadInputError, UnavailableError
from drinkstream.settings import Settings
from drinkstream.taxonomy import load
from streaming.feed import Feed
from streaming.sources import x as source
from streaming.sources.x_rules import clauses, rules
from tests.lib.fake_x import TOKEN, FakeX, Refusal, Stream
from tests.lib.recording import RecordingProducer

POST = (
    b'{"data":{"id":"20291646337679360%02d","text":"caf\xc3\xa9 \\u2615 & te\xc3\xa9"},'
    b'"matching_rules":[{"id":"1","tag":"t"}]}'
)
DISCONNECT = (
    b'{"errors":[{"title":"operational-disconnect","disconnect_type":"UpstreamOperationalDisconnect",'
    b'"detail":"This stream has been disconnected upstream for operational reasons."}]}'
)


def until(condition: Callable[[], object]) -> None:
    """Return once `condition` holds; fail after ten seconds."""
    Retrying(retry=retry_if_not_result(bool), stop=stop_after_delay(10), wait=wait_fixed(0.02))(condition)


class Running:
    """The source at work in a thread; leaving ends it."""

    def __init__(self, x: FakeX, **settings: object) -> None:
        self.kafka = RecordingProducer()
        keys = (
            {"x_bearer_token": SecretStr("bearer")}
            if "x_bearer_token" not in settings and "x_consumer_key" not in settings
            else {}
        )
        made = Settings(**{"source": "x", "x_api_url": x.url, **keys, **settings})
        self.feed = Feed(self.kafka, made, "x", "x")
        self.stop = threading.Event()
        self._pool = ThreadPoolExecutor(1)
        self.ended: Future[None] = self._pool.submit(source.run, self.feed, made, self.stop)

    def values(self) -> list[bytes]:
        """What went to Kafka, keepalives left out."""
        return [value for value, _, _ in self.kafka.posts() if value]

    def told(self, *kinds: str) -> list[tuple[object, ...]]:
        """Status lines of these kinds as (kind, reason or status)."""
        return [(s["kind"], s.get("status", s.get("reason"))) for s in self.kafka.status() if s["kind"] in kinds]

    def __enter__(self) -> "Running":
        return self

    def __exit__(self, *_: object) -> None:
        self.stop.set()
        self._pool.shutdown()


@pytest.fixture
def x() -> Iterator[FakeX]:
    """X with one rule of somebody's on the stream."""
    with FakeX() as fake:
        yield fake


@pytest.fixture
def waits(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """How long tweepy would have waited before each further attempt."""
    asked: list[float] = []
    monkeypatch.setattr(tweepy.streaming, "sleep", asked.append)
    return asked


def test_lines_arrive_as_sent_however_they_are_chunked(x: FakeX) -> None:
    """Bytes are not decoded and encoded again; keep-alives count as such; the fields asked for are ours."""
    posts = [POST % n for n in range(4)]
    whole = b"\r\n".join([posts[0], b"", posts[1], posts[2] + b" \r ", posts[3], b""])
    x.then(Stream([whole[start : start + 7] for start in range(0, len(whole), 7)], "hold"))
    with Running(x) as running:
        until(lambda: len(running.values()) == 4)
        assert running.values() == [posts[0], posts[1], posts[2] + b" \r ", posts[3]]
        until(lambda: running.feed.received["notice"] >= 3)
        assert running.feed.received["post"] == 4
    assert x.connections() == [{"tweet.fields": "created_at,lang,referenced_tweets,edit_history_tweet_ids,note_tweet"}]
    assert running.ended.result() is None


def test_a_line_of_ten_megabytes_is_one_line(x: FakeX) -> None:
    """In pieces as small as a network may make them."""
    line = b'{"data":{"id":"2029164633767936001","text":"' + b"x" * 10_000_000 + b'"}}'
    x.then(Stream([line[start : start + 5000] for start in range(0, len(line), 5000)] + [b"\r\n"], "hold"))
    with Running(x) as running:
        until(lambda: running.values())
        assert running.values() == [line]


def test_a_connection_cut_in_a_line_keeps_what_came_and_reconnects(x: FakeX, waits: list[float]) -> None:
    """The half line is a rejected record, the time without a connection a gap, the line after it whole."""
    x.then(Stream([POST % 1 + b"\r\n", (POST % 2)[:50]], "cut"), Stream([POST % 3 + b"\r\n"], "hold"))
    with Running(x) as running:
        until(lambda: len(running.values()) == 3)
        assert running.values() == [POST % 1, (POST % 2)[:50], POST % 3]
        assert running.feed.received["rejected.cut_off"] == 1
        assert running.told("connect", "disconnect", "gap") == [
            ("connect", None),
            ("disconnect", "connection lost"),
            ("gap", "disconnected"),
            ("connect", None),
        ]
    assert waits == [0]


def test_an_orderly_end_reconnects_too(x: FakeX, waits: list[float]) -> None:
    """As X does when it deploys."""
    x.then(Stream([POST % 1 + b"\r\n"]), Stream([POST % 2 + b"\r\n"], "hold"))
    with Running(x) as running:
        until(lambda: len(running.values()) == 2)
        assert running.told("disconnect", "gap") == [("disconnect", "closed by X"), ("gap", "disconnected")]
    assert waits == []


def test_an_announced_disconnect_is_told_and_acted_on(x: FakeX, waits: list[float]) -> None:
    """X may leave such a connection open and silent."""
    x.then(Stream([DISCONNECT + b"\r\n"], "hold"), Stream([POST % 2 + b"\r\n"], "hold"))
    with Running(x) as running:
        until(lambda: len(running.values()) == 2)
        assert running.values() == [DISCONNECT, POST % 2]
        assert running.told("disconnect", "gap") == [
            ("disconnect", "UpstreamOperationalDisconnect"),
            ("gap", "disconnected"),
        ]
    assert waits == [0]


def test_other_errors_in_the_stream_are_notices(x: FakeX) -> None:
    """They do not end the connection."""
    x.then(Stream([b'{"errors":[{"title":"Not Found Error"}]}\r\n', POST % 1 + b"\r\n"], "hold"))
    with Running(x) as running:
        until(lambda: len(running.values()) == 2)
        assert running.told("connect", "disconnect") == [("connect", None)]


def test_too_many_connections_wait_longer_and_longer(x: FakeX, waits: list[float]) -> None:
    """A minute after 429, five seconds after 503, doubled each time, until it works again."""
    x.then(Refusal(429), Refusal(429), Refusal(503), Stream([POST % 1 + b"\r\n"], "hold"))
    with Running(x) as running:
        until(lambda: len(running.values()) == 1)
        assert running.told("connect", "disconnect") == [
            ("disconnect", 429),
            ("disconnect", 429),
            ("disconnect", 503),
            ("connect", None),
        ]
    assert waits == [60, 120, 240]
    reasons = {line["reason"] for line in running.kafka.status() if line.get("status") == 429}
    assert reasons == {"too many connections or requests: another program with the same token may be connected"}


@pytest.mark.parametrize(
    ("status", "remedy"),
    [
        (401, "X does not know the bearer token"),
        (402, "the account has no credits left"),
        (403, "its project needs an access level that includes it"),
    ],
)
def test_what_only_the_owner_can_mend_ends_the_program(x: FakeX, status: int, remedy: str) -> None:
    """At once, with what to do and what X said."""
    x.then(Refusal(status))
    with Running(x) as running:
        with pytest.raises(BadInputError, match=f"X answered {status}: .*{remedy}.*as the test says"):
            running.ended.result(10)
        assert running.told("connect", "disconnect") == [("disconnect", status)]


def test_a_refused_token_is_seen_at_the_first_request(x: FakeX) -> None:
    """Before any connection."""
    with Running(x, x_bearer_token=SecretStr("old")) as running, pytest.raises(BadInputError, match="X answered 401"):
        running.ended.result(10)
    assert x.connections() == []


@pytest.mark.parametrize("token", ["s3cret\r", "s3cret\n", " s3cret\r\n"])
def test_a_token_with_the_end_of_its_line_serves(x: FakeX, caplog: pytest.LogCaptureFixture, token: str) -> None:
    """From a file with CR LF, or a secret made with echo; the log does not hold it."""
    x.tokens.add("s3cret")
    x.then(Stream([POST % 1 + b"\r\n"], "hold"))
    with caplog.at_level(logging.INFO), Running(x, x_bearer_token=SecretStr(token)) as running:
        until(running.values)
    assert "s3cret" not in caplog.text


@pytest.mark.parametrize("address", ["127.0.0.1", "127.0.0.1:80", "http://", "http://a b"])
def test_an_address_that_is_none_ends_the_program(x: FakeX, address: str) -> None:
    """It would be waited for without end."""
    with Running(x, x_api_url=address) as running, pytest.raises(BadInputError, match="look at DRINKSTREAM_X_API_URL"):
        running.ended.result(10)


def test_kafkas_refusal_ends_the_program(x: FakeX) -> None:
    """tweepy would swallow it."""
    x.then(Stream([POST % 1 + b"\r\n"], "hold"))

    def refuse(*_: object) -> None:
        raise UnavailableError("Kafka refused")

    with Running(x) as running:
        until(running.kafka.status)
        running.kafka.send = refuse  # type: ignore[method-assign]
        x.then(Stream([POST % 1 + b"\r\n"], "hold"))
        with pytest.raises(UnavailableError, match="Kafka refused"):
            running.ended.result(10)


def test_a_stream_that_ends_by_itself_ends_the_program(x: FakeX, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a fault of its own: its supervisor starts it again."""
    monkeypatch.setattr(source.FilteredStream, "on_connect", tweepy.StreamingClient.disconnect)
    with Running(x) as running, pytest.raises(UnavailableError, match="ended by itself: this program must be started"):
        running.ended.result(10)


def test_the_older_keys_are_exchanged_for_a_token(x: FakeX, caplog: pytest.LogCaptureFixture) -> None:
    """Consumer key and secret serve; the log says that the user's token does not."""
    x.then(Stream([POST % 1 + b"\r\n"], "hold"))
    keys = {
        "x_consumer_key": "consumer-key",
        "x_consumer_secret": "consumer-secret",
        "x_access_token": "user-token",
        "x_access_token_secret": "user-secret",
    }
    with caplog.at_level(logging.INFO), Running(x, **{name: SecretStr(key) for name, key in keys.items()}) as running:
        until(running.values)
    assert {headers["Authorization"] for method, _, _, headers in x.requests if method == "GET"} == {f"Bearer {TOKEN}"}
    assert "serving=consumer_key,consumer_secret unused=access_token,access_token_secret" in caplog.text
    assert not any(key in caplog.text for key in keys.values())


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        (
            {},
            "^X needs a bearer token: set DRINKSTREAM_X_BEARER_TOKEN, or DRINKSTREAM_X_CONSUMER_KEY and .*each start.$",
        ),
        ({"x_access_token": "t", "x_access_token_secret": "s"}, r"act for a user \(OAuth 1.0a\); .*do not serve here"),
        ({"x_consumer_key": "k"}, "serve only together: DRINKSTREAM_X_CONSUMER_SECRET is missing"),
        ({"x_consumer_secret": "s"}, "serve only together: DRINKSTREAM_X_CONSUMER_KEY is missing"),
        ({"x_consumer_key": "k", "x_consumer_secret": "s"}, r"X made no bearer token .*\(it answered 403\)"),
    ],
)
def test_keys_that_do_not_serve_are_named(x: FakeX, keys: dict[str, str], message: str) -> None:
    """Which are missing, which have no use, and what to set instead."""
    given = {"x_bearer_token": None, **{name: SecretStr(key) for name, key in keys.items()}}
    with Running(x, **given) as running, pytest.raises(BadInputError, match=message):
        running.ended.result(10)


def test_the_stream_is_asked_for_the_taxonomys_words(x: FakeX) -> None:
    """Before it is connected to; rules of others stay."""
    x.then(Stream([POST % 1 + b"\r\n"], "hold"))
    with Running(x) as running:
        until(running.values)
    ours = [rule["value"] for rule in x.rules.values() if rule["tag"] == "drinkstream"]
    assert ours == rules(clauses(load()))
    assert x.rules["1"] == {"id": "1", "value": "coffee", "tag": "somebody's"}
    assert [path for _, path, _, _ in x.requests][-1] == "/2/tweets/search/stream"


@pytest.fixture
def taxonomy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A taxonomy of one word in place of the installed one, looked at all the time."""
    monkeypatch.setattr(source.taxonomy, "DEFAULT", tmp_path / "taxonomy.toml")
    monkeypatch.setattr(source, "LOOK_SECONDS", 0.02)
    monkeypatch.setattr(source, "RULES_LOOKS", 2)
    asks(tmp_path / "taxonomy.toml", "tea")
    return tmp_path / "taxonomy.toml"


def asks(path: Path, word: str) -> None:
    """Make `word` the taxonomy's one word."""
    path.write_text(
        'categories = ["tea"]\n[context.drinking]\nnear = ["cup"]\n'
        f'[[drink]]\nid = "hot"\ncategory = "tea"\nwords = ["{word}"]\n'
    )


def test_the_rules_follow_the_taxonomy_while_connected(x: FakeX, taxonomy: Path) -> None:
    """On the same connection; what does not load changes nothing, and X's refusals do not end it."""

    def values() -> list[str]:
        return [rule["value"] for rule in list(x.rules.values())]

    with Running(x) as running:
        until(lambda: running.told("connect"))
        assert values() == ["coffee", '"tea"']
        x.rules_answer = Refusal(503)
        asks(taxonomy, "mate")
        asked = len(x.requests)
        until(lambda: len(x.requests) > asked + 2)
        x.rules_answer = None
        until(lambda: values() == ["coffee", '"mate"'])
        taxonomy.write_text("[")
        asks(taxonomy, "chai")
        until(lambda: values() == ["coffee", '"chai"'])
        assert not running.ended.done()
    assert running.ended.result() is None
    assert len(x.connections()) == 1


def ours(x: FakeX) -> list[str]:
    """Our rules on the stream."""
    return [rule["value"] for rule in list(x.rules.values()) if rule["tag"] == "drinkstream"]


def test_a_rule_that_is_lost_while_connected_comes_back(
    x: FakeX, taxonomy: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """On the same connection, with a word to who reads the log."""
    monkeypatch.setattr(source, "CHECK_LOOKS", 5)
    assert taxonomy.exists()
    with Running(x) as running:
        until(lambda: running.told("connect"))
        assert ours(x) == ['"tea"']
        x.rules.pop("2")
        until(lambda: ours(x) == ['"tea"'])
        until(lambda: "event=rules_repaired changed=1" in caplog.text)
    assert len(x.connections()) == 1


def test_where_no_rules_are_left_they_are_made_again(x: FakeX, taxonomy: Path, waits: list[float]) -> None:
    """At once, since X refuses the connection until there are some."""
    assert taxonomy.exists()

    def losing() -> Iterator[bytes]:
        yield POST % 1 + b"\r\n"
        x.rules.clear()

    x.then(Stream(losing()), Refusal(409), Stream([POST % 2 + b"\r\n"], "hold"))
    with Running(x) as running:
        until(lambda: ours(x) == ['"tea"'] and len(running.values()) == 2)
        assert ("disconnect", 409) in running.told("disconnect")
    assert waits == [5]


def test_of_two_programs_with_one_token_only_the_connected_one_repairs_rules(
    x: FakeX, taxonomy: Path, monkeypatch: pytest.MonkeyPatch, waits: list[float]
) -> None:
    """They would undo each other's without end."""
    monkeypatch.setattr(source, "CHECK_LOOKS", 2)
    monkeypatch.setattr(tweepy.streaming, "sleep", lambda seconds: (waits.append(seconds), time.sleep(0.5)))
    assert taxonomy.exists()
    x.then(Refusal(429), Refusal(429))
    with Running(x) as running:
        until(lambda: waits)
        x.rules.pop("2")
        until(lambda: len(waits) == 2)
        assert (ours(x), running.told("connect")) == ([], [])
        until(lambda: running.told("connect") and ours(x) == ['"tea"'])


def test_a_taxonomy_that_does_not_load_leaves_the_rules_of_before(
    x: FakeX, taxonomy: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Collecting goes on by them; where there are none of ours it cannot."""
    taxonomy.write_text("[")
    with Running(x) as running, pytest.raises(BadInputError, match=r"taxonomy\.toml: not TOML"):
        running.ended.result(10)
    assert x.connections() == []
    x.rules["2"] = {"id": "2", "value": '"tea"', "tag": "drinkstream"}
    x.then(Stream([POST % 1 + b"\r\n"], "hold"))
    with Running(x) as running:
        until(running.values)
    assert [rule["value"] for rule in x.rules.values()] == ["coffee", '"tea"']
    assert caplog.text.count("event=rules_refused") == 1


def test_a_stream_without_rules_is_not_waited_for(x: FakeX) -> None:
    """Where its rules are left alone and there are none: it would be silent for ever."""
    x.rules.clear()
    message = "there are no rules on X's filtered stream"
    with Running(x, x_sync_rules=False) as running, pytest.raises(BadInputError, match=message):
        running.ended.result(10)


def test_x_out_of_reach_is_waited_for_until_the_stop() -> None:
    """A stop ends the wait; nothing is raised before."""
    with FakeX() as gone:
        pass
    with Running(gone) as running:
        time.sleep(0.3)
        assert not running.ended.done()
        running.stop.set()
        with pytest.raises(UnavailableError, match="stopped before X answered"):
            running.ended.result(10)


def test_the_fake_speaks_x(x: FakeX) -> None:
    """Its rules change as X's do."""
    client = source.FilteredStream("bearer", x.url, Feed(RecordingProducer(), Settings(), "x", "x"))
    client.add_rules([tweepy.StreamRule(value="tea", tag="drinkstream")])
    answer = client.add_rules([tweepy.StreamRule(value="tea", tag="drinkstream")])
    assert [error["title"] for error in answer.errors] == ["DuplicateRule"]
    client.delete_rules(["1"])
    assert json.dumps(x.rules) == '{"2": {"id": "2", "value": "tea", "tag": "drinkstream"}}'
