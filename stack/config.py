"""The servers' configuration files, written from the templates in stack/conf into `<home>/conf` at every start."""

from pathlib import Path
from string import Template

from drinkstream.settings import Settings
from stack.account import server_folder
from stack.folders import replace

TEMPLATES = Path(__file__).resolve().parent / "conf"
MESSAGE_BYTES = 12 * 1024 * 1024  # the longest record that broker, topic and producer agree on


def write(settings: Settings) -> Path:
    """The folder of the written files, `<home>/conf`, with every folder that the servers write to beside it."""
    home = settings.home
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
        replace(home / "conf" / template.name, Template(template.read_text()).safe_substitute(values))
    return home / "conf"
