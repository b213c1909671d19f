"""X's filtered stream through tweepy: every line goes to Kafka byte for byte, every trouble to feed.status by name.

tweepy connects, waits and reconnects as X asks for: at once and then slower after network errors, after 5 to 320
seconds after HTTP errors, from 60 seconds on after 429. What only its owner can mend (no token, a refused one, no
access) ends the program with exit code 2 and says what to do.
"""

import logging
import threading
from collections.abc import Callable, Iterator
from typing import Any, TypeVar

import requests
import tweepy
from tenacity import RetryCallState, Retrying, retry_if_exception_type, stop_when_event_set, wait_random_exponential

from drinkstream import taxonomy, wire_json
from drinkstream.errors import BadInputError, UnavailableError
from drinkstream.settings import Settings
from streaming.feed import Feed, rfc3339, wall_clock_ms
from streaming.lines import Oversize, lines
from streaming.sources import x_rules
from streaming.sources.x_keys import bearer_token

X_API = "https://api.x.com"
TWEEPY_API = "https://api.twitter.com"  # what tweepy writes into each request
FIELDS = "created_at,lang,referenced_tweets,edit_history_tweet_ids,note_tweet"
CHUNK = 64 * 1024  # bytes read at once at most; what has arrived is not held back
LOOK_SECONDS = 1.0
RULES_LOOKS = 60  # every so many looks at the stream the taxonomy is looked at: X takes other rules while it sends
CHECK_LOOKS = 300  # and X's rules: three requests in 15 minutes, of 450 that X answers
TIMEOUT = 30  # seconds, for all requests but the stream, whose own is tweepy's
PATIENCE_MS = 30_000
"""So long X is taken to wait for a reader that stands still; after longer it may have given the connection up.

More than the 21 s of silence after which tweepy finds a connection dead (X sends a keepalive every 20 s): one that was
lost in a standstill is so found out before it counts again.
"""

REMEDIES = {
    400: "X does not understand the request; look for a newer version of this program",
    401: "X does not know the bearer token: make a new one in X's developer portal for DRINKSTREAM_X_BEARER_TOKEN",
    402: "the account has no credits left: see X's developer portal",
    403: "the app has no access to the filtered stream: its project needs an access level that includes it",
    404: "there is no filtered stream at this address: see DRINKSTREAM_X_API_URL",
}
NO_RULES = 409
FOR_A_WHILE = {
    NO_RULES: "there are no rules on the stream: they are made again; add some if DRINKSTREAM_X_SYNC_RULES is false",
    429: "too many connections or requests: another program with the same token may be connected",
}

NO_REQUEST = (
    requests.exceptions.InvalidHeader,
    requests.exceptions.InvalidSchema,
    requests.exceptions.InvalidURL,
    requests.exceptions.MissingSchema,
)
"""What requests raises before it asks anybody. Its text may hold the token."""

T = TypeVar("T")
log = logging.getLogger("drinkstream.x")


def run(feed: Feed, settings: Settings, stop: threading.Event) -> None:
    """Send every line of the stream until `stop` is set. Raises BadInputError, and UnavailableError for Kafka."""
    base = (settings.x_api_url or X_API).rstrip("/")
    token = patiently(lambda: bearer_token(settings, base), stop)
    stream, asking = FilteredStream(token, base, feed), FilteredStream(token, base, feed)  # one for each thread
    followed = x_rules.Followed(asking, taxonomy.DEFAULT) if settings.x_sync_rules else None
    if followed is None:
        x_rules.sync(asking, lambda call: patiently(call, stop))
    else:
        followed.begin(lambda call: patiently(call, stop))
    stream.filter(threaded=True, tweet_fields=FIELDS)
    looks = 0
    try:
        while not stop.wait(LOOK_SECONDS) and stream.thread.is_alive():
            feed.tick()
            looks += 1
            if followed is not None:
                see_to_rules(followed, stream, looks, lambda call: unless_stopped(call, stop))
    finally:
        stream.disconnect()
    if stream.fault is not None:
        raise stream.fault
    if not stop.is_set():
        raise UnavailableError("the stream ended by itself: this program must be started again")


def see_to_rules(followed: x_rules.Followed, stream: "FilteredStream", looks: int, call: x_rules.Calling) -> None:
    """Follow the taxonomy; repair our rules now and then, and where X says that there are none.

    Now and then only while X sends: of two programs with one token, of which one is connected, the other would undo it.
    """
    if looks % RULES_LOOKS == 0:
        followed.look(call)
    none, stream.without_rules = stream.without_rules, False
    if none or (stream.connected and looks % CHECK_LOOKS == 0):
        followed.check(call)


def patiently(call: Callable[[], T], stop: threading.Event) -> T:
    """What `call` returns, tried again while X is out of reach or overloaded; what X refuses becomes BadInputError."""

    def sleep(seconds: float) -> None:
        stop.wait(seconds)

    def say(state: RetryCallState) -> None:
        log.warning("event=waiting for=x error=%r", state.outcome and state.outcome.exception())

    retrying = Retrying(
        retry=retry_if_exception_type(UnavailableError),
        wait=wait_random_exponential(max=60),
        stop=stop_when_event_set(stop),
        sleep=sleep,
        before_sleep=say,
        reraise=True,
    )
    try:
        return retrying(lambda: answered(call))
    except UnavailableError as error:
        raise UnavailableError(f"stopped before X answered ({error})") from None


def unless_stopped(call: Callable[[], T], stop: threading.Event) -> T:
    """What `call` returns, tried once. Raises as `answered`, and UnavailableError once `stop` is set."""
    if stop.is_set():
        raise UnavailableError("stopped")
    return answered(call)


