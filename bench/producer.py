"""How fast records get into Kafka, to their acknowledgement: two processes, all replicas, idempotent, zstd.

The product's producer is on kafka-python; the peers send the same lines with the same guarantees.
"""

import json
import statistics
import subprocess
import sys
from dataclasses import replace

from kafka import KafkaAdminClient

from bench.figures import OLD, Measured, rounded
from bench.peers import environment as peers
from bench.peers.send import WARM_SHARE
from bench.servers import Servers
from bench.sizes import Sizes
from drinkstream.errors import DrinkStreamError
from drinkstream.settings import ROOT, Settings
from stack import kafka
from stack.environment import environment
from streaming.offsets import look

PROCESSES = 2
LONGER = 4
"""Lines of old archives are nine times as long: a fourth of the posts is sent."""
TOPIC = "produced"
PEERS = ("confluent-kafka", "aiokafka")


def producer(servers: Servers, sizes: Sizes) -> Measured:
    """Posts/s of both processes together, from the first send to the last acknowledgement; v1.1 lines beside them."""
    settings = servers.start("kafka").model_copy(update={"posts_topic": TOPIC})
    kafka.create_topics(settings)
    try:
        ours = _measured(settings, "kafka-python", sys.executable, sizes.runs, sizes.produced)
        old = _measured(settings, "kafka-python", sys.executable, sizes.runs, sizes.produced // LONGER, "post.x.v1")
        peers_ = {
            name: _measured(settings, name, peers.python(settings.home), sizes.runs, sizes.produced)
            for name in (PEERS if servers.peers else ())
        }
        return replace(ours.beside_it(OLD, old), peers=peers_)
    finally:
        admin = KafkaAdminClient(bootstrap_servers=settings.bootstrap)
        admin.delete_topics([TOPIC])
        admin.close()


def _measured(
    settings: Settings, library: str, python: str, runs: int, posts: int, shape: str = "post.x.v2"
) -> Measured:
    results = [_sent(settings, library, python, posts, shape) for _ in range(runs)]
    rates, costs, size, wrong = zip(*results, strict=True)
    told = f"{statistics.median(rates):,.0f} posts/s, {statistics.median(costs):.1f} us a post"
    print(f"  {library}, {shape}: {told}", flush=True)
    beside = {
        "core_us_per_post": rounded(statistics.median(costs)),
        "bytes_per_post": round(size[0]),
        "mb_per_s": round(statistics.median(rates) * size[0] / 1e6, 1),
    }
    return Measured(rates, "posts/s", tuple(fault for faults in wrong for fault in faults), beside)


def _sent(
    settings: Settings, library: str, python: str, posts: int, shape: str
) -> tuple[float, float, float, tuple[str, ...]]:
    """Posts/s, processor time of the processes a post (us), bytes a post, what is wrong about their number."""
    before = sum(look(settings.bootstrap, (TOPIC,), 60).end.values())
    command = [python, "-m", "bench.peers.send", library, settings.bootstrap, TOPIC, str(posts)]
    processes = [
        subprocess.Popen(
            [*command, str(part), shape],
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
                raise DrinkStreamError(f"a producer on {library} ended before it was ready: see above")
        said = [json.loads(process.communicate()[0]) for process in _told(processes)]
    finally:
        for process in processes:
            process.kill()
            process.wait()
    came = sum(look(settings.bootstrap, (TOPIC,), 60).end.values()) - before
    wrong = () if came == PROCESSES * posts else (f"{came} records came instead of {PROCESSES * posts}",)
    measured = PROCESSES * (posts - int(posts * WARM_SHARE))
    seconds = max(one["ended"] for one in said) - min(one["began"] for one in said)
    cost, size = (sum(one[name] for one in said) / measured for name in ("cpu_s", "bytes"))
    return measured / seconds, cost * 1e6, size, wrong


def _told(processes: list["subprocess.Popen[str]"]) -> list["subprocess.Popen[str]"]:
    """The processes, after each has been told to begin."""
    for process in processes:
        assert process.stdin is not None
        process.stdin.write("now\n")
        process.stdin.flush()
    return processes
