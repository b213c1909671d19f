"""A session with Cassandra, opened after any fork, with the settings that both layers share."""

import socket
from collections import namedtuple
from collections.abc import Sequence
from functools import lru_cache
from typing import Any

from cassandra import ConsistencyLevel
from cassandra.auth import PlainTextAuthProvider
from cassandra.cluster import EXEC_PROFILE_DEFAULT, Cluster, ExecutionProfile, NoHostAvailable, Session
from cassandra.policies import DCAwareRoundRobinPolicy, ExponentialReconnectionPolicy, TokenAwarePolicy

from drinkstream.errors import UnavailableError
from drinkstream.settings import Settings


def connect(settings: Settings, login: tuple[str, str], keyspace: str | None = None) -> Session:
    """An open session as (user, password), with LOCAL_QUORUM reads and writes; `session.cluster.shutdown()` ends it.

    Never call this before a fork. Raises UnavailableError where no server answers; once open, the driver reconnects by
    itself.
    """
    profile = ExecutionProfile(
        load_balancing_policy=TokenAwarePolicy(DCAwareRoundRobinPolicy(local_dc=settings.cassandra_datacenter)),
        consistency_level=ConsistencyLevel.LOCAL_QUORUM,
        serial_consistency_level=ConsistencyLevel.LOCAL_SERIAL,
        request_timeout=30.0,
        row_factory=named_rows,
    )
    cluster = Cluster(
        settings.contact_points,
        port=settings.cassandra_port,
        auth_provider=PlainTextAuthProvider(*login),
        execution_profiles={EXEC_PROFILE_DEFAULT: profile},
        # in version 5 answers come in checked segments, of whose header the driver (3.30.1) loses the first bytes where
        # what it has read from the socket ends within them: then the answer, and the whole connection, fail
        protocol_version=4,
        reconnection_policy=ExponentialReconnectionPolicy(0.5, 15.0, max_attempts=None),
        connect_timeout=10,
        # the default of 2 s is not enough for a server that has just begun, on a busy machine
        control_connection_timeout=10.0,
        # else a request in two pieces waits 40 ms for an acknowledgement that the server holds back
        sockopts=[(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)],
    )
    try:
        return cluster.connect(keyspace or settings.keyspace)
    except NoHostAvailable as error:
        cluster.shutdown()
        points = ", ".join(settings.contact_points)
        raise UnavailableError(
            f"Cassandra does not answer on {points} port {settings.cassandra_port}: {error}. "
            "`make status` shows whether it runs"
        ) from error
    except BaseException:
        cluster.shutdown()
        raise


def named_rows(columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> list[Any]:
    """The rows of an answer, each a named tuple of its columns.

    The driver's own makes a class for each answer, which takes longer than most answers.
    """
    return list(map(_row_type(tuple(columns))._make, rows))


@lru_cache(maxsize=256)
def _row_type(columns: tuple[str, ...]) -> Any:
    # a conditional write answers with a column [applied]
    return namedtuple("Row", [column.strip("[]") for column in columns])
