"""Which TCP ports each program listens on, and whether they are free."""

import errno
import ipaddress
import socket

import psutil

from drinkstream.errors import BadInputError
from drinkstream.settings import PREFIX, Settings


def wanted(settings: Settings, programs: list[str]) -> dict[str, tuple[int, str]]:
    """{what: (port, setting)} of these programs."""
    every = {
        "postgres": {"PostgreSQL": (settings.postgres_port, "postgres_port")},
        "kafka": {
            "Kafka": (settings.kafka_port, "kafka_port"),
            "Kafka's controller": (settings.kafka_port + 1, "kafka_port (plus one)"),
        },
        "cassandra": {
            "Cassandra": (settings.cassandra_port, "cassandra_port"),
            "Cassandra's storage": (settings.cassandra_storage_port, "cassandra_storage_port"),
            "Cassandra's management": (settings.cassandra_jmx_port, "cassandra_jmx_port"),
        },
        "airflow-api-server": {"Airflow": (settings.airflow_port, "airflow_port")},
        "web": {"the web": (settings.web_port, "web_port")},
    }
    return {what: port for name in programs for what, port in every.get(name, {}).items()}


def check(settings: Settings, programs: list[str]) -> None:
    """Raise BadInputError naming every port of these programs that is not free, its setting and who holds it.

    Where the host is not one to listen on, that alone is named.
    """
    faults = []
    seen: dict[int, str] = {}
    for what, (port, setting) in wanted(settings, programs).items():
        variable = PREFIX + setting.upper().replace(" (PLUS ONE)", " (plus one)")
        if not 0 < port < 65_536:
            faults.append(f"{what}: {port} ({variable}) is not a port, which is 1 to 65535")
        elif port in seen:
            faults.append(f"{what} and {seen[port]} both have port {port} ({variable})")
        elif (error := _refusal(settings.host, port)) is not None:
            faults.append(f"{what}: port {port} ({variable}) {_reason(error, port)}")
        seen[port] = what
    if faults:
        raise BadInputError("\n".join([*faults, "nothing was started: stop the other program, or set another port"]))


def _refusal(host: str, port: int) -> OSError | None:
    """Why nobody can listen there; None where one can. Raises BadInputError where the host is the reason."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # a port in TIME_WAIT is free to a listener
        try:
            probe.bind((host, port))
        except OSError as error:
            if isinstance(error, socket.gaierror) or error.errno == errno.EADDRNOTAVAIL:
                raise BadInputError(
                    f"{PREFIX}HOST={host} is no IPv4 address of this machine ({error.strerror}): nothing was started"
                ) from error
            return error
        if ipaddress.ip_address(probe.getsockname()[0]).is_unspecified:
            raise BadInputError(
                f"{PREFIX}HOST={host} is every address of this machine, and Kafka and Cassandra have to tell their "
                "clients one: nothing was started"
            )
    return None


def _reason(error: OSError, port: int) -> str:
    if error.errno == errno.EADDRINUSE:
        return f"is in use by {_holder(port)}"
    if error.errno == errno.EACCES:
        return "is not for this user to listen on, as those below 1024 are root's"
    return f"cannot be listened on: {error.strerror}"


def _holder(port: int) -> str:
    try:
        listeners = (
            c for c in psutil.net_connections("tcp") if c.status == psutil.CONN_LISTEN and c.laddr.port == port
        )
        holder = next((c.pid for c in listeners if c.pid), None)
        if holder is not None:
            process = psutil.Process(holder)
            return f"process {holder} ({' '.join(process.cmdline())[:80] or process.name()})"
    except psutil.Error:
        pass
    return "a process that we may not see"
