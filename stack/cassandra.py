"""The Cassandra node: its command line, its roles, and the tables."""

from pathlib import Path

from cassandra import DriverException, InvalidRequest
from cassandra.cluster import NoHostAvailable, Session
from cassandra.protocol import ConfigurationException, SyntaxException

from drinkstream.errors import BadInputError, UnavailableError
from drinkstream.settings import ROOT, Settings
from drinkstream.store.session import connect
from stack import ready
from stack.account import as_server
from stack.repack import repack

SCHEMA = ROOT / "drinkstream" / "store" / "schema.cql"
ADMIN = "drinkstream_admin"
DAY_S = 86_400


def command(settings: Settings) -> list[str]:
    """The command that runs the node in the foreground, not as root."""
    home, jars = settings.home, settings.jar_folder / "cassandra"
    data = home / "cassandra"
    return as_server(
        settings,
        [
            *(
                "java",
                f"@{home}/conf/cassandra.jvm",
                f"-Xms{settings.cassandra_heap}m",
                f"-Xmx{settings.cassandra_heap}m",
            ),
            f"-javaagent:{_jamm(jars)}",
            f"-Dcassandra.config={(home / 'conf' / 'cassandra.yaml').as_uri()}",
            f"-Dcassandra.storagedir={data}",
            f"-Dcassandra.logdir={data}",
            f"-Dlogback.configurationFile={home}/conf/logback.xml",
            "-Dcassandra-foreground=yes",
            f"-Dcassandra.jmx.local.port={settings.cassandra_jmx_port}",
            # alone: nobody to wait for, nobody to tell
            "-Dcassandra.skip_wait_for_gossip_to_settle=0",
            "-Dcassandra.ring_delay_ms=1000",
            "-Dcassandra.shutdown_announce_in_ms=0",
            "-Dcassandra.superuser_setup_delay_ms=100",
            *("-cp", f"{jars}/*", "org.apache.cassandra.service.CassandraDaemon"),
        ],
    )


def set_up(settings: Settings) -> None:
    """Our admin instead of Cassandra's, the keyspace with its tables, and two roles that may do what they need only.

    Raises UnavailableError where the node does not let us in yet, or does not answer in time: call it again, each step
    may be repeated. Raises BadInputError for what it will not take the next time either.
    """
    session = admin(settings)
    try:
        session.execute("ALTER ROLE cassandra WITH SUPERUSER = false AND LOGIN = false")
        apply_schema(settings, session)
        for statement in roles(settings, settings.writer_login()[1], settings.reader_login()[1]):
            session.execute(statement)
        if runs := repack(session, settings.keyspace):
            print(f"cassandra: the cells of {runs} runs are packed now", flush=True)
    except (InvalidRequest, ConfigurationException, SyntaxException) as error:
        raise BadInputError(f"Cassandra refuses the roles and tables that the settings name: {error}") from error
    except (DriverException, NoHostAvailable) as error:
        raise UnavailableError(f"Cassandra does not take its roles and tables: {error}") from error
    finally:
        session.cluster.shutdown()


def apply_schema(settings: Settings, session: Session) -> None:
    """Create the keyspace and every table of schema.cql that is not there.

    Raises BadInputError where the speed cells that are there live for another time than the settings say.
    """
    for statement in tables(settings):
        session.execute(statement, timeout=60)
    _check_life(settings, session)


def check(settings: Settings) -> None:
    """Nothing, where both roles may read the tables, and the tables are as the settings say.

    Raises UnavailableError, and BadInputError as `apply_schema` does.
    """
    ready.tables(settings)
    ready.readable(settings)
    session = connect(settings, settings.reader_login())
    try:
        _check_life(settings, session)
    finally:
        session.cluster.shutdown()


def _check_life(settings: Settings, session: Session) -> None:
    # when the days of an epoch are no longer told is reckoned from the setting, and rows keep the life they came with
    made = session.execute(
        "SELECT default_time_to_live AS s FROM system_schema.tables "
        "WHERE keyspace_name = %s AND table_name = 'speed_cells_v1'",
        (settings.keyspace,),
    ).one()
    if made.s != settings.speed_ttl_days * DAY_S:
        raise BadInputError(
            f"DRINKSTREAM_SPEED_TTL_DAYS={settings.speed_ttl_days}, but the tables of {settings.keyspace} have "
            f"{made.s // DAY_S}, which their rows keep: set it to that, or begin with a new DRINKSTREAM_KEYSPACE"
        )


def grant(settings: Settings, session: Session) -> None:
    """Writers may read and write rows of the keyspace, readers may read them; neither may change tables."""
    for statement in _grants(settings):
        session.execute(statement)


def tables(settings: Settings) -> list[str]:
    """The CQL statements that make the keyspace and every table of schema.cql."""
    keyspace = (
        f"CREATE KEYSPACE IF NOT EXISTS {settings.keyspace} WITH replication = "
        "{'class': 'SimpleStrategy', 'replication_factor': 1} AND durable_writes = true"
    )
    return [keyspace, *statements(SCHEMA, settings)]


def statements(path: Path, settings: Settings) -> list[str]:
    """The CQL statements of a schema file, its placeholders filled in, without comments."""
    text = "\n".join(line.split("--")[0] for line in path.read_text().splitlines())
    filled = text.format(keyspace=settings.keyspace, speed_ttl=settings.speed_ttl_days * DAY_S)
    return [statement.strip() for statement in filled.split(";") if statement.strip()]


def roles(settings: Settings, writer_password: str, reader_password: str) -> list[str]:
    """The CQL statements that make the two roles, with what each may do."""
    made = []
    for user, password in (settings.cassandra_user, writer_password), (settings.cassandra_reader, reader_password):
        made.append(f"CREATE ROLE IF NOT EXISTS {_name(user)}")
        made.append(f"ALTER ROLE {_name(user)} WITH LOGIN = true AND PASSWORD = {_text(password)}")
    return [*made, *_grants(settings)]


def for_an_administrator(settings: Settings) -> str:
    """What `set_up` does, as CQL for whoever runs a Cassandra elsewhere, with a word in place of each password."""
    statements = [*tables(settings), *roles(settings, "WRITER_PASSWORD", "READER_PASSWORD")]
    return "".join(f"{statement};\n" for statement in statements)


def admin(settings: Settings) -> Session:
    login = (ADMIN, settings.secret("cassandra_admin"))
    try:
        return connect(settings, login, "system")
    except UnavailableError:
        first = connect(settings, ("cassandra", "cassandra"), "system")
    try:
        first.execute(
            f"CREATE ROLE IF NOT EXISTS {ADMIN} WITH PASSWORD = {_text(login[1])} AND SUPERUSER = true AND LOGIN = true"
        )
    finally:
        first.cluster.shutdown()
    return connect(settings, login, "system")


def _grants(settings: Settings) -> list[str]:
    keyspace, writer = settings.keyspace, _name(settings.cassandra_user)
    return [
        f"GRANT MODIFY ON KEYSPACE {keyspace} TO {writer}",
        f"GRANT SELECT ON KEYSPACE {keyspace} TO {writer}",  # LWT reads before it writes
        f"GRANT SELECT ON KEYSPACE {keyspace} TO {_name(settings.cassandra_reader)}",
    ]


def _name(role: str) -> str:
    # in quotes: else CQL makes small letters of capitals, and a login does not
    return '"' + role.replace('"', '""') + '"'


def _text(value: str) -> str:
    return "'" + value.replace("'", "''") + "'"


def _jamm(jars: Path) -> Path:
    return max(jars.glob("jamm-*.jar"))
