"""Cassandra's management tool, `python -m stack.nodetool status`, on this stack's node."""

import os
import sys

from drinkstream.errors import DrinkStreamError
from drinkstream.settings import Settings
from stack.environment import environment


def main(argv: list[str] | None = None) -> int:
    """Become `nodetool ARGUMENTS`; an exit code is returned only where that cannot be."""
    arguments = sys.argv[1:] if argv is None else argv
    try:
        settings = Settings.load()
        variables = environment(settings)
    except DrinkStreamError as error:
        print(error, file=sys.stderr)
        return error.exit_code
    command = [
        *("java", "-Xmx128m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1"),
        "--add-opens=java.base/sun.nio.ch=ALL-UNNAMED",
        "--add-opens=java.base/jdk.internal.ref=ALL-UNNAMED",
        f"-Duser.home={settings.home / 'tmp'}",  # where it keeps its history
        f"-Dlogback.configurationFile={settings.home}/conf/logback-tools.xml",
        *("-cp", f"{settings.jar_folder}/cassandra/*", "org.apache.cassandra.tools.NodeTool"),
        *("-h", "127.0.0.1", "-p", str(settings.cassandra_jmx_port)),
        *arguments,
    ]
    os.execvpe(command[0], command, variables)  # noqa: S606


if __name__ == "__main__":
    sys.exit(main())
