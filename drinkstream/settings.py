"""All settings, as one frozen object built once from `DRINKSTREAM_*` variables and an optional file, and passed in.

Nothing here is read at import. `Settings.load()` is called at the edges (command line, web factory, DAG file) only.
"""

import os
import re
from collections.abc import Mapping
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError, field_validator

from drinkstream.errors import BadInputError

PREFIX = "DRINKSTREAM_"
ROOT = Path(__file__).resolve().parent.parent

_NAME = re.compile(rf"{PREFIX}\w+")
_PLAIN = re.compile(r"/[\w./+@=-]*")


class Settings(BaseModel):
    """Every setting with its default; a field `web_port` is set by the variable `DRINKSTREAM_WEB_PORT`.

    Ports are TCP ports on the loopback address. Sizes are MiB unless the name says otherwise, durations are seconds.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True, allow_inf_nan=False)

    # where things lie
    home: Path = Field(
        ROOT / "var",
        validate_default=True,
        description="folder of all data, logs, downloads and secrets of this stack, an absolute path",
    )
    jars: Path | None = Field(
        None, description="folder of downloaded jars, which stacks may share, an absolute path; empty: `jars` in home"
    )
    ivy_settings: Path | None = Field(
        None, description="Ivy settings file naming a mirror of Maven Central; empty: none"
    )

    # addresses
    host: str = Field("127.0.0.1", description="address that every local server listens on")
    web_port: int = Field(8000, description="dashboard and API")
    airflow_port: int = Field(8080, description="Airflow UI and API")
    postgres_port: int = Field(15432, description="Airflow's PostgreSQL")
    kafka_port: int = Field(19092, description="Kafka clients; the controller listens on the next port")
    cassandra_port: int = Field(19042, description="Cassandra clients (CQL)")
    cassandra_storage_port: int = Field(17000, description="Cassandra between nodes")
    cassandra_jmx_port: int = Field(17199, description="Cassandra's management (nodetool), loopback only")

    # memory limits of the Java programs, MiB of heap
    kafka_heap: int = Field(512, gt=0, description="Kafka heap")
    cassandra_heap: int = Field(768, gt=0, description="Cassandra heap")
    speed_heap: int = Field(1536, gt=0, description="speed query heap")
    archive_heap: int = Field(1024, gt=0, description="archive query heap")
    recompute_heap: int = Field(2048, gt=0, description="recompute heap")

    # Kafka
    kafka_bootstrap: str = Field("", description="Kafka servers; empty: the local one")
    posts_topic: str = Field("posts", description="topic of the posts")
    status_topic: str = Field("feed.status", description="topic of the feeds' status lines")
    posts_partitions: int = Field(8, gt=0, description="partitions of the posts topic; never changed once created")
    retention_days: int = Field(7, gt=0, description="days that Kafka keeps posts")
    retention_gib: int = Field(40, gt=0, description="GiB that Kafka keeps of each topic at most, over all partitions")

    # Cassandra
    cassandra_hosts: str = Field("", description="Cassandra contact points, comma separated; empty: the local one")
    cassandra_datacenter: str = Field("datacenter1", description="Cassandra data centre that the programs ask")
    keyspace: str = Field("drinkstream", description="Cassandra keyspace")
    cassandra_user: str = Field("drinkstream", description="Cassandra role of the programs that write")
    cassandra_password: SecretStr | None = Field(None, description="its password; empty: from the secrets file")
    cassandra_reader: str = Field("drinkstream_web", description="Cassandra role of the web, which only reads")
    cassandra_reader_password: SecretStr | None = Field(None, description="its password; empty: from the secrets file")

    # archive
    archive_uri: str = Field(
        "", description="folder of the archive's Delta table, an absolute path; empty: a folder below home"
    )
    archive_trigger: int = Field(
        30, ge=0, description="seconds between commits of the archive, where a full one is not there sooner"
    )
    archive_max_offsets: int = Field(500_000, gt=0, description="records that one commit of the archive takes at most")

    # speed layer
    speed_trigger: float = Field(0.75, ge=0, description="seconds between micro-batches of the speed layer")
    speed_watermark: int = Field(
        600, ge=0, description="watermark delay on append time, seconds; an epoch keeps the one that it began with"
    )
    speed_max_offsets: int = Field(600_000, gt=0, description="records a micro-batch takes at most")
    spark_master: str = Field("local[2]", description="Spark master of all jobs")
    # in the format of its version 4, the default of 5, Cassandra takes no row that would live beyond January 2038
    speed_ttl_days: int = Field(
        35,
        gt=0,
        le=1825,
        description="days that Cassandra keeps speed cells, 1825 at most; never changed once the tables are made",
    )

    # recompute, audit, web
    archive_patience: int = Field(
        3600, ge=0, description="seconds that a recompute waits for the archive before it fails"
    )
    recompute_chunk: int = Field(
        20_000_000, gt=0, description="records that a recompute reads at once; a day is never split"
    )
    max_rejected_share: float = Field(
        0.01, ge=0, description="share of a day's records that the audit lets be rejected"
    )
    audit_tolerance: float = Field(
        0.05,
        ge=0,
        description="relative difference of speed and batch totals that the audit lets pass, deleted posts apart",
    )
    pending_limit: int = Field(
        100, ge=0, description="records that may be pending for a published day before the nightly run recomputes it"
    )
    as_of_days: int = Field(
        90, ge=0, description="days that superseded runs are kept, which is how far back as_of can ask"
    )
    web_threads: int = Field(8, gt=0, description="request threads of the web server")
    live_refresh: float = Field(1.0, gt=0, description="seconds between the web's looks at the live cells")

    # demo source and X
    source: str = Field("demo", description="what `collect` reads: demo or x")
    demo_rate: float = Field(8.0, gt=0, description="posts a second of the demo source, on average")
    demo_seed: int = Field(1, description="seed of the demo source")
    demo_history_days: int = Field(30, ge=0, description="past days that the first `make up` replays; 0: none")
    demo_history_rate: float = Field(0.1, gt=0, description="posts a second of the demo's past days, on average")
    x_bearer_token: SecretStr | None = Field(None, description="bearer token of the X API (app-only)")
    x_consumer_key: SecretStr | None = Field(None, description="X API key; with its secret it is exchanged for a token")
    x_consumer_secret: SecretStr | None = Field(None, description="X API key secret")
    x_access_token: SecretStr | None = Field(None, description="X user's access token: no use for the filtered stream")
    x_access_token_secret: SecretStr | None = Field(None, description="its secret: no use either")
    x_sync_rules: bool = Field(True, description="keep our rules on X's stream equal to the taxonomy's words")
    x_api_url: str = Field("", description="base address of the X API; empty: X itself")

    # programs run in folders of their own: what depends on where one stands would be another folder for each

    @field_validator("home")
    @classmethod
    def _plain(cls, home: Path) -> Path:
        if _PLAIN.fullmatch(str(home)) is None:
            raise ValueError(
                "give an absolute path of letters, digits and . _ + @ = - only; Kafka's, Cassandra's and supervisord's "
                "files cannot hold others"
            )
        return home

    @field_validator("jars")
    @classmethod
    def _absolute(cls, jars: Path | None) -> Path | None:
        if jars is not None and not jars.is_absolute():
            raise ValueError("give an absolute path")
        return jars

    @field_validator("archive_uri")
    @classmethod
    def _local(cls, uri: str) -> str:
        # what the archive holds of each partition is kept beside the table, which has to be on a file system of ours
        if uri and not uri.removeprefix("file://").startswith("/"):
            raise ValueError("give an absolute path, or a file:/// address of one")
        return uri

    @field_validator("keyspace")
    @classmethod
    def _as_cql_reads_it(cls, keyspace: str) -> str:
        # capitals without quotes around them are small letters to CQL, and only to CQL
        if re.fullmatch(r"[a-z][a-z0-9_]{0,47}", keyspace) is None:
            raise ValueError("give 1 to 48 of a-z, 0-9 and _, the first of them a letter")
        return keyspace

    @field_validator("kafka_bootstrap")
    @classmethod
    def _with_ports(cls, servers: str) -> str:
        named = [server.strip() for server in servers.split(",")] if servers else []
        if not all(re.fullmatch(r"[^\s,]+:\d+", server) for server in named):
            raise ValueError("give host:port, several with commas between them")
        return ",".join(named)

    @field_validator("x_bearer_token", "x_consumer_key", "x_consumer_secret", "x_access_token", "x_access_token_secret")
    @classmethod
    def _of_one_line(cls, key: SecretStr | None) -> SecretStr | None:
        # `$(cat FILE)` of a file with CR LF, a secret made with `echo`: an HTTP header cannot hold the end of the line
        stripped = key.get_secret_value().strip() if key is not None else ""
        if not (stripped.isascii() and stripped.isprintable()):
            raise ValueError("give one line of ASCII letters, digits and signs, as X's developer portal shows it")
        return SecretStr(stripped) if stripped else None

    @classmethod
    def load(cls, environ: Mapping[str, str] | None = None) -> "Settings":
        """Settings from the environment and, where it exists, the file that `DRINKSTREAM_FILE` names (KEY=value lines).

        The environment wins over the file. Raises BadInputError for an unknown `DRINKSTREAM_*` key, a bad value or any
        other line of the file; the message names the key but never a value, since it may be a secret.
        """
        env = dict(os.environ if environ is None else environ)
        given = {k: v for k, v in env.items() if k.startswith(PREFIX)}
        file = given.pop(PREFIX + "FILE", None)
        if file is not None:
            given = {**_file(Path(file)), **given}
        known = {PREFIX + name.upper(): name for name in cls.model_fields}
        if unknown := sorted(set(given) - set(known)):
            raise BadInputError(f"unknown setting {', '.join(unknown)}: see docs/settings.md for all of them")
        try:
            return cls.model_validate({known[k]: v for k, v in given.items() if v != ""})
        except ValidationError as error:
            faults = "; ".join(f"{PREFIX}{str(e['loc'][0]).upper()}: {e['msg']}" for e in error.errors())
            raise BadInputError(f"bad setting: {faults}") from None

    @property
    def bootstrap(self) -> str:
        """Kafka's bootstrap servers, `host:port[,host:port]`."""
        return self.kafka_bootstrap or f"{self.host}:{self.kafka_port}"

    @property
    def contact_points(self) -> list[str]:
        """Cassandra's contact points."""
        return self.cassandra_hosts.split(",") if self.cassandra_hosts else [self.host]

    @property
    def jar_folder(self) -> Path:
        """Folder of the jars, with one folder below it for each class path: kafka, cassandra, spark, web."""
        return self.jars or self.home / "jars"

    @property
    def archive(self) -> str:
        """Address of the archive's Delta table."""
        return self.archive_uri or str(self.home / "archive")

    @property
    def checkpoints(self) -> Path:
        """Folder of the streaming queries' checkpoints."""
        return self.home / "checkpoints"

    @property
    def scratch(self) -> Path:
        """Folder of what the programs need only while they run."""
        return self.home / "tmp"

    @property
    def secrets(self) -> Path:
        """Folder (0700) of generated passwords, one file (0600) each."""
        return self.home / "secrets"

    def secret(self, name: str) -> str:
        """The generated password `name` (one of the files in `secrets`). Raises BadInputError where there is none."""
        path = self.secrets / name
        if not path.is_file():
            raise BadInputError(f"no password {name}: {path} is missing; `make up` writes it")
        return path.read_text().strip()

    def writer_login(self) -> tuple[str, str]:
        """Cassandra user and password of the programs that write."""
        given = self.cassandra_password
        return self.cassandra_user, given.get_secret_value() if given else self.secret("cassandra_writer")

    def reader_login(self) -> tuple[str, str]:
        """Cassandra user and password of the programs that only read."""
        given = self.cassandra_reader_password
        return self.cassandra_reader, given.get_secret_value() if given else self.secret("cassandra_reader")


def _file(path: Path) -> dict[str, str]:
    if not path.is_file():
        raise BadInputError(f"{PREFIX}FILE names {path}, which is not there")
    found = {}
    for number, line in enumerate(map(str.strip, path.read_text().splitlines()), 1):
        if not line or line.startswith("#"):
            continue
        name, sign, value = (part.strip() for part in line.partition("="))
        if not sign or _NAME.fullmatch(name) is None:
            raise BadInputError(f"{path}, line {number}: not of the form {PREFIX}NAME=value")  # it may hold a secret
        quoted = len(value) > 1 and value[0] in "\"'" and value[0] == value[-1]
        found[name] = value[1:-1] if quoted else value
    return found