def answered(call: Callable[[], T]) -> T:
    """What `call` returns. Raises UnavailableError for an X out of reach or overloaded, BadInputError for refusals, and
    for a token or an address of which no request can be made.
    """
    try:
        return call()
    except NO_REQUEST as error:
        raise BadInputError(
            f"no request to X can be made ({type(error).__name__}): look at DRINKSTREAM_X_API_URL, which begins with "
            "http:// or https://, at the proxy that the environment names, and at the keys"
        ) from None
    except (requests.RequestException, tweepy.TooManyRequests, tweepy.TwitterServerError) as error:
        raise UnavailableError(repr(error)) from None
    except tweepy.HTTPException as error:
        raise refused(error.response.status_code, error.response.text) from None


def refused(status: int, told: str) -> BadInputError:
    """X's refusal with what to do about it."""
    return BadInputError(f"X answered {status}: {REMEDIES.get(status, 'see what it said')}. It said: {told[:500]}")


class FilteredStream(tweepy.StreamingClient):  # type: ignore[misc]  # tweepy has no types
    """tweepy's client, with the lines kept as bytes, another address where asked for, and its troubles told to a feed.

    It runs in a thread of its own; `fault` is what ended it, if something did. `connected` is whether X sends to it,
    `without_rules` whether X has refused to since there are none; who has seen to that takes it back.
    """

    def __init__(self, token: str, base: str, feed: Feed) -> None:
        super().__init__(token, daemon=True)
        self.session = _Session(base, self._connecting)
        self.fault: Exception | None = None
        self.connected = False
        self.without_rules = False
        self._feed = feed
        self._lost_ms: int | None = None

    def _connecting(self) -> None:
        self._lost("closed by X")  # where tweepy saw no reason to say so

    def on_connect(self) -> None:
        """Connected; the time since the last connection was lost is a gap."""
        if self._lost_ms is not None:
            self._feed.status("gap", reason="disconnected", **{"from": rfc3339(self._lost_ms), "to": _now()})
            self._lost_ms = None
        self._feed.connected(patience_ms=PATIENCE_MS)
        self.connected = True

    def on_data(self, raw_data: bytes | Oversize) -> None:
        """One line, as it came."""
        for envelope in self._feed.read(raw_data):
            self._feed.send(envelope)
            if envelope.shape in ("notice.error", "notice.disconnect"):
                reason = announced(envelope.value)
                if reason is not None:  # X may leave the connection open and silent
                    self._lost(reason)
                    raise requests.ConnectionError(f"X announced a disconnect: {reason}")

    def on_keep_alive(self) -> None:
        """A blank line is a line too."""
        self._feed.line(b"")

    def on_closed(self, response: Any) -> None:
        """X ended the response."""
        del response
        self._lost("closed by X")

    def on_connection_error(self) -> None:
        """The network failed, or nothing came for 21 seconds."""
        self._lost("connection lost")

    def on_request_error(self, status_code: int) -> None:
        """X refused the connection: for a while, or until somebody does something."""
        self._feed.status("disconnect", status=status_code, reason=_remedy(status_code))
        self.without_rules |= status_code == NO_RULES
        if status_code in REMEDIES:
            self.fault = refused(status_code, self.session.refusal)
            self.disconnect()

    def on_exception(self, exception: Exception) -> None:
        """What tweepy did not expect: above all Kafka's refusals."""
        self.fault = exception

    def on_disconnect(self) -> None:
        """The end; where Kafka has refused a record there is nobody to tell."""
        if self.fault is None:
            self._feed.disconnected(reason="ended")

    def _lost(self, reason: str) -> None:
        self.connected = False
        since = self._feed.disconnected(reason=reason)
        if self._lost_ms is None:
            self._lost_ms = since


class _Session(requests.Session):
    """tweepy's session, sent to another address, and with lines that keep every byte.

    requests' own `iter_lines` drops a line that a broken connection cut, takes a CR for the end of a line, and copies a
    long line once for each piece of it.
    """

    def __init__(self, base: str, connecting: Callable[[], None]) -> None:
        super().__init__()
        self.refusal = ""  # what X said when it refused the last connection
        self._base = base
        self._connecting = connecting

    def request(  # type: ignore[override]  # tweepy gives all options by name
        self, method: str, url: str, **options: Any
    ) -> requests.Response:
        """The response; a streamed one hands out lines as `streaming.lines` does."""
        streamed = bool(options.get("stream"))
        if streamed:
            self._connecting()
        options.setdefault("timeout", TIMEOUT)
        response = super().request(method, self._base + url.removeprefix(TWEEPY_API), **options)
        if streamed and response.status_code == 200:
            response.iter_lines = lambda chunk_size: _lines(response, chunk_size)  # type: ignore[method-assign, assignment]
        elif streamed:
            self.refusal = response.text
        return response


def _lines(response: requests.Response, chunk_size: int) -> Iterator[bytes | Oversize]:
    """Pieces of a chunked response come as they arrive; others would be held back until a piece is full."""
    return lines(response.iter_content(CHUNK if response.raw.chunked else chunk_size))


def announced(value: bytes) -> str | None:
    """Why X is about to disconnect, where this line says so: v2's `errors[].disconnect_type`, v1.1's `disconnect`."""
    line = wire_json.load(value.removeprefix(wire_json.BOM))
    errors = line.get("errors")
    for error in errors if isinstance(errors, list) else []:
        if isinstance(error, dict) and "disconnect_type" in error:
            return str(error["disconnect_type"])
    said = line.get("disconnect")
    return str(said.get("reason") or said.get("code")) if isinstance(said, dict) else None


def _remedy(status: int) -> str:
    return REMEDIES.get(status) or FOR_A_WHILE.get(status) or "X has trouble of its own"


def _now() -> str:
    return rfc3339(wall_clock_ms())
