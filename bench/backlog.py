"""A backlog that a restart meets: how long until it is counted, how long until posts are fresh again, nothing lost.

The query has led its epoch before, and has stopped; then it starts on a full topic, while a few posts go on arriving.
"""

import statistics
import time
from collections.abc import Mapping
from datetime import UTC, datetime

from bench.figures import Measured, rounded
from bench.freshness import wait_for
from bench.load import load, together
from bench.seen import Watch, delays
from bench.servers import Servers, batches, log_of, reading, until
from bench.sizes import Sizes
from bench.topic import Topic, filled, wrong_counts
from drinkstream.store.read import EpochRow, Reader
from streaming.offsets import look

PROBES_A_SECOND = 40  # few: each goes into a request of its own, on the cores that are measured
FRESH_S = 1.5
"""What the freshness row has to reach: posts that can be read so soon are fresh."""

LOOK_S = 0.25
"""The reader looks at five minutes each time, on the cores that are measured: seldomer than in `freshness`."""

STAY_S = 15.0
"""How long posts are watched behind the backlog."""

DAY = "2017-09-14"
"""The day of the backlog's posts; those that arrive meanwhile are of today."""


def backlog(servers: Servers, sizes: Sizes) -> Measured:
    """Seconds from the start of the process until the backlog is counted; until posts are fresh again beside it."""
    topic = filled(servers, "a", sizes.backlog)
    results = [_run(servers, sizes, topic) for _ in range(sizes.runs)]
    again = [seconds for _, seconds, _ in results]
    beside = {
        "fresh_again_s": rounded(statistics.median(again)),
        "fresh_again_runs": [rounded(seconds) for seconds in again],
        "posts": topic.records,
        "bytes_per_post": round(topic.line),
    }
    wrong = tuple(fault for _, _, faults in results for fault in faults)
    return Measured(tuple(seconds for seconds, _, _ in results), "s", wrong, beside)


def _run(servers: Servers, sizes: Sizes, topic: Topic) -> tuple[float, float, tuple[str, ...]]:
    """Seconds until all is counted, seconds from then until posts are fresh for good, and what was wrong."""
    with servers.fresh(topic.name) as settings, reading(settings) as reader:
        log = log_of(settings, "streaming.speed")
        # the life before: it takes a handful of records, and leaves a checkpoint to go on from
        with servers.running(settings.model_copy(update={"speed_max_offsets": 8}), "streaming.speed") as before:
            epoch = until(lambda: _ended(reader), before, log).epoch
        end = {str(partition): offset for (_, partition), offset in look(settings.bootstrap, (topic.name,)).end.items()}
        began = datetime.now(UTC)
        whole = settings.model_copy(update={"speed_max_offsets": sizes.most})
        with servers.running(whole, "streaming.speed") as speed, Watch(reader, epoch, 5, LOOK_S) as watch:
            with load(settings, PROBES_A_SECOND, "--hit-share", "1.0") as reports:
                counted = until(lambda: _counted(reader, epoch, end), speed, log)
                time.sleep(STAY_S)
            sent = together(reports)
            wait_for(watch, sent.appended, speed, log)
        unseen = watch.rest(sent.appended, began.timestamp())
        wrong = wrong_counts(reader, epoch, topic.counts, DAY)
    if unseen:
        wrong = (*wrong, f"{unseen} of {len(sent.appended)} posts that came meanwhile could not be read afterwards")
    seconds = (counted - began).total_seconds()
    again = fresh_from(delays(sent.appended, watch.seen), watch.seen) - counted.timestamp()
    print(f"  counted after {seconds:.1f} s, fresh again {max(0.0, again):.1f} s later", flush=True)
    return seconds, max(0.0, again), wrong


def fresh_from(waited: Mapping[int, float], seen: Mapping[int, float]) -> float:
    """The moment (s since 1970) from which on every post that appeared was fresh; 0 where all were."""
    return max((seen[number] for number, seconds in waited.items() if seconds > FRESH_S), default=0.0)


def _ended(reader: Reader) -> EpochRow | None:
    """The newest epoch, once it has ended a micro-batch."""
    epochs = reader.epochs()
    return epochs[0] if epochs and any(batch.ended_at for batch in batches(reader, epochs[0].epoch)) else None


def _counted(reader: Reader, epoch: str, end: Mapping[str, int]) -> datetime | None:
    """When the micro-batch ended with which every partition was counted up to `end`; None while there is none."""
    return next(
        (
            batch.ended_at
            for batch in batches(reader, epoch)
            if batch.ended_at is not None and all(batch.offsets[place][1] >= offset for place, offset in end.items())
        ),
        None,
    )
