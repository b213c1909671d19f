"""The stack's own promises, on real servers: who may do what, what survives a kill, what is refused before a start."""

import os
import signal
import socket
import tempfile
from pathlib import Path
from typing import Any

import psutil
import pytest
from cassandra import Unauthorized
from cassandra.cluster import Session
from kafka import KafkaAdminClient
from kafka.admin import ConfigResource, ConfigResourceType
from pydantic import SecretStr

from drinkstream.errors import BadInputError, UnavailableError
from drinkstream.settings import Settings
from drinkstream.store.session import connect
from stack import cassandra, down, kafka, processes, ready, supervisor, up
from stack.home import MARK
from tests.lib.servers import Servers, free_ports


def refused(session: Session, statement: str) -> bool:
    """Whether Cassandra refuses the statement for want of a permission."""
    try:
        session.execute(statement)
    except Unauthorized:
        return True
    return False


def test_each_role_may_do_what_it_needs_and_no_more(cassandra_server: Settings) -> None:
    """The writer reads and writes rows, the web's role only reads; neither touches tables or roles."""
    may = {}
    for role, login in (
        ("writer", cassandra_server.writer_login()),
        ("reader", cassandra_server.reader_login()),
    ):
        session = connect(cassandra_server, login)
        insert = "INSERT INTO publications_v1 (month, day, seq) VALUES ('2017-09', '2017-09-14', 1) IF NOT EXISTS"
        tries = {
            "select": "SELECT * FROM publications_v1 WHERE month = '2017-09'",
            "insert": insert,
            "drop": "DROP TABLE publications_v1",
            "create": "CREATE TABLE other (id int PRIMARY KEY)",
            "roles": "SELECT * FROM system_auth.roles",
        }
        may[role] = {name for name, statement in tries.items() if not refused(session, statement)}
        session.cluster.shutdown()
    assert may == {"writer": {"select", "insert"}, "reader": {"select"}}


def test_another_life_of_speed_cells_is_refused_once_there_are_tables(cassandra_server: Settings) -> None:
    """Rows keep the life that they came with, by which the days that an epoch no longer holds are reckoned."""
    session = cassandra.admin(cassandra_server)
    try:
        cassandra.apply_schema(cassandra_server, session)
        longer = cassandra_server.model_copy(update={"speed_ttl_days": 60})
        with pytest.raises(BadInputError, match=r"SPEED_TTL_DAYS=60, but the tables of .* have 35"):
            cassandra.apply_schema(longer, session)
    finally:
        session.cluster.shutdown()


@pytest.mark.parametrize("change", [{"keyspace": "table"}, {"keyspace": "k" * 49}, {"speed_ttl_days": 10_000}])
def test_what_cassandra_will_never_take_is_told_of_at_once(cassandra_server: Settings, change: dict[str, Any]) -> None:
    """A word of CQL's own, a name that is too long, a life that is: trying again for ten minutes changes nothing."""
    with pytest.raises(BadInputError, match="Cassandra refuses the roles and tables that the settings name: "):
        cassandra.set_up(cassandra_server.model_copy(update={"keyspace": "refused", **change}))


def test_the_password_that_cassandra_comes_with_is_refused(cassandra_server: Settings) -> None:
    """cassandra/cassandra, which every installation starts with, does not let anybody in."""
    with pytest.raises(UnavailableError, match="AuthenticationFailed"):
        connect(cassandra_server, ("cassandra", "cassandra"), "system")


def test_topics_have_the_settings_that_the_layers_count_on(kafka_settings: Settings) -> None:
    """Append times by the broker, retention within its cap, long records allowed, packed as sent."""
    admin = KafkaAdminClient(bootstrap_servers=kafka_settings.bootstrap)
    names = (kafka_settings.posts_topic, kafka_settings.status_topic)
    partitions = {topic["name"]: len(topic["partitions"]) for topic in admin.describe_topics(list(names))}
    described = admin.describe_configs([ConfigResource(ConfigResourceType.TOPIC, names[0])])
    admin.close()
    assert partitions == {names[0]: 2, names[1]: 1}
    text = str(described)
    for key, value in {
        "message.timestamp.type": "LogAppendTime",
        "retention.ms": "604800000",
        "retention.bytes": str(20 * 2**30),
        "segment.ms": "86400000",
        "max.message.bytes": "12582912",
        "compression.type": "producer",
    }.items():
        assert f"'{key}'" in text and f"'{value}'" in text


def test_topics_of_a_kafka_elsewhere_are_made_and_never_changed(kafka_settings: Settings) -> None:
    """Missing ones get what the layers count on; one that lacks it is refused by what it lacks, and left as it is."""
    made = {"posts_topic": "posts.elsewhere", "status_topic": "status.elsewhere"}
    away = kafka_settings.model_copy(update={"kafka_bootstrap": kafka_settings.bootstrap, **made})
    assert kafka.create_topics(away) == ["posts.elsewhere", "status.elsewhere"]
    assert kafka.create_topics(away) == []
    with pytest.raises(
        BadInputError, match=r"topic posts\.elsewhere on .* retention\.ms=172800000, or set DRINKSTREAM_RET"
    ):
        kafka.create_topics(away.model_copy(update={"retention_days": 2}))
    assert kafka.create_topics(away) == [], "the refusal changed a topic that is somebody else's"


