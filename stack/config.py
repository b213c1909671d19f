"""The servers' configuration files, written from the templates in stack/conf into `<home>/conf` at every start."""

import re
from pathlib import Path
from string import Template

from drinkstream.errors import BadInputError
from drinkstream.settings import Settings
from stack.account import server_folder

TEMPLATES = Path(__file__).resolve().parent / "conf"
MESSAGE_BYTES = 12 * 1024 * 1024  # the longest record that broker, topic and producer agree on

MARK = ".drinkstream"  # in every home that the stack made: what `clean` may empty

_PLAIN = re.compile(r"/[\w./+@=-]*")


def write(settings: Settings) -> Path:
    """The folder of the written files, `<home>/conf`, with every folder that the servers write to beside it.

    Raises BadInputError where `home` has a character that one of the configuration languages would misread.
    """
    home = settings.home
    if not home.is_absolute() or _PLAIN.fullmatch(str(home)) is None:
        raise BadInputError(
            f"DRINKSTREAM_HOME={home}: give an absolute path of letters, digits and . _ + @ = - only; "
            "Kafka's, Cassandra's and supervisord's files cannot hold others"
        )
    home.mkdir(parents=True, exist_ok=True)
    (home / MARK).touch()
    for folder in (*(home / name for name in ("conf", "log", "run", "kafka")), settings.scratch):
        folder.mkdir(parents=True, exist_ok=True)
    for name in ("cassandra", "postgres"):
        server_folder(settings, home / name)
    values = {
        **{name: str(getattr(settings, name)) for name in type(settings).model_fields if "password" not in name},
        "controller_port": str(settings.kafka_port + 1),
        "message_bytes": str(MESSAGE_BYTES),
    }
    for template in TEMPLATES.iterdir():
        _replace(home / "conf" / template.name, Template(template.read_text()).safe_substitute(values))
    return home / "conf"


def _replace(path: Path, text: str) -> None:
    """Write aside, then switch, and only what changed: a running server may read its file at any time."""
    if path.is_file() and path.read_text() == text:
        return
    aside = path.with_suffix(".new")
    aside.write_text(text)
    aside.rename(path)
