"""What all tests share: an environment of their own, Hypothesis's profile, and Spark once a test asks for it."""

import os
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, settings

from drinkstream.settings import PREFIX, Settings

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

# programs that tests start get this environment: what the shell or its DRINKSTREAM_FILE set leads to somebody's data;
# only the downloaded jars are shared
_jars = Settings.load().jar_folder
for _name in [name for name in os.environ if name.startswith(PREFIX)]:
    del os.environ[_name]
os.environ[PREFIX + "JARS"] = str(_jars)

# on a busy machine a slow example says nothing about the code
settings.register_profile("here", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("here")


@pytest.fixture(scope="session")
def spark() -> "SparkSession":
    """The one Spark session of this test run."""
    from tests.lib.spark import spark as made

    return made()
