"""Real servers, started at the first test that asks for them."""

import pytest

from drinkstream.settings import Settings
from tests.lib.servers import Servers
from tests.lib.servers import servers as made


@pytest.fixture(scope="session")
def servers() -> Servers:
    """The servers of this test run; `start(name)` starts one, `.settings` leads to them."""
    return made()


@pytest.fixture(scope="session")
def cassandra_server(servers: Servers) -> Settings:
    """Settings that lead to a real Cassandra with the tables in its keyspace `drinkstream`, which all tests share."""
    return servers.start("cassandra")


@pytest.fixture
def kafka_settings(servers: Servers) -> Settings:
    """Settings with topics of this test's own on a real Kafka."""
    return servers.kafka()


@pytest.fixture(scope="module")
def keyspace(servers: Servers) -> Settings:
    """Settings with a keyspace that the histories of a file share: each has runs and epochs, or a day, of its own."""
    return servers.cassandra()


@pytest.fixture
def settings(servers: Servers) -> Settings:
    """Settings with topics and a keyspace of this test's own on a real Kafka and a real Cassandra."""
    return servers.cassandra(servers.kafka())
