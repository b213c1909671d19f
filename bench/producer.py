"""How fast records get into Kafka, to their acknowledgement: two processes, all replicas, idempotent, zstd.

The product's producer is on kafka-python; the peers send the same lines with the same guarantees, in turns with it.
"""

import json
import statistics
import subprocess
import sys
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import islice

from kafka import KafkaAdminClient, KafkaConsumer, TopicPartition

from bench.figures import OLD, Measured, rounded
from bench.peers import environment as peers
from bench.peers.send import WARM_SHARE, lines_sent
from bench.servers import Servers
from bench.sizes import Sizes
from bench.topic import let_through
from drinkstream.errors import DrinkStreamError
from drinkstream.positions import Positions
from drinkstream.settings import ROOT, Settings
from stack import kafka
from stack.environment import environment
from streaming.offsets import look

PROCESSES = 2
LONGER = 4
"""Lines of old archives are nine times as long: a fourth of the posts is sent."""
TOPIC = "produced"
PEERS = ("confluent-kafka", "aiokafka")
READ_BACK = 20_000
"""So many lines of each run are read back and compared; to read all would take longer than to send them."""
READ_S = 10.0

Keyed = tuple[bytes, bytes]
"""A record's key and value."""


@dataclass(frozen=True, slots=True)
class Program:
    """What sends: a library of SENDERS (bench/peers/send.py), its interpreter, posts of each process, their shape."""

    library: str
    python: str
    posts: int
    shape: str = "post.x.v2"


@dataclass(frozen=True, slots=True)
class Sent:
    """One run: posts/s, processor time of the processes a post (us), bytes a post, and what is wrong with what came."""

    posts_per_s: float
    core_us: float
    bytes: float
    wrong: tuple[str, ...]


def producer(servers: Servers, sizes: Sizes) -> Measured:
    """Posts/s of both processes together, from the first send to the last acknowledgement; v1.1 lines beside them."""
    settings = servers.start("kafka").model_copy(update={"posts_topic": TOPIC})
    kafka.create_topics(settings)
    ours = Program("kafka-python", sys.executable, sizes.produced)
    old = replace(ours, posts=sizes.produced // LONGER, shape="post.x.v1")
    theirs = PEERS if servers.peers else ()
    peers_ = [Program(name, peers.python(settings.home), sizes.produced) for name in theirs]
    try:
        # in turns, since a machine is not as fast in each hour
        runs = [{program: _sent(settings, program) for program in (ours, old, *peers_)} for _ in range(sizes.runs)]
    finally:
        admin = KafkaAdminClient(bootstrap_servers=settings.bootstrap)
        admin.delete_topics([TOPIC])
        admin.close()
    found = {program: _measured(program, [run[program] for run in runs]) for program in (ours, old, *peers_)}
    return replace(found[ours].beside_it(OLD, found[old]), peers={one.library: found[one] for one in peers_})


def _measured(program: Program, results: list[Sent]) -> Measured:
    rates = tuple(result.posts_per_s for result in results)
    cost, size = statistics.median(result.core_us for result in results), results[0].bytes
    told = f"{statistics.median(rates):,.0f} posts/s, {cost:.1f} us a post"
    print(f"  {program.library}, {program.shape}: {told}", flush=True)
    beside = {
        "core_us_per_post": rounded(cost),
        "bytes_per_post": round(size),
        "mb_per_s": round(statistics.median(rates) * size / 1e6, 1),
        "let_through": let_through(program.shape),
    }
    return Measured(rates, "posts/s", tuple(fault for result in results for fault in result.wrong), beside)


def _sent(settings: Settings, program: Program) -> Sent:
    before = look(settings.bootstrap, (TOPIC,), 60).end
    command = [program.python, "-m", "bench.peers.send", program.library, settings.bootstrap, TOPIC, str(program.posts)]
    processes = [
        subprocess.Popen(
            [*command, str(part), program.shape],
            cwd=ROOT,
            env=environment(settings),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for part in range(PROCESSES)
    ]
    try:
        for process in processes:
            assert process.stdout is not None
            if process.stdout.readline() != "ready\n":
                raise DrinkStreamError(f"a producer on {program.library} ended before it was ready: see above")
        said = [json.loads(process.communicate()[0]) for process in _told(processes)]
    finally:
        for process in processes:
            process.kill()
            process.wait()
    came = sum(look(settings.bootstrap, (TOPIC,), 60).end.values()) - sum(before.values())
    wrong = wrong_records(first_lines(program.shape, program.posts), _read(settings, before))
    if came != PROCESSES * program.posts:
        wrong = (*wrong, f"{came} records came instead of {PROCESSES * program.posts}")
    measured = PROCESSES * (program.posts - int(program.posts * WARM_SHARE))
    seconds = max(one["ended"] for one in said) - min(one["began"] for one in said)
    cost, size = (sum(one[name] for one in said) / measured for name in ("cpu_s", "bytes"))
    return Sent(measured / seconds, cost * 1e6, size, wrong)


def first_lines(shape: str, posts: int) -> Counter[Keyed]:
    """The first lines of the first process, READ_BACK at most, by key and value."""
    return Counter((line.key, line.value) for line in islice(lines_sent(0, shape), min(posts, READ_BACK)))


def wrong_records(sent: Counter[Keyed], came: Iterable[Keyed]) -> tuple[str, ...]:
    """That some of these records did not come as they were sent; others may come between them."""
    left = Counter(sent)
    for record in came:
        if left.get(record):
            left[record] -= 1
            if not left[record]:
                del left[record]
        if not left:
            return ()
    return (f"{left.total()} of {sent.total()} records did not come as they were sent",)


def _read(settings: Settings, begin: Positions) -> Iterator[Keyed]:
    """Key and value of each record from `begin` on, until none has come for READ_S."""
    consumer = KafkaConsumer(
        bootstrap_servers=settings.bootstrap, enable_auto_commit=False, consumer_timeout_ms=int(READ_S * 1000)
    )
    try:
        consumer.assign([TopicPartition(*place) for place in begin])
        for place, offset in begin.items():
            consumer.seek(TopicPartition(*place), offset)
        for record in consumer:
            yield record.key, record.value
    finally:
        consumer.close()


def _told(processes: list["subprocess.Popen[str]"]) -> list["subprocess.Popen[str]"]:
    """The processes, after each has been told to begin."""
    for process in processes:
        assert process.stdin is not None
        process.stdin.write("now\n")
        process.stdin.flush()
    return processes
