"""The stack's own promises, on real servers: who may do what, what survives a kill, what is refused before a start."""

import pytest
from cassandra import Unauthorized
from cassandra.cluster import Session
from kafka import KafkaAdminClient
from kafka.admin import ConfigResource, ConfigResourceType

from drinkstream.errors import UnavailableError
from drinkstream.settings import Settings
from drinkstream.store.session import connect


def refused(session: Session, statement: str) -> bool:
    """Whether Cassandra refuses the statement for want of a permission."""
    try:
        session.execute(statement)
    except Unauthorized:
        return True
    return False


def test_each_role_may_do_what_it_needs_and_no_more(cassandra_settings: Settings) -> None:
    """The writer reads and writes rows, the web's role only reads; neither touches tables or roles."""
    may = {}
    for role, login in (
        ("writer", cassandra_settings.writer_login()),
        ("reader", cassandra_settings.reader_login()),
    ):
        session = connect(cassandra_settings, login)
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


def test_the_password_that_cassandra_comes_with_is_refused(cassandra_settings: Settings) -> None:
    """cassandra/cassandra, which every installation starts with, does not let anybody in."""
    with pytest.raises(UnavailableError, match="AuthenticationFailed"):
        connect(cassandra_settings, ("cassandra", "cassandra"), "system")


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
        "max.message.bytes": "12582912",
        "compression.type": "producer",
    }.items():
        assert f"'{key}'" in text and f"'{value}'" in text