def test_a_cassandra_elsewhere_is_set_up_by_its_administrator(
    cassandra_server: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`make up` says what is missing and starts nothing; with the CQL of `make schema` run, both roles are let in."""
    monkeypatch.setattr(up, "AWAY", 1.0)
    update = {
        "home": tmp_path / "home",
        "cassandra_hosts": cassandra_server.host,
        "keyspace": "elsewhere",
        "cassandra_user": "Away-Writer",
        "cassandra_password": SecretStr("it's one"),
        "cassandra_reader": "awayReader",
        "cassandra_reader_password": SecretStr("another"),
    }
    away = cassandra_server.model_copy(update=update)
    with pytest.raises(UnavailableError, match="make schema"):
        up.up(away, "coverage", say=lambda _: None)
    assert supervisor.pid(away) is None
    up._set_up_elsewhere(away, ["web"], lambda _: None)  # which needs none, and says itself what it lacks

    session = cassandra.admin(cassandra_server)
    try:
        cql = cassandra.for_an_administrator(away)
        for statement in cql.replace("WRITER_PASSWORD", "it''s one").replace("READER_PASSWORD", "another").split(";\n"):
            if statement:
                session.execute(statement, timeout=60)
    finally:
        session.cluster.shutdown()
    up._set_up_elsewhere(away, ["speed"], lambda _: None)
    with pytest.raises(BadInputError, match=r"SPEED_TTL_DAYS=60, but the tables of elsewhere have 35"):
        up._set_up_elsewhere(away.model_copy(update={"speed_ttl_days": 60}), ["speed"], lambda _: None)


def pid_of(settings: Settings, name: str) -> int:
    """The process of a running program. A program that does not run has 0, which as a target means everyone here."""
    pid = int(supervisor.states(settings)[name]["pid"])
    assert pid > 0, f"{name} does not run"
    return pid


def test_a_second_up_leaves_what_runs_alone(servers: Servers) -> None:
    """The same processes, no new topics, and it returns when they answer."""
    settings = servers.start("kafka")
    before, said = pid_of(settings, "kafka"), []
    up.up(settings, "kafka", say=said.append)
    assert pid_of(settings, "kafka") == before
    assert [line for line in said if "made the topics" in line] == []


def test_a_killed_program_comes_back_by_itself(servers: Servers) -> None:
    """kill -9 of the broker: a new process answers, with the topics of the old one."""
    settings = servers.start("kafka")
    killed = pid_of(settings, "kafka")
    os.kill(killed, signal.SIGKILL)
    psutil.wait_procs([psutil.Process(killed)] if psutil.pid_exists(killed) else [], timeout=20)
    ready.wait(settings, ready.topics, 90)
    assert pid_of(settings, "kafka") not in (0, killed)


def kill_supervisord(settings: Settings) -> tuple[int, int]:
    """Its session, and the process of the Kafka that runs on without it."""
    session, orphan = supervisor.session_id(settings), pid_of(settings, "kafka")
    assert session is not None
    os.kill(session, signal.SIGKILL)
    os.waitpid(session, 0)
    assert psutil.pid_exists(orphan) and supervisor.pid(settings) is None
    return session, orphan


def test_up_takes_over_and_down_ends_what_a_killed_supervisord_left(servers: Servers) -> None:
    """No process of the session outlives the next `up` or `down`, though nobody supervises it any more.

    What killed programs have left in the folder of temporary files goes when supervisord starts.
    """
    ports = free_ports(2)
    with tempfile.TemporaryDirectory(prefix="ds-lone-") as folder:
        Path(folder).chmod(0o755)
        settings = servers.settings.model_copy(update={"home": Path(folder), "kafka_port": ports[0]})
        (settings.home / MARK).touch()
        (settings.home / "tmp" / "blockmgr-1").mkdir(parents=True)
        (settings.home / "tmp" / "blockmgr-1" / "shuffle_0_0_0.data").write_bytes(b"left")
        up.up(settings, "kafka", say=lambda _: None)
        assert not (settings.home / "tmp" / "blockmgr-1").exists()
        first, orphan = kill_supervisord(settings)
        said: list[str] = []
        up.up(settings, "kafka", say=said.append)
        assert said[0] == f"ended what a killed supervisord had left: {orphan} java"
        assert not psutil.pid_exists(orphan) and processes.session(first) == []

        second, orphan = kill_supervisord(settings)
        said.clear()
        down.down(settings, say=said.append)
        assert said == [f"ended what was left: {orphan} java", "down: nothing of this stack is running"]
        assert not psutil.pid_exists(orphan) and processes.session(second) == []


def test_a_port_in_use_is_told_of_before_anything_starts(servers: Servers) -> None:
    """The message names the port, its setting, and the process that holds it; no supervisord is left behind."""
    with socket.socket() as holder, tempfile.TemporaryDirectory(prefix="ds-port-") as folder:
        holder.bind(("127.0.0.1", 0))
        holder.listen()
        port = holder.getsockname()[1]
        settings = servers.settings.model_copy(update={"home": Path(folder), "kafka_port": port})
        with pytest.raises(BadInputError) as raised:
            up.up(settings, "kafka", say=lambda _: None)
        first, *_, last = str(raised.value).splitlines()
        start = f"Kafka: port {port} (DRINKSTREAM_KAFKA_PORT) is in use by process {os.getpid()} ("
        assert first.startswith(start)
        assert last == "nothing was started: stop the other program, or set another port"
        assert supervisor.session_id(settings) is None
