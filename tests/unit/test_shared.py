"""What a test run has whatever shell it was started in."""

import json
import os
import subprocess
import sys
from pathlib import Path

from hypothesis import HealthCheck, settings

from drinkstream.settings import PREFIX, ROOT

TOLD = """
import tests.conftest
from drinkstream.settings import Settings
print(Settings.load().model_dump_json(exclude_unset=True))
"""


def test_of_the_shells_settings_only_the_folder_of_jars_reaches_the_tests(tmp_path: Path) -> None:
    """Neither an archive nor a Kafka or a token of somebody's stack, whether a variable or a file names them."""
    file = tmp_path / "stack.env"
    file.write_text(
        "DRINKSTREAM_HOME=/stack\nDRINKSTREAM_ARCHIVE_URI=/srv/archive\nDRINKSTREAM_KAFKA_BOOTSTRAP=prod:9092\n"
    )
    plain = {name: value for name, value in os.environ.items() if not name.startswith(PREFIX)}
    shell = {**plain, "DRINKSTREAM_FILE": str(file), "DRINKSTREAM_X_BEARER_TOKEN": "token"}
    told = subprocess.run([sys.executable, "-c", TOLD], cwd=ROOT, env=shell, capture_output=True, check=True)
    assert json.loads(told.stdout) == {"jars": "/stack/jars"}


def test_no_example_fails_for_being_slow() -> None:
    """The machine may be busy; every test that asks for nothing else has this."""
    assert settings.default is not None
    assert settings.default.deadline is None
    assert HealthCheck.too_slow in settings.default.suppress_health_check
