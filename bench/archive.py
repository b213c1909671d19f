"""What the archive costs on disk, as a share of the lines' bytes, and how long a look-up of a post by its id takes."""

import random
import statistics
import time

from bench.figures import Measured, percentile, rounded
from bench.posts import CHUNK, SEED
from bench.servers import Servers, log_of, until
from bench.sizes import Sizes
from bench.topic import filled, lines_of
from drinkstream.archive import Archive
from drinkstream.post import NO_DAY, day_of
from drinkstream.settings import Settings

ASKED = 50


def archive(servers: Servers, sizes: Sizes) -> Measured:
    """Bytes of the table's files for each byte of a line; with the time to find a post by its id, ms."""
    topic = filled(servers, "a", sizes.archived)
    shares, times, wrong = [], [], []
    for _ in range(sizes.runs):
        with servers.fresh(topic.name) as fresh:
            # a home of its own, so that the table begins empty
            settings = fresh.model_copy(update={"home": fresh.home / fresh.keyspace, "archive_trigger": 5})
            held = Archive(settings.archive)
            with servers.running(settings, "streaming.archive") as query:

                def whole(held: Archive = held) -> int | None:
                    rows = sum(held.rows_by_day(topic.name).values()) if held.exists() else 0
                    return rows if rows >= topic.records else None

                rows = until(whole, query, log_of(settings, "streaming.archive"), every=1.0)
            if rows != topic.records:
                wrong.append(f"the archive holds {rows} records instead of {topic.records}")
            shares.append(_bytes(settings) / topic.bytes)
            chunk = lines_of("a", 0, topic.records // CHUNK)
            for line in random.Random(SEED).sample(chunk, ASKED):
                key = line.key.decode()
                began = time.monotonic()
                # a post's id tells its day, so that only that day is looked through
                found = held.records([key], day_of(line.event_ms), NO_DAY)
                times.append((time.monotonic() - began) * 1000)
                if {row.value for row in found} != {line.value}:
                    wrong.append(f"{key} was not found, or not as it came")
    beside = {
        "by_id_p50_ms": rounded(statistics.median(times)),
        "by_id_p99_ms": rounded(percentile(times, 0.99)),
        "records": topic.records,
        "bytes_per_post": round(topic.line),
    }
    print(f"  {statistics.median(shares):.3f} of the lines' bytes; by id {beside['by_id_p50_ms']} ms", flush=True)
    return Measured(tuple(shares), "of the line's bytes", tuple(wrong), beside)


def _bytes(settings: Settings) -> int:
    """Bytes of the files that the table holds now."""
    folder = settings.home / "archive"
    return sum(path.stat().st_size for path in folder.rglob("*.parquet"))
