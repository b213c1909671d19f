"""The Kafka broker: its command line, its storage, and its two topics."""

import base64
import subprocess
import uuid
from collections.abc import Callable, Mapping
from operator import eq, ge, le

from drinkstream.errors import BadInputError, UnavailableError
from drinkstream.settings import Settings
from stack.config import MESSAGE_BYTES

DAY_MS = 86_400_000


def command(settings: Settings) -> list[str]:
    """The command that runs the broker in the foreground."""
    heap = settings.kafka_heap
    memory = [f"-Xms{heap // 2}m", f"-Xmx{heap}m", "-XX:+UseG1GC", "-XX:+ExitOnOutOfMemoryError"]
    return [*_java(settings, memory), "kafka.Kafka", str(settings.home / "conf" / "server.properties")]


def format_storage(settings: Settings) -> None:
    """Give an empty data folder its cluster id; a formatted one keeps it. Raises UnavailableError."""
    if (settings.home / "kafka" / "meta.properties").is_file():
        return
    tool = _java(settings, ["-Xmx256m", "-XX:TieredStopAtLevel=1"])
    config = str(settings.home / "conf" / "server.properties")
    done = subprocess.run(
        [*tool, "kafka.tools.StorageTool", "format", "-t", _cluster_id(), "-c", config],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        raise UnavailableError(f"Kafka's storage could not be formatted: {done.stdout}")


def create_topics(settings: Settings) -> list[str]:
    """The names of the topics created now; those there keep their partitions, and get the retention of the settings
    unless they are in a Kafka elsewhere, whose administrator has to give it to them.

    Raises BadInputError where `posts` exists with another number of partitions (keys would move between them), or a
    topic elsewhere lacks what is counted on, and UnavailableError where the broker does not answer: call it again.
    """
    from kafka import KafkaAdminClient
    from kafka.admin import ConfigResource, ConfigResourceType, NewTopic
    from kafka.errors import KafkaError

    wanted = {
        settings.posts_topic: (settings.posts_partitions, topic_config(settings, settings.posts_partitions)),
        settings.status_topic: (1, topic_config(settings, 1)),
    }
    created = []
    try:
        admin = KafkaAdminClient(bootstrap_servers=settings.bootstrap.split(","))
        try:
            known = set(admin.list_topics())
            for name, (partitions, config) in wanted.items():
                if name not in known:
                    # as many replicas as the broker gives by itself: one in ours
                    admin.create_topics([NewTopic(name, partitions, -1, topic_configs=dict(config))])
                    created.append(name)
                elif not settings.kafka_bootstrap:
                    admin.alter_configs([ConfigResource(ConfigResourceType.TOPIC, name, configs=dict(config))])
            admin.wait_for_topics(list(wanted))
            there = {topic["name"]: len(topic["partitions"]) for topic in admin.describe_topics(list(wanted))}
            resources = [
                ConfigResource(ConfigResourceType.TOPIC, name, configs=dict(wanted[name][1])) for name in wanted
            ]
            found = admin.describe_configs(resources, config_filter="all")["topic"]
        finally:
            admin.close()
    except KafkaError as error:
        raise UnavailableError(f"Kafka does not take its topics: {error}") from error
    for name, (partitions, config) in wanted.items():
        if settings.kafka_bootstrap and (lacking := _lacking(found.get(name, {}), config)):  # ours was just told
            raise BadInputError(
                f"topic {name} on {settings.bootstrap} is not what the settings say: have its administrator give it "
                f"{', '.join(lacking)}, or set DRINKSTREAM_RETENTION_DAYS or a topic of another name"
            )
        if there[name] != partitions:
            raise BadInputError(
                f"topic {name} has {there[name]} partitions, the settings ask for {partitions}: the number is for "
                "ever, set DRINKSTREAM_POSTS_PARTITIONS back or use a topic of another name"
            )
    return created


def _lacking(found: Mapping[str, Mapping[str, str]], wanted: Mapping[str, str]) -> list[str]:
    """What of a topic's settings is counted on and not there, `key=value`.

    Raises UnavailableError where the broker told nothing of them: it does not know the topic yet, or may not tell us.
    """
    enough: dict[str, Callable[[int, int], bool]] = {
        "retention.ms": eq,  # until when the text of an erased post is there
        "segment.ms": le,
        "max.message.bytes": ge,
        "retention.bytes": lambda there, least: there == -1 or there >= least,
    }
    if missing := {"message.timestamp.type", *enough} - set(found):
        raise UnavailableError(f"Kafka does not say of a topic what it has for {', '.join(sorted(missing))}")
    lacking = [key for key, holds in enough.items() if not holds(int(found[key]["value"]), int(wanted[key]))]
    if found["message.timestamp.type"]["value"] != wanted["message.timestamp.type"]:
        lacking.append("message.timestamp.type")
    return [f"{key}={wanted[key]}" for key in lacking]


def topic_config(settings: Settings, partitions: int) -> Mapping[str, str]:
    """A topic's settings: times by the broker's clock, kept for days within a cap, packed as sent."""
    return {
        "message.timestamp.type": "LogAppendTime",
        "retention.ms": str(settings.retention_days * DAY_MS),
        "retention.bytes": str(settings.retention_gib * 2**30 // partitions),  # Kafka counts it by partition
        # a record goes with its segment: without this it could stay for twice as long
        "segment.ms": str(DAY_MS),
        "max.message.bytes": str(MESSAGE_BYTES),
        "compression.type": "producer",
    }


def _cluster_id() -> str:
    """A new id in Kafka's form: 22 characters of url-safe base64 that do not start with a dash."""
    while (text := base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")).startswith("-"):
        pass
    return text


def _java(settings: Settings, memory: list[str]) -> list[str]:
    log = (settings.home / "conf" / "log4j2.properties").as_uri()
    return ["java", *memory, f"-Dlog4j2.configurationFile={log}", "-cp", f"{settings.jar_folder}/kafka/*"]
